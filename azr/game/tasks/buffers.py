"""All valid tasks so far, in SQLite. Every task stays on disk; the newest of a mode can be drawn.

A draw is a function of (tasks in the order they came, seed). It goes by place, never by row id, so
a run that was rewound and resumed draws what it would have drawn. azr.game.tasks.drawing has the
strategies.
"""

import logging
import sqlite3
from bisect import bisect_left
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import partial
from itertools import zip_longest
from pathlib import Path
from random import Random

from azr.errors import CheckpointError, ConfigError
from azr.game.modes import rules_of
from azr.game.tasks.census import Census
from azr.game.tasks.difficulty import EVERYTHING, Band, moved_rate
from azr.game.tasks.drawing import Shelf, draw_one
from azr.game.tasks.task_json import content_hash, task_from_json, task_to_json
from azr.game.tasks.view import View
from azr.seeds import derive_seed
from azr.types import Mode, Task

__all__ = ["TaskBuffers"]

logger = logging.getLogger(__name__)

FORMAT_VERSION = 2
"""SQLite's user_version; raised whenever the table changes. 1 had no solve rates."""

_TABLE = """
CREATE TABLE IF NOT EXISTS tasks (
    id INTEGER PRIMARY KEY,
    mode TEXT NOT NULL,
    content_hash BLOB NOT NULL,
    born_step INTEGER NOT NULL,
    record TEXT NOT NULL,
    solve_rate REAL,
    UNIQUE (mode, content_hash)
);
CREATE INDEX IF NOT EXISTS tasks_by_birth ON tasks (born_step);
CREATE TABLE IF NOT EXISTS baselines (stream TEXT PRIMARY KEY, reward REAL NOT NULL);
"""


class TaskBuffers:
    """The buffers of a run, in one file. Not for use by several threads."""

    def __init__(
        self,
        path: Path | str,
        max_tasks: int = 16_384,
        *,
        keeps_copies: bool = False,
        band: Band = EVERYTHING,
        say: Callable[[str], None] = logger.warning,
    ) -> None:
        """Open or create the file.

        A file of version 1 is brought up to date; its tasks' solve rates are unknown.

        Args:
            path: The file; ":memory:" for none.
            max_tasks: How many of the newest tasks of a mode can be drawn.
            keeps_copies: Store equal tasks again (novelty.dedupe = none).
            band: The solve rates of the tasks that are drawn (buffers.band).
            say: Called once for each mode in which a draw found no task in the band.

        Raises:
            CheckpointError: The file is not a task buffer, or is one of another version.
        """
        self._max_tasks = max_tasks
        self._keeps_copies = keeps_copies
        self._band = band
        self._say = say
        self._told: set[Mode] = set()
        self._path = str(path)
        try:
            self._db = sqlite3.connect(self._path, isolation_level=None)
            self._prepare()
        except sqlite3.DatabaseError as error:
            raise CheckpointError(f"{path} is not a usable task buffer: {error}") from error
        self._shelves: dict[Mode, Shelf] = {}
        self._censuses: dict[Mode, Census] = {}
        self._read_tasks()

    def _prepare(self) -> None:
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version not in (0, 1, FORMAT_VERSION):
            raise CheckpointError(
                f"{self._path} holds task buffers of version {version},"
                f" this azr reads versions 1 to {FORMAT_VERSION}"
            )
        with self._transaction():
            if version == 1:
                self._db.execute("ALTER TABLE tasks ADD COLUMN solve_rate REAL")
            for statement in _TABLE.split(";"):
                self._db.execute(statement)
            self._db.execute(f"PRAGMA user_version = {FORMAT_VERSION}")

    @contextmanager
    def _transaction(self) -> Generator[None]:
        """All of the block or nothing of it.

        Raises:
            CheckpointError: The file cannot be written: the disk is full or gone.
        """
        with _written(self._path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:  # a full disk has ended it already
                    self._db.execute("ROLLBACK")
                raise

    def _read_tasks(self) -> None:
        """What draws and counts need, kept in memory, so that a draw reads one row."""
        self._shelves = {
            mode: Shelf(
                self._max_tasks, band=self._band, on_empty_band=partial(self._tell_of_no_band, mode)
            )
            for mode in Mode
        }
        self._censuses = {mode: Census() for mode in Mode}
        rows = self._db.execute("SELECT id, record, solve_rate FROM tasks ORDER BY id")
        for row_id, record, solve_rate in rows:
            self._take_in(row_id, task_from_json(record), solve_rate)

    def _take_in(self, row_id: int, task: Task, solve_rate: float | None) -> None:
        self._shelves[task.mode].append(row_id, task, solve_rate)
        self._censuses[task.mode].count(task)

    def _tell_of_no_band(self, mode: Mode) -> None:
        """Say that tasks are drawn from all, once."""
        if mode not in self._told:
            self._told.add(mode)
            self._say(
                f"no {mode} task has a solve rate in buffers.band ="
                f" [{self._band.low}, {self._band.high}]: drawn from all as long as that is so"
            )

    def close(self) -> None:
        """Close the file; everything added is on disk."""
        self._db.close()

    # ------------------------------------------------------------ growing

    def add(self, tasks: Sequence[Task], solve_rates: Sequence[float | None] = ()) -> int:
        """Store tasks in one transaction, without duplicates by content; return how many are new.

        Args:
            tasks: In the order in which they will be remembered.
            solve_rates: Aligned with the tasks: the share of trials that passed, None = not tried.
                Empty = none was tried.
        """
        assert len(solve_rates) in (0, len(tasks)), "a solve rate for every task, or for none"
        new: list[tuple[int, Task, float | None]] = []
        with self._transaction():
            for task, solve_rate in zip_longest(tasks, solve_rates):
                cursor = self._db.execute(
                    "INSERT OR IGNORE INTO tasks"
                    " (mode, content_hash, born_step, record, solve_rate) VALUES (?, ?, ?, ?, ?)",
                    (
                        task.mode,
                        self._key(task),
                        task.born_step,
                        task_to_json(task),
                        solve_rate,
                    ),
                )
                if cursor.rowcount and cursor.lastrowid is not None:
                    new.append((cursor.lastrowid, task, solve_rate))
        for row_id, task, solve_rate in new:
            self._take_in(row_id, task, solve_rate)
        return len(new)

    def _key(self, task: Task) -> bytes:
        """What may be stored once; with copies, the hash and the newest row before it."""
        if not self._keeps_copies:
            return content_hash(task)
        (newest,) = self._db.execute("SELECT COALESCE(MAX(id), 0) FROM tasks").fetchone()
        return content_hash(task) + newest.to_bytes(8)

    def remeasure(self, attempts: Sequence[tuple[Task, bool]], weight: float) -> None:
        """Let each attempt at a stored task move its solve rate; see `moved_rate`.

        Args:
            attempts: Tasks, and whether they were solved, in the order in which they count. Tasks
                that are not stored are ignored.
            weight: Weight of one attempt, in [0, 1].
        """
        find = "SELECT id FROM tasks WHERE mode = ? AND content_hash = ?"
        with self._transaction():
            for task, passed in attempts:
                found = self._db.execute(find, (task.mode, content_hash(task))).fetchone()
                if found is None:
                    continue
                shelf = self._shelves[task.mode]
                place = bisect_left(shelf.ids, found[0])
                rate = moved_rate(shelf.rates[place], weight, passed=passed)
                shelf.rate(place, rate)
                self._db.execute("UPDATE tasks SET solve_rate = ? WHERE id = ?", (rate, found[0]))

    def add_zero_tasks(self, modes: Sequence[Mode] = tuple(Mode)) -> int:
        """Store the zero task of these modes, from which self-play starts."""
        return self.add([rules_of(mode).zero_task for mode in modes])

    # ------------------------------------------------------------ drawing

    def past(self, sampling: str = "uniform", before: int | None = None) -> "View":
        """Return the buffers as a proposer sees them.

        Args:
            sampling: buffers.reference_sampling: how references and programs are weighted.
            before: Leave out the tasks born at this step or later; None = include all.
        """
        return View(self, sampling, before)

    def references(
        self, mode: Mode, n: int, seed: int, sampling: str = "uniform", before: int | None = None
    ) -> list[Task]:
        """Draw up to `n` different tasks, without replacement."""
        shelf = self._shelves[mode]
        places = shelf.references(sampling, n, Random(seed), before)  # noqa: S311 - not for secrets
        return [self._task(shelf.ids[place]) for place in places]

    def draw(self, mode: Mode, seed: int, before: int | None = None) -> Task:
        """Draw one task uniformly; if there is a band, seven times in eight from it."""
        if not self._band.is_everything:
            return self.draw_batch(mode, 1, derive_seed(seed, "draw"), "uniform", before=before)[0]
        return self._one_of([mode], derive_seed(seed, "draw"), f"{mode} task", before=before)

    def draw_batch(
        self,
        mode: Mode,
        n: int,
        seed: int,
        strategy: str,
        *,
        since: int = 0,
        before: int | None = None,
    ) -> list[Task]:
        """Draw exactly `n` tasks for solvers, in random order; repeat only if there are fewer.

        Args:
            mode: The mode whose tasks are drawn.
            n: How many.
            seed: Seed of the draw.
            strategy: selfplay.solver_tasks, all but same_step.
            since: Tasks born at this step or later are the new ones of max_new and half_new.
            before: Leave out the tasks born at this step or later; None = include all.

        Raises:
            ConfigError: There is no task.
        """
        shelf = self._shelves[mode]
        if not shelf.drawable(before):
            raise _nothing_to_draw(f"{mode} task")
        rng = Random(derive_seed(seed, "batch"))  # noqa: S311 - not for secrets
        places = shelf.batch(strategy, n, rng, since=since, before=before)
        return [self._task(shelf.ids[place]) for place in places]

    def program(
        self,
        modes: Sequence[Mode],
        seed: int,
        sampling: str = "uniform",
        before: int | None = None,
    ) -> Task:
        """Draw a task from those of all these modes together."""
        return self._one_of(
            modes, derive_seed(seed, "program"), "task with a program", sampling, before
        )

    def _one_of(
        self,
        modes: Sequence[Mode],
        seed: int,
        what: str,
        sampling: str = "uniform",
        before: int | None = None,
    ) -> Task:
        shelves = [self._shelves[mode] for mode in modes]
        found = draw_one(shelves, sampling, Random(seed), before)  # noqa: S311 - not for secrets
        if found is None:
            raise _nothing_to_draw(what)
        which, place = found
        return self._task(shelves[which].ids[place])

    def _task(self, row_id: int) -> Task:
        (record,) = self._db.execute("SELECT record FROM tasks WHERE id = ?", (row_id,)).fetchone()
        return task_from_json(record)

    # ------------------------------------------------------------ reading

    def count(self, mode: Mode) -> int:
        """Count all tasks of a mode, including those that can no longer be drawn."""
        return len(self._shelves[mode].ids)

    def tasks(self, mode: Mode, start: int = 0) -> Iterator[Task]:
        """Yield all tasks of a mode except the `start` oldest, oldest first."""
        return (task for task, _ in self.rated_tasks(mode, start))

    def rated_tasks(self, mode: Mode, start: int = 0) -> Iterator[tuple[Task, float | None]]:
        """Yield the same with their solve rates; None = not tried.

        The rate is that of the trials; later attempts move it if buffers.rate_weight says so.
        """
        for row_id in self._shelves[mode].ids[start:]:
            record, solve_rate = self._db.execute(
                "SELECT record, solve_rate FROM tasks WHERE id = ?", (row_id,)
            ).fetchone()
            yield task_from_json(record), solve_rate

    def stats(self) -> dict[str, float]:
        """Return metrics by mode: size, different programs, types of outputs, share in the band."""
        metrics: dict[str, float] = {}
        for mode, census in self._censuses.items():
            metrics |= census.as_metrics(mode) | self._shelves[mode].as_metrics(mode)
        return metrics

    def baselines(self) -> dict[str, float]:
        """Return the baselines of learner.advantage = moving, by the names of streams."""
        return dict(self._db.execute("SELECT stream, reward FROM baselines").fetchall())

    def keep_baselines(self, baselines: Mapping[str, float]) -> None:
        """Replace the baselines; they are a part of every copy."""
        with self._transaction():
            self._db.executemany("REPLACE INTO baselines VALUES (?, ?)", baselines.items())

    # ------------------------------------------------------------ going back, copying

    def remove(self, tasks: Sequence[Task]) -> int:
        """Forget these tasks and their copies; return how many there were. Places change."""
        keys = [(task.mode, content_hash(task)) for task in tasks]
        command = "DELETE FROM tasks WHERE mode = ? AND substr(content_hash, 1, 16) = ?"
        with self._transaction():
            removed = sum(self._db.execute(command, key).rowcount for key in keys)
        if removed:
            self._read_tasks()
        return removed

    def rewind(self, step: int) -> int:
        """Forget the tasks born after `step`, for a resumed run; return how many there were."""
        forgotten = self._db.execute("DELETE FROM tasks WHERE born_step > ?", (step,)).rowcount
        self._read_tasks()
        return forgotten

    def backup(self, path: Path | str) -> None:
        """Write a consistent copy into one file, while the buffers stay open.

        Raises:
            CheckpointError: It cannot be written.
        """
        with _written(path), closing(sqlite3.connect(str(path))) as copy:
            self._db.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")  # no -wal file beside a checkpoint

    def restore(self, path: Path | str) -> None:
        """Take over the contents of a copy that `backup` wrote, completely or not at all.

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
        try:
            self._read_tasks()
        except (ValueError, RecursionError) as error:
            raise CheckpointError(f"{path} holds what is no task: {error}") from error


@contextmanager
def _written(path: Path | str) -> Generator[None]:
    """What sqlite says where a file cannot be written, as an error of ours."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise CheckpointError(f"{path} cannot be written: {error}") from error


def _nothing_to_draw(what: str) -> ConfigError:
    return ConfigError(f"the buffers hold no {what}: seed them first (azr seed)")
