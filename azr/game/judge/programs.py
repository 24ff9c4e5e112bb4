"""Grades programs by checks of the user's own, as the adapters do."""

from typing import Any, cast

from azr.errors import ExecutorUnavailable
from azr.types import Grade, Verdict
from sandbox_wasm.errors import SandboxUnavailable
from sandbox_wasm.grading import Check, Executor, agrade_all

__all__ = ["grade_program"]


async def grade_program(executor: Any, program: str, check: Check) -> Grade:
    """Run the program against the check; the score is the share of its tests.

    Raises:
        ValueError: An empty program passes the check, or no program could.
        ExecutorUnavailable: The machinery failed.
    """
    try:
        [graded] = await agrade_all(cast(Executor, executor), [program], [check], is_partial=True)
    except SandboxUnavailable as error:
        raise ExecutorUnavailable(f"the sandbox did not answer: {error}") from error
    if graded.score == 1.0:
        return Grade(verdict=Verdict.PASSED, score=1.0)
    return Grade(verdict=Verdict.FAILED, score=graded.score, reason=graded.ending)
