"""All valid tasks so far, in SQLite: every one stays on disk, the newest of a mode can be drawn.

Law of the module: a draw is a function of (tasks in the order they came, seed). Draws go by
rank, never by row id, so a run that was rewound and resumed draws what it would have drawn.
"""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from random import Random

from azr.errors import CheckpointError, ConfigError
from azr.modes import rules_of
from azr.seeds import derive_seed
from azr.types import Case, Mode, Task

__all__ = ["TaskBuffers", "task_from_json", "task_to_json"]

FORMAT_VERSION = 1
"""SQLite's user_version; raised whenever the table changes."""

_TABLE = """
CREATE TABLE IF NOT EXISTS tasks (
    id INTEGER PRIMARY KEY,
    mode TEXT NOT NULL,
    content_hash BLOB NOT NULL,
    born_step INTEGER NOT NULL,
    record TEXT NOT NULL,
    UNIQUE (mode, content_hash)
);
CREATE INDEX IF NOT EXISTS tasks_by_birth ON tasks (born_step);
"""


def task_to_json(task: Task) -> str:
    """One line of JSON; the format of seed files."""
    record: dict[str, object] = {
        "mode": task.mode,
        "program": task.program,
        "cases": [{"input": case.input, "output": case.output} for case in task.cases],
        "message": task.message,
        "born_step": task.born_step,
    }
    return json.dumps(record | ({"functions": task.functions} if task.functions else {}))


def task_from_json(line: str) -> Task:
    """The inverse of `task_to_json`.

    Raises:
        ValueError: The line is not such a record.
    """
    record = json.loads(line)
    try:
        cases = tuple(Case(str(c["input"]), str(c["output"])) for c in record["cases"])
        task = Task(
            mode=Mode(record["mode"]),
            program=str(record["program"]),
            cases=cases,
            message=str(record.get("message", "")),
            born_step=int(record.get("born_step", 0)),
            functions=tuple(map(str, record.get("functions", ()))),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a task record: {type(error).__name__} {error}") from error
    if not cases:
        raise ValueError("not a task record: it has no cases")
    return task


def content_hash(task: Task) -> bytes:
    """Of all that a solver could be shown; when it was born does not matter."""
    parts = (
        task.program,
        task.message,
        *(text for c in task.cases for text in (c.input, c.output)),
    )
    return blake2b(json.dumps(parts).encode(), digest_size=16).digest()


class TaskBuffers:
    """The buffers of a run, in one file. Not for use by several threads."""

    def __init__(
        self, path: Path | str, max_tasks: int = 16_384, *, keeps_copies: bool = False
    ) -> None:
        """Open or create the file.

        Args:
            path: The file; ":memory:" for none.
            max_tasks: How many of the newest tasks of a mode can be drawn.
            keeps_copies: Equal tasks are all stored (novelty.dedupe = none).

        Raises:
            CheckpointError: The file is no task buffer, or one of another version.
        """
        self._max_tasks = max_tasks
        self._keeps_copies = keeps_copies
        self._path = str(path)
        try:
            self._db = sqlite3.connect(self._path, isolation_level=None)
            self._prepare()
        except sqlite3.DatabaseError as error:
            raise CheckpointError(f"{path} is not a usable task buffer: {error}") from error
        self._ids_of: dict[Mode, list[int]] = {}
        self._read_ids()

    def _prepare(self) -> None:
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version not in (0, FORMAT_VERSION):
            raise CheckpointError(
                f"{self._path} holds task buffers of version {version},"
                f" this azr reads version {FORMAT_VERSION}"
            )
        self._db.executescript(_TABLE)
        self._db.execute(f"PRAGMA user_version = {FORMAT_VERSION}")

    def _read_ids(self) -> None:
        """Rows in the order they came, by mode; kept in memory, so that a draw reads one row."""
        self._ids_of = {mode: [] for mode in Mode}
        for mode, row_id in self._db.execute("SELECT mode, id FROM tasks ORDER BY id"):
            self._ids_of[Mode(mode)].append(row_id)

    def close(self) -> None:
        """Close the file; everything added is on disk."""
        self._db.close()

    def add(self, tasks: Sequence[Task]) -> int:
        """Store in one transaction; duplicates by content are dropped. Returns how many are new."""
        new: list[tuple[Mode, int]] = []
        self._db.execute("BEGIN IMMEDIATE")
        try:
            for task in tasks:
                cursor = self._db.execute(
                    "INSERT OR IGNORE INTO tasks (mode, content_hash, born_step, record)"
                    " VALUES (?, ?, ?, ?)",
                    (task.mode, self._key(task, len(new)), task.born_step, task_to_json(task)),
                )
                if cursor.rowcount and cursor.lastrowid is not None:
                    new.append((task.mode, cursor.lastrowid))
            self._db.execute("COMMIT")
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        for mode, row_id in new:
            self._ids_of[mode].append(row_id)
        return len(new)

    def _key(self, task: Task, place: int) -> bytes:
        """What may be stored once; with copies, the hash and the place in the order of all."""
        if not self._keeps_copies:
            return content_hash(task)
        return content_hash(task) + (sum(map(len, self._ids_of.values())) + place).to_bytes(8)

    def add_zero_tasks(self, modes: Sequence[Mode] = tuple(Mode)) -> int:
        """Store the zero task of these modes, where self-play starts from."""
        return self.add([rules_of(mode).zero_task for mode in modes])

    def references(self, mode: Mode, n: int, seed: int) -> list[Task]:
        """Up to `n` different drawable tasks, uniformly without replacement."""
        ids = self._drawable(mode)
        chosen = Random(seed).sample(range(len(ids)), min(max(n, 0), len(ids)))  # noqa: S311
        return [self._task(ids[rank]) for rank in chosen]

    def draw(self, mode: Mode, seed: int) -> Task:
        """One drawable task, uniformly."""
        return self._one_of(self._drawable(mode), derive_seed(seed, "draw"), f"{mode} task")

    def program(self, seed: int) -> Task:
        """A deduction or abduction task, uniformly over both."""
        ids = self._drawable(Mode.DEDUCTION) + self._drawable(Mode.ABDUCTION)
        return self._one_of(ids, derive_seed(seed, "program"), "task with a program")

    def _one_of(self, ids: Sequence[int], seed: int, what: str) -> Task:
        if not ids:
            raise ConfigError(f"the buffers hold no {what}: seed them first (azr seed)")
        return self._task(ids[Random(seed).randrange(len(ids))])  # noqa: S311 - not for secrets

    def _drawable(self, mode: Mode) -> list[int]:
        """The newest, never the oldest: a full buffer goes on taking in tasks."""
        return self._ids_of[mode][-self._max_tasks :]

    def _task(self, row_id: int) -> Task:
        (record,) = self._db.execute("SELECT record FROM tasks WHERE id = ?", (row_id,)).fetchone()
        return task_from_json(record)

    def count(self, mode: Mode) -> int:
        """All tasks of a mode, those that can no longer be drawn included."""
        return len(self._ids_of[mode])

    def tasks(self, mode: Mode, start: int = 0) -> Iterator[Task]:
        """All tasks of a mode but the `start` oldest, the oldest first."""
        for row_id in self._ids_of[mode][start:]:
            yield self._task(row_id)

    def rewind(self, step: int) -> int:
        """Forget the tasks born after `step`; returns how many. For a resumed run."""
        forgotten = self._db.execute("DELETE FROM tasks WHERE born_step > ?", (step,)).rowcount
        self._read_ids()
        return forgotten

    def backup(self, path: Path | str) -> None:
        """Write a consistent copy, complete in the one file, while the buffers stay open."""
        with closing(sqlite3.connect(str(path))) as copy:
            self._db.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")  # no -wal file beside a checkpoint

    def restore(self, path: Path | str) -> None:
        """Take over the contents of a copy that `backup` wrote; all or nothing.

        Raises:
            CheckpointError: There is no such copy, or it is damaged.
        """
        if not Path(path).is_file():
            raise CheckpointError(f"{path} does not exist: no task buffers to restore")
        try:
            with closing(sqlite3.connect(str(path))) as copy:
                (problem,) = copy.execute("PRAGMA quick_check").fetchone()
                if problem != "ok":
                    raise CheckpointError(f"{path} is damaged: {problem}")
                copy.backup(self._db)
            self._prepare()
        except sqlite3.DatabaseError as error:
            raise CheckpointError(f"{path} cannot be restored: {error}") from error
        self._read_ids()

    def export_jsonl(self, path: Path | str) -> int:
        """Write all tasks as a seed file, one JSON record a line; returns how many."""
        lines = [task_to_json(task) for mode in Mode for task in self.tasks(mode)]
        Path(path).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return len(lines)

    def import_jsonl(self, path: Path | str) -> int:
        """Add the tasks of a seed file as seeds, born at step 0; returns how many are new.

        Raises:
            ConfigError: The file cannot be read, or a line is not a task record.
        """
        try:
            lines = Path(path).read_text(encoding="utf-8").split("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"seed file {path} cannot be read: {error}") from error
        seeds: list[Task] = []
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                task = task_from_json(line)
            except ValueError as error:
                raise ConfigError(f"seed file {path}, line {number}: {error}") from error
            seeds.append(replace(task, born_step=0))
        return self.add(seeds)
