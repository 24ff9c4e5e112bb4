"""A run's folder: who may write there, where everything lies, and how a resume goes back.

    runs/NAME/{config.toml, resolved.json, env.json, metrics.jsonl, tasks.sqlite,
               rollouts/step_N.jsonl.gz, checkpoints/, tensorboard/, logs/attempt_K.{log,toml},
               profile/step_N.json.gz, report.html, comparison.html}

One process at a time: the folder is locked for as long as a `RunFolder` is open.
"""

import fcntl
import fnmatch
import json
import os
import re
import shutil
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Self

from azr.atomic_write import set_aside, whole, write_text, written
from azr.config.loading import to_toml
from azr.config.run import RunConfig
from azr.errors import CheckpointError
from azr.records.environment import environment
from azr.records.metrics_file import read_metrics, rows_in
from azr.records.resumption import changes, keep_configuration, nothing_there
from azr.records.rollouts import write_records

__all__ = [
    "LOCK",
    "RunFolder",
    "checkpoint_models",
    "export_model",
    "is_run",
    "refuse_taken",
    "rollout_files",
]

LOCK = ".lock"
CONTENTS = (
    *("config.toml", "resolved.json", "env.json", "metrics.jsonl*", "tasks.sqlite*", "rollouts"),
    *("checkpoints", "tensorboard", "logs", "report.html*", "comparison.html*"),
    *("wandb", "wandb_id", "eval", "profile"),
)
"""What a run writes."""
FOLDERS = ("checkpoints", "rollouts", "tensorboard", "logs", "eval", "profile", "wandb")
FILES = (
    *("config.toml", "resolved.json", "env.json", "metrics.jsonl", "wandb_id"),
    *("report.html", "comparison.html"),
)


@dataclass(slots=True)
class RunFolder:
    """An open run folder; `close` it, or use it as a context manager, to give back the lock."""

    path: Path
    attempt: int
    """How often this run was started, this time included."""
    lock: IO[str]
    news: tuple[str, ...] = ()
    """What whoever resumes must know: keys that have changed, or that there was no run."""

    @classmethod
    def open(cls, config: RunConfig, *, resume: bool = False, overwrite: bool = False) -> Self:
        """Make the folder, or take an existing one over, and write the configuration into it.

        Args:
            config: Its `folder` is opened.
            resume: Continue the run that is there; a folder that does not exist is then made.
            overwrite: Delete the run that is there.

        Raises:
            CheckpointError: The name is taken and neither was asked for, or another process is
                running in the folder, or it cannot be written.
        """
        path = config.folder
        if not overwrite and not resume:
            refuse_taken(path)
        try:
            path.mkdir(parents=True, exist_ok=True)
            with ExitStack() as opened:
                lock = opened.enter_context(take_lock(path))
                if overwrite:
                    clear(path)
                mended = mend(path)
                folder = cls(path, next_attempt(path), lock)
                if resume:
                    folder.news = (
                        changes(path, config, folder.attempt)
                        if holds_run(path)
                        else (nothing_there(path),)
                    )
                folder.news = (*mended, *folder.news)
                folder.describe(config)
                opened.pop_all()  # nothing failed: the lock is the folder's to close
        except OSError as error:
            with written(error.filename or path):
                raise
        return folder

    @property
    def metrics_file(self) -> Path:
        """One JSON object a line, one line a step."""
        return self.path / "metrics.jsonl"

    @property
    def tasks_file(self) -> Path:
        """The task buffers."""
        return self.path / "tasks.sqlite"

    @property
    def checkpoints(self) -> Path:
        """The folder of checkpoints."""
        return self.path / "checkpoints"

    @property
    def log_file(self) -> Path:
        """The log of this attempt."""
        return self.path / "logs" / f"attempt_{self.attempt}.log"

    def rollouts_file(self, step: int) -> Path:
        """The rollouts of one step."""
        return self.path / "rollouts" / f"step_{step}.jsonl.gz"

    def write_rollouts(self, step: int, records: Iterable[Mapping[str, Any]]) -> None:
        """Keep a step's rollouts (azr.records.rollouts)."""
        write_records(self.rollouts_file(step), records)

    def describe(self, config: RunConfig) -> None:
        """Write what runs here: configuration, versions, hardware. No secrets, no environment."""
        (self.path / "logs").mkdir(exist_ok=True)
        keep_configuration(self.path, self.attempt, to_toml(config))
        write_text(self.path / "config.toml", to_toml(config))
        write_json(self.path / "resolved.json", config.model_dump(mode="json"))
        write_json(self.path / "env.json", {"attempt": self.attempt, **environment()})
        self.log_file.touch()

    def rewind(self, step: int) -> tuple[str, ...]:
        """Forget everything written after `step`, the newest checkpoint's: a resume replays it.

        A last line that a kill has torn goes too; it can only belong to a later step. Metrics that
        cannot be read do not end a run: the file is kept aside as it was. Returns what to say.
        """
        news: list[str] = []
        if self.metrics_file.exists():
            found = rows_in(self.path)
            with whole(self.metrics_file) as partial, partial.open("w", encoding="utf-8") as file:
                file.writelines(json.dumps(row) + "\n" for row in found.rows if row["step"] <= step)
                file.flush()
                os.fsync(file.fileno())
                if found.faults:
                    aside, first = set_aside(self.metrics_file), found.faults[0]
                    left = f"left out ({len(found.faults)} in all); kept as {aside.name}"
                    news.append(f"{self.metrics_file}, {first}: {left}")
        for number, file in rollout_files(self.path).items():
            if number > step:
                shutil.rmtree(file) if file.is_dir() else file.unlink()
        for torn in (self.path / "rollouts").glob("*.partial"):
            torn.unlink()
        return tuple(news)

    def knows_untrained(self) -> bool:
        """Whether the metrics have a step 0: what the model scored before it learned anything."""
        return self.metrics_file.exists() and any(
            row["step"] == 0 for row in read_metrics(self.path)
        )

    def last_step(self) -> int:
        """The newest step that the metrics know of; 0 if there is none."""
        return max((row["step"] for row in read_metrics(self.path)), default=0)

    def close(self) -> None:
        """Give back the lock."""
        self.lock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def rollout_files(folder: Path) -> dict[int, Path]:
    """The rollout files by step, in the order of steps."""
    found = {
        int(match[1]): file
        for file in (folder / "rollouts").glob("step_*.jsonl.gz")
        if (match := re.fullmatch(r"step_(\d{1,18})\.jsonl\.gz", file.name))
    }
    return dict(sorted(found.items()))


def export_model(
    run: Path,
    folder: Path,
    step: int | None = None,
    write: Callable[[Path, Path], object] = shutil.copytree,
) -> Path:
    """Write a checkpoint's model to a folder of its own.

    Args:
        run: The run's folder.
        folder: Must not exist yet, or be empty.
        step: Which checkpoint; the newest by default.
        write: Given the checkpoint's model and the folder to make; by default it copies.

    Raises:
        CheckpointError: There is no such checkpoint, or the folder is taken.
    """
    found = checkpoint_models(run)
    wanted = max(found, default=0) if step is None else step
    if wanted not in found:
        there = ", ".join(str(number) for number in sorted(found)) or "none"
        raise CheckpointError(f"{run} has no checkpoint of step {wanted}; there are: {there}")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise CheckpointError(f"{folder} is not an empty folder")
    with whole(folder) as partial:
        write(found[wanted], partial)
    return folder


def checkpoint_models(run: Path) -> dict[int, Path]:
    """The models of the run's checkpoints, by step."""
    return {
        int(match[1]): path / "model"
        for path in (run / "checkpoints").glob("step_*")
        if (match := re.fullmatch(r"step_(\d{1,18})", path.name)) and (path / "model").is_dir()
    }


def take_lock(path: Path) -> IO[str]:
    """Hold the folder until the file is closed or the process is gone, however it dies."""
    lock = (path / LOCK).open("a+", encoding="utf-8")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.seek(0)
        owner = lock.read().strip() or "unknown"
        lock.close()
        raise CheckpointError(f"{path} is in use by another process (pid {owner})") from error
    lock.truncate(0)
    lock.write(f"{os.getpid()}\n")
    lock.flush()
    return lock


def refuse_taken(path: Path) -> None:
    """Raise `CheckpointError` if the folder holds a run that nobody asked to go on or to delete."""
    if holds_run(path):
        refusal = CheckpointError(f"{path} already holds a run")
        remedies = f"continue it: --resume, delete it: --overwrite, or: --name {path.name}-2"
        refusal.add_note(remedies)
        raise refusal


def holds_run(path: Path) -> bool:
    """Is there anything to lose? A start that failed before its first checkpoint leaves nothing."""
    metrics, checkpoints = path / "metrics.jsonl", path / "checkpoints"
    has_steps = metrics.exists() and metrics.stat().st_size > 0
    return has_steps or (checkpoints.is_dir() and any(checkpoints.iterdir()))


def mend(path: Path) -> tuple[str, ...]:
    """Set aside what is in the place of a run's files and folders and is of another kind.

    Raises:
        CheckpointError: That place is the checkpoints': they are the run.
    """
    folders, files = (path / name for name in FOLDERS), (path / name for name in FILES)
    wrong = [entry for entry in folders if entry.exists() and not entry.is_dir()]
    wrong += [entry for entry in files if entry.exists() and not entry.is_file()]
    if path / "checkpoints" in wrong:
        raise CheckpointError(f"{path / 'checkpoints'} is not a folder: move it away")
    kind = "is of another kind than a run's"
    return tuple(f"{entry} {kind}: set aside as {set_aside(entry).name}" for entry in wrong)


def is_run(path: Path) -> bool:
    """Whether a run has written there."""
    return (path / "resolved.json").is_file()


def clear(path: Path) -> None:
    """Delete the run in the folder, and nothing that a run did not write.

    Raises:
        CheckpointError: The folder holds files, but is not one of ours.
    """
    entries = [entry for entry in path.iterdir() if entry.name != LOCK]
    if entries and not is_run(path):
        raise CheckpointError(f"{path} is not a run's folder: --overwrite would delete other files")
    for entry in entries:
        if not any(fnmatch.fnmatch(entry.name, pattern) for pattern in CONTENTS):
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def next_attempt(path: Path) -> int:
    """One more than the newest attempt that left a log."""
    logs = [
        re.fullmatch(r"attempt_(\d{1,18})\.log", file.name) for file in (path / "logs").glob("*")
    ]
    return 1 + max((int(match[1]) for match in logs if match), default=0)


def write_json(path: Path, value: object) -> None:
    """Write it with one key a line."""
    write_text(path, json.dumps(value, indent=2) + "\n")
