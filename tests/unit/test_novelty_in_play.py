"""The novelty gate, its price and the intrinsic terms, in self-play."""

import asyncio
import random
from dataclasses import replace

import pytest

from azr.config.run import IntrinsicConfig, NoveltyConfig, RewardConfig, RunConfig
from azr.game.seeding import seed_buffers
from azr.game.selfplay import play_step
from azr.game.tasks.buffers import TaskBuffers
from azr.records.metrics import step_metrics
from azr.records.proposal_metrics import appraisal_metrics
from azr.records.rollouts import rollout_records
from azr.types import (
    Case,
    Experience,
    Mode,
    Prompt,
    Role,
    Rollout,
    Task,
    Verdict,
)
from tests.fakes import (
    ScriptedJudge,
    ScriptedPolicy,
    complete,
    make_table,
    profile_here,
)
from tests.unit.test_novelty import DEDUCTION, DULL, SELFPLAY, profile, triplet

# ---------------------------------------------------------------- in the game


def writes(program_of) -> "callable":
    """A policy whose proposer writes what `program_of(prompt)` says."""

    def script(prompt: Prompt) -> str:
        if prompt.role is Role.PROPOSER and prompt.mode is Mode.INDUCTION:
            inputs = "".join(f"```input\n{n}\n```\n" for n in range(4))
            return f"{inputs}```message\nNumber {prompt.seed}.\n```"
        if prompt.role is Role.PROPOSER:
            return f"```python\n{program_of(prompt)}\n```\n```input\n{prompt.seed}\n```"
        return "```python\ndef f(x):\n    return 0\n```\n```output\n0\n```\n```input\n0\n```"

    return script


def various(prompt: Prompt) -> str:
    return f"def f(x):\n    return [x{' + x' * (prompt.seed % 7)}]"


def alternating() -> ScriptedJudge:
    """Half of the trials pass, so that a task teaches something."""
    calls = iter(range(10**9))
    return ScriptedJudge(passes=lambda _t, _a: next(calls) % 2 == 0)


def play(config: RunConfig, program_of=various, buffers=None, step: int = 1, judge=None):
    policy = ScriptedPolicy(writes(program_of))
    table = make_table(config, policy, judge or alternating(), buffers)
    experiences = asyncio.run(play_step(table, step))
    return experiences, table, policy


def proposals(experiences, mode: Mode = Mode.DEDUCTION) -> list[Experience]:
    return [e for e in experiences if e.stream == (Role.PROPOSER, mode)]


def test_copies_of_a_step_are_paid_as_not_novel_and_not_tried():
    config = RunConfig(
        selfplay=DEDUCTION,
        novelty=NoveltyConfig(max_copies=1),
        rewards=RewardConfig(not_novel=-0.75),
    )
    experiences, table, policy = play(config, lambda _: DULL)
    found = proposals(experiences)
    assert [e.verdict for e in found] == [Verdict.PASSED] + [Verdict.FAILED] * 5
    assert [e.reward for e in found[1:]] == [-0.75] * 5
    assert {e.reason for e in found[1:]} == {"not novel: copy"}
    assert table.buffers.count(Mode.DEDUCTION) == 2  # the zero task and the first
    assert sum(p.role is Role.SOLVER for p in policy.prompts) == 4 + 6  # one task's trials
    metrics = step_metrics(experiences, [0.0] * len(experiences), {})
    assert metrics["refused/not_novel.copy"] == 5


def test_without_a_number_of_its_own_no_novelty_is_paid_as_no_validity():
    config = RunConfig(selfplay=DEDUCTION, novelty=NoveltyConfig(min_nodes=50))
    experiences, _, _ = play(config)
    assert {e.reward for e in proposals(experiences)} == {-1.0}
    config = config.changed(rewards=RewardConfig(invalid_proposal=-0.3))
    assert {e.reward for e in proposals(play(config)[0])} == {-0.3}


@pytest.mark.parametrize("same_step", [True, False])
def test_what_is_novel_does_not_depend_on_which_coroutine_came_first(same_step: bool):
    """Slots that answer in another order get the same rulings."""

    class Dawdling(ScriptedPolicy):
        order: random.Random

        async def sample(self, prompt: Prompt) -> Rollout:
            for _ in range(self.order.randrange(20)):
                await asyncio.sleep(0)
            return complete(prompt, self.script(prompt))

    selfplay = SELFPLAY.changed(same_step_tasks=same_step)
    novelty = NoveltyConfig(max_copies=1, min_distance=0.05)
    config = RunConfig(selfplay=selfplay, novelty=novelty)
    outcomes = []
    for order in range(4):
        policy = Dawdling(writes(various))
        policy.order = random.Random(order)
        table = make_table(config, policy)
        experiences = asyncio.run(play_step(table, 1))
        outcomes.append([(e.stream, e.verdict, e.reward, e.reason, e.task) for e in experiences])
    assert all(outcome == outcomes[0] for outcome in outcomes)
    refused = [o for o in outcomes[0] if o[3].startswith("not novel")]
    assert refused
    assert {stream[1] for stream, *_ in refused} == {Mode.DEDUCTION, Mode.ABDUCTION}


@pytest.mark.parametrize(
    "novelty",
    [
        NoveltyConfig(),
        NoveltyConfig(dedupe="structure", max_copies=2, min_distance=0.02, window=3),
        NoveltyConfig(repetition_penalty=0.5, min_nodes=5, require_use_of_input=True),
        NoveltyConfig(memory_nearest=0.3, memory_mean=0.2),
    ],
)
def test_a_resumed_run_plays_on_as_one_that_was_never_stopped(novelty: NoveltyConfig, tmp_path):
    """All that is remembered is derived from the buffers: counts, copies, recent programs."""
    terms = {"answer_diversity": 1.0, "input_diversity": 1.0}
    config = RunConfig(selfplay=SELFPLAY, novelty=novelty, intrinsic=IntrinsicConfig(**terms))

    def rewards(table, step: int) -> list[float]:
        return [e.reward for e in asyncio.run(play_step(table, step))]

    def table_of(buffers):
        judge = ScriptedJudge(passes=lambda task, _: len(task.program) % 2 == 0)
        return make_table(config, ScriptedPolicy(writes(various)), judge, buffers)

    buffers = TaskBuffers(":memory:")
    buffers.add_zero_tasks()
    whole = table_of(buffers)
    rewards(whole, 1)
    buffers.backup(tmp_path / "cut")
    through = rewards(whole, 2)
    again = TaskBuffers(":memory:")
    again.restore(tmp_path / "cut")
    assert rewards(table_of(again), 2) == through
    buffers.rewind(1)  # the same table, its buffers taken back
    assert rewards(whole, 2) == through


def test_induction_proposers_are_not_blamed_for_the_program_they_are_shown():
    novelty = NoveltyConfig(max_copies=1, min_distance=1.0, min_nodes=99, repetition_penalty=9.0)
    config = RunConfig(selfplay=SELFPLAY.changed(modes=("induction",)), novelty=novelty)
    found = proposals(play(config)[0], Mode.INDUCTION)
    assert {e.verdict for e in found} == {Verdict.PASSED}
    assert {e.reward for e in found} != {0.0}


@pytest.mark.parametrize(("dedupe", "stored"), [("exact", 6), ("structure", 1), ("none", 6)])
def test_copies_are_stored_as_the_run_says(dedupe: str, stored: int):
    """Six inputs with one program."""
    config = RunConfig(selfplay=DEDUCTION, novelty=NoveltyConfig(dedupe=dedupe))
    _, table, _ = play(config, lambda _: DULL)
    assert table.buffers.count(Mode.DEDUCTION) == 1 + stored


def test_equal_tasks_are_kept_on_demand_and_survive_a_backup(tmp_path):
    task = Task(mode=Mode.DEDUCTION, program=DULL, cases=(Case("1", "None"),), born_step=1)
    assert TaskBuffers(":memory:").add([task, task]) == 1
    buffers = TaskBuffers(":memory:", keeps_copies=True)
    assert (buffers.add([task, task]), buffers.add([task])) == (2, 1)
    buffers.backup(tmp_path / "copy")
    again = TaskBuffers(":memory:", keeps_copies=True)
    again.restore(tmp_path / "copy")
    assert again.add([task, replace(task, born_step=2)]) == 2
    assert again.rewind(1) == 1
    assert again.add([task]) == 1
    assert again.count(Mode.DEDUCTION) == 5


def test_seeds_pass_the_same_gate():
    config = RunConfig(
        selfplay=DEDUCTION,
        novelty=NoveltyConfig(max_copies=1),
        buffers=RunConfig().buffers.changed(seed_tasks=4, max_seed_rounds=2),
    )
    program_of = lambda prompt: DULL if prompt.seed % 2 else various(prompt)  # noqa: E731
    table = make_table(config, ScriptedPolicy(writes(program_of)))
    asyncio.run(seed_buffers(table, table.buffers))  # type: ignore[arg-type]
    for mode in (Mode.DEDUCTION, Mode.ABDUCTION):
        programs = [task.program for task in table.buffers.tasks(mode)]
        structures = [profile(program).structure for program in programs]
        assert len(structures) == len(set(structures)) > 2


# ---------------------------------------------------------------- intrinsic terms in the game


def test_terms_are_paid_on_top_of_learnability_and_only_there():
    plain, _, _ = play(RunConfig(selfplay=DEDUCTION))
    intrinsic = IntrinsicConfig(mean_edit_distance=0.1)
    richer, _, _ = play(RunConfig(selfplay=DEDUCTION, intrinsic=intrinsic))
    for before, after in zip(proposals(plain), proposals(richer), strict=True):
        assert before.appraisal == after.appraisal
        assert after.appraisal is not None
        distance = after.appraisal.merits.mean_edit_distance
        assert distance is not None
        expected = before.reward + 0.1 * distance if before.reward > 0 else before.reward
        assert after.reward == pytest.approx(expected)


def test_distances_are_to_the_references_of_the_prompt():
    experiences, _, _ = play(RunConfig(selfplay=DEDUCTION), lambda _: "def f(x):\n    return x")
    found = proposals(experiences)[0]
    assert [t.program for t in found.rollout.prompt.references] == ["def f(a):\n    return a"]
    assert found.appraisal is not None
    assert found.appraisal.merits.mean_edit_distance == 0.0


def test_answers_are_the_part_that_a_mode_asks_for():
    """Features 49 and 50: every output is 0 and every input another."""
    experiences, table, _ = play(RunConfig(selfplay=SELFPLAY))
    for step in (2, 3):
        experiences = asyncio.run(play_step(table, step))
    [deduction, abduction, induction] = [
        proposals(experiences, mode)[-1].appraisal.merits for mode in SELFPLAY.modes
    ]
    assert deduction.answer_diversity == pytest.approx(1 - 12 / 13)
    assert abduction.answer_diversity == 1.0
    assert induction.answer_diversity is induction.complexity is None
    assert induction.output_diversity < 0.5
    assert 0 < induction.input_diversity < 1


def test_every_value_is_logged_though_nothing_is_paid():
    experiences, _, _ = play(RunConfig(selfplay=SELFPLAY))
    metrics = step_metrics(experiences, [0.0] * len(experiences), {})
    for mode in ("deduction", "abduction"):
        for term in ("complexity", "mean_edit_distance", "halstead", "answer_diversity"):
            assert f"intrinsic/{mode}/{term}" in metrics
        for name in ("ast_distance", "complexity", "cyclomatic", "halstead_effort", "nodes",
                     "halstead_volume", "uses_input", "distinct_structures",
                     "profiled"):  # fmt: skip
            assert f"{name}/{mode}" in metrics
    assert metrics["uses_input/deduction"] == metrics["profiled/deduction"] == 1.0
    assert "intrinsic/induction/input_diversity" in metrics
    assert "intrinsic/induction/complexity" not in metrics
    assert "ast_distance/induction" not in metrics


def test_rollouts_are_kept_with_their_values():
    experiences, _, _ = play(RunConfig(selfplay=DEDUCTION))
    records = list(rollout_records(1, experiences, [0.0] * len(experiences)))
    merits = [record["merits"] for record in records if record["stream"].startswith("proposer")]
    assert all(len(m["structure"]) == 32 and m["answer_diversity"] == 1.0 for m in merits)
    assert all(r["merits"] is None for r in records if r["stream"].startswith("solver"))


def test_a_program_without_a_profile_is_a_task_all_the_same():
    class Blind(ScriptedJudge):
        async def profile(self, programs):
            return [None] * len(programs)

    novelty = NoveltyConfig(dedupe="structure", min_distance=0.1, min_nodes=9, max_copies=9)
    intrinsic = IntrinsicConfig(complexity=1.0)
    config = RunConfig(selfplay=DEDUCTION, novelty=novelty, intrinsic=intrinsic)
    experiences, _, _ = play(config, judge=Blind(passes=alternating().passes))
    found = proposals(experiences)
    assert {e.verdict for e in found} == {Verdict.PASSED}
    metrics = appraisal_metrics("deduction", found)
    assert metrics["profiled/deduction"] == 0.0
    assert "complexity/deduction" not in metrics


def test_a_program_is_profiled_once():
    asked: list[str] = []

    class Counting(ScriptedJudge):
        async def profile(self, programs):
            asked.extend(programs)
            return await ScriptedJudge.profile(self, programs)

    config = RunConfig(selfplay=DEDUCTION, novelty=NoveltyConfig(max_copies=99))
    _, table, _ = play(config, judge=Counting())
    before = len(asked)
    asyncio.run(play_step(table, 2))
    assert asked[before:] == [p for p in dict.fromkeys(asked[before:]) if p not in asked[:before]]


def test_a_window_with_unreadable_programs_in_it_is_the_same_after_a_kill(tmp_path):
    """A resumed run looks at the last `window` tasks; so does one that was never stopped."""

    class Shortsighted(ScriptedJudge):
        async def profile(self, programs):
            return [None if "deep" in p else profile_here(p) for p in programs]

    novelty = NoveltyConfig(min_distance=0.1, window=2)
    config = RunConfig(selfplay=DEDUCTION, novelty=novelty)

    def recent_of(appraiser):
        asyncio.run(appraiser.begin(1))
        return list(appraiser._history.of(Mode.DEDUCTION).past.recent)

    buffers = TaskBuffers(":memory:")
    whole = make_table(config, ScriptedPolicy(writes(various)), Shortsighted(), buffers)
    for program in (DULL, "def f(x):\n    return x * x", "def f(deep):\n    return deep + 1"):
        buffers.add([triplet(program)])
        through = recent_of(whole.appraiser)
    resumed = make_table(config, ScriptedPolicy(writes(various)), Shortsighted(), buffers)
    assert recent_of(resumed.appraiser) == through
