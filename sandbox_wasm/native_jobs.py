"""Jobs as the native pool takes them, and its reports as results."""

from collections.abc import Callable
from typing import Final, cast

from sandbox_wasm import _pool
from sandbox_wasm.errors import SandboxUnavailable
from sandbox_wasm.types import CallResult, Job, JobResult, Outcome

__all__ = ["Turn", "job_result", "submit"]

_OUTCOMES: Final = tuple(Outcome)
"""Native code counts outcomes in the order of the enum."""

Turn = tuple["_pool.State | None", int]
"""What a session's turn goes on from, and how many bytes it may leave."""


def submit(
    pool: _pool.Pool, reports: _pool.Reports, ticket: int, flavor: int, job: Job, turn: Turn | None
) -> None:
    """Queue a job; its one report will be among `reports`.

    Raises:
        SandboxUnavailable: The pool takes none any more, or the machine has no memory for it.
    """
    limits = job.limits
    try:
        pool.submit(
            reports,
            ticket,
            flavor,
            job.source,
            job.calls,
            job.entry,
            job.entry.isidentifier(),
            job.expressions,
            job.stdin,
            job.tests,
            (limits.fuel, limits.memory_bytes, limits.output_bytes),
            job.images,
            sorted(job.banned_modules),
            job.want_stdout or job.stdin is not None or turn is not None,
            job.want_stderr or turn is not None,
            turn,
            cast("tuple[tuple[str, bytes], ...]", job.files),
            job.want_files,
        )
    except (RuntimeError, MemoryError) as exc:
        raise SandboxUnavailable(str(exc)) from exc


def job_result(
    job_id: str, report: "_pool.Report", keep: Callable[[_pool.State], str]
) -> JobResult:
    """Read a report; `keep` takes the state that a turn left, and names it.

    Raises:
        SandboxUnavailable: The machinery failed; says nothing of the program.
    """
    _, failure, calls = report
    if failure is not None:
        raise SandboxUnavailable(f"job {job_id!r}: {failure}")
    return JobResult(id=job_id, calls=tuple([_call_result(keep, *call) for call in calls]))


def _call_result(  # noqa: PLR0913, PLR0917 - the fields of native code's tuple
    keep: Callable[[_pool.State], str],
    outcome: int,
    value: str | None,
    error: str | None,
    fuel: int,
    stdout: str | None,
    stderr: str | None,
    differs: str | None,
    traceback: str | None,
    state: _pool.State | None,
    files: dict[str, bytes] | None,
) -> CallResult:
    return CallResult(
        outcome=_OUTCOMES[outcome],
        value=value,
        error=error,
        fuel=fuel,
        stdout=stdout,
        stderr=stderr,
        differs=differs,
        traceback=traceback,
        state=None if state is None else keep(state),
        files=files,
    )
