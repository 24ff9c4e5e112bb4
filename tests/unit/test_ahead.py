"""Steps that are played while earlier ones are learned from: their order, age, and past."""

import asyncio
import threading
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

import pytest

from azr.config.loss import Importance, LossKind, LossSection
from azr.config.run import (
    BuffersConfig,
    LoggingConfig,
    NoveltyConfig,
    RolloutConfig,
    RunConfig,
    SelfPlayConfig,
)
from azr.errors import ConfigError, ExecutorUnavailable, Interrupted
from azr.game.ahead import Ahead, staleness
from azr.game.schedule import horizon
from azr.game.selfplay import Played
from azr.game.table import Table
from azr.game.tasks.buffers import TaskBuffers
from azr.run.trainer import Run, train
from azr.types import Experience, Mode, Prompt, Role, Rollout, Verdict
from tests.fakes import (
    FakeLearner,
    FakeRecorder,
    ScriptedJudge,
    ScriptedPolicy,
    complete,
    make_table,
)
from tests.unit.test_selfplay import well_formed

MODES = (Mode.DEDUCTION, Mode.INDUCTION)


def config_of(staleness: int, steps: int = 6, **sections: object) -> RunConfig:
    return RunConfig(
        steps=steps,
        selfplay=SelfPlayConfig(
            modes=MODES,
            batch_size=2,
            trials_per_task=2,
            envelope="completion",
            induction_inputs=2,
            references=2,
        ),
        rollout=RolloutConfig(max_staleness=staleness, max_prompt_tokens=10_000),
    ).changed(**sections)


@dataclass
class PacedPolicy(ScriptedPolicy):
    """FAKE policy: answers after a number of turns that luck decides, one version a token."""

    luck: Random = field(default_factory=lambda: Random(0))
    slow_step: int = -1
    asked: defaultdict[int, list[Prompt]] = field(default_factory=lambda: defaultdict(list))
    """Prompts by the step that asked."""

    async def sample(self, prompt: Prompt) -> Rollout:
        self.asked[prompt.priority].append(prompt)
        first, self.under_way = self.version, self.under_way + 1
        try:
            for _ in range(200 if prompt.priority == self.slow_step else self.luck.randrange(12)):
                await asyncio.sleep(0)
        finally:
            self.under_way -= 1
        rollout = complete(prompt, self.script(prompt))
        versions = (first, self.version)
        return replace(
            rollout,
            policy_version=first,
            completion_ids=(1, 1),
            rollout_logprobs=(-1.0, -1.0),
            versions=versions,
        )


@dataclass
class KeepingRecorder(FakeRecorder):
    statistics: list[dict[str, float]] = field(default_factory=list)
    copy_at: tuple[int, Path] | None = None
    buffers: TaskBuffers | None = None

    def record(self, step: int, *more) -> None:
        super().record(step)
        self.statistics.append(more[-1])
        if self.copy_at and self.copy_at[0] == step:
            self.buffers.backup(self.copy_at[1])


def make_run(config: RunConfig, luck: int = 0, judge: ScriptedJudge | None = None, **more) -> Run:
    policy = PacedPolicy(well_formed, luck=Random(luck))
    table = make_table(config, policy, judge, more.pop("buffers", None))
    recorder = KeepingRecorder(buffers=table.buffers)
    return Run(table=table, policy=policy, learner=FakeLearner(), recorder=recorder, **more)


def trained(run: Run) -> Run:
    async def whole() -> None:
        try:
            await asyncio.wait_for(train(run), 60)
        finally:
            assert asyncio.all_tasks() == {asyncio.current_task()}, "nothing is left under way"

    asyncio.run(whole())
    return run


def texts(run: Run) -> dict[int, list[str]]:
    return {step: sorted(p.text for p in prompts) for step, prompts in run.policy.asked.items()}


@pytest.mark.parametrize("most", [1, 2])
def test_steps_are_learned_from_in_order_and_no_token_is_too_old(most: int) -> None:
    run = make_run(config_of(most))
    run.policy.slow_step = 2
    trained(run)
    assert run.recorder.steps == [1, 2, 3, 4, 5, 6]
    greatest = [row["staleness/max"] for row in run.recorder.statistics]
    assert max(greatest) == most
    means = [row["staleness/mean"] for row in run.recorder.statistics]
    assert all(0 <= mean <= most for mean, most in zip(means, greatest, strict=True))
    assert greatest[0] == 0, "the first step is sampled from the first weights"
    assert all(row["ahead/play_s"] > 0 for row in run.recorder.statistics)


def test_the_mean_staleness_is_that_of_tokens_not_of_rollouts() -> None:
    def experience(**rollout: object) -> Experience:
        prompt = Prompt(role=Role.SOLVER, mode=Mode.DEDUCTION, text="")
        sampled = replace(complete(prompt, ""), **rollout)
        return Experience(rollout=sampled, verdict=Verdict.PASSED, reward=1.0)

    fresh = experience(completion_ids=(1,) * 6, policy_version=4)
    mixed = experience(completion_ids=(1, 1), policy_version=2, versions=(2, 4))
    empty = experience(completion_ids=(), policy_version=2)
    assert staleness([fresh, mixed, empty], step=5) == {
        "staleness/mean": 0.25,
        "staleness/max": 2,
    }
    assert staleness([empty], step=5) == {}


def test_a_play_that_ended_in_this_turn_of_the_loop_has_its_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    end = asyncio.Event()

    async def play(_: Table, step: int) -> Played:
        if step == 2:
            await end.wait()
        return Played((), ())

    async def figures() -> Mapping[str, float]:
        async with Ahead(make_table(config_of(1, steps=2), ScriptedPolicy(str)), 1) as ahead:
            await ahead.experiences(1)
            end.set()
            await asyncio.sleep(0)  # the play ends, and nobody has been told of it yet
            await ahead.experiences(2)
            return ahead.figures

    monkeypatch.setattr("azr.game.ahead.play", play)
    assert all(seconds >= 0 for seconds in asyncio.run(figures()).values())


def test_without_staleness_no_step_is_ahead() -> None:
    run = trained(make_run(config_of(0)))
    assert {row["staleness/max"] for row in run.recorder.statistics} == {0}
    assert "ahead/play_s" not in run.recorder.statistics[0]
    assert set(run.policy.asked) == {0}, "no request goes before another"


@pytest.mark.parametrize("staleness", [1, 2])
def test_what_a_step_is_asked_depends_on_the_seed_and_not_on_who_was_faster(
    staleness: int,
) -> None:
    config = config_of(staleness, novelty=NoveltyConfig(max_copies=1, dedupe="structure"))
    one, other = trained(make_run(config, luck=1)), make_run(config, luck=2)
    other.policy.slow_step = 3
    trained(other)
    assert texts(one) == texts(other)
    assert set(texts(one)) == {1, 2, 3, 4, 5, 6}
    assert [*one.table.buffers.tasks(Mode.DEDUCTION)] == [
        *other.table.buffers.tasks(Mode.DEDUCTION)
    ]


def test_a_step_sees_the_tasks_that_no_step_under_way_can_add_to() -> None:
    run = trained(make_run(config_of(2)))
    for step, prompts in run.policy.asked.items():
        seen = {task.born_step for prompt in prompts for task in prompt.references}
        assert max(seen, default=0) < horizon(run.table.config, step)
    late = {task.born_step for prompt in run.policy.asked[6] for task in prompt.references}
    assert late & {1, 2, 3}, "and it does see those"


def test_a_resumed_run_is_asked_what_the_run_would_have_been_asked(tmp_path: Path) -> None:
    file = tmp_path / "tasks.sqlite"
    config = config_of(1, novelty=NoveltyConfig(max_copies=1))
    run = make_run(config)
    run.recorder.copy_at = 3, file
    trained(run)
    buffers = TaskBuffers(":memory:")
    buffers.restore(file)
    assert {task.born_step for task in buffers.tasks(Mode.DEDUCTION)} == {0, 1, 2, 3}
    resumed = trained(make_run(config, luck=5, buffers=buffers, first_step=4))
    assert texts(resumed) == {step: found for step, found in texts(run).items() if step > 3}


def test_later_steps_are_played_while_one_is_learned_from() -> None:
    run = make_run(config_of(1, steps=2))
    second = threading.Event()

    class WaitingLearner(FakeLearner):
        def update(self, experiences_N, advantages_N):
            if not self.updates:
                assert second.wait(30), "step 2 is not played during the update of step 1"
            return super().update(experiences_N, advantages_N)

    def script(prompt: Prompt) -> str:
        if (
            prompt.priority == 2
            and run.policy.version == 0
            and run.table.buffers.count(MODES[0]) > 1
        ):
            second.set()  # step 1 has settled: its update is under way, or about to be
        return well_formed(prompt)

    run.learner, run.policy.script, run.policy.slow_step = WaitingLearner(), script, 2
    trained(run)
    assert run.recorder.steps == [1, 2]


def test_only_the_step_that_is_waited_for_is_shown() -> None:
    run = make_run(config_of(2, steps=3))
    shown: list[tuple[int, int]] = []
    table = replace(
        run.table,
        watch=lambda e: shown.append((len(run.recorder.steps) + 1, e.rollout.prompt.priority)),
    )
    run.table = table
    trained(run)
    assert {now == step for now, step in shown} == {True}
    assert len(shown) == 3 * 2 * 2 * 2, "none is lost: 3 steps, 2 roles, 2 modes, 2 slots"


def test_an_interrupt_ends_what_is_under_way_and_keeps_what_was_learned() -> None:
    run = make_run(config_of(2))

    def script(prompt: Prompt) -> str:
        if len(run.recorder.steps) == 2:
            run.interrupt.request()
        return well_formed(prompt)

    run.policy.script = script
    with pytest.raises(Interrupted):
        trained(run)
    assert run.recorder.steps in ([1, 2], [1, 2, 3]), "an update under way is recorded"
    assert len(run.learner.updates) == len(run.recorder.steps)
    assert run.policy.under_way == 0


def test_a_broken_executor_ends_the_run_after_the_steps_that_were_judged() -> None:
    judge = ScriptedJudge()
    run = make_run(config_of(2), judge=judge)
    run.policy.slow_step = 2

    def script(prompt: Prompt) -> str:
        judge.is_broken |= prompt.priority == 2
        return well_formed(prompt)

    run.policy.script = script
    with pytest.raises(ExecutorUnavailable):
        trained(run)
    assert run.recorder.steps in ([], [1])
    assert len(run.learner.updates) == len(run.recorder.steps)
    assert run.policy.under_way == 0


def test_an_evaluation_is_of_the_step_s_weights_whatever_is_under_way() -> None:
    run = make_run(config_of(2))
    found: list[tuple[int, int]] = []

    class Evaluating:
        def is_due(self, step: int) -> bool:
            return step % 2 == 0 and step > 0

        async def scores(self, step: int) -> dict[str, float]:
            before = run.policy.version
            for _ in range(50):
                await asyncio.sleep(0)
            found.extend([(step, before), (step, run.policy.version)])
            return {}

    run.evaluation = Evaluating()
    trained(run)
    assert found == [(s, s) for s in (2, 2, 4, 4, 6, 6)]


# ---------------------------------------------------------------- the configuration


def importance(staleness: int, **loss: object) -> str:
    return RunConfig(
        rollout=RolloutConfig(max_staleness=staleness), loss=LossSection(**loss)
    ).loss.importance


def test_stale_tokens_are_weighed_against_the_sampler_unless_somebody_says_otherwise() -> None:
    assert importance(0) == Importance.NONE
    assert importance(1) == Importance.TIS
    assert importance(1, importance="none") == Importance.NONE
    assert importance(1, importance="icepop") == Importance.ICEPOP
    assert importance(1, loss=LossKind.DPPO) == Importance.NONE


@pytest.mark.parametrize(
    ("sections", "key"),
    [
        ({"buffers": BuffersConfig(rate_weight=0.5)}, "buffers.rate_weight must be 0"),
        ({"buffers": BuffersConfig(recheck=4)}, "buffers.recheck must be 0"),
        ({"selfplay": SelfPlayConfig(solver_tasks="max_new")}, "same_step_tasks must be false"),
        ({"logging": LoggingConfig(profile_steps=(1,))}, r"profile_steps must be \[\]"),
    ],
)
def test_what_a_step_ahead_cannot_do_is_refused(sections: dict[str, object], key: str) -> None:
    RunConfig(**sections)
    with pytest.raises(ConfigError, match=f"{key}.* with rollout.max_staleness = 2"):
        config_of(2, **sections)


def test_a_block_of_steps_shares_one_past_that_none_of_them_can_add_to() -> None:
    config = RunConfig(
        selfplay=SelfPlayConfig(update_iteration=3), rollout=RolloutConfig(max_staleness=2)
    )
    assert [horizon(config, step) for step in range(1, 10)] == [1, 1, 1, 2, 2, 2, 5, 5, 5]
