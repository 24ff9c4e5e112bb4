"""azr.game.modes: what each mode reads, stores and checks."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azr.game.modes import PromptSetting, rules_of
from azr.game.modes.induction import hidden_cases, shown_cases
from azr.types import Answer, Case, Check, Mode, ParseFailure, Proposal, Role, Task
from tests.fakes import make_rollout, make_task
from tests.unit.test_parse import TEXTS

PROGRAM = "def f(a, b):\n    return a + b"
TRIPLETS = [Mode.DEDUCTION, Mode.ABDUCTION, Mode.ERROR]
WITH_HELPERS = (
    "import math\n\nclass Point:\n    def __init__(self, x):\n        self.x = x\n\n"
    "def helper(p):\n    return p.x\n\ndef f(x):\n    def nested(y):\n        return y + 1\n"
    "    return nested(helper(Point(x)))"
)


def fenced(tag: str, body: str) -> str:
    return f"```{tag}\n{body}\n```\n"


def test_every_mode_has_rules():
    assert {rules_of(mode).mode for mode in Mode} == set(Mode)


@pytest.mark.parametrize("mode", TRIPLETS)
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (fenced("python", PROGRAM) + fenced("input", "1, 2"), (PROGRAM, "1, 2")),
        (fenced("", PROGRAM) + fenced("input", "f(1, b=2)"), (PROGRAM, "1, b=2")),
        (fenced("python", PROGRAM) + "# Input: 1, 2", (PROGRAM, "1, 2")),
        (fenced("python", "# Input: 1, 2\n" + PROGRAM), (PROGRAM, "1, 2")),
        (fenced("python", PROGRAM) + fenced("python", "x") + fenced("input", "1, 2")
         + fenced("input", "3, 4"), (PROGRAM, "1, 2")),
        (fenced("input", "1, 2") + fenced("python", PROGRAM), (PROGRAM, "1, 2")),
        (fenced("python", PROGRAM), "no input block"),
        (fenced("input", "1, 2"), "no program block"),
        (fenced("python", "x = 1") + fenced("input", "1, 2"), "no function f"),
        ("", "no program block"),
    ],
)  # fmt: skip
def test_the_first_program_and_input_are_the_proposal(
    mode: Mode, text: str, expected: tuple[str, str] | str
):
    """Feature 14."""
    found = rules_of(mode).read_proposal(make_rollout(text, mode=mode))
    if isinstance(expected, str):
        assert found == ParseFailure(expected)
    else:
        assert found == Proposal(mode, expected[0], (expected[1],))


@pytest.mark.parametrize("mode", TRIPLETS)
def test_helpers_methods_and_nested_functions_are_welcome(mode: Mode):
    """A11: the reference asks for classes and then rejects every snippet with two `def`."""
    text = fenced("python", WITH_HELPERS) + fenced("input", "1")
    assert rules_of(mode).read_proposal(make_rollout(text)) == Proposal(mode, WITH_HELPERS, ("1",))


@pytest.mark.parametrize(
    ("mode", "text", "envelope", "expected"),
    [
        (Mode.DEDUCTION, fenced("output", "1") + fenced("output", "[2]"), "none", "[2]"),
        (Mode.DEDUCTION, "# Output: (1, 2)", "none", "(1, 2)"),
        (Mode.DEDUCTION, "\\boxed{5}", "none", "5"),
        (Mode.DEDUCTION, "it is 5", "none", None),
        (Mode.DEDUCTION, "<think></think><answer>5</answer>", "r1", "5"),
        (Mode.DEDUCTION, "<think></think><answer></answer>", "r1", None),
        (Mode.DEDUCTION, "\\boxed{[1, {2: 3}]}", "boxed", "[1, {2: 3}]"),
        (Mode.ABDUCTION, fenced("input", "f(1, 'a')"), "none", "1, 'a'"),
        (Mode.ABDUCTION, "<input>5</input>", "none", "5"),
        (Mode.ABDUCTION, "<think></think><answer>```input\n5\n```</answer>", "r1", "5"),
        (Mode.ABDUCTION, fenced("output", "5"), "none", None),
        (Mode.ERROR, fenced("output", "KeyError: 'b'"), "none", "KeyError"),
        (Mode.ERROR, fenced("output", "`json.JSONDecodeError`"), "none", "JSONDecodeError"),
        (Mode.ERROR, fenced("output", "'noerror'"), "none", "noerror"),
        (Mode.ERROR, "<think></think><answer>ValueError</answer>", "r1", "ValueError"),
        (Mode.ERROR, "\\boxed{ZeroDivisionError}", "boxed", "ZeroDivisionError"),
        (Mode.ERROR, "# Output: Empty", "none", "Empty"),
        (Mode.ERROR, fenced("output", "1"), "none", None),
        (Mode.ERROR, fenced("output", "..."), "none", None),
        (Mode.INDUCTION, fenced("python", "old") + fenced("python", PROGRAM), "none", PROGRAM),
        (Mode.INDUCTION, fenced("", PROGRAM), "none", PROGRAM),
        (Mode.INDUCTION, "just so", "none", None),
    ],
)
def test_the_last_answer_block_is_the_answer(
    mode: Mode, text: str, envelope: str, expected: str | None
):
    """Feature 14: last block first, then what models write instead of it."""
    rollout = make_rollout(text, mode=mode, role=Role.SOLVER, envelope=envelope)
    found = rules_of(mode).read_answer(rollout)
    if expected is None:
        assert isinstance(found, ParseFailure)
    else:
        assert found == Answer(mode, expected)


@pytest.mark.parametrize(
    ("envelope", "prefill"),
    [("none", ""), ("none", "Answer: "), ("completion", ""), ("completion", "# Output:")],
)
@pytest.mark.parametrize("truncated", [False, True])
def test_without_a_wrapping_envelope_a_body_is_no_answer(
    envelope: str, prefill: str, truncated: bool
):
    """Whether a prefill or a stop string was put back says nothing about where the answer is."""
    rollout = make_rollout("", envelope=envelope, prefill=prefill, truncated=truncated)
    rollout = replace(rollout, completion="" if envelope == "completion" else "it is 5")
    assert rules_of(Mode.DEDUCTION).read_answer(rollout) == ParseFailure("no output block")


@pytest.mark.parametrize("mode", list(Mode))
@given(TEXTS, st.sampled_from(["r1", "boxed", "none", "completion"]), st.booleans())
def test_no_text_makes_a_reader_raise(mode: Mode, text: str, envelope: str, truncated: bool):
    rollout = make_rollout(
        text, mode=mode, envelope=envelope, truncated=truncated, task=make_task(), num_inputs=2
    )
    assert isinstance(rules_of(mode).read_proposal(rollout), Proposal | ParseFailure)
    assert isinstance(rules_of(mode).read_answer(rollout), Answer | ParseFailure)


def induction_proposal(text: str, num_inputs: int = 2) -> Proposal | ParseFailure:
    shown = make_task(Mode.DEDUCTION, 3)
    rollout = make_rollout(text, mode=Mode.INDUCTION, task=shown, num_inputs=num_inputs)
    return rules_of(Mode.INDUCTION).read_proposal(rollout)


INPUTS = "".join(fenced("input", str(n)) for n in range(4))
MESSAGE = fenced("message", "Add three.")


def test_an_induction_proposal_is_the_program_it_was_shown_with_new_inputs():
    """Feature 3: the last inputs, as many as the prompt asked for, and the message."""
    expected = Proposal(Mode.INDUCTION, make_task(number=3).program, ("2", "3"), "Add three.")
    assert induction_proposal(INPUTS + MESSAGE) == expected
    lines = "# Input: 0\n# Input: 2\n# Input: 3\n# Message: Add three."
    assert induction_proposal(lines) == expected
    tagged = "# Input: 2\n# Input: 3\n<message>Add three.</message>"
    assert induction_proposal(tagged) == expected


@pytest.mark.parametrize("num_inputs", [3, 4])
def test_the_prompt_says_how_many_inputs_there_must_be(num_inputs: int):
    """A10: the reference's reward manager always wants 10, whatever the run is configured to."""
    found = induction_proposal(INPUTS + MESSAGE, num_inputs)
    assert isinstance(found, Proposal)
    assert len(found.inputs) == num_inputs


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (fenced("input", "1") + MESSAGE, "too few inputs"),
        (fenced("input", "1") * 5 + MESSAGE, "too few inputs"),
        (INPUTS, "no message block"),
    ],
)
def test_an_incomplete_induction_proposal_is_ill_formed(text: str, reason: str):
    assert induction_proposal(text) == ParseFailure(reason)


def test_half_of_the_cases_are_shown_and_half_are_hidden():
    """Feature 3: 5 and 5 of 10; with an odd number the hidden half is larger."""
    cases = tuple(Case(str(n), str(n)) for n in range(10))
    task = Task(mode=Mode.INDUCTION, program=PROGRAM, cases=cases)
    assert shown_cases(task) == cases[:5]
    assert hidden_cases(task) == cases[5:]
    odd = Task(mode=Mode.INDUCTION, program=PROGRAM, cases=cases[:3])
    assert (len(shown_cases(odd)), len(hidden_cases(odd))) == (1, 2)


def test_a_deduction_check_runs_nothing():
    """B, C: the reference evaluates deduction answers in the trainer's process."""
    check = rules_of(Mode.DEDUCTION).check_of(make_task(), Answer(Mode.DEDUCTION, "0"))
    assert check == Check(claimed=("0",), expected=("0",))


def test_an_abduction_check_runs_the_task_s_program_on_the_answer():
    task = make_task(Mode.ABDUCTION)
    check = rules_of(Mode.ABDUCTION).check_of(task, Answer(Mode.ABDUCTION, "7"))
    assert check == Check(program=task.program, calls=("7",), expected=("0",))


def test_an_induction_check_runs_the_answer_on_the_hidden_inputs_only():
    """METHOD 5: shown pairs are not scored."""
    task = make_task(Mode.INDUCTION, 3)
    check = rules_of(Mode.INDUCTION).check_of(task, Answer(Mode.INDUCTION, PROGRAM))
    assert check == Check(program=PROGRAM, calls=("2", "3"), expected=("5", "6"))


@pytest.mark.parametrize(
    ("inputs", "message", "objection"),
    [
        (("1", "2"), "Add three.", ""),
        (("1", "1"), "Add three.", "inputs repeat"),
        (("1", "2"), f"like this: {PROGRAM}", "message holds the program"),
        (("1", "2"), "def f(a,b): return a+b", "message holds the program"),
    ],
)
def test_an_induction_task_gives_nothing_away(
    inputs: tuple[str, ...], message: str, objection: str
):
    """B: the reference forbids it in words only."""
    proposal = Proposal(Mode.INDUCTION, PROGRAM, inputs, message)
    assert rules_of(Mode.INDUCTION).objection_to(proposal) == objection


@pytest.mark.parametrize("mode", TRIPLETS)
def test_a_triplet_task_has_one_case(mode: Mode):
    task = rules_of(mode).task_of(Proposal(mode, PROGRAM, ("1, 2",)), ["3"], 7)
    assert task == Task(mode=mode, program=PROGRAM, cases=(Case("1, 2", "3"),), born_step=7)


@pytest.mark.parametrize("mode", list(Mode))
def test_a_pattern_never_tells_what_is_to_be_found(mode: Mode):
    """Solver prompts: no output, input, program or hidden case of the task itself."""
    cases = tuple(Case(f"'in_{n}'", f"'out_{n}'") for n in range(4))
    if mode is not Mode.INDUCTION:
        cases = cases[:1]
    task = Task(mode=mode, program="def f(secret):\n    return 1", cases=cases, message="hint")
    secret = {
        Mode.DEDUCTION: ["out_0"],
        Mode.ABDUCTION: ["in_0"],
        Mode.INDUCTION: ["secret", "in_2", "in_3", "out_2", "out_3"],
        Mode.ERROR: ["out_0"],
    }[mode]
    rules = rules_of(mode)
    pattern = rules.solver_pattern(task, [make_task(mode, 1), make_task(mode, 2)])
    for text in (rules.solver_text(task), pattern.text + pattern.prefill):
        assert not any(word in text for word in secret)


@pytest.mark.parametrize("mode", list(Mode))
def test_a_proposal_written_as_the_pattern_shows_is_read(mode: Mode):
    """The examples of a proposer's pattern are themselves well-formed proposals."""
    rules = rules_of(mode)
    references = [make_task(mode, number) for number in (11, 12, 13)]
    shown = make_task(Mode.DEDUCTION, 14) if rules.programs_from else None
    setting = PromptSetting(references=references, shown=shown, num_inputs=rules.num_inputs(4))
    pattern = rules.proposer_pattern(setting)
    last_example = pattern.text.split(" puzzle 3:\n")[1].rsplit("\n\n", 1)[0]
    start = last_example.index(pattern.prefill)
    completion = last_example[start + len(pattern.prefill) :]
    for stop in pattern.stop:
        completion = completion.split(stop)[0]
    rollout = make_rollout(
        completion,
        mode=mode,
        envelope="completion",
        prefill=pattern.prefill,
        task=references[2],
        num_inputs=rules.num_inputs(4),
    )
    inputs = tuple(case.input for case in references[2].cases)
    expected = Proposal(mode, references[2].program, inputs, references[2].message)
    assert rules.read_proposal(rollout) == expected


@pytest.mark.parametrize("mode", list(Mode))
def test_an_answer_written_as_the_pattern_shows_is_read(mode: Mode):
    rules = rules_of(mode)
    references = [make_task(mode, number) for number in (11, 12, 13)]
    pattern = rules.solver_pattern(make_task(mode, 1), references)
    last_example = pattern.text.split(" puzzle 3:\n")[1].rsplit("\n\n", 1)[0] + "\n"
    start = last_example.index(pattern.prefill)
    completion = last_example[start + len(pattern.prefill) :]
    for stop in pattern.stop:
        completion = completion.split(stop)[0]
    rollout = make_rollout(
        completion, mode=mode, role=Role.SOLVER, envelope="completion", prefill=pattern.prefill
    )
    case = references[2].cases[0]
    expected = {
        Mode.DEDUCTION: case.output,
        Mode.ABDUCTION: case.input,
        Mode.INDUCTION: references[2].program,
        Mode.ERROR: "NoError",
    }[mode]
    assert rules.read_answer(rollout) == Answer(mode, expected)


def test_a_pattern_s_proposal_may_lack_its_message_and_is_then_a_harder_task():
    """Small models end a text early; the cases alone still define a task."""
    rollout = make_rollout(
        "1)\nf(2)", mode=Mode.INDUCTION, envelope="completion", prefill="f(",
        task=make_task(number=3), num_inputs=2,
    )  # fmt: skip
    rules = rules_of(Mode.INDUCTION)
    proposal = rules.read_proposal(rollout)
    assert isinstance(proposal, Proposal)
    assert (proposal.inputs, proposal.message) == (("1", "2"), "")
    task = rules.task_of(proposal, ["4", "5"], 1)
    assert "```message" not in rules.solver_text(task)
    pattern = rules.solver_pattern(task, [make_task(Mode.INDUCTION, n) for n in (11, 12, 13)])
    assert pattern.text.endswith("Program puzzle 4:\n# f(1) == 4\n")
    setting = PromptSetting(references=[task] * 3, shown=make_task(), num_inputs=2)
    assert "Message" not in rules.proposer_pattern(setting).text
