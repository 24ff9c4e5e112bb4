"""The reference's weaknesses, section A, by their numbers: ours has none of them.

What needs real programs is in tests/guest/test_weaknesses_in_guest.py (A1-A3, A11, A15, B, C);
here are those that show on this side of the border.
"""

import asyncio
from dataclasses import FrozenInstanceError, replace

import pytest

from azr.config.run import LearnerConfig, RolloutConfig, RunConfig, SandboxConfig, SelfPlayConfig
from azr.errors import ConfigError
from azr.game.judge.judge import SandboxJudge
from azr.game.modes import rules_of
from azr.game.modes.prompts import Prompts
from azr.game.rewards.advantages import advantages_of
from azr.game.rewards.rewards import proposal_reward
from azr.game.seeding import SEED_STEP
from azr.game.selfplay import play_step
from azr.game.tasks.buffers import TaskBuffers
from azr.records.metrics import step_metrics
from azr.types import Answer, Case, Mode, Proposal, Role, Task, Verdict
from sandbox_wasm.types import DEFAULT_BANNED_MODULES, CallResult, Job, JobResult, Outcome
from tests.fakes import (
    InProcessExecutor,
    ScriptedExecutor,
    ScriptedJudge,
    ScriptedPolicy,
    count_words,
    make_experience,
    make_rollout,
    make_table,
    make_task,
)
from tests.unit import test_modes, test_prompts, test_seeding, test_selfplay, test_text_metrics
from tests.unit.test_selfplay import BATCH, CONFIG, well_formed

DEDUCTION, ABDUCTION, INDUCTION = Mode.DEDUCTION, Mode.ABDUCTION, Mode.INDUCTION

# Tests of other files under their numbers here.
test_a04_solvers_train_on_the_step_s_tasks = (
    test_selfplay.test_solvers_train_on_the_tasks_of_the_same_step
)
test_a04_the_reference_s_order_is_an_option = test_selfplay.test_lag_1_solves_only_tasks_of_the_past
test_a08_the_criteria_are_not_swapped = (
    test_prompts.test_each_proposer_is_asked_for_the_difficulty_of_its_own_mode
)
test_a09_no_seed_is_stored_twice = test_seeding.test_no_seed_is_stored_twice
test_a11_helpers_and_classes_are_read_as_they_are = (
    test_modes.test_helpers_methods_and_nested_functions_are_welcome
)
test_a13_a_valid_proposal_counts_as_right = (
    test_text_metrics.test_lengths_of_right_and_wrong_completions_are_told_apart
)


def ending(**call: object) -> SandboxJudge:
    """A judge whose sandbox says that every call ended so."""
    result = CallResult(**call)  # type: ignore[arg-type]
    return SandboxJudge(
        ScriptedExecutor(lambda job: JobResult(id=job.id, calls=(result,) * len(job.calls))),
        SandboxConfig(),
    )


def admitted(judge: SandboxJudge, program: str = "def f(x):\n    return x") -> Task | None:
    return asyncio.run(judge.admit(Proposal(DEDUCTION, program, ("1",)), 1)).task


@pytest.mark.parametrize(
    "error",
    ["Exception: Non-deterministic", "StopIteration: ", "KeyboardInterrupt: ", "Oops: boom", ""],
)
def test_a01_no_exception_is_a_task_whatever_its_name_says(error: str):
    """There, a run is valid unless its status holds the letters "error"."""
    assert admitted(ending(outcome=Outcome.RAISED, error=error)) is None


def test_a01_a_call_that_differs_between_its_runs_is_no_task():
    assert admitted(ending(outcome=Outcome.RETURNED, value="1", differs="value")) is None


@pytest.mark.parametrize("outcome", [o for o in Outcome if o is not Outcome.RETURNED])
def test_a01_only_what_returned_is_a_task(outcome: Outcome):
    assert admitted(ending(outcome=outcome)) is None


def test_a02_a_long_output_is_stored_whole_and_can_be_answered():
    """There, 400 characters of it are kept, and no answer is right any more."""
    judge = SandboxJudge(InProcessExecutor(), SandboxConfig())
    task = admitted(judge, "def f(x):\n    return list(range(300))")
    assert task is not None
    assert task.cases[0].output == repr(list(range(300)))
    grade = asyncio.run(judge.grade(task, Answer(DEDUCTION, repr(list(range(300))))))
    assert grade.verdict is Verdict.PASSED


def test_a02_what_is_too_long_to_keep_is_refused_and_not_cut():
    judge = SandboxJudge(InProcessExecutor(), SandboxConfig(output_bytes=100))
    assert admitted(judge, "def f(x):\n    return list(range(300))") is None


def test_a03_the_two_runs_are_two_images():
    """There, both happen in one process with one hash seed."""
    executor = InProcessExecutor()
    admitted(SandboxJudge(executor, SandboxConfig()))
    assert [job.images for job in executor.jobs] == [10]


@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_a05_a_valid_task_that_teaches_nothing_is_paid_0(rate: float):
    """The paper's eq. 4; what the reference's code pays is a setting."""
    config = RunConfig().rewards
    assert proposal_reward(Verdict.PASSED, rate, config) == 0.0
    as_coded = config.changed(unlearnable=-0.5)
    assert proposal_reward(Verdict.PASSED, rate, as_coded) == -0.5


def test_a06_trials_are_sampled_at_the_run_s_temperature_with_seeds_of_their_own():
    """There, HEAD takes them greedily: eight equal answers, and no learnability but 0."""
    policy = ScriptedPolicy(well_formed)
    asyncio.run(play_step(make_table(CONFIG, policy), 1))
    trials = [p for p in policy.prompts if p.role is Role.SOLVER]
    assert {p.temperature for p in trials} == {None}
    assert len({p.seed for p in trials}) == len(trials) > BATCH
    with pytest.raises(ConfigError, match=r"rollout\.temperature"):
        RolloutConfig(temperature=0.0)


def test_a07_a_full_buffer_drops_the_oldest_and_goes_on_learning_of_the_new():
    buffers = TaskBuffers(":memory:", max_tasks=4)
    buffers.add([make_task(number=n, born_step=n) for n in range(10)])
    drawn = {buffers.draw(DEDUCTION, seed).born_step for seed in range(200)}
    assert drawn == {6, 7, 8, 9}
    assert {t.born_step for t in buffers.references(DEDUCTION, 4, 0)} == {6, 7, 8, 9}


def test_a10_the_number_of_inputs_is_one_number_everywhere():
    """There, the reward manager has a 10 of its own."""
    table = make_table(RunConfig(selfplay=SelfPlayConfig(induction_inputs=4)), ScriptedPolicy(str))
    prompt = table.prompts.proposer(INDUCTION, table.buffers, 1)
    assert prompt.num_inputs == 4
    assert "exactly 4 inputs" in prompt.text
    inputs = "".join(f"```input\n{n}\n```\n" for n in range(4))
    rollout = replace(
        make_rollout(f"<think></think><answer>{inputs}```message\nm\n```</answer>"), prompt=prompt
    )
    rollout = replace(rollout, prompt=replace(prompt, prefill=""))
    proposal = rules_of(INDUCTION).read_proposal(rollout)
    assert isinstance(proposal, Proposal)
    assert len(proposal.inputs) == 4


@pytest.mark.parametrize("step", [SEED_STEP, 1, 500])
def test_a10_banned_modules_are_banned_at_every_step(step: int):
    """There, while seeding alone."""
    executor = InProcessExecutor()
    judge = SandboxJudge(executor, SandboxConfig())
    asyncio.run(judge.admit(Proposal(DEDUCTION, "def f(x):\n    return x", ("1",)), step))
    asyncio.run(judge.grade(make_task(INDUCTION), Answer(INDUCTION, "def f(x):\n    return x")))
    assert [job.banned_modules for job in executor.jobs] == [DEFAULT_BANNED_MODULES] * 2


def test_a10_writing_a_prompt_changes_no_task():
    """There, a composite's reference is renamed in the list that the next prompts are made of."""
    buffers = TaskBuffers(":memory:")
    buffers.add([make_task(mode, n) for mode in Mode for n in range(8)])
    before = {mode: list(buffers.tasks(mode)) for mode in Mode}
    prompts = Prompts(SelfPlayConfig(), RolloutConfig(), count_words)
    for mode in Mode:
        prompts.proposer(mode, buffers, 1)
        prompts.solver(buffers.draw(mode, 1), buffers, 1)
    assert {mode: list(buffers.tasks(mode)) for mode in Mode} == before
    with pytest.raises(FrozenInstanceError):
        before[DEDUCTION][0].program = "def g_0(x): ..."  # type: ignore[misc]


def test_a12_whitening_counts_rollouts_and_the_reference_s_counts_tokens_by_setting():
    """There, long answers weigh more in mean and deviation, and nothing says so."""
    played = [make_experience(1.0, tokens=1), make_experience(0.0, tokens=99)]
    by_rollout = advantages_of(played, LearnerConfig())
    by_token = advantages_of(played, LearnerConfig(whitening="token"))
    assert by_rollout == pytest.approx([1.0, -1.0], abs=1e-6)
    assert by_token[0] > 5
    assert -0.2 < by_token[1] < 0


def test_a13_counts_are_of_one_step_and_every_stream_has_its_own():
    """There, valid programs of two steps are added, and the last stream's entropy wins."""
    experiences = asyncio.run(play_step(make_table(CONFIG, ScriptedPolicy(well_formed)), 1))
    metrics = step_metrics(experiences, [0.0] * len(experiences), {})
    assert {metrics[f"valid/{mode}"] for mode in CONFIG.selfplay.modes} == {1.0}
    names = {name for name in metrics if name.startswith("entropy/")}
    assert names == {f"entropy/{role}/{mode}" for role in Role for mode in CONFIG.selfplay.modes}
    again = step_metrics(experiences, [0.0] * len(experiences), {})
    assert again == metrics


def test_a13_without_proposers_the_streams_keep_their_labels():
    config = CONFIG.changed(selfplay=CONFIG.selfplay.changed(train_proposer=False))
    experiences = asyncio.run(play_step(make_table(config, ScriptedPolicy(well_formed)), 1))
    metrics = step_metrics(experiences, [0.0] * len(experiences), {})
    assert {n for n in metrics if n.startswith("accuracy/")} == {
        f"accuracy/solver/{mode}" for mode in CONFIG.selfplay.modes
    }
    assert not [name for name in metrics if "proposer" in name]


def test_a14_a_batch_is_full_however_little_there_is_to_draw_from():
    """There, random.sample of a buffer that is too small raises, and filters empty the loader."""
    refusing = ScriptedJudge(admits=lambda _: False)
    table = make_table(CONFIG, ScriptedPolicy(well_formed), refusing)  # one zero task a mode
    experiences = asyncio.run(play_step(table, 1))
    assert len(experiences) == 2 * len(CONFIG.selfplay.modes) * BATCH


def test_a14_tasks_that_are_too_long_to_ask_are_replaced():
    buffers = TaskBuffers(":memory:")
    buffers.add_zero_tasks()
    long = replace(make_task(), program="def f(x):\n" + "    x = x + 1\n" * 5000 + "    return x")
    buffers.add([long])
    prompts = Prompts(SelfPlayConfig(), RolloutConfig(max_prompt_tokens=2000), count_words)
    assert not prompts.fits(long)
    asked = prompts.solver(long, buffers, 1)
    assert asked.task is not None
    assert asked.task != long


def no_sandbox(job: Job) -> JobResult:
    raise AssertionError(f"a literal was sent to the sandbox: {job}")


@pytest.mark.parametrize(
    ("gold", "answer", "is_right"),
    [
        ("True", "1", False), ("1", "1.0", False), ("1", "True", False), ("[1]", "(1,)", False),
        ("'[1,2]'", "'[1, 2]'", False), ("'[1,2]'", "[1, 2]", False),
        ("{'a': 1, 'b': 2}", "{'b': 2, 'a': 1}", True), ("{1, 2}", "{2, 1}", True),
        ("nan", "nan", True), ("[1, 2]", "[1,\n 2]", True), ("0.1", "0.10", True),
        ("'a'", '"a"', True), ("1", "1  # because", True), ("1", "1\n", True),
        ("0.3", "0.30000000000000004", False),
    ],
)  # fmt: skip
def test_a15_values_are_equal_by_type_and_value_however_they_are_spelled(
    gold: str, answer: str, is_right: bool
):
    """There: True == 1, strings evaluated a second time, NaN never right."""
    judge = SandboxJudge(ScriptedExecutor(no_sandbox), SandboxConfig())
    task = Task(mode=DEDUCTION, program="def f(x): ...", cases=(Case("1", gold),))
    found = asyncio.run(judge.grade(task, Answer(DEDUCTION, answer)))
    assert (found.verdict is Verdict.PASSED) == is_right


@pytest.mark.parametrize("answer", ["[1,\n 2]", "[1, 2]  # so", "[1, 2]\n", "\n[1, 2]"])
def test_a15_an_abduction_answer_may_be_written_as_an_input_may(answer: str):
    """There, inputs of several lines are valid as proposals, and fail as answers."""
    judge = SandboxJudge(InProcessExecutor(), SandboxConfig())
    program = "def f(x):\n    return sum(x)"
    proposed = asyncio.run(judge.admit(Proposal(ABDUCTION, program, (answer,)), 1))
    assert proposed.task is not None
    assert proposed.task.cases == (Case("[1, 2]", "3"),)
    answered = asyncio.run(judge.grade(proposed.task, Answer(ABDUCTION, answer)))
    assert answered.verdict is Verdict.PASSED
