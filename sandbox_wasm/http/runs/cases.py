"""One program against one check, with what became of each of its tests."""

from collections.abc import Sequence
from typing import Any, Final

from sandbox_wasm.grading import Check, parse_check
from sandbox_wasm.grading.forms.packed import at_most
from sandbox_wasm.grading.grader import CaseResult, jobs_of, results_of, spread
from sandbox_wasm.grading.scores import SOUNDNESS, is_sendable, parts_of
from sandbox_wasm.grading.soundness import EMPTY
from sandbox_wasm.http.bodies import Refused
from sandbox_wasm.http.endpoint import Call
from sandbox_wasm.types import CallResult, Limits, Outcome

__all__ = ["MAX_UNPACKED_BYTES", "cases_of", "check_of"]

MAX_UNPACKED_BYTES: Final = 64 * 1024**2
"""Of packed tests in a request."""


def check_of(truth: Any, *path: str | int, comparison: str | None = None) -> Check:
    """Read a ground truth.

    Raises:
        Refused: It is none; the path says where it stands in the request.
    """
    try:
        with at_most(MAX_UNPACKED_BYTES):
            return parse_check(truth, comparison=comparison)
    except (ValueError, RecursionError) as exc:
        raise Refused(422, str(exc), "body", *path) from exc


async def cases_of(
    call: Call, program: str, check: Check, limits: Limits, *path: str | int
) -> list[tuple[CaseResult, CallResult]]:
    """Run all tests of a check, each alone.

    Returns:
        One pair a test, in their order: whether it passed, and how its run ended.

    Raises:
        Refused: An empty program passes the check, or no program can; the path says where it is.
        SandboxUnavailable: The machinery failed.
    """
    unproven = SOUNDNESS.unproven(parts_of([check]))
    proofs = [jobs_of("empty", EMPTY, one, packages=call.packages)[0] for one in unproven]
    sendable = is_sendable(program)
    jobs = jobs_of("case", program if sendable else EMPTY, check, limits, is_partial=True,
                   packages=call.packages)  # fmt: skip
    results = await call.arun([*proofs, *(jobs if sendable else [])])
    try:
        for one, result in zip(unproven, results, strict=False):
            SOUNDNESS.learn(one, result)
    except ValueError as exc:
        raise Refused(422, str(exc), "body", *path) from exc
    if not sendable:
        return [_too_long()] * sum(len(job.calls) or 1 for job in jobs)
    rest = results[len(proofs) :]
    ends: Sequence[CallResult] = [
        end for job, result in zip(jobs, rest, strict=True) for end in spread(job, result)
    ]
    return list(zip(results_of(check, jobs, rest), ends, strict=True))


def _too_long() -> tuple[CaseResult, CallResult]:
    error = "SourceTooLong"
    return CaseResult(False, Outcome.REFUSED, error), CallResult(
        outcome=Outcome.REFUSED, error=error
    )
