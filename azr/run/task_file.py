"""The working file of a run's tasks when the run starts: empty, or as the checkpoint has it.

A checkpoint's copy is the truth, and its hash is verified. The working file is derived from it: one
that is whole is replaced, one that is not is set aside for whoever wants to look at it.
"""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from azr.atomic_write import set_aside, written
from azr.config.run import RunConfig
from azr.game.tasks.buffers import FORMAT_VERSION, TaskBuffers
from azr.game.tasks.difficulty import Band
from azr.models.checkpoint import Checkpoint

__all__ = ["open_buffers"]

COLUMNS = frozenset({"id", "mode", "content_hash", "born_step", "record"})
"""Of the table of tasks, since its first version."""
PARTS = ("-wal", "-shm", "-journal")
"""What sqlite keeps beside its file; of no use without it, and misleading beside another."""
LOCK_S = 1.0
"""So long another process may hold the file."""


def open_buffers(
    config: RunConfig, file: Path, cut: Checkpoint | None, say: Callable[[str], None]
) -> TaskBuffers:
    """The run's task buffers: as the checkpoint has them, or empty.

    Args:
        config: The run's.
        file: The working file.
        cut: Where the run goes on from; None: it is new.
        say: Told if a file was set aside.

    Raises:
        CheckpointError: The file cannot be written, or the checkpoint's copy not be read.
    """
    with written(file):
        make_way(file, say)
    keeps_copies = config.novelty.dedupe == "none"
    buffers = TaskBuffers(
        file,
        config.buffers.max_tasks,
        keeps_copies=keeps_copies,
        band=Band(*config.buffers.band),
        say=say,
    )
    if cut is not None:
        buffers.restore(cut.tasks)
    return buffers


def make_way(file: Path, say: Callable[[str], None]) -> None:
    """Remove the working file; set it aside if it is not what a run leaves behind."""
    fault = fault_of(file) if file.exists() else ""
    if fault:
        aside = set_aside(file)
        say(f"{file} cannot be used ({fault}): set aside as {aside.name}")
    file.unlink(missing_ok=True)
    for part in PARTS:
        beside = file.with_name(file.name + part)
        if beside.is_dir():
            set_aside(beside)
        beside.unlink(missing_ok=True)


def fault_of(file: Path) -> str:
    """Why the file is no task buffer that this process could use; empty if it is one."""
    if not file.is_file():
        return "it is not a file"
    try:
        with closing(sqlite3.connect(str(file), timeout=LOCK_S, isolation_level=None)) as db:
            (problem,) = db.execute("PRAGMA quick_check").fetchone()
            (version,) = db.execute("PRAGMA user_version").fetchone()
            columns = {row[1] for row in db.execute("PRAGMA table_info(tasks)")}
            db.execute("BEGIN IMMEDIATE")
            db.execute("ROLLBACK")
    except (sqlite3.Error, ValueError, OverflowError) as error:
        return str(error)
    if problem != "ok":
        return str(problem)
    known = version in range(1, FORMAT_VERSION + 1) and columns >= COLUMNS
    return "" if known else "it holds no tasks of a run"
