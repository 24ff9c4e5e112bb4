"""Programs and checks to scores, in batches over a `Sandbox` or a `SandboxClient`."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Protocol

from sandbox_wasm.grading.checks import Check, Stdin, Tests
from sandbox_wasm.grading.grader import CaseResult, jobs_of, results_of
from sandbox_wasm.grading.soundness import EMPTY, Soundness
from sandbox_wasm.job_fields import MAX_TEXT_BYTES
from sandbox_wasm.types import Job, JobResult, Limits

__all__ = ["Executor", "agrade", "grade"]

SOUNDNESS = Soundness()
"""One for the process: what a check does is the same in every executor."""

MAX_PROGRAM_BYTES = MAX_TEXT_BYTES // 2
"""Half of what the sandbox takes: preludes and calls stand around a program."""


class Executor(Protocol):
    """`Sandbox` or `SandboxClient`."""

    def run(self, jobs: Iterable[Job]) -> list[JobResult]:
        """Run all jobs; results in their order."""
        ...


def grade(
    executor: Executor,
    programs: Sequence[str],
    checks: Sequence[Check],
    *,
    limits: Limits | None = None,
    is_partial: bool = False,
) -> list[float]:
    """Score programs, all of them in one batch.

    Args:
        executor: Runs the jobs.
        programs: Untrusted sources.
        checks: One for each program.
        limits: Of each run; fuel decides, so a score never depends on the machine's load. None
            for `CASE_LIMITS` and `TESTS_LIMITS`, which right programs of public sets keep.
        is_partial: Score the share of passed tests, instead of 1.0 for all and 0.0 otherwise.

    Raises:
        SandboxUnavailable: The machinery failed; nothing was scored.
        ValueError: An empty program passes one of the checks, or its tests do not compile.
    """
    batch = Batch(programs, checks, limits, is_partial=is_partial)
    return batch.scores(executor.run(batch.jobs))


async def agrade(
    executor: Executor,
    programs: Sequence[str],
    checks: Sequence[Check],
    *,
    limits: Limits | None = None,
    is_partial: bool = False,
) -> list[float]:
    """Score programs without blocking the event loop; see `grade`."""
    batch = Batch(programs, checks, limits, is_partial=is_partial)
    arun = getattr(executor, "arun", None)
    results = await (arun(batch.jobs) if arun else asyncio.to_thread(executor.run, batch.jobs))
    return batch.scores(results)


class Batch:
    """The jobs of a batch, and the way back from their results to scores."""

    def __init__(
        self,
        programs: Sequence[str],
        checks: Sequence[Check],
        limits: Limits | None,
        *,
        is_partial: bool,
    ) -> None:
        if len(programs) != len(checks):
            raise ValueError(f"there are {len(programs)} programs and {len(checks)} checks")
        self._checks = checks
        self._is_partial = is_partial
        self._unproven = SOUNDNESS.unproven(parts_of(checks) if is_partial else checks)
        proofs = [jobs_of("empty", EMPTY, check)[0] for check in self._unproven]
        self._own = [
            jobs_of(f"{index}", program, check, limits, is_partial=is_partial)
            if is_sendable(program) else []
            for index, (program, check) in enumerate(zip(programs, checks, strict=True))
        ]  # fmt: skip
        self.jobs = [*proofs, *(job for own in self._own for job in own)]

    def scores(self, results: Sequence[JobResult]) -> list[float]:
        """Of each program, once every check is known to be one."""
        if len(results) != len(self.jobs):
            raise ValueError(f"{len(self.jobs)} jobs were answered with {len(results)} results")
        rest = iter(results)
        for check in self._unproven:
            SOUNDNESS.learn(check, next(rest))
        return [
            self._score(check, results_of(check, own, [next(rest) for _ in own])) if own else 0.0
            for check, own in zip(self._checks, self._own, strict=True)
        ]

    def _score(self, check: Check, results: Sequence[CaseResult]) -> float:
        passed = [result.passed for result in results]
        if not self._is_partial:
            return float(all(passed))
        counted = counted_cases(check, passed)
        return sum(counted) / len(counted)


def parts_of(checks: Sequence[Check]) -> list[Check]:
    """Tests that are counted one at a time are also tried so."""
    return [
        part for check in checks
        for part in (
            [Tests(text, check.prelude) for text in check.each]
            if isinstance(check, Tests) and check.each else [check]
        )
    ]  # fmt: skip


def counted_cases(check: Check, passed: Sequence[bool]) -> list[bool]:
    """A share counts what an empty program does not get: tests whose output is not empty."""
    if not isinstance(check, Stdin):
        return list(passed)
    return [won for won, (_, expected) in zip(passed, check.cases, strict=True) if expected.strip()]


def is_sendable(program: str) -> bool:
    """Whether the sandbox takes the text at all; if not, it is wrong and alone in that."""
    try:
        return len(program.encode()) <= MAX_PROGRAM_BYTES
    except UnicodeEncodeError:
        return False
