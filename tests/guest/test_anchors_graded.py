"""Anchors in the real sandbox: right, wrong and partly right programs; checks that say nothing."""

import asyncio

import pytest

from azr.config.run import SandboxConfig
from azr.game.judge.judge import SandboxJudge
from azr.types import Grade, Verdict
from sandbox_wasm import Sandbox
from sandbox_wasm.grading import Check, parse_check
from tests.direct import DirectExecutor

SQUARES = parse_check({"inputs": ["3\n", "4\n"], "outputs": ["9\n", "16\n"]})
TWICE = parse_check(["assert twice(3) == 6"])


@pytest.fixture(scope="module")
def judge(sandbox: Sandbox) -> SandboxJudge:
    return SandboxJudge(DirectExecutor(sandbox), SandboxConfig())


def grade(judge: SandboxJudge, program: str, check: Check) -> Grade:
    return asyncio.run(judge.grade_program(program, check))


def test_programs_are_graded_by_the_users_checks(judge: SandboxJudge) -> None:
    right = Grade(verdict=Verdict.PASSED, score=1.0)
    assert grade(judge, "print(int(input()) ** 2)", SQUARES) == right
    assert grade(judge, "def twice(n):\n    return n + n", TWICE) == right
    half = grade(judge, "print(9)", SQUARES)
    assert (half.verdict, half.score, half.reason) == (Verdict.FAILED, 0.5, "wrong_answer")
    assert grade(judge, "def twice(n):\n    return n", TWICE).verdict is Verdict.FAILED
    assert grade(judge, "", SQUARES).verdict is Verdict.FAILED


def test_tests_that_an_empty_program_passes_are_no_check(judge: SandboxJudge) -> None:
    with pytest.raises(ValueError, match="empty program"):
        grade(judge, "x = 1", parse_check(["try:\n    assert f(1)\nexcept NameError:\n    pass"]))
