"""azr.run.trainer: the loop, with fakes on all sides."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from azr.config.run import (
    BuffersConfig,
    GroundingConfig,
    LearnerConfig,
    NoveltyConfig,
    RunConfig,
    SelfPlayConfig,
)
from azr.errors import ExecutorUnavailable, Interrupted
from azr.run.trainer import Run, train
from azr.seeds import derive_seed
from azr.types import Answer, Mode, Task
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


class PenalisingLearner(FakeLearner):
    """FAKE learner: the first rollout of every stream has cost it 10."""

    def penalised(self, experiences_N):
        seen, penalised = set(), []
        for e in experiences_N:
            penalised.append(e if e.stream in seen else replace(e, reward=e.reward - 10))
            seen.add(e.stream)
        return penalised, {"reward_kl/mean": 0.5}


def test_what_is_taken_off_the_rewards_is_learned_from_and_not_recorded():
    run = make_run(CONFIG.changed(steps=1))
    run.learner, run.recorder = PenalisingLearner(), KeepingRecorder()
    asyncio.run(train(run))
    [(experiences, advantages)] = run.learner.updates
    for stream in {e.stream for e in experiences}:
        mine = [a for e, a in zip(experiences, advantages, strict=True) if e.stream == stream]
        assert mine == pytest.approx([-1.0, 1.0], abs=1e-3)
    assert min(e.reward for e in experiences) > -2
    assert run.recorder.statistics[0]["reward_kl/mean"] == 0.5
    assert set(run.recorder.statistics[0]) > {"loss", "time/train"}


def test_no_steps_are_no_steps():
    run = make_run(CONFIG.changed(steps=0))
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

    def __init__(self, recorder: FakeRecorder, *, at_start: bool = False) -> None:
        self.recorder = recorder
        self.at_start = at_start
        self.recorded_before: list[int] = []

    def is_due(self, step: int) -> bool:
        return step % 2 == 0 and (step > 0 or self.at_start)

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


def test_the_untrained_model_is_evaluated_before_the_first_step_and_is_step_0():
    run = make_run()
    run.recorder = recorder = KeepingRecorder()
    run.evaluation = evaluation = FakeEvaluation(recorder, at_start=True)
    asyncio.run(train(run))
    assert evaluation.recorded_before == [0, 1]
    [scores] = recorder.untrained
    assert scores["eval/x/pass@1"] == 0.5
    assert scores["time/evaluate"] >= 0
    assert recorder.steps == [1, 2, 3]


def test_a_resumed_run_is_trained_and_not_evaluated_as_if_it_were_not():
    run = make_run()
    run.first_step = 2
    run.evaluation = FakeEvaluation(run.recorder, at_start=True)
    asyncio.run(train(run))
    assert run.recorder.untrained == []


def test_an_interrupt_leaves_the_untrained_models_evaluation_to_the_next_attempt():
    run = make_run()
    run.evaluation = FakeEvaluation(run.recorder, at_start=True)
    run.interrupt.request()
    with pytest.raises(Interrupted):
        asyncio.run(train(run))
    assert (run.recorder.untrained, run.recorder.steps) == ([], [])


def strategies() -> list[RunConfig]:
    """Every way to draw, with and without a lag, in blocks of two steps; also by solve rates."""
    banded = BuffersConfig(max_tasks=9, band=(0.3, 0.8), rate_weight=0.3)
    trials = CONFIG.selfplay.changed(train_on_trials=True)
    weighed = CONFIG.selfplay.changed(solver_tasks="learnability")
    every_means = CONFIG.changed(
        steps=7,
        selfplay=trials,
        buffers=banded.changed(recheck=2),
        novelty=NoveltyConfig(memory_nearest=0.2, memory_mean=0.2),
        grounding=GroundingConfig(category_share=0.5),
        learner=LearnerConfig(advantage="moving"),
    )
    return [every_means, CONFIG.changed(steps=7, selfplay=weighed, buffers=banded)] + [
        CONFIG.changed(
            steps=7,
            selfplay=CONFIG.selfplay.changed(
                solver_tasks=solver_tasks, same_step_tasks=same_step_tasks,
                update_iteration=2, pretrain_solver_steps=1, references=2,
            ),
            buffers=BuffersConfig(
                max_tasks=9, store="non_one", reference_sampling="easy" if lag else "recency"
            ),
        )
        for solver_tasks in ("same_step", "max_new", "half_new", "uniform", "step", "learnable")
        for lag, same_step_tasks in enumerate((True, False))
    ]  # fmt: skip


def sometimes(task: Task, answer: Answer) -> bool:
    return derive_seed(task.program, answer.content) % 3 > 0


def refuted(task: Task) -> bool:
    return task.born_step > 0 and derive_seed(task.program) % 5 == 0


def prompts_of(run: Run, step: int) -> list[tuple[str, int, float]]:
    """What was asked, and what was learned from it."""
    experiences, advantages = run.learner.updates[step]
    return [
        (e.rollout.prompt.text, e.rollout.prompt.seed, advantage)
        for e, advantage in zip(experiences, advantages, strict=True)
    ]


@pytest.mark.parametrize("config", strategies(), ids=lambda c: f"{c.selfplay.solver_tasks}")
def test_a_killed_run_goes_on_as_if_it_had_not_been(config: RunConfig, tmp_path: Path):
    """Features 59, 61 and 62: resumed after a checkpoint in the middle of a block."""
    whole = make_run(config, ScriptedJudge(passes=sometimes, refuted=refuted))
    asyncio.run(train(whole))
    killed = make_run(config.changed(steps=5), ScriptedJudge(passes=sometimes, refuted=refuted))
    asyncio.run(train(killed))
    killed.table.buffers.backup(tmp_path / "tasks.sqlite")

    resumed = make_run(config, ScriptedJudge(passes=sometimes, refuted=refuted))
    resumed.table.buffers.restore(tmp_path / "tasks.sqlite")
    resumed.first_step = 6
    asyncio.run(train(resumed))
    assert [prompts_of(resumed, n) for n in (0, 1)] == [prompts_of(whole, n) for n in (5, 6)]
    for mode in Mode:
        rated = [list(run.table.buffers.rated_tasks(mode)) for run in (whole, resumed)]
        assert rated[0] == rated[1]
    assert whole.table.buffers.stats() == resumed.table.buffers.stats()
