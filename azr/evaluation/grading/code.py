"""Grades programs: runs check after check in the sandbox, until one fails.

`sandbox_wasm.grading` runs and compares, as for trainers' rewards. This module knows the order of
an item's checks, their budgets of fuel, and the mark.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence

from azr.errors import ConfigError, ExecutorUnavailable
from azr.evaluation.grading.budgets import limits_of_part
from azr.evaluation.suites.hidden import open_hidden
from azr.evaluation.suites.items import CodeItem, HiddenTests, Mark, Part, Status
from azr.game.judge.judge import Executor
from sandbox_wasm.errors import BadJob, SandboxUnavailable
from sandbox_wasm.grading.grader import CaseResult, jobs_of, results_of
from sandbox_wasm.grading.guest.prelude import joined
from sandbox_wasm.grading.soundness import EMPTY, Soundness
from sandbox_wasm.literals import LiteralError
from sandbox_wasm.types import Job, JobResult, Outcome

__all__ = ["CodeGrader", "program_of"]


def program_of(item: CodeItem, answer: str) -> str:
    """Return the whole program: the answer, after the item's context unless it repeats it."""
    if not item.context or item.context.strip() in answer:
        return answer
    return joined(f"{item.context.rstrip()}\n", answer)


class CodeGrader:
    """Runs a program's checks in order."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._numbers = itertools.count()
        self._soundness = Soundness()

    async def grade(self, item: CodeItem, answer: str) -> Mark:
        """Decide whether the program passes every check of the item.

        Raises:
            ExecutorUnavailable: The machinery failed; this says nothing about the program.
            ConfigError: The item has no test, or a test that an empty program passes, or one that
                cannot be read or run whatever the program is.
        """
        program = program_of(item, answer)
        parts: dict[str, bool] = {}
        fuel = 0
        async for part in opened(item.checks):
            await self._prove(item, part)
            try:
                cases, spent = await self._run(item, part, program)
            except (BadJob, UnicodeEncodeError) as error:  # a text that cannot even be sent
                await self._blame(item, part)
                reason = f"bad job: {type(error).__name__}"
                return Mark(status=Status.WRONG, parts={part.name: False}, reason=reason)
            fuel += spent
            failed = next((case for case in cases if not case.passed), None)
            parts[part.name] = failed is None
            if failed is not None:
                status, reason = failure_of(part, failed)
                return Mark(status=status, parts=parts, reason=reason, fuel=fuel)
        if not parts:
            raise ConfigError(f"{item.id}: there is no test, so nothing could be wrong")
        return Mark(status=Status.PASSED, parts=parts, fuel=fuel)

    async def _run(self, item: CodeItem, part: Part, program: str) -> tuple[list[CaseResult], int]:
        """What became of each case, and the fuel of all."""
        limits = limits_of_part(item.id, part)
        jobs = jobs_of(f"{item.id}#{next(self._numbers)}", program, part.check, limits)
        results = await self._answers(jobs)
        try:
            cases = results_of(part.check, jobs, results)
        except LiteralError as error:
            raise ConfigError(
                f"{item.id}: a value that is expected is no literal: {error}"
            ) from error
        except SandboxUnavailable as error:
            raise ExecutorUnavailable(str(error)) from error
        return cases, sum(call.fuel for result in results for call in result.calls)

    async def _prove(self, item: CodeItem, part: Part) -> None:
        """Refuse tests that an empty program passes, or that cannot be run, once for each."""
        for check in self._soundness.unproven([part.check]):
            jobs = jobs_of(f"{item.id}#empty", EMPTY, check, limits_of_part(item.id, part))
            try:
                [result] = await self._answers(jobs)
                self._soundness.learn(check, result)
            except SandboxUnavailable as error:
                raise ExecutorUnavailable(str(error)) from error
            except (BadJob, ValueError) as error:
                raise ConfigError(f"{item.id}: its check {part.name} is none: {error}") from error

    async def _blame(self, item: CodeItem, part: Part) -> None:
        """Refuse a check that the sandbox does not take whatever the program is."""
        jobs = jobs_of(f"{item.id}#empty", EMPTY, part.check, limits_of_part(item.id, part))
        try:
            await self._answers(jobs)
        except BadJob as error:
            raise ConfigError(f"{item.id}: {part.name} cannot be sent: {error}") from error

    async def _answers(self, jobs: list[Job]) -> list[JobResult]:
        try:
            return await self._executor.arun(jobs)
        except SandboxUnavailable as error:
            raise ExecutorUnavailable(f"the sandbox did not answer: {error}") from error


async def opened(checks: Sequence[Part | HiddenTests]) -> AsyncIterator[Part]:
    """Yield the checks in order; hidden ones are unpacked in place, a few cases at a time."""
    for check in checks:
        if isinstance(check, HiddenTests):
            for part in await asyncio.to_thread(open_hidden, check):
                yield part
        else:
            yield check


def failure_of(part: Part, case: CaseResult) -> tuple[Status, str]:
    """Return the first failed case as a status and a reason."""
    out_of_fuel = case.outcome in (Outcome.OUT_OF_FUEL, Outcome.TIMED_OUT)
    status = Status.OUT_OF_FUEL if out_of_fuel else Status.WRONG
    return status, f"{part.name}: {case.reason}"
