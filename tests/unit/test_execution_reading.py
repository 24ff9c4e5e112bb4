"""Finding the literal, or the arguments, in a completion about an execution item."""

import time

import pytest

from azr.evaluation.suites.items import ExecutionItem
from azr.evaluation.template import TEMPLATES, Template
from azr.types import Case, Mode, Task
from sandbox_wasm.literals import canonical_arguments, canonical_literal
from tests.fakes import complete

PROGRAM = "def f(nums, k):\n    return [n * k for n in nums]"
CASE = Case("[1, 2], 3", "[3, 6]")
OUTPUT = ExecutionItem(id="o", task=Task(mode=Mode.DEDUCTION, program=PROGRAM, cases=(CASE,)))
INPUT = ExecutionItem(id="i", task=Task(mode=Mode.ABDUCTION, program=PROGRAM, cases=(CASE,)))
ENVELOPES = ("r1", "boxed", "none", "completion")


def read(
    item: ExecutionItem, text: str, envelope: str = "none", *, cut: bool = False
) -> str | None:
    template = Template(envelope)
    prompt = template.ask(item, seed=1, temperature=0.0, max_tokens=9)
    return template.answer_in(item, complete(prompt, text, truncated=cut))


def test_every_envelope_is_tried() -> None:
    assert set(ENVELOPES) == set(TEMPLATES)


OUTPUTS = [
    "```output\n[3, 6]\n```",
    "```\n[3, 6]\n```",
    "```python\n[3, 6]\n```",
    "```json\n[3, 6]\n```",
    "```text\n[3, 6]\n```",
    "```\n[\n  3,\n  6,\n]\n```",
    "```python\nassert f([1, 2], 3) == [3, 6]\n```",
    "```python\noutput = [3, 6]\n```",
    "```\n[3, 6]",
    "~~~\n[3, 6]\n~~~",
    "1. Multiply:\n   ```\n   [3, 6]\n   ```",
    "[ANSWER]\n[3, 6]\n[/ANSWER]",
    "[ANSWER] assert f([1, 2], 3) == [3, 6] [/ANSWER]",
    "[ANSWER]f([1, 2], 3) == [3, 6][/ANSWER]",
    "[ANSWER]\nassert f(nums, k) == [3, 6]\n[/ANSWER]",
    "[ANSWER]\n```python\n[3, 6]\n```\n[/ANSWER]",
    "[ANSWER]\n[3, 6]\n",
    "[THOUGHT]\nIt is [1].\n[ANSWER] [9] [/ANSWER]\n[/THOUGHT]\n[ANSWER]\n[3, 6]\n[/ANSWER]",
    "assert f([1, 2], 3) == [3, 6]",
    "So\n\nassert f([1,2], 3) == [3, 6]\n",
    "f([1, 2], 3) == [3, 6]",
    "f([1, 2], 3) -> [3, 6]",
    "f([1, 2], 3) returns [3, 6].",
    "`f([1, 2], 3)` = `[3, 6]`",
    "assert [3, 6] == f([1, 2], 3)",
    "Output: [3, 6]",
    "Output: `[3, 6]`.",
    "Output: **[3, 6]**",
    "**Output:** [3, 6]",
    "**Output**: `[3, 6]`",
    "Answer: [3, 6]",
    "Final answer: [3, 6].",
    "The output is [3, 6].",
    "So the final output is: `[3, 6]`.",
    "Each is multiplied, so the output is [3, 6].",
    "Therefore, the function returns [3, 6].",
    "The output of f([1, 2], 3) is [3, 6].",
    "Output:\n[3, 6]",
    "### Answer\n\n[3, 6]",
    "# Output: [3, 6]",
    "<answer>[3, 6]</answer>",
    "<answer>\n```\n[3, 6]\n```\n</answer>",
    "<output>[3, 6]</output>",
    "\\boxed{[3, 6]}",
    "so $\\boxed{\\text{[3, 6]}}$.",
    "[3, 6]",
    "`[3, 6]`.",
    "**[3, 6]**",
    "We multiply each by three.\n\n[3, 6]",
    "Output: [1]\nNo, wait.\nOutput: [3, 6]",
    "First\n```\n[1]\n```\nthen\n```\n[3, 6]\n```",
    "The output of the loop is [3].\n```\n[3, 6]\n```",
    "```output\n[3, 6]\n```\nFor instance f([1], 1) == [1], and\n```\n[1]\n```",
    "Input: [1, 2], 3\nOutput: [3, 6]\nExplanation: each times three.",
    "```python\ndef f(nums, k):\n    return 1\n```\nOutput: [3, 6]",
    "<think>Output: [1]\n```output\n[2]\n```\n\\boxed{[4]}</think>Output: [3, 6]",
    "<think>[ANSWER][1][/ANSWER]</think>\n<answer>[3, 6]</answer>",
]


@pytest.mark.parametrize("envelope", ENVELOPES)
@pytest.mark.parametrize("text", OUTPUTS)
def test_an_output_is_read_in_the_forms_models_write(text: str, envelope: str) -> None:
    if envelope == "completion":
        text = f"\n{text}"
    for closed in {text, f"It takes a while.</think>\n{text}" if envelope == "r1" else text}:
        found = read(OUTPUT, closed, envelope)
        assert found is not None
        assert canonical_literal(found) == "[3, 6]"


INPUTS = [
    "```input\n[1, 2], 3\n```",
    "```input\nf([1, 2], 3)\n```",
    "```\n[1, 2], 3\n```",
    "```python\nf([1, 2], 3)\n```",
    "```python\nassert f([1, 2], 3) == [3, 6]\n```",
    "[ANSWER]\nassert f([1, 2], 3) == [3, 6]\n[/ANSWER]",
    "[ANSWER]f([1, 2], 3)[/ANSWER]",
    "[ANSWER][1, 2], 3[/ANSWER]",
    "assert f([1, 2], 3) == [3, 6]",
    "One is\n\nf([1, 2], 3) == [3, 6]",
    "Input: [1, 2], 3",
    "Input: `f([1, 2], 3)`.",
    "**Input:** `[1, 2], 3`",
    "A possible input is f([1, 2], 3).",
    "f([1, 2], 3)",
    "Let us see.\n\n`f([1, 2], 3)`",
    "<answer>f([1, 2], 3)</answer>",
    "\\boxed{f([1, 2], 3)}",
    "Input: [9], 9\nNo.\nInput: [1, 2], 3",
    "```\n[1, 2], 3\n```\nIt gives\n```\n[3, 6]\n```",
    "```\nf([1, 2], 3)\n```\nIt gives\n```output\n[3, 6]\n```",
    "Output: [3, 6]\nInput: [1, 2], 3",
    "<think>f([1], 1) == [3, 6]</think>f([1, 2], 3) == [3, 6]",
]


@pytest.mark.parametrize("envelope", ENVELOPES)
@pytest.mark.parametrize("text", INPUTS)
def test_an_input_is_read_in_the_forms_models_write(text: str, envelope: str) -> None:
    found = read(INPUT, f"\n{text}" if envelope == "completion" else text, envelope)
    assert found is not None
    assert canonical_arguments(found) == "[1, 2], 3"


@pytest.mark.parametrize("envelope", ENVELOPES)
@pytest.mark.parametrize(
    "text",
    [
        "I do not know.",
        "It returns the list with each number times k.",
        "The output is a list of two numbers.",
        "Output: [3, 6] or [6, 3]",
        "```\n[3, 6]\n[6, 3]\n```",
        "The answer is either 3 or 6.",
        "[ANSWER] [3, 6] or [6, 3] [/ANSWER]",
        "f([1], 3) == [3]",
        "For instance f([1], 1) returns [1], doesn't it",
        "The list [3, 6] appears somewhere in this sentence.",
        "```python\ndef f(nums, k):\n    return [3, 6]\n```",
        "```input\n[3, 6]\n```",
        "```bash\n7\n```",
        "<think>Output: [3, 6]</think>",
        "<think>```output\n[3, 6]\n```</think> I cannot say.",
        "<think>\\boxed{[3, 6]}</think> I cannot say.",
        "[THOUGHT]\n[3, 6]\n[/THOUGHT]",
        "",
    ],
)
def test_what_names_no_output_is_not_read(text: str, envelope: str) -> None:
    assert read(OUTPUT, f"\n{text}" if envelope == "completion" else text, envelope) is None


@pytest.mark.parametrize(
    "text",
    [
        "Some list and a number.",
        "f([1, 2], 3) == [1]",
        "Input: [1, 2], 3 or [3, 6], 1",
        "assert f(nums, k) == [3, 6]",
        "Output: [3, 6]",
        "```output\n[3, 6]\n```",
        "len([1, 2])",
    ],
)
def test_what_names_no_input_is_not_read(text: str) -> None:
    assert read(INPUT, text) is None


def test_a_repeated_output_is_an_input_where_there_is_no_other() -> None:
    assert read(INPUT, "```\n[3, 6]\n```") == "[3, 6]"


def test_a_fence_of_the_right_tag_is_an_answer_though_it_be_no_literal() -> None:
    assert read(OUTPUT, "```output\nthree and six\n```") == "three and six"


def test_the_end_of_a_text_that_was_cut_is_no_answer() -> None:
    assert read(OUTPUT, "So we begin.\n\n3", cut=True) is None
    assert read(OUTPUT, "```\n3", cut=True) is None
    assert read(OUTPUT, "```output\n[3, 6]\n```\nThat is", cut=True) == "[3, 6]"


def test_an_assertions_message_is_no_part_of_its_value() -> None:
    assert read(OUTPUT, "assert f([1, 2], 3) == [3, 6], 'each times k'") == "[3, 6]"
    assert read(OUTPUT, "assert f([1, 2], 3) == ('a', 'b')") == "('a', 'b')"


@pytest.mark.slow
@pytest.mark.parametrize(
    "unit",
    [
        "f(1) == ", "Output: ", "[ANSWER]", "`", "**", "(", "```\n1\n", "f(", "assert f(1) == 1\n",
        "\\boxed{1}", "the output of ", "1\n\n", "> ", "so ", "it returns ", "1,",
    ],
)  # fmt: skip
@pytest.mark.parametrize("item", [OUTPUT, INPUT], ids=["output", "input"])
def test_reading_an_answer_is_linear(item: ExecutionItem, unit: str) -> None:
    started = time.process_time()
    read(item, unit * (200_000 // len(unit)))
    assert time.process_time() - started < 20
