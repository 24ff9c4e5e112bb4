"""Profiles as the guest finds them: the same as here, and nothing at all for hostile text."""

import asyncio
from collections.abc import Sequence

import pytest

from azr.config.run import SandboxConfig
from azr.game.judge.judge import SandboxJudge
from azr.types import Profile
from sandbox_wasm import Sandbox
from tests.direct import DirectExecutor
from tests.fakes import profile_here

pytestmark = [pytest.mark.guest]

DEPTH = 5000


def profiles(sandbox: Sandbox, programs: Sequence[str]) -> list[Profile | None]:
    return asyncio.run(SandboxJudge(DirectExecutor(sandbox), SandboxConfig()).profile(programs))


ROOTS = """\
import math as m
def f(x, *, k=2):
    try:
        return [m.sqrt(i) for i in x if i > k]
    except (TypeError, ValueError) as e:
        return f'{e!r:>{k}}'
"""
CLASS = """\
class A:
    n: int = 0
    def m(self):
        return self.n + 1
def f(x):
    return A().m()
"""
MATCH = """\
def f(x):
    match x:
        case {'a': a, **rest} if rest: return a
        case [_, *b]: return b
        case _: return lambda y=x: (yield y)
"""
PROGRAMS = ["def f(x):\n    return x", ROOTS, CLASS, MATCH]


def test_the_guest_finds_what_is_found_here(sandbox: Sandbox):
    """Another Python, the same profile: numbers, structure and sequence do not depend on it."""
    found = profiles(sandbox, PROGRAMS)
    assert found == [profile_here(program) for program in PROGRAMS]
    assert None not in found


@pytest.mark.hostile
@pytest.mark.parametrize(
    "program",
    [
        "def f(x): return " + "(" * DEPTH + "x" + ")" * DEPTH,
        "def f(x): return " + "-" * 3 * DEPTH + "x",
        "lambda:" * 2000 + "x",
        "not " * 4000 + "x",
        "x = '\ud800'",
        "\x00",
        "def",
        "\ufeff" * 9 + "1",
    ],
)
def test_text_that_does_not_parse_has_no_profile_and_harms_nobody(sandbox: Sandbox, program: str):
    assert profiles(sandbox, [program, PROGRAMS[0]]) == [None, profile_here(PROGRAMS[0])]


@pytest.mark.hostile
@pytest.mark.parametrize(
    "program",
    [
        "x = " + "+".join("x" * 8000),
        "def f(x): return x" + ".a" * 8000,
        "f(x)" + "(x)" * DEPTH,
        "x = [" + "[]," * DEPTH + "]",
        "x = 0x" + "f" * 16_000,
        "if x: pass\n" + "elif x: pass\n" * 1200,
        "\n".join(" " * i + "if x:" for i in range(99)) + "\n" + " " * 99 + "pass",
        "f'{" * 100 + "x" + "}'" * 100,
        "def f(x):\n" + "    x = (x + 1) * x if x and x else [i for i in x]\n" * 315,
    ],
)
def test_the_longest_and_deepest_programs_have_a_profile(sandbox: Sandbox, program: str):
    """Within sandbox.max_program_chars no shape found so far escapes the gate by its size."""
    assert len(program) <= SandboxConfig().max_program_chars
    [found] = profiles(sandbox, [program])
    assert found is not None
    assert len(found.sequence) <= 2048
