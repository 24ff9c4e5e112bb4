"""From programs and checks to scores, in batches over a `Sandbox` or a `SandboxClient`."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Any, Protocol

from sandbox_wasm.grading.checks import Check, Stdin, Tests
from sandbox_wasm.grading.graded import Graded
from sandbox_wasm.grading.grader import CaseResult, jobs_of, results_of
from sandbox_wasm.grading.soundness import EMPTY, Soundness
from sandbox_wasm.jobs.fields import MAX_TEXT_BYTES
from sandbox_wasm.types import Job, JobResult, Limits

__all__ = ["Executor", "agrade", "agrade_all", "grade", "grade_all"]

SOUNDNESS = Soundness()
"""One for the whole process, because a check does the same in every executor."""

MAX_PROGRAM_BYTES = MAX_TEXT_BYTES // 2
"""Half of what the sandbox takes, to leave room for preludes and calls."""


NO_WAVES: tuple[list[Job], list[Job]] = ([], [])


class Executor(Protocol):
    """`Sandbox` or `SandboxClient`."""

    def run(self, jobs: Iterable[Job]) -> list[JobResult]:
        """Run all jobs and return the results in their order."""
        ...


def grade_all(
    executor: Executor,
    programs: Sequence[str],
    checks: Sequence[Check],
    *,
    limits: Limits | None = None,
    is_partial: bool = False,
    packages: Iterable[str] = (),
) -> list[Graded]:
    """Score programs in one batch, and say how each of them ended.

    The first case of each program runs first. A program that fails it is wrong, so its other cases
    do not run. If a share is counted, all cases run.

    Args:
        executor: Runs the jobs.
        programs: Untrusted sources.
        checks: One for each program.
        limits: The limits of each run. Fuel decides, so a score never depends on the machine's
            load. None for `CASE_LIMITS` and `TESTS_LIMITS`, which suit right programs of public
            data sets.
        is_partial: Score the share of passed tests, instead of 1.0 for all and 0.0 otherwise.
        packages: Third-party packages that programs may import; the executor must have loaded them.

    Raises:
        SandboxUnavailable: The machinery failed; nothing was scored.
        ValueError: An empty program passes one of the checks, or its tests do not compile.
    """
    batch = Batch(programs, checks, limits, is_partial=is_partial, packages=packages)
    batch.learn(executor.run(batch.first))
    rest = batch.rest()
    return batch.graded(executor.run(rest) if rest else [])


async def agrade_all(
    executor: Executor,
    programs: Sequence[str],
    checks: Sequence[Check],
    *,
    limits: Limits | None = None,
    is_partial: bool = False,
    packages: Iterable[str] = (),
) -> list[Graded]:
    """Score programs without blocking the event loop; see `grade_all`."""
    batch = Batch(programs, checks, limits, is_partial=is_partial, packages=packages)
    batch.learn(await run_async(executor, batch.first))
    rest = batch.rest()
    return batch.graded(await run_async(executor, rest) if rest else [])


def grade(
    executor: Executor, programs: Sequence[str], checks: Sequence[Check], **options: Any
) -> list[float]:
    """Return the scores of `grade_all`, with the same options."""
    return [one.score for one in grade_all(executor, programs, checks, **options)]


async def agrade(
    executor: Executor, programs: Sequence[str], checks: Sequence[Check], **options: Any
) -> list[float]:
    """Return the scores of `agrade_all`, with the same options."""
    return [one.score for one in await agrade_all(executor, programs, checks, **options)]


async def run_async(executor: Executor, jobs: list[Job]) -> list[JobResult]:
    """Run the jobs by the executor's own coroutine, or in a thread."""
    arun = getattr(executor, "arun", None)
    return await (arun(jobs) if arun else asyncio.to_thread(executor.run, jobs))


class Batch:
    """The jobs of a batch in two waves, and their results turned into scores."""

    def __init__(
        self,
        programs: Sequence[str],
        checks: Sequence[Check],
        limits: Limits | None,
        *,
        is_partial: bool,
        packages: Iterable[str],
    ) -> None:
        if len(programs) != len(checks):
            raise ValueError(f"there are {len(programs)} programs and {len(checks)} checks")
        self._checks = checks
        self._is_partial = is_partial
        self._unproven = SOUNDNESS.unproven(parts_of(checks) if is_partial else checks)
        jobs = partial(jobs_of, packages=frozenset(packages))
        self._proofs = [jobs("empty", EMPTY, check)[0] for check in self._unproven]
        waves = [
            waves_of(jobs(f"{index}", program, check, limits, is_partial=is_partial), is_partial)
            if is_sendable(program) else NO_WAVES
            for index, (program, check) in enumerate(zip(programs, checks, strict=True))
        ]  # fmt: skip
        self._heads = [head for head, _ in waves]
        self._tails = [tail for _, tail in waves]
        self._results: list[list[JobResult]] = [[] for _ in waves]

    @property
    def first(self) -> list[Job]:
        """Return the empty program for each new check, then the first case of each program."""
        return [*self._proofs, *(job for head in self._heads for job in head)]

    def learn(self, results: Sequence[JobResult]) -> None:
        """Take the results of `first`.

        Raises:
            ValueError: One of the checks is unsound.
        """
        rest = iter(results)
        for check, _ in zip(self._unproven, self._proofs, strict=True):
            SOUNDNESS.learn(check, next(rest))
        for kept, head in zip(self._results, self._heads, strict=True):
            kept.extend(islice(rest, len(head)))

    def rest(self) -> list[Job]:
        """Return the other cases of the programs that have not failed."""
        for index, head in enumerate(self._heads):
            if not all(case.passed for case in self._cases(index, head)):
                self._tails[index] = []
        return [job for tail in self._tails for job in tail]

    def graded(self, results: Sequence[JobResult]) -> list[Graded]:
        """Grade each program, from the results of `rest`."""
        later = iter(results)
        for kept, tail in zip(self._results, self._tails, strict=True):
            kept.extend(islice(later, len(tail)))
        return [self._graded(index) for index in range(len(self._heads))]

    def _cases(self, index: int, jobs: Sequence[Job]) -> list[CaseResult]:
        return results_of(self._checks[index], jobs, self._results[index])

    def _graded(self, index: int) -> Graded:
        check = self._checks[index]
        num_tests = num_tests_of(check, is_partial=self._is_partial)
        jobs = [*self._heads[index], *self._tails[index]]
        if not jobs:
            return Graded(0.0, (), num_tests)
        cases = self._cases(index, jobs)
        passed = [case.passed for case in cases]
        if self._is_partial:
            passed = counted_cases(check, passed)
        score = sum(passed) / len(passed) if self._is_partial else float(all(passed))
        return Graded(score, tuple(cases), num_tests)


def waves_of(jobs: list[Job], is_partial: bool) -> tuple[list[Job], list[Job]]:
    """Split into the first case and the others."""
    if is_partial:
        return jobs, []
    first, others = jobs[0], jobs[1:]
    if len(first.calls) > 1:
        others = [replace(first, calls=first.calls[1:]), *others]
        first = replace(first, calls=first.calls[:1])
    return [first], others


def parts_of(checks: Sequence[Check]) -> list[Check]:
    """Split tests that are counted one at a time into these; return other checks unchanged."""
    return [
        part for check in checks
        for part in (
            [Tests(text, check.prelude) for text in check.each]
            if isinstance(check, Tests) and check.each else [check]
        )
    ]  # fmt: skip


def num_tests_of(check: Check, *, is_partial: bool) -> int:
    """Count the tests of a check; asserts that run together are one."""
    if isinstance(check, Tests):
        return len(check.each) if is_partial and check.each else 1
    return len(check.cases)


def counted_cases(check: Check, passed: Sequence[bool]) -> list[bool]:
    """Return the tests that count for a share: those whose output is not empty.

    An empty program passes the others.
    """
    if not isinstance(check, Stdin):
        return list(passed)
    return [won for won, (_, expected) in zip(passed, check.cases, strict=True) if expected.strip()]


def is_sendable(program: str) -> bool:
    """Tell whether the sandbox takes the text; if not, only this program is wrong."""
    try:
        return len(program.encode()) <= MAX_PROGRAM_BYTES
    except UnicodeEncodeError:
        return False
