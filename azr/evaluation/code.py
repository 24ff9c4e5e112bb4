"""Grading programs: check after check in the sandbox, until one fails.

Law of the module: a program runs in the guest and nowhere else. What stdout and values are
compared with stays here; only assert sources (`Tests`) run beside the program, as their data sets
mean them to, and a program that knew that could forge them.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence
from decimal import Decimal, InvalidOperation
from typing import Protocol, cast

from azr.errors import ConfigError, ExecutorUnavailable
from azr.evaluation.budgets import MEMORY_BYTES, OUTPUT_BYTES, fuel_of
from azr.evaluation.hidden import open_hidden
from azr.evaluation.items import Calls, Check, CodeItem, HiddenTests, Mark, Runs, Status, Tests
from azr.evaluation.suites import STDLIB_PRELUDE
from sandbox_wasm.errors import BadJob, SandboxUnavailable
from sandbox_wasm.literals import LiteralError, parse_literal
from sandbox_wasm.types import CallResult, Job, JobResult, Limits, Outcome

__all__ = ["CodeGrader", "Executor", "program_of"]

ENTRY = "entry_of_evaluation"

HARMLESS = "pass"
"""A program that does nothing, to find out whether it is the item that is broken."""


class Executor(Protocol):
    """The async client of the sandbox."""

    async def arun(self, jobs: Sequence[Job]) -> list[JobResult]:
        """Run all jobs; results in the jobs' order."""
        ...


def program_of(item: CodeItem, answer: str) -> str:
    """The whole program: the answer, after the item's context unless it repeats it."""
    if not item.context or item.context.strip() in answer:
        return answer
    return f"{item.context.rstrip()}\n\n{answer}"


class CodeGrader:
    """Runs a program's checks in order."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._numbers = itertools.count()
        self._sound: set[tuple[str, str]] = set()
        """Checks, by item and name, that compile with a program that does nothing."""

    async def grade(self, item: CodeItem, answer: str) -> Mark:
        """Whether the program passes every check of the item.

        Raises:
            ExecutorUnavailable: The machinery failed; says nothing about the program.
            ConfigError: The item has no test, or one that cannot be read or run, whatever the
                program is.
        """
        program = program_of(item, answer)
        parts: dict[str, bool] = {}
        fuel = 0
        async for check in opened(item.checks):
            require_tests(item, check)
            results = await self._run(item, check, program)
            if isinstance(results, str):
                return Mark(status=Status.WRONG, parts={check.name: False}, reason=results)
            fuel += sum(result.fuel for result in results)
            failure = self._failure(item, check, results)
            parts[check.name] = failure is None
            if failure is not None:
                await self._blame(item, check, results)
                status, reason = failure
                return Mark(status=status, parts=parts, reason=reason, fuel=fuel)
        if not parts:
            raise ConfigError(f"{item.id}: there is no test, so nothing could be wrong")
        return Mark(status=Status.PASSED, parts=parts, fuel=fuel)

    async def _run(self, item: CodeItem, check: Check, program: str) -> list[CallResult] | str:
        """One result a case, or why the program could not be run at all."""
        try:
            return await self._results(item, check, program)
        except (BadJob, UnicodeEncodeError) as error:  # a text that cannot even be sent
            reason = f"bad job: {type(error).__name__}"
        try:
            await self._results(item, check, program_of(item, HARMLESS))
        except (BadJob, UnicodeEncodeError) as error:
            raise ConfigError(
                f"{item.id}: its check {check.name} cannot be run: {error}"
            ) from error
        return reason

    async def _results(self, item: CodeItem, check: Check, program: str) -> list[CallResult]:
        limits = Limits(
            fuel=fuel_of(item.id, check.name), memory_bytes=MEMORY_BYTES, output_bytes=OUTPUT_BYTES
        )
        jobs = jobs_of(f"{item.id}#{next(self._numbers)}", check, program, limits)
        try:
            results = await self._executor.arun(jobs)
        except SandboxUnavailable as error:
            raise ExecutorUnavailable(f"the sandbox did not answer: {error}") from error
        return [call for result in results for call in result.calls]

    def _failure(
        self, item: CodeItem, check: Check, results: list[CallResult]
    ) -> tuple[Status, str] | None:
        try:
            return failure_of(check, results)
        except LiteralError as error:
            raise ConfigError(
                f"{item.id}: a value that is expected is no literal: {error}"
            ) from error

    async def _blame(self, item: CodeItem, check: Check, results: list[CallResult]) -> None:
        """Find out whose syntax error it is: the program and its tests are compiled together."""
        key = (item.id, check.name)
        if not isinstance(check, Tests) or key in self._sound or not compiles_not(results):
            return
        alone = await self._results(item, check, HARMLESS)
        if compiles_not(alone):
            raise ConfigError(
                f"{item.id}: its check {check.name} does not compile: {alone[0].error}"
            )
        self._sound.add(key)


def compiles_not(results: list[CallResult]) -> bool:
    """Whether nothing ran because of a syntax error."""
    return any(result.outcome is Outcome.SYNTAX_ERROR for result in results)


def require_tests(item: CodeItem, check: Check) -> None:
    """Refuse a check that any text would pass."""
    if not (check.source.strip() if isinstance(check, Tests) else check.cases):
        raise ConfigError(f"{item.id}: its check {check.name} has no test")


async def opened(checks: Sequence[Check | HiddenTests]) -> AsyncIterator[Check]:
    """The checks in order, hidden ones unpacked where they stand, a few cases at a time."""
    for check in checks:
        if isinstance(check, HiddenTests):
            for part in await asyncio.to_thread(open_hidden, check):
                yield part
        else:
            yield check


def jobs_of(id_: str, check: Check, program: str, limits: Limits) -> list[Job]:
    """What to run for one check."""
    match check:
        case Tests(_, source, prelude):
            return [Job(id_, joined(prelude, program), tests=source, limits=limits)]
        case Runs(_, cases):
            return [
                Job(
                    f"{id_}/{number}",
                    joined(STDLIB_PRELUDE, program),
                    stdin=given,
                    want_stdout=True,
                    limits=limits,
                )
                for number, (given, _) in enumerate(cases)
            ]
        case Calls(_, entry, cases):
            source = joined(STDLIB_PRELUDE, program, entry_point(entry))
            calls = [arguments for arguments, _ in cases]
            return [Job(id_, source, calls=calls, entry=ENTRY, limits=limits)]


def joined(*parts: str) -> str:
    """Sources, one after another."""
    return "\n\n".join(part for part in parts if part)


def entry_point(name: str) -> str:
    """A function that calls the method; LeetCode makes a new object for each case."""
    return f"def {ENTRY}(*args, **kwargs):\n    return Solution().{name}(*args, **kwargs)\n"


def failure_of(check: Check, results: list[CallResult]) -> tuple[Status, str] | None:
    """The first case that did not pass, as a status and a reason; None if all passed."""
    expected = [""] if isinstance(check, Tests) else [text for _, text in check.cases]
    if len(results) != len(expected):
        if len(results) != 1 or has_ended(check, results[0]):
            raise ExecutorUnavailable(f"{len(expected)} cases were answered with {len(results)}")
        expected = expected[:1]  # it failed before its first call
    for result, text in zip(results, expected, strict=True):
        reason = "" if has_ended(check, result) else reason_of(result)
        if not reason and not is_right(check, result, text):
            reason = "wrong answer"
        if reason:
            out_of_fuel = result.outcome in (Outcome.OUT_OF_FUEL, Outcome.TIMED_OUT)
            return (Status.OUT_OF_FUEL if out_of_fuel else Status.WRONG), f"{check.name}: {reason}"
    return None


def has_ended(check: Check, result: CallResult) -> bool:
    """A whole program's output is its answer, however it ends after that."""
    ways = (Outcome.RETURNED, Outcome.EXITED) if isinstance(check, Runs) else (Outcome.RETURNED,)
    return result.outcome in ways


def reason_of(result: CallResult) -> str:
    """How it ended, and the exception's text, which is the guest's: short, on one line."""
    text = " ".join((result.error or "").split())[:200]
    return f"{result.outcome.value}: {text}" if text else result.outcome.value


def is_right(check: Check, result: CallResult, expected: str) -> bool:
    """Compare what came out with what should, outside the guest."""
    match check:
        case Tests():
            return True  # it returned, so no assertion failed
        case Runs():
            return same_output(result.stdout or "", expected)
        case Calls():
            return result.value is not None and same_value(result.value, expected)


def same_output(given: str, expected: str) -> bool:
    """LiveCodeBench's rule: equal lines, without blanks around them, or the same numbers in them.

    Source: LiveCodeBench, lcb_runner/evaluation/testing_util.py, grade_stdio.
    """
    given_lines = [line.strip() for line in given.strip().split("\n")]
    expected_lines = [line.strip() for line in expected.strip().split("\n")]
    return len(given_lines) == len(expected_lines) and all(
        a == b or same_numbers(a, b) for a, b in zip(given_lines, expected_lines, strict=True)
    )


def same_numbers(given: str, expected: str) -> bool:
    """Whether both lines are the same decimal numbers, however they are written."""
    try:
        return [Decimal(word) for word in given.split()] == [
            Decimal(word) for word in expected.split()
        ]
    except InvalidOperation:
        return False


def same_value(given: str, expected: str) -> bool:
    """LiveCodeBench's rule: Python's ==, after tuples have become lists (1 == 1.0 == True).

    Source: LiveCodeBench, lcb_runner/evaluation/testing_util.py, grade_call_based.

    Raises:
        LiteralError: What is expected is no literal.
    """
    right = as_lists(parse_literal(expected))
    try:
        return as_lists(parse_literal(given)) == right
    except LiteralError:
        return False


def as_lists(value: object) -> object:
    """Tuples become lists, at any depth of lists and tuples."""
    if isinstance(value, list | tuple):
        return [as_lists(item) for item in cast("Sequence[object]", value)]
    return value
