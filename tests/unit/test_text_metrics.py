"""azr.records.text_metrics: what a text is like, on texts written by hand."""

import io
import time
import tokenize

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from azr.game.modes.parse import MAX_CHARS
from azr.records.text_metrics import REFLECTION_WORDS, has_comment, is_reflective, text_metrics
from azr.types import Case, Experience, Mode, Role, Task, Verdict
from tests.fakes import make_rollout

PASSED, FAILED = Verdict.PASSED, Verdict.FAILED


def experience(
    text: str,
    verdict: Verdict = PASSED,
    role: Role = Role.SOLVER,
    mode: Mode = Mode.DEDUCTION,
    *,
    tokens: int = 1,
    cases: tuple[Case, ...] = (),
) -> Experience:
    rollout = make_rollout(text, role=role, mode=mode, tokens=tokens)
    task = Task(mode=mode, program="def f(x): ...", cases=cases) if cases else None
    return Experience(rollout=rollout, verdict=verdict, reward=0.0, task=task)


def test_lengths_of_right_and_wrong_completions_are_told_apart():
    """Feature 65, A13: a valid proposal is a right one; the reference has none."""
    played = [
        experience("", tokens=10),
        experience("", tokens=20),
        experience("", FAILED, tokens=7),
        experience("", Verdict.ILL_FORMED, tokens=9),
        experience("", role=Role.PROPOSER, tokens=5),
    ]
    metrics = text_metrics(played)
    assert metrics["length/solver/deduction/right"] == 15
    assert metrics["length/solver/deduction/wrong"] == 8
    assert metrics["length/proposer/deduction/right"] == 5
    assert "length/proposer/deduction/wrong" not in metrics
    assert metrics["prompt_length/solver/deduction/max"] == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Wait, that is wrong.", True),
        ("HOWEVER", True),
        ("Let me check: 5", True),
        ("await x", False),
        ("the waiter", False),
        ("so it is 5", False),
        ("", False),
    ],
)
def test_reflection_words_count_as_words(text: str, expected: bool):
    """Feature 65. The reference looks for substrings, and finds `wait` in every `await`."""
    assert is_reflective(text) == expected


def test_the_words_are_lower_case_and_none_is_said_twice():
    assert len(set(REFLECTION_WORDS)) == len(REFLECTION_WORDS) == 38
    assert all(word == word.lower() == word.strip() for word in REFLECTION_WORDS)


def test_reflection_is_a_share_and_so_is_its_success():
    played = [experience("wait"), experience("hmm", FAILED), experience("5"), experience("6")]
    metrics = text_metrics(played)
    assert metrics["reflection/solver/deduction"] == 0.5
    assert metrics["reflection_right/solver/deduction"] == 0.5
    assert "reflection_right/solver/deduction" not in text_metrics(played[2:])


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        ("x = 1  # one", True), ("# x", True), ("x = '#'", False), ('x = "#"', False),
        ("x = '''\n# in it\n'''", False), ("x = '''a'''  # b", True), ("x = 'a''' # b", True),
        ("x = '\\'#'", False), ("x = '' # b", True), ("x = \"'\" # b", True),
        ("x = 'open\n# b", True), ("", False), ('"""#"""', False),
        ("x = '\"''''''' # b", True), ("x = '''open\n# b", False),
    ],
)  # fmt: skip
def test_a_hash_in_a_string_is_no_comment(program: str, expected: bool):
    assert has_comment(program) == expected


PIECES = st.sampled_from(["'", '"', "'''", '"""', "#", "\\", "\n", "a", " ", "= 1"])


@settings(deadline=None)
@given(st.lists(PIECES, max_size=12).map("".join))
def test_comments_are_where_python_finds_them(program: str):
    """As far as Python can read the text at all; on this side only texts of this test."""
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(program).readline))
    except (tokenize.TokenError, SyntaxError, IndentationError):
        return
    if any(token.type == tokenize.ERRORTOKEN for token in tokens):
        return
    expected = any(token.type == tokenize.COMMENT for token in tokens)
    assert has_comment(program) == expected


@pytest.mark.parametrize("piece", ["'\\", "'", '"""', "\\", "#'", "'''\n", "a", "wait ", "let me "])
def test_reading_takes_time_linear_in_the_text(piece: str):
    text = piece * (MAX_CHARS // len(piece))
    started = time.process_time()
    has_comment(text.replace("#", ""))
    is_reflective(text)
    assert time.process_time() - started < 2


def test_the_share_of_commented_programs_is_by_stream():
    """Only of programs that the policy itself was to write, and an input is no comment."""
    commented, plain = "```python\n# why\ndef f(x): ...\n```", "```python\n# Input: 1\nx\n```"
    played = [
        experience(commented, role=Role.PROPOSER),
        experience(plain, role=Role.PROPOSER),
        experience("no program", role=Role.PROPOSER),
        experience(commented, role=Role.PROPOSER, mode=Mode.INDUCTION),
        experience(commented, role=Role.SOLVER, mode=Mode.INDUCTION),
    ]
    metrics = text_metrics(played)
    assert metrics["comments/proposer/deduction"] == 0.5
    assert metrics["comments/solver/induction"] == 1.0
    assert "comments/proposer/induction" not in metrics


def test_types_of_new_cases_are_counted():
    """Feature 66: by value, and without evaluating anything."""
    cases = (Case("1, 'a'", "{1: 2}"), Case("k=[1]", "{1, 2}"), Case("'a'", "set()"))
    played = [experience("", role=Role.PROPOSER, cases=cases), experience("", cases=cases)]
    metrics = text_metrics(played)
    assert {n: v for n, v in metrics.items() if n.startswith("types/")} == {
        "types/input/several": 1, "types/input/list": 1, "types/input/str": 1,
        "types/input/distinct": 3,
        "types/output/dict": 1, "types/output/set": 2, "types/output/distinct": 2,
    }  # fmt: skip


def test_a_step_without_anything_has_no_metrics():
    assert text_metrics([]) == {}
