"""buffers.recheck: a sample of the stored tasks is run again, and what is refuted goes."""

import asyncio
from dataclasses import replace

import pytest

from azr.config.run import BuffersConfig, NoveltyConfig, RunConfig, SandboxConfig
from azr.game.judge.judge import SandboxJudge
from azr.game.selfplay import play_step
from azr.game.tasks.buffers import TaskBuffers
from azr.types import Case, Mode, Task
from sandbox_wasm.types import MAX_IMAGES
from tests.fakes import InProcessExecutor, ScriptedJudge, ScriptedPolicy, make_table, make_task
from tests.unit.test_novelty import DEDUCTION
from tests.unit.test_novelty_in_play import alternating, various, writes

CONFIG = RunConfig(
    selfplay=DEDUCTION,
    buffers=BuffersConfig(recheck=3),
    novelty=NoveltyConfig(max_copies=1, memory_nearest=0.1),
)


def stored(table, mode: Mode = Mode.DEDUCTION) -> list[str]:
    return [task.program for task in table.buffers.tasks(mode)]


def play(config: RunConfig, judge: ScriptedJudge, buffers: TaskBuffers | None = None):
    table = make_table(config, ScriptedPolicy(writes(various)), judge, buffers)
    asyncio.run(play_step(table, 1))
    return table


@pytest.mark.parametrize(("stored_output", "is_refuted"), [("3", False), ("4", True)])
def test_a_task_is_run_in_all_images_and_with_another_text(stored_output, *, is_refuted: bool):
    executor = InProcessExecutor()
    judge = SandboxJudge(executor, SandboxConfig(images=2))
    task = replace(make_task(number=1), cases=(Case("2", stored_output),))
    assert asyncio.run(judge.refutes(task, 7)) is is_refuted
    [job] = executor.jobs
    assert job.images == MAX_IMAGES
    assert job.source != task.program
    assert judge.stats()["gate/refuted"] == is_refuted
    assert "gate/refuted" not in judge.stats()


def test_a_program_that_no_longer_returns_is_refuted():
    judge = SandboxJudge(InProcessExecutor(), SandboxConfig())
    task = Task(mode=Mode.DEDUCTION, program="def f(x):\n    return 1 / x", cases=(Case("0", "0"),))
    assert asyncio.run(judge.refutes(task, 7))


def test_the_refuted_leave_the_buffers_and_the_history():
    judge = alternating()
    judge.refuted = lambda task: task.born_step == 0
    table = play(CONFIG, judge)
    zero = "def f(a):\n    return a"
    assert zero not in stored(table)
    assert stored(table)  # the step's own tasks
    asyncio.run(table.appraiser.begin(6))
    known = table.appraiser._history.of(Mode.DEDUCTION)
    assert known.num_tasks == table.buffers.count(Mode.DEDUCTION)
    assert known.memory.num_programs == known.num_tasks


def test_by_default_nothing_is_run_again():
    judge = ScriptedJudge(refuted=lambda _: pytest.fail("not asked for"))
    play(CONFIG.changed(buffers=BuffersConfig()), judge)


def test_a_run_that_was_resumed_after_a_removal_plays_on_alike(tmp_path):
    judge = alternating()
    judge.refuted = lambda task: "x, x" in task.program or len(task.program) % 2 == 0
    table = play(CONFIG, judge)
    table.buffers.backup(tmp_path / "cut")
    again = TaskBuffers(":memory:")
    again.restore(tmp_path / "cut")
    resumed = make_table(CONFIG, ScriptedPolicy(writes(various)), alternating(), again)
    table = replace(table, judge=alternating())
    rewards = [[e.reward for e in asyncio.run(play_step(t, 2))] for t in (table, resumed)]
    assert rewards[0] == rewards[1]
    assert stored(table) == stored(resumed)


def test_copies_go_with_the_task():
    buffers = TaskBuffers(":memory:", keeps_copies=True)
    task, other = make_task(number=1), make_task(number=2)
    buffers.add([task, other, replace(task, born_step=3)])
    assert buffers.remove([task]) == 2
    assert list(buffers.tasks(Mode.DEDUCTION)) == [other]
    assert buffers.remove([task]) == 0


def test_the_executor_of_such_a_run_has_all_images():
    assert CONFIG.executor.images == MAX_IMAGES
    assert RunConfig().executor == RunConfig().sandbox


def test_an_interrupt_while_tasks_are_run_again_leaves_none_of_the_steps_changes():
    class Slow(ScriptedJudge):
        async def refutes(self, task: Task, seed: int) -> bool:
            raise asyncio.CancelledError

    config = CONFIG.changed(buffers=BuffersConfig(recheck=3, rate_weight=0.5))
    buffers = TaskBuffers(":memory:")
    buffers.add([make_task(number=n) for n in range(4)])
    before = list(buffers.rated_tasks(Mode.DEDUCTION))
    with pytest.raises(asyncio.CancelledError):
        play(config, Slow(), buffers)
    buffers.rewind(0)
    assert list(buffers.rated_tasks(Mode.DEDUCTION)) == before


def test_copies_are_stored_after_a_task_was_taken_out():
    buffers = TaskBuffers(":memory:", keeps_copies=True)
    same, other = make_task(number=1), make_task(number=2)
    buffers.add([other, same, same])
    buffers.remove([other])
    assert buffers.add([same]) == 1
    assert buffers.count(Mode.DEDUCTION) == 3
