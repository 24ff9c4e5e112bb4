"""azr.trainer: the loop, with fakes on all sides."""

import asyncio
from dataclasses import replace

import pytest

from azr.config import RunConfig, SelfPlayConfig
from azr.errors import ExecutorUnavailable
from azr.trainer import Run, train
from azr.types import Mode
from tests.fakes import (
    FakeLearner,
    FakeRecorder,
    ScriptedJudge,
    ScriptedPolicy,
    make_table,
)
from tests.unit.test_selfplay import well_formed

CONFIG = RunConfig(
    steps=3,
    selfplay=SelfPlayConfig(
        batch_size=2, trials_per_task=2, envelope="none", induction_inputs=2, references=1
    ),
)


def make_run(config: RunConfig = CONFIG, judge: ScriptedJudge | None = None) -> Run:
    policy = ScriptedPolicy(well_formed)
    return Run(
        table=make_table(config, policy, judge),
        policy=policy,
        learner=FakeLearner(),
        recorder=FakeRecorder(),
    )


def test_one_step_is_one_update_of_all_streams():
    """Feature 56."""
    run = make_run()
    asyncio.run(train(run))
    assert [len(experiences) for experiences, _ in run.learner.updates] == [12, 12, 12]
    assert all(len(e) == len(a) for e, a in run.learner.updates)
    assert run.recorder.steps == [1, 2, 3]


def test_the_policy_has_the_newest_weights_before_the_step_is_recorded():
    run = make_run()
    asyncio.run(train(run))
    assert run.policy.version == 3


def test_a_resumed_run_goes_on_with_the_next_step():
    run = make_run()
    run.first_step = 3
    asyncio.run(train(run))
    assert run.recorder.steps == [3]


def test_no_steps_are_no_steps():
    run = make_run(replace(CONFIG, steps=0))
    asyncio.run(train(run))
    assert run.recorder.steps == []


def test_a_broken_executor_ends_the_run_before_anything_is_learned_or_recorded():
    """A failed machine is never a reward."""
    run = make_run(judge=ScriptedJudge(is_broken=True))
    with pytest.raises(ExecutorUnavailable):
        asyncio.run(train(run))
    assert run.learner.updates == []
    assert run.recorder.steps == []


def test_the_tasks_of_a_step_are_references_of_the_next():
    """Feature 26."""
    run = make_run()
    asyncio.run(train(run))
    births = {task.born_step for task in run.table.buffers.tasks(Mode.DEDUCTION)}
    assert births == {0, 1, 2, 3}


class FakeEvaluation:
    """FAKE evaluation: due on even steps; notes how many steps were recorded before it."""

    def __init__(self, recorder: FakeRecorder) -> None:
        self.recorder = recorder
        self.recorded_before: list[int] = []

    def is_due(self, step: int) -> bool:
        return step % 2 == 0

    async def scores(self, step: int) -> dict[str, float]:
        self.recorded_before.append(len(self.recorder.steps))
        return {"eval/x/pass@1": 0.5}


class KeepingRecorder(FakeRecorder):
    def record(self, step: int, *more: object) -> None:
        super().record(step, *more)
        self.statistics = [*getattr(self, "statistics", []), more[-1]]


def test_an_evaluation_stands_in_the_metrics_of_the_step_whose_weights_it_is_about():
    run = make_run()
    run.recorder = recorder = KeepingRecorder()
    run.evaluation = evaluation = FakeEvaluation(recorder)
    asyncio.run(train(run))
    assert evaluation.recorded_before == [1]  # after the update of step 2, before its record
    assert [("eval/x/pass@1" in row, "time/evaluate" in row) for row in recorder.statistics] == [
        (False, False), (True, True), (False, False),
    ]  # fmt: skip
