"""Which runs a folder holds, and how each of them is doing; nothing is locked to find out.

running    a process holds the run's lock on this machine, or, of a run of another machine, it
has written lately
finished   it has made all its planned steps
stopped    it ended on a checkpoint: a resume goes on where it stood
dead       it ended between two checkpoints: a resume replays the steps after the last
"""

import os
import platform
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from azr.errors import ConfigError
from azr.records.lines import objects_in
from azr.records.metrics_file import rows_of
from azr.records.run_folder import LOCK, is_run
from azr.report.html.data import number_of
from azr.report.story import read_object, resolved_config, table_in
from azr.report.view.follow import signature

__all__ = ["Entry", "entries", "refuse_unreadable", "run_folders"]

MAX_RUNS = 1000
DEPTH = 2
"""Runs may lie in a folder of the folder, as `runs/STUDY/NAME`."""
TAIL_BYTES = 256 * 1024
"""The last line of metrics.jsonl is within."""
QUIET_S, QUIET_STEPS = 180.0, 5.0
"""A run of another machine that has written nothing for this long, and for as long as this many
of its steps take, has ended."""
SIGNS = (
    *("metrics.jsonl", "tasks.sqlite", "tasks.sqlite-wal", "rollouts", "checkpoints", "logs"),
    *(LOCK, "env.json"),
)
"""Whatever a run does, one of these is written."""

State = Literal["running", "finished", "stopped", "dead"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A run as the list shows it."""

    name: str
    """Its path below the folder."""
    state: State
    step: int
    planned: int
    """Steps; 0 where the run does not say."""
    quiet_s: float
    """Since its last sign of life; by its disk's clock."""
    step_s: float | None
    """What its last step took."""
    model: str


def refuse_unreadable(folder: Path) -> None:
    """Tell at once that there is nothing to show.

    Raises:
        ConfigError: The folder is missing, is none, or may not be read.
    """
    try:
        with os.scandir(folder) as found:
            next(found, None)
    except FileNotFoundError:
        raise ConfigError(
            f"{folder} does not exist: give the folder that holds runs (azr train writes to runs/)"
        ) from None
    except OSError as error:
        raise ConfigError(f"{folder} cannot be read: {error.strerror}") from error


def run_folders(folder: Path) -> dict[str, Path]:
    """The runs below the folder by name; the folder itself where it is a run."""
    if holds_run(folder):
        return {folder.resolve().name: folder}
    found: dict[str, Path] = {}
    for path in runs_below(folder, DEPTH):
        found[path.relative_to(folder).as_posix()] = path
        if len(found) == MAX_RUNS:
            break
    return found


def runs_below(folder: Path, depth: int) -> Iterator[Path]:
    """Runs of the folder and of its folders; what cannot be read has none."""
    below: list[Path] = []
    with suppress(OSError), os.scandir(folder) as found:
        below = sorted(Path(entry.path) for entry in found if entry.is_dir())
    for path in below:
        if holds_run(path):
            yield path
        elif depth > 1:
            yield from runs_below(path, depth - 1)


def holds_run(path: Path) -> bool:
    """Whether a run has begun there."""
    with suppress(OSError):
        return is_run(path) or (path / "metrics.jsonl").is_file()
    return False


def entries(folders: dict[str, Path]) -> list[Entry]:
    """The runs, those first that gave the last sign of life; running ones before all others."""
    locks = held_locks()
    found = [entry_of(name, path, locks) for name, path in folders.items()]
    return sorted(found, key=lambda e: (e.state != "running", e.quiet_s, e.name))


def entry_of(name: str, folder: Path, locks: set[tuple[int, int]]) -> Entry:
    """One run."""
    config = config_of(folder, signature(folder / "resolved.json"))
    row = last_row(folder, signature(folder / "metrics.jsonl"))
    step, planned = int(row.get("step", 0)), number_of(config, "steps", 0)
    step_s = row.get("time/step")
    quiet_s = max(0.0, time.time() - last_sign(folder))
    return Entry(
        name=name,
        state=state_of(folder, step, planned, is_at_work(folder, quiet_s, step_s, locks)),
        step=step,
        planned=planned,
        quiet_s=round(quiet_s, 1),
        step_s=step_s,
        model=str(table_in(config, "model").get("name", "")),
    )


def state_of(folder: Path, step: int, planned: int, is_at_work: bool) -> State:
    """See the module."""
    if is_at_work:
        return "running"
    if planned and step >= planned:
        return "finished"
    return "stopped" if step and (folder / "checkpoints" / f"step_{step}").exists() else "dead"


def is_at_work(
    folder: Path, quiet_s: float, step_s: float | None, locks: set[tuple[int, int]]
) -> bool:
    """Whether a process works on the run.

    Args:
        folder: The run's.
        quiet_s: Since its last sign of life.
        step_s: What a step takes.
        locks: `held_locks()` of this machine.
    """
    if is_locked(folder, locks):
        return True
    is_here = read_object(folder / "env.json").get("host") == platform.node()
    return not is_here and quiet_s < max(QUIET_S, QUIET_STEPS * (step_s or 0.0))


def is_locked(folder: Path, locks: set[tuple[int, int]]) -> bool:
    """Whether a process of this machine holds the run's lock; it is not touched."""
    with suppress(OSError, ValueError):
        owner = int((folder / LOCK).read_text(encoding="utf-8")[:20])
        return (owner, (folder / LOCK).stat().st_ino) in locks
    return False


def held_locks() -> set[tuple[int, int]]:
    """(process, inode) of all files that are locked on this machine, as Linux lists them.

    `1: FLOCK  ADVISORY  WRITE 1234 08:02:5678 0 EOF`. The device is left out: file systems of
    several devices call it otherwise than `stat` does.
    """
    found: set[tuple[int, int]] = set()
    with suppress(OSError):
        for line in Path("/proc/locks").read_text(encoding="ascii").splitlines():
            words = line.split()
            if words[1:2] == ["FLOCK"] and len(words) > 5:
                found.add((int(words[4]), int(words[5].rpartition(":")[2])))
    return found


def last_sign(folder: Path) -> float:
    """When the run wrote last, by the clock of its disk; 0 if it never did."""
    times = [0.0]
    for file in (*(folder / name for name in SIGNS), *(folder / "logs").glob("attempt_*.log")):
        with suppress(OSError):
            times.append(file.stat().st_mtime)
    return max(times)


@lru_cache(maxsize=2 * MAX_RUNS)
def config_of(folder: Path, _: tuple[int, int, int]) -> dict[str, Any]:
    """The run's configuration, read again when its file has changed."""
    return resolved_config(folder)


@lru_cache(maxsize=2 * MAX_RUNS)
def last_row(folder: Path, _: tuple[int, int, int]) -> dict[str, Any]:
    """The last whole line of the run's metrics, read from the end; empty where there is none."""
    with suppress(OSError), (folder / "metrics.jsonl").open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - TAIL_BYTES))
        lines = file.read(TAIL_BYTES).split(b"\n")[:-1]
        rows = rows_of(objects_in(lines[-1:], []), [])
        return rows[0] if rows else {}
    return {}
