"""From a program and a check to jobs, and from results to verdicts. Pure: nothing runs here."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from sandbox_wasm.errors import SandboxUnavailable
from sandbox_wasm.grading.checks import Calls, Check, Stdin, Tests
from sandbox_wasm.grading.compare import same_output, same_value
from sandbox_wasm.grading.guest.entry import ENTRY, source_of
from sandbox_wasm.grading.guest.prelude import joined
from sandbox_wasm.grading.limits import limits_of
from sandbox_wasm.jobs.fields import MAX_TEXT_BYTES
from sandbox_wasm.types import CallResult, Job, JobResult, Limits, Outcome
from sandbox_wasm.wire.codec import calls_a_job

__all__ = ["CaseResult", "jobs_of", "results_of"]

ENDS_OF_PROGRAMS = (Outcome.RETURNED, Outcome.EXITED)
"""Outcomes after which a whole program's output is its answer."""
REASON_CHARS = 200
WRONG = "wrong answer"
"""The reason if a program ended well with another result than the expected one."""


@dataclass(frozen=True, slots=True)
class CaseResult:
    """The result of one test."""

    passed: bool
    outcome: Outcome
    reason: str = ""
    """Why it did not pass, on one line; text of the guest in it is cut."""


def jobs_of(
    id_: str,
    program: str,
    check: Check,
    limits: Limits | None = None,
    *,
    is_partial: bool = False,
    packages: frozenset[str] = frozenset(),
) -> list[Job]:
    """Make the jobs of one check.

    Args:
        id_: The beginning of the jobs' ids.
        program: Untrusted source.
        check: What decides.
        limits: The limits of each run. None gives what right programs of public data sets need.
        is_partial: Run tests one at a time, if they can be separated.
        packages: Third-party packages that the program or its tests may import.
    """
    own = limits_of(check, limits)
    job = partial(Job, id_, limits=own, packages=packages)
    match check:
        case Tests(source, prelude, each):
            whole = joined(prelude, program)
            sources = each if is_partial and each else (source,)
            return [job(whole, tests=text) for text in sources]
        case Stdin(cases, _, prelude):
            whole = joined(prelude, program)
            return [job(whole, stdin=given, want_stdout=True) for given, _ in cases]
        case Calls(_, cases):
            whole = source_of(check, program)
            arguments = [given for given, _ in cases]
            return [
                job(whole, calls=calls, entry=ENTRY)
                for calls in portions(arguments, calls_a_job(own))
            ]


def portions(texts: Sequence[str], most: int) -> Iterator[list[str]]:
    """Split the texts, in order, into portions of at most `most` that fit into a message."""
    portion: list[str] = []
    size = 0
    for text in texts:
        length = len(text.encode("utf-8", "replace"))
        if portion and (len(portion) >= most or size + length > MAX_TEXT_BYTES):
            yield portion
            portion, size = [], 0
        portion.append(text)
        size += length
    yield portion


def results_of(check: Check, jobs: Sequence[Job], results: Sequence[JobResult]) -> list[CaseResult]:
    """Return one result per test, in order; a program that failed before its calls passed none.

    Raises:
        SandboxUnavailable: The sandbox answered something else than it was asked.
        LiteralError: An expected value is not a literal.
    """
    calls = [
        call for job, result in zip(jobs, results, strict=True) for call in spread(job, result)
    ]
    if isinstance(check, Tests):
        return [result_of(check, call, "") for call in calls]
    expected = [text for _, text in check.cases]
    return [result_of(check, call, text) for call, text in zip(calls, expected, strict=False)]


def spread(job: Job, result: JobResult) -> Iterator[CallResult]:
    """Return one result per call; a job that failed before its calls has a single one."""
    wanted = len(job.calls) or 1
    calls = result.calls
    if len(calls) != wanted:
        if len(calls) != 1 or calls[0].outcome is Outcome.RETURNED:
            raise SandboxUnavailable(f"{wanted} cases were answered with {len(calls)}")
        calls = calls * wanted
    return iter(calls)


def result_of(check: Check, call: CallResult, expected: str) -> CaseResult:
    """Decide whether one test passed."""
    ends = ENDS_OF_PROGRAMS if isinstance(check, Stdin) else (Outcome.RETURNED,)
    if call.outcome not in ends:
        return CaseResult(False, call.outcome, reason_of(call))
    if is_right(check, call, expected):
        return CaseResult(True, call.outcome)
    return CaseResult(False, call.outcome, WRONG)


def is_right(check: Check, call: CallResult, expected: str) -> bool:
    """Compare the result with the expected one, outside the guest."""
    match check:
        case Tests():
            return True  # it returned, so nothing was raised
        case Stdin():
            return same_output(call.stdout or "", expected, check.comparison)
        case Calls():
            return call.value is not None and same_value(call.value, expected, check)


def reason_of(call: CallResult) -> str:
    """Name the outcome, and the exception's text."""
    text = " ".join((call.error or "").split())[:REASON_CHARS]
    return f"{call.outcome.value}: {text}" if text else call.outcome.value
