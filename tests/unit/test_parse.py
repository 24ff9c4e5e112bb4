"""azr.game.modes.parse: tables of what models write, and the promise that nothing raises."""

import time
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from azr.game.modes.parse import (
    MAX_CHARS,
    Fence,
    answer_body,
    boxed,
    calls,
    fences,
    has_entry,
    labelled_lines,
    tagged,
    unwrapped,
    without_labelled_lines,
)
from azr.types import ParseFailure
from tests.fakes import make_rollout

PIECES = st.sampled_from(
    ["```", "```python", "```input", "\n", "\\boxed{", "{", "}", "<think>", "</think>", "<answer>",
     "</answer>", "# Input:", "def f(", "x", " ", "'", "\\", "\x00", "\u2028", "f(1)", "\ud7ff"]
)  # fmt: skip
TEXTS = st.one_of(st.text(), st.lists(PIECES, max_size=40).map("".join))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("```python\nx = 1\n```", [Fence("python", "x = 1")]),
        ("```Python\nx = 1\n```", [Fence("python", "x = 1")]),
        ("```\nx\n```", [Fence("", "x")]),
        ("``` output\n5\n```", [Fence("output", "5")]),
        ("```output 5```", [Fence("output", "5")]),
        ("```5```", [Fence("", "5")]),
        ("so it is ```output\n5\n``` I think", [Fence("output", "5")]),
        ("```output\n5```", [Fence("output", "5")]),
        ("```python\nx\n```input\n1\n```", [Fence("python", "x"), Fence("input", "1")]),
        ('```python\ns = "```" + t\n```', [Fence("python", 's = "```" + t')]),
        ("```python\ndef f():\n    return 1\n", []),
        ("```java\nint x;\n```", [Fence("java", "int x;")]),
        ("", []),
    ],
)
def test_fences_are_found_as_models_write_them(text: str, expected: list[Fence]):
    """Feature 14."""
    assert fences(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("the answer is \\boxed{5}", "5"),
        ("\\boxed{1} no, \\boxed{{'a': {}}}", "{'a': {}}"),
        ("\\boxed{5", None),
        ("5", None),
    ],
)
def test_the_last_box_is_read(text: str, expected: str | None):
    assert boxed(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<answer>1</answer><answer> 2 </answer>", "2"),
        ("<answer>1</answer><answer>2", None),
        ("1", None),
    ],
)
def test_the_last_tag_is_read(text: str, expected: str | None):
    assert tagged(text, "answer") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("f(1, 'a', k=2)", "1, 'a', k=2"),
        ("input(5)", "5"),
        (" 5 ", "5"),
        ("(1, 2)", "(1, 2)"),
        ("f(1", "f(1"),
    ],
)
def test_a_call_around_an_argument_list_is_taken_off(text: str, expected: str):
    """Feature 40: several arguments, keywords included."""
    assert unwrapped(text) == expected


def test_calls_are_read_from_lines_that_hold_nothing_else():
    text = "f(1), f((2)), f(f(3))\nf()\nx = f(4)\nf('a', [1]), f(k=2)\nf(5) # why"
    assert calls(text) == ["1", "(2)", "f(3)", "", "'a', [1]", "k=2"]


def test_labelled_lines_are_read_and_taken_out():
    text = "# Input: 1, 2\ndef f(a, b):\n    return a\n  # input: 3\n# Input:\n"
    assert labelled_lines(text, "Input") == ["1, 2", "3"]
    assert without_labelled_lines(text, "Input") == "def f(a, b):\n    return a\n"


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        ("def f(x):\n    return x", True),
        ("class A:\n    pass\n\ndef f (x): return x", True),
        ("def g(x):\n    return x", False),
        ("    def f(x):\n        return x", False),
        ("f = 1", False),
    ],
)
def test_the_entry_function_is_recognised(program: str, expected: bool):
    assert has_entry(program) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<think>a</think><answer>5</answer>", "5"),
        ("<think>a</think> \n <answer>5</answer> and more", "5"),
        ("<think></think><answer></answer>", ""),
        ("<think>a</think><answer>4</answer><answer>5</answer>", "5"),
        ("<think>a</think>text<answer>5</answer>", ParseFailure("no answer tags")),
        ("<think>a<answer>5</answer>", ParseFailure("no answer tags")),
        ("a</think><answer>5</answer>", ParseFailure("no think tags")),
        ("<think>a</think><answer>5", ParseFailure("answer not closed")),
        ("", ParseFailure("no think tags")),
    ],
)
def test_the_r1_envelope_is_thought_then_answer(text: str, expected: str | ParseFailure):
    """Feature 15."""
    assert answer_body(make_rollout(text, envelope="r1")) == expected


def test_the_prefilled_think_tag_belongs_to_the_completion():
    """Feature 6: what is written for the policy is read as the policy's."""
    rollout = make_rollout("a</think><answer>5</answer>", envelope="r1", prefill="<think>")
    assert answer_body(rollout) == "5"


def test_a_cut_off_thought_is_told_from_a_wrong_format():
    rollout = make_rollout("<think>a", envelope="r1", truncated=True)
    assert answer_body(rollout) == ParseFailure("truncated")


def test_the_stop_string_of_a_completion_is_put_back_unless_it_never_came():
    """Only the sampler's stop closes a block; at the token limit it is open."""
    closed = answer_body(make_rollout("```python\nx", envelope="completion"))
    cut_off = answer_body(make_rollout("```python\nx", envelope="completion", truncated=True))
    assert isinstance(closed, str)
    assert isinstance(cut_off, str)
    assert fences(closed) == [Fence("python", "x")]
    assert fences(cut_off) == []


@given(TEXTS, st.sampled_from(["r1", "boxed", "none", "completion", "unknown"]), st.booleans())
def test_no_text_makes_a_parser_raise(text: str, envelope: str, truncated: bool):
    body = answer_body(make_rollout(text, envelope=envelope, truncated=truncated))
    assert isinstance(body, str | ParseFailure)
    for fence in fences(text):
        assert fence.body in text or "\n" in fence.body
    boxed(text)
    tagged(text, "answer")
    unwrapped(text)
    calls(text)
    has_entry(text)
    assert all(labelled_lines(text, "Input"))
    assert labelled_lines(without_labelled_lines(text, "Input"), "Input") == []


@settings(max_examples=20, deadline=None)
@given(PIECES)
def test_reading_takes_time_linear_in_the_text(piece: str):
    """A flood of marks must not hold up the trainer."""
    text = piece * (MAX_CHARS // len(piece))
    started = time.process_time()
    for envelope in ("r1", "boxed", "completion"):
        answer_body(make_rollout(text, envelope=envelope))
    fences(text)
    labelled_lines(text, "Input")
    without_labelled_lines(text, "Input")
    calls(text)
    has_entry(text)
    assert time.process_time() - started < 2


def test_texts_beyond_the_cap_are_not_read():
    assert answer_body(make_rollout("x" * (MAX_CHARS + 1))) == ParseFailure("too long")


@pytest.mark.parametrize(
    ("envelope", "thought", "answer", "expected"),
    [
        ("boxed", "so \\boxed{1}", "it is \\boxed{2}", "\\boxed{2}"),
        ("none", "```output\n1\n```", "```output\n2\n```", "```output\n2\n```"),
        ("r1", "so 1", "<answer>2</answer>", "2"),
    ],
)
@pytest.mark.parametrize("opened", ["<think>\n", "<think>\n\n</think>\n\n"])
def test_where_the_chat_template_opens_a_thought_the_answer_comes_after_it(
    envelope: str, thought: str, answer: str, expected: str, opened: str
):
    text = answer if "</think>" in opened else f"{thought}</think>{answer}"
    rollout = make_rollout(text, envelope=envelope)
    rollout = replace(rollout, prompt=replace(rollout.prompt, prefill=opened))
    body = answer_body(rollout)
    assert body == (expected if envelope != "boxed" else "2")
    if envelope != "r1" and "</think>" not in opened:
        unclosed = replace(rollout, completion=thought)
        assert answer_body(unclosed) == ParseFailure("thought not closed")
        assert answer_body(replace(unclosed, truncated=True)) == ParseFailure("truncated")
