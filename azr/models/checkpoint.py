"""Checkpoints: a consistent state of a run on disk, complete or not there at all.

    checkpoints/step_N/model/      weights and tokenizer, a Hugging Face model, or (with [lora]) an
                                   adapter and tokenizer, as PEFT has them
                       trainer/    learner.json (counters, random state), moments/ (the optimizer's)
                       tasks.sqlite
                       state.json  (azr.models.manifest), written last

Everything is written to a hidden folder beside it, flushed to the disk and renamed. A kill at any
moment leaves the earlier checkpoints and no partial one. Tensors are in safetensors, everything
else in JSON and SQLite, so nothing that is read back can run code.
"""

import json
import os
import shutil
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Protocol, cast

from azr.atomic_write import is_full
from azr.errors import CheckpointError
from azr.models.manifest import (
    FORMAT,
    fault_in,
    manifest_of,
    read_manifest,
    steps_in,
    write_manifest,
)

__all__ = [
    "Checkpoint",
    "Saveable",
    "is_adapter",
    "latest_checkpoint",
    "read_checkpoint",
    "save_checkpoint",
    "set_aside_after",
    "write_trainer_state",
]


STATE = "learner.json"
"""The trainer's plain values."""
ADAPTER = "adapter_config.json"
"""PEFT's name of an adapter's configuration."""


def is_adapter(folder: Path) -> bool:
    """Whether a model's folder holds an adapter of another model, and no whole one."""
    return (folder / ADAPTER).is_file()


class Saveable(Protocol):
    """What is saved besides the tasks (azr.learner.learner); all ranks save together."""

    def save(self, folder: Path) -> None:
        """Write weights and tokenizer, and all else that the next update depends on.

        Weights and tokenizer go into `folder`/model, in Hugging Face format; the rest goes into
        `folder`/trainer, which exists. Each rank flushes what it writes there beside the leader.

        Raises:
            OSError, RuntimeError: Some rank cannot write.
        """
        ...


def write_trainer_state(folder: Path, state: Mapping[str, Any]) -> None:
    """Write the trainer's plain values, for `Checkpoint.trainer_state`.

    Raises:
        OSError: They cannot be written.
    """
    (folder / "trainer" / STATE).write_text(json.dumps(state), encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint that was found complete."""

    path: Path
    step: int
    version: int = FORMAT
    """Version of its format (azr.models.manifest)."""

    @property
    def model(self) -> Path:
        """Weights and tokenizer, a Hugging Face model folder; or an adapter's (`is_adapter`)."""
        return self.path / "model"

    @property
    def trainer(self) -> Path:
        """What a run continues from, besides weights and tasks."""
        return self.path / "trainer"

    @property
    def tasks(self) -> Path:
        """The task buffers."""
        return self.path / "tasks.sqlite"

    def require_resumable(self) -> None:
        """Refuse to continue from a checkpoint of an older azr; its model and tasks can be read.

        Raises:
            CheckpointError: Its optimizer is in files that this azr does not read.
        """
        if self.version != FORMAT:
            raise CheckpointError(
                f"{self.path} is of format {self.version}, and a run goes on from format {FORMAT}"
                " alone: resume with the version of azr that wrote it (env.json in the run folder"
                f" names it), or start a new run with --model.name {self.model}"
            )

    def trainer_state(self) -> dict[str, Any]:
        """Return what was given to `write_trainer_state`.

        Raises:
            CheckpointError: It cannot be read, or an older azr wrote it.
        """
        self.require_resumable()
        file = self.trainer / STATE
        try:
            return dict(cast(Mapping[str, Any], json.loads(file.read_text(encoding="utf-8"))))
        except (OSError, ValueError, TypeError, RecursionError) as error:
            raise CheckpointError(
                f"{file} cannot be read ({error}){_way_out(self.path)}"
            ) from error


def save_checkpoint(
    folder: Path,
    step: int,
    *,
    learner: Saveable,
    backup_tasks: Callable[[Path], object],
    keep: int,
) -> Checkpoint:
    """Write `folder`/step_N and remove all but the newest `keep`.

    Raises:
        CheckpointError: It cannot be written. The earlier ones are still there.
    """
    final, partial = folder / f"step_{step}", folder / f".step_{step}.partial"
    with _explained(folder, final):
        folder.mkdir(parents=True, exist_ok=True)
        for leftover in folder.glob(".step_*"):  # of a process that was killed
            shutil.rmtree(leftover)
        try:
            (partial / "trainer").mkdir(parents=True)
            learner.save(partial)
            backup_tasks(partial / "tasks.sqlite")
            _write_state(partial, step)
            _replace(partial, final)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        for old in steps_in(folder)[:-keep]:
            if old != step:
                shutil.rmtree(folder / f"step_{old}")
    return Checkpoint(final, step)


def latest_checkpoint(folder: Path) -> Checkpoint | None:
    """Return the newest checkpoint, or None if there is none.

    Raises:
        CheckpointError: The newest is damaged, or of another version of azr. An older one is never
            taken silently, because that would discard steps.
    """
    numbers = steps_in(folder)
    return read_checkpoint(folder / f"step_{numbers[-1]}") if numbers else None


def read_checkpoint(path: Path, *, by_content: bool = True) -> Checkpoint:
    """Return the checkpoint in this folder, after checking all its files.

    Args:
        path: The folder.
        by_content: Compare hashes too. Not needed if another rank has just verified them.

    Raises:
        CheckpointError: It is missing, damaged, or of another version of azr.
    """
    try:
        manifest = read_manifest(path)
    except CheckpointError as error:
        raise CheckpointError(f"{error}{_way_out(path)}") from error
    if path.name.startswith("step_") and path.name != f"step_{manifest.step}":
        raise CheckpointError(f"{path} holds the checkpoint of step {manifest.step}: name it so")
    fault = fault_in(path, manifest, by_content=by_content)
    if fault:
        raise CheckpointError(f"{path} is damaged: {fault}{_way_out(path)}")
    return Checkpoint(path, manifest.step, manifest.version)


def set_aside_after(folder: Path, step: int) -> list[Path]:
    """Rename checkpoints of later steps, so that none counts as the newest; return them."""
    aside: list[Path] = []
    for number in (number for number in steps_in(folder) if number > step):
        names = (folder / f"set-aside-{k}-step_{number}" for k in count(1))
        aside.append(next(name for name in names if not name.exists()))
        (folder / f"step_{number}").rename(aside[-1])
    return aside


def _write_state(partial: Path, step: int) -> None:
    """Flush all files, then write the one that says that they are all there."""
    for file in partial.rglob("*"):
        if file.is_file():
            file.chmod(0o644)  # safetensors makes its files private
            flush(file)
    flush(write_manifest(partial, manifest_of(partial, step)))
    for folder in (*(path for path in partial.rglob("*") if path.is_dir()), partial):
        flush(folder)


def _replace(partial: Path, final: Path) -> None:
    """Put the folder in its place in one move."""
    if final.exists():  # a step that is replayed after going back further
        aside = final.with_name(f".{final.name}.old")
        final.rename(aside)
        partial.rename(final)
        shutil.rmtree(aside)
    else:
        partial.rename(final)
    flush(final.parent)


def flush(path: Path) -> None:
    """Wait until the file or folder is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _explained(folder: Path, final: Path) -> Generator[None]:
    """Say what a failed write means for the run."""
    try:
        yield
    except (OSError, RuntimeError) as error:  # torch and safetensors hide theirs in RuntimeError
        no_room = is_full(error) or (folder.is_dir() and shutil.disk_usage(folder).free < 2**20)
        reason = "the disk is full: No space left on device" if no_room else str(error)
        whole = steps_in(folder)
        kept = f"step {whole[-1]} is intact" if whole else "there is no older one"
        raise CheckpointError(
            f"{final} could not be written ({reason}); {kept}: make room, then go on with --resume"
        ) from error


def _way_out(path: Path) -> str:
    others = [number for number in steps_in(path.parent) if path.name != f"step_{number}"]
    if others:
        return f"; go on from step {others[-1]} instead: --checkpoint {others[-1]}"
    return f"; there is no other checkpoint: delete {path} and start anew"
