"""The graders behind one method: one for each kind of item."""

from typing import Protocol

from azr.config.run import SandboxConfig
from azr.evaluation.grading.budgets import BASE_FUEL, MEMORY_BYTES, OUTPUT_BYTES
from azr.evaluation.grading.code import CodeGrader
from azr.evaluation.maths.grader import MathsGrader
from azr.evaluation.suites.items import CodeItem, ExecutionItem, Item, Mark, MathsItem, Status
from azr.game.judge.judge import Executor, SandboxJudge
from azr.ports import Judge
from azr.types import Answer, Grade, Verdict

__all__ = ["Grader", "Graders", "evaluation_sandbox"]


class Grader(Protocol):
    """Decides about answers."""

    async def grade(self, item: Item, answer: str) -> Mark:
        """Return the answer's mark.

        Raises:
            ExecutorUnavailable: The machinery failed; this is never turned into a mark.
        """
        ...


class Graders:
    """The real graders."""

    def __init__(self, executor: Executor, sandbox: SandboxConfig, maths: MathsGrader) -> None:
        self._code = CodeGrader(executor)
        self._judge: Judge = SandboxJudge(executor, evaluation_sandbox(sandbox))
        self._maths = maths

    async def grade(self, item: Item, answer: str) -> Mark:
        """Grade code by its checks, execution by self-play's judge, maths by math-verify."""
        match item:
            case CodeItem():
                return await self._code.grade(item, answer)
            case ExecutionItem(task=task):
                return mark_of(await self._judge.grade(task, Answer(task.mode, answer)))
            case MathsItem():
                return await self._maths.grade(item, answer)


def evaluation_sandbox(config: SandboxConfig) -> SandboxConfig:
    """Return the run's sandbox with the limits of evaluation: nothing is banned, nothing is cut."""
    return config.changed(
        fuel=BASE_FUEL,
        memory_bytes=MEMORY_BYTES,
        output_bytes=OUTPUT_BYTES,
        max_program_chars=1_000_000,
        max_input_chars=100_000,
        banned_modules=(),
    )


def mark_of(grade: Grade) -> Mark:
    """Turn a grade of self-play into a mark."""
    if grade.verdict is Verdict.PASSED:
        return Mark(status=Status.PASSED)
    is_out = grade.reason in ("out of fuel", "timed out")
    return Mark(status=Status.OUT_OF_FUEL if is_out else Status.WRONG, reason=grade.reason)
