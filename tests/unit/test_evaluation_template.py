"""How items are asked and answers found."""

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest

from azr.errors import ConfigError
from azr.evaluation.suites.data import load_suite
from azr.evaluation.suites.items import CodeItem, ExecutionItem, Item, MathsItem
from azr.evaluation.suites.suites import SUITES, livecodebench_output, suites_named
from azr.evaluation.template import TEMPLATES, Template
from azr.types import Case, Mode, Prompt, Rollout, Task
from tests.fakes import complete

FUNCTION = CodeItem(id="c", opening='def f(x):\n    """Double it."""\n', checks=(), gold="SECRET")
WRITTEN = CodeItem(id="w", statement="Read a number and double it.", checks=(), gold="SECRET")
CLASS = CodeItem(
    id="k", statement="Double it.", opening="class Solution:\n    def f(self):\n", checks=()
)
OUTPUT = ExecutionItem(
    id="o",
    task=Task(mode=Mode.DEDUCTION, program="def f(x): ...", cases=(Case("4711", "'SECRET'"),)),
)
INPUT = ExecutionItem(
    id="i",
    task=Task(mode=Mode.ABDUCTION, program="def f(x): ...", cases=(Case("'SECRET'", "4711"),)),
)
SUM = MathsItem(id="m", statement="What is 1 + 1?", gold="SECRET")
ITEMS = (FUNCTION, WRITTEN, CLASS, OUTPUT, INPUT, SUM)


def ask(item: Item, envelope: str, *, chat: bool = False) -> Prompt:
    return Template(envelope, chat).ask(item, seed=1, temperature=0.0, max_tokens=9)


def read(item: Item, envelope: str, text: str, *, truncated: bool = False) -> str | None:
    rollout: Rollout = complete(ask(item, envelope), text, truncated=truncated)
    return Template(envelope).answer_in(item, rollout)


@pytest.mark.parametrize("envelope", TEMPLATES)
@pytest.mark.parametrize("item", ITEMS, ids=lambda item: item.id)
def test_the_question_is_asked_and_the_answer_is_not_told(item: Item, envelope: str) -> None:
    prompt = ask(item, envelope)
    text = prompt.text + prompt.prefill
    assert "SECRET" not in text
    shown = {"c": "Double it.", "w": "Read a number", "k": "class Solution", "m": "1 + 1?"}
    assert shown.get(item.id, "4711") in text
    assert (prompt.seed, prompt.temperature, prompt.max_tokens) == (1, 0.0, 9)


def test_the_chat_template_leaves_out_the_turns_of_plain_text() -> None:
    assert "\nAssistant: " in ask(SUM, "r1").text
    prompt = ask(SUM, "r1", chat=True)
    assert prompt.chat
    assert "Assistant: " not in prompt.text


@pytest.mark.parametrize("envelope", ["boxed", "none", "r1"])
def test_the_last_program_is_the_answer(envelope: str) -> None:
    text = "First\n```python\na = 1\n```\nbetter:\n```python\na = 2\n```\n"
    assert read(FUNCTION, envelope, text) == "a = 2"
    assert read(FUNCTION, envelope, "no program") is None


NAMED = replace(FUNCTION, entry="f")
PROGRAM = "import math\n\ndef f(x):\n    return 2 * x"
FENCED = f"Here:\n```python\n{PROGRAM}\n```\n"


@pytest.mark.parametrize("envelope", ["boxed", "none", "r1"])
@pytest.mark.parametrize(
    "text",
    [
        FENCED,
        FENCED + "Try it:\n```python\nprint(f(1))\n```",
        FENCED + "It prints\n```\n2\n```",
        FENCED + "It prints\n```\n2\n```\nand so\n```python\nprint(f(1))",
        "```python\ndef g(): ...\n```\n" + FENCED + "```python\ndef f_test(): f(1)\n```",
        f"```python\ndef f(x):\n    return x\n```\nbetter\n{FENCED}",
        f"```python\n{PROGRAM}",
        f"```python\n{PROGRAM}\n",
        f"I print\n```\n2\n```\nwith\n```python\n{PROGRAM}",
        PROGRAM,
        PROGRAM + "\n",
    ],
)
def test_the_last_program_that_defines_the_function_is_the_answer(envelope: str, text: str) -> None:
    answer = read(NAMED, envelope, text)
    assert answer is not None
    assert answer.rstrip() == PROGRAM


def test_without_the_function_the_last_program_is_the_answer() -> None:
    assert read(NAMED, "none", "```python\n    return x\n```") == "    return x"
    assert read(NAMED, "none", "```\na\n```\n```\nf = abs\n```\n```bash\nls\n```") == "f = abs"
    assert read(NAMED, "none", "I would write def f(x) but") is None
    assert read(replace(NAMED, entry="f+"), "none", "def ff(x): ...") is None
    assert read(NAMED, "none", "class f(list): ...") == "class f(list): ..."


@pytest.mark.parametrize("envelope", ["boxed", "none", "r1"])
def test_a_cut_program_is_the_answer_where_there_is_no_whole_one(envelope: str) -> None:
    assert read(WRITTEN, envelope, "So\n```python\na = 1\nb =", truncated=True) == "a = 1\nb ="
    assert read(WRITTEN, envelope, "```python\na = 1\n```\n```python\nb = 2") == "a = 1"
    assert read(WRITTEN, envelope, "It is\ndef f(x): ...") == "def f(x): ..."
    assert read(WRITTEN, envelope, "I would write def f(x) but") is None


def test_the_function_is_looked_for_in_the_envelope_first() -> None:
    inside = "a ```python\ndef f(): 1\n``` </think> <answer> ```python\ndef f(): 2\n``` </answer>"
    assert read(NAMED, "r1", inside) == "def f(): 2"
    thought = "a ```python\ndef f(): 1\n``` </think> <answer> ```\nprint(f())\n``` </answer>"
    assert read(NAMED, "r1", thought) == "print(f())"  # a thought is no answer
    bare = "a</think> <answer>\ndef f(): 1\n</answer>"
    assert read(NAMED, "r1", bare) == "def f(): 1"


@pytest.mark.slow
@pytest.mark.parametrize("unit", ["```", "```python\n", "def f", "\n", " ", "def f (\n", "class "])
def test_reading_a_program_is_linear(unit: str) -> None:
    def seconds(count: int) -> float:
        started = time.perf_counter()
        read(NAMED, "none", unit * count)
        return time.perf_counter() - started

    seconds(1000)
    assert min(seconds(80_000) for _ in range(3)) < 40 * max(seconds(8_000), 0.002)


def test_a_program_inside_its_envelope_comes_first() -> None:
    text = "\\boxed{\n```python\nx = {}\n```\n}\n```python\nafterthought = 1\n```"
    assert read(FUNCTION, "boxed", text) == "x = {}"
    text = "a ```python\nx = 1\n``` </think> <answer> ```python\nx = 2\n``` </answer>"
    assert read(FUNCTION, "r1", text) == "x = 2"


def test_a_continued_program_holds_its_opening() -> None:
    answer = read(FUNCTION, "completion", "\n    return 2 * x")
    assert answer == FUNCTION.opening + "    return 2 * x"
    cut = read(FUNCTION, "completion", "\n    return 2 * x\n\ndef g(", truncated=True)
    assert cut is not None
    assert cut.endswith("def g(")
    assert read(WRITTEN, "completion", "\nprint(2 * int(input()))") == "print(2 * int(input()))"


def test_pattern_prompts_do_not_end_in_a_newline() -> None:
    """A newline at the end is a token that most tokenizers never put before an indentation."""
    for item in ITEMS:
        prompt = ask(item, "completion")
        assert prompt.prefill == prompt.prefill.rstrip()


def test_execution_answers_are_read_as_in_self_play_with_or_without_the_envelope() -> None:
    assert read(OUTPUT, "completion", " [1, 2]") == "[1, 2]"
    assert read(OUTPUT, "boxed", "\\boxed{\n```output\n[1, 2]\n```\n}") == "[1, 2]"
    assert read(OUTPUT, "boxed", "so\n```output\n[1, 2]\n```") == "[1, 2]"
    assert read(INPUT, "r1", "it is f(3)\n```input\nf(3)\n```") == "3"
    assert read(OUTPUT, "r1", "I do not know") is None


def test_of_several_boxes_the_last_is_the_answer() -> None:
    assert read(SUM, "boxed", "\\boxed{1} or \\boxed{\\frac{4}{2}}.") == "\\frac{4}{2}"
    assert read(SUM, "completion", " 1 + 1 = 2.\nThe final answer is \\boxed{2}.") == "2"
    assert read(SUM, "r1", "t</think> <answer> 2 </answer>") == "2"
    assert read(SUM, "none", "it is 2") is None
    assert read(SUM, "none", "\\boxed{2") is None


def test_livecodebench_execution_is_deduction_on_a_function_of_any_name() -> None:
    record = {
        "id": 7, "code": "def top(nums):\n    return max(nums)", "input": "top(nums = [1, (2)])",
        "output": "2",
    }  # fmt: skip
    item = livecodebench_output(record)
    assert item.task.program.endswith("\n\nf = top")
    assert item.task.cases == (Case("nums = [1, (2)]", "2"),)


def test_every_suite_there_is_can_be_read_and_asked(shared_data: Path) -> None:
    for suite in SUITES.values():
        if not suite.shipped and not (shared_data / suite.file).exists():
            assert suite.name == "livecodebench-o"
            continue
        data = load_suite(suite, shared_data)
        for item in data.items[::25]:
            for envelope in TEMPLATES:
                assert ask(item, envelope).text
            assert json.dumps(repr(item))


def test_an_unknown_suite_is_refused_with_the_names() -> None:
    with pytest.raises(ConfigError, match=r"--suite must be one of humaneval\+, .* got 'mbpp'"):
        suites_named(["mbpp"])


def test_a_missing_file_says_where_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gsm8k\.jsonl\.gz cannot be read") as raised:
        load_suite(SUITES["gsm8k"], tmp_path)
    assert "Absolute-Zero-Reasoner" in raised.value.__notes__[0]
    assert "--data" in raised.value.__notes__[1]


@pytest.mark.parametrize("content", [b"", b"not gzip", b"\x1f\x8b\x08\x00broken"])
def test_a_damaged_file_is_one_clear_error(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / SUITES["gsm8k"].file
    file.parent.mkdir()
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=r"gsm8k\.jsonl\.gz"):
        load_suite(SUITES["gsm8k"], tmp_path)
