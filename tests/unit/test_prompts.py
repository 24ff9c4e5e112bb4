"""prompts: what is asked, pinned by golden files, within the budget, and without leaks."""

import itertools
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from azr.config.run import RolloutConfig, SelfPlayConfig
from azr.errors import ConfigError
from azr.game.modes import rules_of
from azr.game.modes.induction import hidden_cases
from azr.game.modes.prompts import Prompts
from azr.game.modes.wording import BANNED_WORDS
from azr.game.tasks.buffers import TaskBuffers
from azr.types import Case, Mode, Prompt, Role, Task
from sandbox_wasm.types import DEFAULT_BANNED_MODULES
from tests.fakes import count_words, make_task

GOLDEN = Path(__file__).parent.parent / "golden"
ENVELOPES = ["r1", "boxed", "none", "completion"]
CHATTY = ["r1", "boxed", "none"]


def writer(max_prompt_tokens: int = 6144, **selfplay) -> Prompts:
    config = SelfPlayConfig(**{"references": 3, "induction_inputs": 4, **selfplay})
    return Prompts(config, RolloutConfig(max_prompt_tokens=max_prompt_tokens), count_words)


def stocked(number: int = 10) -> TaskBuffers:
    buffers = TaskBuffers(":memory:")
    for mode in Mode:
        buffers.add([make_task(mode, n) for n in range(number)])
    return buffers


def ask(prompts: Prompts, role: Role, mode: Mode, buffers: TaskBuffers, seed: int = 0) -> Prompt:
    if role is Role.PROPOSER:
        return prompts.proposer(mode, buffers, seed)
    return prompts.solver(make_task(mode, 4), buffers, seed)


@pytest.mark.parametrize(
    ("envelope", "role", "mode"), list(itertools.product(ENVELOPES, Role, Mode))
)
def test_prompts_are_pinned(envelope: str, role: Role, mode: Mode):
    """Features 6, 7, 9, 12 and 28 of the prompts: review the file when it changes.

    To renew a golden file, delete it and run the test twice.
    """
    prompt = ask(writer(envelope=envelope), role, mode, stocked())
    found = f"{prompt.text}⟦{prompt.prefill}⟧\nstop: {prompt.stop}\n"
    path = GOLDEN / f"prompt_{envelope}_{role}_{mode}.txt"
    if not path.exists():
        path.write_text(found, encoding="utf-8")
        pytest.fail(f"{path.name} was not there; it is now: look at it and run again")
    assert found == path.read_text(encoding="utf-8")


FUNCTIONS = (
    "def g_0(x):\n    return x + 2",
    "def g_1_helper(x):\n    return -x\n\ndef g_1(x):\n    return g_1_helper(x)",
)


@pytest.mark.parametrize("envelope", ["r1", "completion"])
def test_prompts_with_functions_to_build_on_are_pinned(envelope: str):
    """METHOD 2, item 8; renewed as above."""
    prompt = writer(envelope=envelope).proposer(Mode.DEDUCTION, stocked(), 0, FUNCTIONS)
    assert prompt.demands.functions == FUNCTIONS
    found = f"{prompt.text}⟦{prompt.prefill}⟧\nstop: {prompt.stop}\n"
    path = GOLDEN / f"prompt_{envelope}_proposer_composite.txt"
    if not path.exists():
        path.write_text(found, encoding="utf-8")
        pytest.fail(f"{path.name} was not there; it is now: look at it and run again")
    assert found == path.read_text(encoding="utf-8")


def test_functions_that_do_not_fit_are_not_demanded():
    """Feature 13: what was asked is what the judge holds the answer to."""
    huge = ("def g_0(x):\n" + "    x = x + 1\n" * 3000 + "    return x",)
    prompt = writer(max_prompt_tokens=900).proposer(Mode.DEDUCTION, stocked(), 0, huge)
    assert prompt.demands.functions == ()
    assert "g_0" not in prompt.text


def test_banned_statements_are_told_to_error_proposers_alone():
    prompts = writer(error_banned=("raise", "assert"))
    error = prompts.proposer(Mode.ERROR, stocked(), 0)
    assert error.demands.banned_statements == ("raise", "assert")
    assert "does not use the statements raise, assert" in error.text
    assert prompts.proposer(Mode.DEDUCTION, stocked(), 0).demands.banned_statements == ()
    assert "does not use the statements" not in writer().proposer(Mode.ERROR, stocked(), 0).text
    with pytest.raises(ConfigError, match=r"selfplay\.error_banned must be a list of assert"):
        writer(error_banned=("finally",))


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("role", list(Role))
def test_an_r1_prompt_ends_with_the_prefilled_think_tag(role: Role, mode: Mode):
    """Feature 6."""
    prompt = ask(writer(envelope="r1"), role, mode, stocked())
    assert (prompt.text + prompt.prefill).endswith("\nAssistant: <think>")
    assert prompt.envelope == "r1"


def test_a_chat_template_gets_the_words_without_the_speakers():
    """Feature 8: plain text by default, for base models."""
    plain = ask(writer(envelope="r1"), Role.SOLVER, Mode.DEDUCTION, stocked())
    chat = ask(writer(envelope="r1", chat_template=True), Role.SOLVER, Mode.DEDUCTION, stocked())
    assert not plain.chat
    assert "User: " in plain.text
    assert chat.chat
    assert "User: " not in chat.text
    assert "Assistant: " not in chat.text


def test_a_pattern_is_never_put_into_a_chat_template():
    """It is a text to continue: a template would end it, so asking for both is refused."""
    with pytest.raises(ConfigError, match=r"selfplay\.chat_template must be off"):
        writer(envelope="completion", chat_template=True)
    assert not ask(writer(envelope="completion"), Role.PROPOSER, Mode.DEDUCTION, stocked()).chat


@pytest.mark.parametrize("mode", [Mode.DEDUCTION, Mode.ABDUCTION])
@pytest.mark.parametrize("number", [0, 1, 6])
def test_as_many_references_are_shown_as_configured(mode: Mode, number: int):
    """Features 9 and 10: none is the ablation without references."""
    prompt = writer(references=number).proposer(mode, stocked(), 0)
    assert prompt.text.count("<snippet_") == number
    assert ("### References" in prompt.text) == (number > 0)


def test_the_banned_words_are_all_in_the_prompt():
    """Feature 11; the same words as the sandbox enforces by default."""
    prompt = writer().proposer(Mode.DEDUCTION, stocked(), 0)
    assert all(word in prompt.text for word in BANNED_WORDS)
    assert set(BANNED_WORDS) == DEFAULT_BANNED_MODULES


@pytest.mark.parametrize("banned", [("socket", "os.path"), ()])
def test_the_banned_words_are_those_that_the_sandbox_enforces(banned: tuple[str, ...]):
    prompts = Prompts(SelfPlayConfig(), RolloutConfig(), count_words, banned_words=banned)
    asked = [
        prompts.proposer(Mode.DEDUCTION, stocked(), 0),
        prompts.solver(stocked().draw(Mode.INDUCTION, 0), stocked(), 0),
    ]
    for prompt in asked:
        assert ("These words must not occur" in prompt.text) == bool(banned)
        assert all(word in prompt.text for word in banned)
        assert "multiprocessing" not in prompt.text


def test_each_proposer_is_asked_for_the_difficulty_of_its_own_mode():
    """A8: the reference has the two sentences swapped."""
    deduction = writer().proposer(Mode.DEDUCTION, stocked(), 0).text
    abduction = writer().proposer(Mode.ABDUCTION, stocked(), 0).text
    of_deduction = "predicting the output from the code and the input takes many steps"
    of_abduction = "finding an input from the code and the output takes many steps"
    assert of_deduction in deduction
    assert of_deduction not in abduction
    assert of_abduction in abduction
    assert of_abduction not in deduction


@pytest.mark.parametrize("envelope", ENVELOPES)
def test_the_two_triplet_modes_are_told_apart(envelope: str):
    """Equal prompts would make two streams one."""
    prompts, buffers = writer(envelope=envelope), TaskBuffers(":memory:")
    texts = {prompts.proposer(m, buffers, 0).text for m in (Mode.DEDUCTION, Mode.ABDUCTION)}
    assert len(texts) == 2


def test_an_induction_proposer_is_shown_one_program_and_asked_for_its_inputs():
    prompt = writer(induction_inputs=7).proposer(Mode.INDUCTION, stocked(), 0)
    assert prompt.task is not None
    assert prompt.task.program in prompt.text
    assert "exactly 7 inputs" in prompt.text
    assert prompt.num_inputs == 7


UNIQUE = st.integers(10**9, 10**10 - 1)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(UNIQUE, min_size=16, max_size=16, unique=True),
    st.sampled_from(ENVELOPES),
    st.integers(0, 3),
    st.integers(0, 2**63 - 1),
)
def test_hidden_cases_are_never_in_a_solver_s_prompt(
    numbers: list[int], envelope: str, references: int, seed: int
):
    """Feature 3; the task itself may be in the buffers, and must not be its own example."""
    pairs = zip(numbers[::2], numbers[1::2], strict=True)
    cases = tuple(Case(str(a), str(b)) for a, b in pairs)
    task = Task(mode=Mode.INDUCTION, program="def f(x):\n    return x", cases=cases, message="m")
    twin = replace(task, message="other words")
    buffers = TaskBuffers(":memory:")
    buffers.add([task, twin, make_task(Mode.INDUCTION, 1)])
    prompt = writer(envelope=envelope, references=references).solver(task, buffers, seed)
    for case in hidden_cases(task):
        assert case.input not in prompt.text
        assert case.output not in prompt.text


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(ENVELOPES), st.integers(0, 2**63 - 1))
def test_the_answer_of_a_triplet_is_never_in_its_solver_s_prompt(envelope: str, seed: int):
    prompts, buffers = writer(envelope=envelope), TaskBuffers(":memory:")
    for mode, secret in ((Mode.DEDUCTION, "'the output'"), (Mode.ABDUCTION, "'the input'")):
        case = Case("'the input'", "'the output'")
        task = Task(mode=mode, program="def f(x):\n    return 1", cases=(case,))
        buffers.add([task, replace(task, born_step=3), make_task(mode, 1)])
        assert secret not in prompts.solver(task, buffers, seed).text


@pytest.mark.parametrize("envelope", ENVELOPES)
def test_the_trials_of_a_task_share_their_text_and_not_their_seed(envelope: str):
    """A prefix cache computes the prompt once; A6: the samples must still differ."""
    prompts, buffers = writer(envelope=envelope), stocked()
    trials = [prompts.solver(make_task(number=4), buffers, seed) for seed in range(8)]
    assert len({prompt.text for prompt in trials}) == 1
    assert len({prompt.seed for prompt in trials}) == 8


def test_a_prompt_is_a_function_of_buffers_and_seed():
    prompts = writer()
    for role, mode in itertools.product(Role, Mode):
        first = ask(prompts, role, mode, stocked(), seed=5)
        assert first == ask(prompts, role, mode, stocked(), seed=5)
        assert first.seed != ask(prompts, role, mode, stocked(), seed=6).seed


@pytest.mark.parametrize("envelope", ENVELOPES)
def test_an_oversized_reference_is_drawn_again(envelope: str):
    """Feature 13."""
    buffers = stocked(3)
    huge = "def f(x):\n" + "    x = x + 1\n" * 3000 + "    return x"
    for mode in Mode:
        case = Case("1", "3001")
        cases = (case,) * (4 if mode is Mode.INDUCTION else 1)
        buffers.add([Task(mode=mode, program=huge, cases=cases, message="m")])
    prompts = writer(max_prompt_tokens=900, envelope=envelope)
    for seed, mode in itertools.product(range(30), Mode):
        assert count_words(prompts.proposer(mode, buffers, seed).text) <= 900
        assert count_words(prompts.solver(make_task(mode, 1), buffers, seed).text) <= 900


def test_a_task_too_long_to_ask_is_known_beforehand_and_replaced():
    """A14: the reference filters such prompts out and may be left with an empty batch."""
    huge = Task(mode=Mode.DEDUCTION, program="x " * 2000, cases=(Case("1", "2"),))
    prompts = writer(max_prompt_tokens=500)
    assert not prompts.fits(huge)
    assert prompts.fits(make_task())
    prompt = prompts.solver(huge, stocked(), 0)
    assert prompt.task is not None
    assert prompt.task != huge
    assert prompt.task.program in prompt.text


def test_a_budget_that_holds_no_prompt_at_all_is_a_config_error():
    prompts = writer(max_prompt_tokens=20)
    with pytest.raises(ConfigError, match=r"rollout\.max_prompt_tokens .* got 20"):
        prompts.proposer(Mode.DEDUCTION, stocked(), 0)
    with pytest.raises(ConfigError, match=r"rollout\.max_prompt_tokens .* got 20"):
        prompts.solver(make_task(), stocked(), 0)


def test_format_examples_give_way_to_references():
    """They show the layout while buffers are young, and are no data: never beside enough tasks."""
    prompts = writer(envelope="completion")
    young, old = TaskBuffers(":memory:"), stocked()
    assert "cbacba" in ask(prompts, Role.SOLVER, Mode.DEDUCTION, young).text
    assert "cbacba" not in ask(prompts, Role.SOLVER, Mode.DEDUCTION, old).text


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("role", list(Role))
def test_completion_prompts_are_short(role: Role, mode: Mode):
    """A two-core machine trains on them: some hundred characters a reference, no instruction."""
    young = TaskBuffers(":memory:")
    young.add([rules_of(m).zero_task for m in Mode])
    prompt = ask(writer(envelope="completion"), role, mode, young)
    assert len(prompt.text) < 1000


def test_a_stream_is_asked_at_its_own_temperature():
    rollout = RolloutConfig(temperature=0.8, temperatures={"solver/deduction": 1.2})
    prompts = Prompts(SelfPlayConfig(references=1, induction_inputs=4), rollout, count_words)
    asked = {
        (role, mode): ask(prompts, role, mode, stocked()).temperature
        for role in Role
        for mode in Mode
    }
    assert asked.pop((Role.SOLVER, Mode.DEDUCTION)) == 1.2
    assert set(asked.values()) == {None}, "the run's own"
    with pytest.raises(ConfigError, match=r"rollout.temperatures must name streams.*'solver'"):
        RolloutConfig(temperatures={"solver": 1.2})
    with pytest.raises(ConfigError, match=r"temperatures must be finite and above 0, got 0.0 for"):
        RolloutConfig(temperatures={"solver/deduction": 0.0})
