"""Finding the final answer in a completion about maths."""

import time

import pytest

from azr.evaluation.maths.reading import last_box
from azr.evaluation.suites.items import MathsItem
from azr.evaluation.template import Template
from tests.fakes import complete

ITEM = MathsItem(id="m", statement="What is 2 + 3?", gold="5")


def read(text: str, envelope: str = "none") -> str | None:
    template = Template(envelope)
    prompt = template.ask(ITEM, seed=1, temperature=0.0, max_tokens=9)
    return template.answer_in(ITEM, complete(prompt, text))


@pytest.mark.parametrize(
    "text",
    [
        "\\boxed{5}", "It is $\\boxed{5}$.", "\\fbox{5}", "\\boxed 5",
        "so $\\boxed 5$.", "\\boxed5.",
        "\\boxed {5}", "\\boxed{ 5 }", "\\boxed{4} no, \\boxed{5}", "\\boxed{5}\n\n\\boxed{}",
        "\\boxed{5} \\boxed{ }", "\\boxed{5} and then \\boxed{6", "\\boxed{\\boxed{5}}",
        "\\boxed{\\fbox{5}}", "{ \\boxed{5}", "} } \\boxed{5} }", "\\{ \\boxed{5}",
        "<think>\\boxed{4}</think> \\boxed{5}", "<think>\\boxed{4}</think><answer>5</answer>",
        "<think>\\boxed{4}</think>\n<answer>\\boxed{5}</answer>", "\\boxed{4}</think>\\boxed{5}",
        "<think>a</think>\\boxed{5}<think>\\boxed{6}", "The answer is: 5", "the final answer is 5",
        "Step.\n#### 5", "**Answer:** 5", "**Final Answer**: 5", "Answer: 5", "So the answer is 5",
        "Answer: 4\nNo.\nAnswer: 5", "<think>a</think>\n<answer>5</answer>",
    ],
)  # fmt: skip
def test_the_last_whole_answer_is_read(text: str) -> None:
    found = read(text)
    assert found is not None
    assert found.rstrip(".") == "5"


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("\\boxed{\\text{5}}", "\\text{5}"),
        ("\\boxed{\\left\\{ 1, 2 \\right.}", "\\left\\{ 1, 2 \\right."),
        ("\\boxed{\\{1, 2\\}}", "\\{1, 2\\}"),
        ("\\boxed{x \\mid x > 0 \\}}", "x \\mid x > 0 \\}"),
        ("\\boxed{\\frac{1}{2}}", "\\frac{1}{2}"),
        ("\\boxed\\frac{1}{2}", "\\frac{1}{2}"),
        ("\\boxed\\frac12 is it", "\\frac12"),
        ("The answer is: \\(5\\)", "\\(5\\)"),
    ],
)
def test_braces_that_are_shown_do_not_end_a_box(text: str, answer: str) -> None:
    assert read(text) == answer


@pytest.mark.parametrize(
    "text",
    ["", "it is 5", "\\boxed{5", "\\boxed{}", "<think>\\boxed{5}</think>", "<think>\\boxed{5}"],
)
def test_without_an_answer_there_is_none(text: str) -> None:
    assert read(text) is None


@pytest.mark.parametrize(
    "unit",
    [
        "\\boxed{", "\\boxed", "{", "}", "\\boxed{a}", "\\", "#### ", "answer is ", "\nanswer: ",
        "\n**", "<answer>", "\\boxed x", "*",
    ],
)  # fmt: skip
def test_reading_an_answer_is_linear(unit: str) -> None:
    started = time.process_time()
    last_box(unit * (200_000 // len(unit)))
    read(unit * (200_000 // len(unit)))
    assert time.process_time() - started < 20


@pytest.mark.parametrize(
    "line", ["**5**", "**5**.", "$5$", "$$5$$", "\\(5\\)", "\\[5\\]", "**$5$**"]
)
def test_a_last_line_that_is_nothing_but_the_answer_is_read(line: str) -> None:
    assert read(f"We add them.\n\n{line}\n") == "5"


@pytest.mark.parametrize(
    "line",
    ["**Solution**", "**2 + 3**", "$2 + 3$", "so $5$ it is", "$x$", "**5** and **6**", "$x = 5$"],
)
def test_a_last_line_of_other_words_or_of_the_problem_is_not(line: str) -> None:
    assert read(f"We add them.\n\n{line}\n") is None
