"""The generator of nearly right programs: each differs in one place, and always in the same one."""

import ast
import difflib

import pytest

from tests.evalplus_golden import Seen, digest_of
from tests.mutants import edits_of, programs_of

PROGRAM = '''\
import re

def f(xs: "list[int]", k: int = 3) -> "int":
    """A docstring with 1 + 1 and 'words'."""
    total, é = 0, "é"  # 2 < 3
    for x in xs:
        if not x % 2 == 0 and x >= k or x in (7, -9):
            total += (x) * (k)
        elif (x <  # a comment: <
                5):
            total -= 0.5
    print(f"{total + 1}", re.findall("[0-9]", "a" "b"))
    return (total,
            k)
'''


def programs() -> list[str]:
    return [edit.applied(PROGRAM) for edit in edits_of(PROGRAM)]


@pytest.mark.parametrize(
    "line",
    [
        "def f(xs: \"list[int]\", k: int = 4) -> \"int\":",
        "    total, é = 0, ''  # 2 < 3",
        '    total, é = 1, "é"  # 2 < 3',
        "        if  x % 2 == 0 and x >= k or x in (7, -9):",
        "        if not x // 2 == 0 and x >= k or x in (7, -9):",
        "        if not x % 2 != 0 and x >= k or x in (7, -9):",
        "        if not x % 2 == 0 or x >= k or x in (7, -9):",
        "        if not x % 2 == 0 and x > k or x in (7, -9):",
        "        if not x % 2 == 0 and x >= k or x not in (7, -9):",
        "        if not x % 2 == 0 and x >= k or x in (7, 9):",
        "            total -= (x) * (k)",
        "            total += (x) + (k)",
        "            total -= 1.0",
        "    return [((total,",
    ],
)  # fmt: skip
def test_one_place_is_changed(line: str) -> None:
    assert any(line in program.splitlines() for program in programs())


def test_every_edit_is_another_program_and_leaves_other_lines_alone() -> None:
    for program in programs():
        ast.parse(program)
        changes = difflib.ndiff(PROGRAM.splitlines(), program.splitlines())
        removed = [line for line in changes if line.startswith("- ")]
        assert 1 <= len(removed) <= 2
    assert len(set(programs())) == len(programs()) > 30


def test_words_annotations_and_what_stands_beside_a_comment_are_left_alone() -> None:
    for kept in ("1 + 1 and 'words'", '"list[int]"', 'f"{total + 1}"', "(x <  # a comment: <"):
        assert all(kept in program for program in programs())


def test_a_task_has_its_own_two_mutants_always_the_same() -> None:
    made = programs_of("Suite/1", PROGRAM)
    assert made == programs_of("Suite/1", PROGRAM)
    assert made[0] == PROGRAM
    assert len(set(made)) == 3
    assert len({programs_of(f"Suite/{n}", PROGRAM) for n in range(20)}) > 10
    assert digest_of("".join(made)) == "9f1feb7e"


def test_a_program_of_one_return_has_two_mutants() -> None:
    assert len(programs_of("Suite/2", "def f(x):\n    return x\n")) == 3


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("pp:1", (True, True)),
        ("pt:2", (True, False)),
        ("fp:3", (False, False)),
        ("tf:4", (False, False)),
    ],
)
def test_a_verdict_of_evalplus_is_base_and_then_both(text: str, verdict: tuple[bool, bool]) -> None:
    seen = Seen.read(text)
    assert seen.verdict == verdict
    assert str(seen) == text
