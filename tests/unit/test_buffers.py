"""buffers: a ring that keeps the newest, draws that replay, copies that are whole."""

import sqlite3
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from azr.errors import CheckpointError, ConfigError
from azr.game.modes.triplet import VALUE_TRIPLETS
from azr.game.tasks.buffers import TaskBuffers
from azr.game.tasks.drawing import REFERENCE_SAMPLING, SOLVER_TASKS
from azr.game.tasks.task_json import content_hash, task_from_json, task_to_json
from azr.types import Case, Mode, Task
from tests.fakes import make_task

DEDUCTION = Mode.DEDUCTION


def filled(number: int, *, max_tasks: int = 16_384, path: Path | str = ":memory:") -> TaskBuffers:
    buffers = TaskBuffers(path, max_tasks)
    buffers.add([make_task(DEDUCTION, n, born_step=n) for n in range(number)])
    return buffers


def drawn(buffers: TaskBuffers, seeds: int = 200) -> set[int]:
    return {buffers.draw(DEDUCTION, seed).born_step for seed in range(seeds)}


def test_a_full_buffer_keeps_the_newest():
    """A7, feature 32: the reference cuts to the first 16384 and loses every later task."""
    buffers = filled(30, max_tasks=10)
    assert drawn(buffers) == set(range(20, 30))
    assert {t.born_step for t in buffers.references(DEDUCTION, 30, 0)} == set(range(20, 30))
    assert {buffers.program(VALUE_TRIPLETS, seed).born_step for seed in range(200)} == set(
        range(20, 30)
    )


def test_tasks_that_can_no_longer_be_drawn_stay_on_disk():
    buffers = filled(30, max_tasks=10)
    assert buffers.count(DEDUCTION) == 30
    assert [t.born_step for t in buffers.tasks(DEDUCTION)] == list(range(30))


def test_the_cap_holds_for_each_mode_alone():
    buffers = filled(5, max_tasks=3)
    buffers.add([make_task(Mode.ABDUCTION, n) for n in range(5)])
    assert len(buffers.references(DEDUCTION, 9, 0)) == 3
    assert len(buffers.references(Mode.ABDUCTION, 9, 0)) == 3


def test_duplicates_by_content_are_dropped_within_a_batch_and_against_the_past():
    """A6, A9: half of one shipped seed file are duplicates; induction seeds were added twice."""
    buffers = TaskBuffers(":memory:")
    task = make_task(DEDUCTION, 1)
    later = make_task(DEDUCTION, 1, born_step=9)
    assert buffers.add([task, task, later]) == 1
    assert buffers.add([later]) == 0
    assert buffers.add([make_task(Mode.ABDUCTION, 1)]) == 1
    assert buffers.count(DEDUCTION) == 1


def test_another_case_or_message_is_another_task():
    base = make_task(Mode.INDUCTION, 1)
    others = [
        Task(mode=base.mode, program=base.program, cases=base.cases, message="Otherwise."),
        Task(mode=base.mode, program=base.program, cases=base.cases[:2], message=base.message),
    ]
    assert TaskBuffers(":memory:").add([base, *others]) == 3


def test_references_are_different_tasks_drawn_uniformly():
    """Feature 29, first half: uniform without replacement."""
    buffers = filled(8)
    counts: Counter[int] = Counter()
    for seed in range(2000):
        steps = [t.born_step for t in buffers.references(DEDUCTION, 4, seed)]
        assert len(set(steps)) == 4
        counts.update(steps)
    expected = 2000 * 4 / 8
    assert all(abs(counts[n] - expected) < 5 * (expected / 2) ** 0.5 for n in range(8))


def test_fewer_references_than_asked_are_given_where_there_are_fewer():
    """A14: the reference raises ValueError when its buffer is smaller than the sample."""
    assert len(filled(2).references(DEDUCTION, 6, 0)) == 2
    assert TaskBuffers(":memory:").references(DEDUCTION, 6, 0) == []
    assert filled(2).references(DEDUCTION, 0, 0) == []


def test_an_empty_buffer_says_what_to_do():
    """A14."""
    with pytest.raises(ConfigError, match="no induction task: seed them first"):
        filled(2).draw(Mode.INDUCTION, 0)


def test_a_program_comes_from_deduction_and_abduction_alike():
    buffers = TaskBuffers(":memory:")
    buffers.add([make_task(DEDUCTION, 1), make_task(Mode.ABDUCTION, 2)])
    buffers.add([make_task(Mode.INDUCTION, 3)])
    assert {buffers.program(VALUE_TRIPLETS, seed).mode for seed in range(50)} == {
        DEDUCTION,
        Mode.ABDUCTION,
    }


def test_every_run_starts_from_the_identity():
    """Feature 21: the zero triplet, and the zero task of induction."""
    buffers = TaskBuffers(":memory:")
    assert buffers.add_zero_tasks() == len(Mode)
    assert buffers.add_zero_tasks() == 0
    zero = buffers.draw(DEDUCTION, 0)
    assert zero.program == "def f(a):\n    return a"
    assert zero.cases == (Case("'Hello World'", "'Hello World'"),)
    assert len(buffers.draw(Mode.INDUCTION, 0).cases) == 6


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 5), min_size=1, max_size=12), st.data())
def test_a_resumed_run_draws_what_an_uninterrupted_one_does(births: list[int], data):
    """Features 26, 61 and 62: rewound and played again, every draw is the same."""
    births.sort()
    tasks = [make_task(DEDUCTION, n, born_step=step) for n, step in enumerate(births)]
    whole, resumed = TaskBuffers(":memory:", 4), TaskBuffers(":memory:", 4)
    for buffers in (whole, resumed):
        buffers.add_zero_tasks()
        buffers.add(tasks)
    checkpoint = data.draw(st.integers(0, 5))
    lost = [task for task in tasks if task.born_step > checkpoint]
    assert resumed.rewind(checkpoint) == len(lost)
    assert all(task.born_step <= checkpoint for task in resumed.tasks(DEDUCTION))
    resumed.add(lost)
    for seed in range(20):
        assert whole.draw(DEDUCTION, seed) == resumed.draw(DEDUCTION, seed)
        assert whole.references(DEDUCTION, 3, seed) == resumed.references(DEDUCTION, 3, seed)
        assert whole.program(VALUE_TRIPLETS, seed) == resumed.program(VALUE_TRIPLETS, seed)
        for sampling in REFERENCE_SAMPLING:
            first, second = (
                b.past(sampling, 4).references(DEDUCTION, 2, seed) for b in (whole, resumed)
            )
            assert first == second
        for strategy in SOLVER_TASKS:
            first, second = (
                b.draw_batch(DEDUCTION, 3, seed, strategy, since=3, before=5)
                for b in (whole, resumed)
            )
            assert first == second
    assert whole.stats() == resumed.stats()


def test_tasks_survive_the_process(tmp_path: Path):
    buffers = filled(3, path=tmp_path / "tasks.db")
    before = [buffers.draw(DEDUCTION, seed) for seed in range(9)]
    buffers.close()
    again = TaskBuffers(tmp_path / "tasks.db")
    assert [again.draw(DEDUCTION, seed) for seed in range(9)] == before
    again.close()


def test_a_failed_batch_leaves_nothing_behind():
    """One transaction a step: all of its tasks or none."""
    buffers = filled(1)
    bad = [make_task(DEDUCTION, 5), object()]
    with pytest.raises(AttributeError):
        buffers.add(bad)  # type: ignore[arg-type]
    assert buffers.count(DEDUCTION) == 1
    assert buffers.add([make_task(DEDUCTION, 5)]) == 1


def test_a_backup_is_one_whole_file_and_restores_exactly(tmp_path: Path):
    """Feature 61."""
    buffers = filled(5, path=tmp_path / "tasks.db")
    buffers.backup(tmp_path / "copy.db")
    assert [p.name for p in sorted(tmp_path.glob("copy.db*"))] == ["copy.db"]
    buffers.add([make_task(DEDUCTION, 99)])
    buffers.restore(tmp_path / "copy.db")
    assert [t.born_step for t in buffers.tasks(DEDUCTION)] == list(range(5))
    buffers.close()
    again = TaskBuffers(tmp_path / "tasks.db")
    assert again.count(DEDUCTION) == 5
    again.close()


def test_a_missing_or_damaged_backup_is_a_checkpoint_error(tmp_path: Path):
    buffers = filled(2)
    with pytest.raises(CheckpointError, match="does not exist"):
        buffers.restore(tmp_path / "none.db")
    (tmp_path / "torn.db").write_bytes(b"SQLite format 3\x00" + b"\x07" * 5000)
    with pytest.raises(CheckpointError):
        buffers.restore(tmp_path / "torn.db")
    assert buffers.count(DEDUCTION) == 2


def test_a_file_that_is_no_buffer_is_a_checkpoint_error(tmp_path: Path):
    (tmp_path / "tasks.db").write_text("not a database, only some text that is long enough" * 99)
    with pytest.raises(CheckpointError, match="not a usable task buffer"):
        TaskBuffers(tmp_path / "tasks.db")


def test_a_buffer_of_another_version_is_refused(tmp_path: Path):
    database = sqlite3.connect(tmp_path / "tasks.db")
    database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(CheckpointError, match="version 99"):
        TaskBuffers(tmp_path / "tasks.db")


@given(
    st.builds(
        Task,
        mode=st.sampled_from(Mode),
        program=st.text(),
        cases=st.lists(st.builds(Case, st.text(), st.text()), min_size=1).map(tuple),
        message=st.text(),
        born_step=st.integers(0, 10**6),
        functions=st.lists(st.text()).map(tuple),
    )
)
def test_a_task_survives_its_record(task: Task):
    assert task_from_json(task_to_json(task)) == task
    buffers = TaskBuffers(":memory:")
    assert buffers.add([task]) == 1
    assert buffers.draw(task.mode, 0) == task


# ---------------------------------------------------------------- solve rates


def rates_of(buffers: TaskBuffers) -> list[float | None]:
    return [rate for _, rate in buffers.rated_tasks(DEDUCTION)]


def test_solve_rates_are_kept_and_survive_copies(tmp_path: Path):
    buffers = TaskBuffers(tmp_path / "tasks.db")
    tasks = [make_task(DEDUCTION, n, born_step=n) for n in range(4)]
    buffers.add(tasks, [None, 0.0, 0.25, 1.0])
    buffers.add([tasks[0]], [0.5])  # known already: what it was measured first stays
    buffers.backup(tmp_path / "copy.db")
    buffers.rewind(2)
    assert rates_of(buffers) == [None, 0.0, 0.25]
    buffers.restore(tmp_path / "copy.db")
    assert rates_of(buffers) == [None, 0.0, 0.25, 1.0]
    buffers.close()
    again = TaskBuffers(tmp_path / "tasks.db")
    assert rates_of(again) == [None, 0.0, 0.25, 1.0]
    assert {t.born_step for t in again.draw_batch(DEDUCTION, 1, 3, "learnable")} == {2}
    again.close()


def old_file(path: Path) -> Path:
    """What version 1 wrote."""
    with closing(sqlite3.connect(path)) as database:
        database.executescript(
            "CREATE TABLE tasks (id INTEGER PRIMARY KEY, mode TEXT NOT NULL,"
            " content_hash BLOB NOT NULL, born_step INTEGER NOT NULL, record TEXT NOT NULL,"
            " UNIQUE (mode, content_hash));"
            "CREATE INDEX tasks_by_birth ON tasks (born_step); PRAGMA user_version = 1;"
        )
        for number in range(3):
            task = make_task(DEDUCTION, number, born_step=number)
            values = (task.mode, content_hash(task), task.born_step, task_to_json(task))
            database.execute(
                "INSERT INTO tasks (mode, content_hash, born_step, record) VALUES (?, ?, ?, ?)",
                values,
            )
        database.commit()
    return path


def test_a_file_of_version_1_is_read_with_unknown_solve_rates(tmp_path: Path):
    """A run that began before solve rates were kept goes on, from its file or its checkpoint."""
    opened, restored = TaskBuffers(old_file(tmp_path / "old.db")), TaskBuffers(":memory:")
    restored.restore(old_file(tmp_path / "checkpoint.db"))
    for buffers in (opened, restored):
        assert rates_of(buffers) == [None, None, None]
        assert buffers.add([make_task(DEDUCTION, n) for n in (2, 3)], [0.5, 0.75]) == 1
        assert rates_of(buffers) == [None, None, None, 0.75]
        buffers.close()
    again = TaskBuffers(tmp_path / "old.db")
    assert rates_of(again) == [None, None, None, 0.75]
    again.close()


def test_a_failed_migration_leaves_the_file_as_it_was(tmp_path: Path):
    path = old_file(tmp_path / "old.db")
    with closing(sqlite3.connect(path)) as database:
        database.executescript("DROP INDEX tasks_by_birth; CREATE TABLE tasks_by_birth (x)")
    with pytest.raises(CheckpointError):  # after the column was added
        TaskBuffers(path)
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (1,)
        columns = [row[1] for row in database.execute("PRAGMA table_info(tasks)")]
    assert "solve_rate" not in columns


def test_counts_are_the_same_whether_they_came_one_by_one_or_are_read_again(tmp_path: Path):
    buffers = filled(5, path=tmp_path / "tasks.db")
    buffers.add_zero_tasks()
    before = buffers.stats()
    assert before["buffer/deduction/size"] == 6
    buffers.add([make_task(DEDUCTION, 77, born_step=9)])
    assert buffers.stats() != before
    buffers.rewind(8)
    assert buffers.stats() == before
    buffers.close()
    again = TaskBuffers(tmp_path / "tasks.db")
    assert again.stats() == before
    again.close()


def test_a_view_of_the_past_does_not_see_what_came_after():
    buffers = filled(6)
    view = buffers.past("recency", 3)
    assert {view.draw(DEDUCTION, seed).born_step for seed in range(99)} == {0, 1, 2}
    assert {t.born_step for t in view.references(DEDUCTION, 9, 0)} == {0, 1, 2}
    assert {view.program(VALUE_TRIPLETS, seed).born_step for seed in range(99)} == {0, 1, 2}


def test_an_empty_batch_says_what_to_do():
    with pytest.raises(ConfigError, match="no induction task: seed them first"):
        filled(2).draw_batch(Mode.INDUCTION, 4, 0, "max_new")


@pytest.mark.slow
def test_draws_are_fast_from_full_buffers(tmp_path: Path):
    """20,000 tasks: a step of 192 proposals and 1,728 solver prompts must not wait for disk."""
    buffers = filled(20_000, path=tmp_path / "tasks.db")
    started = time.perf_counter()
    for seed in range(500):
        buffers.references(DEDUCTION, 6, seed)
        buffers.draw(DEDUCTION, seed)
    per_draw_s = (time.perf_counter() - started) / 1000
    buffers.close()
    assert per_draw_s < 0.002
