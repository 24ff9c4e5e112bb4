"""Jobs, errands and results as msgpack, checked field by field in both directions.

What a job's fields may hold is `Job`'s own affair; here are the shape of its array, and the size of
its answer.
"""

from functools import lru_cache
from typing import Any, Final, cast

import msgpack  # pyright: ignore[reportMissingTypeStubs]

from sandbox_wasm.errors import BadJob, ProtocolError
from sandbox_wasm.jobs.fields import MAX_CALLS, frozen_names, short_repr
from sandbox_wasm.sessions.errands import Errand, LoadState, SaveState
from sandbox_wasm.types import CallResult, Job, JobResult, Limits, Outcome
from sandbox_wasm.wire.protocol import MAX_JOBS_PER_FRAME, MAX_NUMBER, MAX_REPLY_BYTES

__all__ = [
    "calls_a_job",
    "job_of_fields",
    "jobs_of",
    "names_of",
    "number_of_fields",
    "numbers_of",
    "pack_job",
    "pack_pair",
    "pack_result",
    "pairs_of",
    "reply_bytes",
    "results_of",
    "server_of",
]

Fields = tuple[Any, ...]
"""A decoded msgpack array whose items are not checked yet."""

_NAMES: Final = (
    "number", "id", "source", "calls", "entry", "expressions", "stdin", "tests", "limits",
    "images", "banned_modules", "want_stdout", "want_stderr", "packages", "state", "files",
    "want_files",
)  # fmt: skip
_ERRANDS: Final = {"save": SaveState, "load": LoadState}
"""An errand is an array [number, kind, state or bytes]."""
_OUTCOMES: Final = {outcome.value: outcome for outcome in Outcome}
_THREE_INTS: Final = [int, int, int]
_CALL_OVERHEAD_BYTES: Final = 16 * 1024
"""Room for one call's error text, fuel and framing, beside its value and stdout."""

_STDERR_BYTES: Final = 4 * 80 * 1024
"""Of stderr and the traceback (native/executor/wasi/wasi_files.cc), each byte of them escaped."""

# A Packer keeps its buffer, so making one per job would cost more than packing; but it is not
# thread-safe, hence one per call of packb here: the buffer is small and the call is C.
_packb = cast("Any", msgpack.packb)  # pyright: ignore[reportUnknownMemberType]


def pack_job(number: int, job: Job | Errand, max_bytes: int) -> bytes:
    """Encode a job for the wire.

    Raises:
        BadJob: It, or its answer, would be too large; nothing was sent.
    """
    if isinstance(job, LoadState):
        return cast("bytes", _packb((number, job.id, job.saved)))
    if isinstance(job, SaveState):
        return cast("bytes", _packb((number, job.id, job.state.rpartition("/")[2])))
    _check_reply(job)
    limits = job.limits
    fields = (
        number, job.id, job.source, job.calls, job.entry, job.expressions, job.stdin, job.tests,
        (limits.fuel, limits.memory_bytes, limits.output_bytes), job.images,
        tuple(sorted(job.banned_modules)) if job.banned_modules else (), job.want_stdout,
        job.want_stderr, tuple(sorted(job.packages)) if job.packages else (),
        job.state and job.state.rpartition("/")[2], job.files, job.want_files,
    )  # fmt: skip
    data = cast("bytes", _packb(fields, unicode_errors="surrogatepass"))
    if len(data) > max_bytes:
        raise BadJob(f"job {short_repr(job.id)}: {len(data)} bytes encoded, at most {max_bytes}")
    return data


def jobs_of(body: Fields) -> tuple[Fields, list[int]]:
    """Decode the body of `jobs`: each job's fields, which nobody has read yet, and its number.

    Every number is read first: an answer that says "busy" or "rejected" has to name its job, and a
    frame in which one number is unreadable is refused whole.
    """
    items = cast("Fields", body[0]) if body and type(body[0]) is tuple else None
    if items is None or len(body) != 1 or len(items) > MAX_JOBS_PER_FRAME:
        raise ProtocolError(f"$[2]: expected one array of at most {MAX_JOBS_PER_FRAME} jobs")
    return items, [number_of_fields(item, f"$[2][{index}]") for index, item in enumerate(items)]


def number_of_fields(fields: object, path: str) -> int:
    """Read a job's request number, without which no answer could name it."""
    values = cast("Fields", fields)
    if type(fields) is not tuple or len(values) not in (len(_NAMES), 3):
        got = short_repr(cast("object", fields))
        raise ProtocolError(f"{path}: a job is an array of {len(_NAMES)} fields, got {got}")
    number = values[0]
    if type(number) is not int or not 0 <= number <= MAX_NUMBER:
        raise ProtocolError(f"{path}.number: expected a request number, got {short_repr(number)}")
    return number


def job_of_fields(fields: Fields, path: str) -> Job | Errand:
    """Build the job from fields whose number was read already.

    Raises:
        BadJob: A field has the wrong type, is too large, or contradicts another.
    """
    if len(fields) == 3:
        return _errand_of(fields[1], fields[2], path)
    (_, id_, source, calls, entry, expressions, stdin, tests, limits, images, banned, want,
     want_stderr, packages, state, files, want_files) = fields  # fmt: skip
    try:
        job = Job(
            id_, source, calls, entry, expressions, stdin, tests, _limits(limits), images,
            _names(banned), want, want_stderr, _names(packages), state, files, want_files,
        )  # fmt: skip
        _check_reply(job)
    except BadJob as exc:
        raise BadJob(f"{path}: {exc}") from exc
    return job


def _errand_of(kind: object, content: Any, path: str) -> Errand:
    errand = _ERRANDS.get(kind) if type(kind) is str else None
    if errand is None:
        raise BadJob(f"{path}: unknown errand {short_repr(kind)}, expected one of {[*_ERRANDS]}")
    try:
        return errand(content)
    except BadJob as exc:
        raise BadJob(f"{path}: {exc}") from exc


def _limits(values: object) -> Limits:
    triple = cast("Fields", values)
    if type(values) is not tuple or [type(n) for n in triple] != _THREE_INTS:
        raise BadJob(f"limits must be [fuel, memory_bytes, output_bytes], integers,"
                     f" got {short_repr(triple)}")  # fmt: skip
    return _shared_limits(*cast("tuple[int, int, int]", triple))


@lru_cache(maxsize=64)
def _shared_limits(fuel: int, memory_bytes: int, output_bytes: int) -> Limits:
    """One for all jobs of a batch: they rarely differ."""
    return Limits(fuel=fuel, memory_bytes=memory_bytes, output_bytes=output_bytes)


_NO_NAMES: Final[frozenset[str]] = frozenset()


def _names(values: Any) -> Any:
    return frozen_names(values) if values else _NO_NAMES


def reply_bytes(job: Job | Errand) -> int:
    """Bound the size of the answer before running anything, so that it can always be sent."""
    if not isinstance(job, Job):
        return MAX_REPLY_BYTES if isinstance(job, SaveState) else _CALL_OVERHEAD_BYTES
    num_calls = len(job.calls) or len(job.expressions) or 1
    is_turn = job.state is not None
    per_call = job.limits.output_bytes * (1 + (job.want_stdout or is_turn) + bool(job.want_files))
    stderr_bytes = _STDERR_BYTES if job.want_stderr or is_turn else 0
    return num_calls * (per_call + stderr_bytes + _CALL_OVERHEAD_BYTES)


def calls_a_job(limits: Limits) -> int:
    """How many calls with these limits one job may hold, so that its answer can be sent."""
    return max(1, min(MAX_CALLS, MAX_REPLY_BYTES // (limits.output_bytes + _CALL_OVERHEAD_BYTES)))


def _check_reply(job: Job) -> None:
    size_bytes = reply_bytes(job)
    if size_bytes > MAX_REPLY_BYTES:
        raise BadJob(
            f"job {short_repr(job.id)}: limits.output_bytes: its results could need {size_bytes}"
            f" bytes, at most {MAX_REPLY_BYTES}: ask for fewer calls or less output"
        )


def pack_result(number: int, result: JobResult) -> bytes:
    """Encode one job's results; the client knows the job's id by its number.

    Raises:
        BadJob: They are larger than a frame may be, as only a saved session can.
    """
    calls = [
        (
            call.outcome.value,
            call.value,
            call.error,
            call.fuel,
            call.stdout,
            call.stderr,
            call.differs,
            call.traceback,
            call.state,
            None if call.files is None else tuple(call.files.items()),
        )
        for call in result.calls
    ]
    data = cast("bytes", _packb((number, calls), unicode_errors="surrogatepass"))
    if len(data) > MAX_REPLY_BYTES:
        raise BadJob(f"a result of {len(data)} bytes, at most {MAX_REPLY_BYTES} can be sent")
    return data


def pack_pair(number: int, message: str) -> bytes:
    """Encode `[number, message]`, an entry of `failed` and `rejected`."""
    return cast("bytes", _packb((number, message[:2000]), unicode_errors="surrogatepass"))


def server_of(job: Job | Errand) -> str | None:
    """Name the server that keeps the state from which a turn goes on; None if any may run it."""
    if isinstance(job, LoadState):
        return None
    return job.state.rpartition("/")[0] or None if job.state else None


def results_of(body: Fields, server_id: str = "") -> list[tuple[int, tuple[CallResult, ...]]]:
    """Decode the body of `results`; a state is named after the server that keeps it, too.

    Raises:
        ProtocolError: The server does not speak this protocol; nothing of the frame is used.
    """
    entries: Any = body[0] if len(body) == 1 else None
    try:
        return [
            (number, tuple([_call(call, server_id) for call in calls])) for number, calls in entries
        ]
    except (TypeError, ValueError, KeyError) as exc:
        raise ProtocolError(f"$[2]: not an array of results: {short_repr(str(exc))}") from exc


def _call(fields: Fields, server_id: str) -> CallResult:
    outcome, value, error, fuel, stdout, stderr, differs, traceback, state, files = fields
    if (
        type(fuel) is not int
        or not 0 <= fuel <= MAX_NUMBER
        or not _is_str_or_none(value)
        or not _is_str_or_none(error)
        or not _is_str_or_none(stdout)
        or not _is_str_or_none(stderr)
        or not _is_str_or_none(differs)
        or not _is_str_or_none(traceback)
        or not _is_str_or_none(state)
    ):
        raise TypeError("a call's field has the wrong type")
    return CallResult(
        outcome=_OUTCOMES[outcome], value=value, error=error, fuel=fuel, stdout=stdout,
        stderr=stderr, differs=differs, traceback=traceback,
        state=state and f"{server_id}/{state}",
        files=_files(files),
    )  # fmt: skip


def _files(pairs: Any) -> dict[str, bytes] | None:
    if pairs is None:
        return None
    files = dict(pairs)
    if {*map(type, files)} - {str} or {*map(type, files.values())} - {bytes}:
        raise TypeError("a file is no pair of a name and bytes")
    return files


def _is_str_or_none(value: object) -> bool:
    return value is None or type(value) is str


def numbers_of(body: Fields) -> list[int]:
    """Decode an array of request numbers (the first field of `cancel` and `busy`)."""
    values = cast("Fields", body[0]) if body and type(body[0]) is tuple else None
    if values is None or len(values) > MAX_JOBS_PER_FRAME:
        raise ProtocolError(f"$[2]: expected at most {MAX_JOBS_PER_FRAME} request numbers")
    numbers = list(values)
    for index, number in enumerate(numbers):
        if type(number) is not int:
            raise ProtocolError(f"$[2][{index}]: expected an integer, got {short_repr(number)}")
    return numbers


def names_of(body: Fields) -> list[str]:
    """Decode the states of `drop`."""
    values = cast("Fields", body[0]) if body and type(body[0]) is tuple else None
    if values is None or not all(type(name) is str for name in values):
        raise ProtocolError("$[2]: expected an array of states")
    return list(values)


def pairs_of(body: Fields) -> list[tuple[int, str]]:
    """Decode the body of `failed` or `rejected`."""
    entries: Any = body[0] if len(body) == 1 else None
    if type(entries) is not tuple:
        raise ProtocolError(f"$[2]: expected an array, got {short_repr(entries)}")
    pairs: list[tuple[int, str]] = []
    for index, entry in enumerate(cast("Fields", entries)):
        match entry:
            case (int() as number, str() as message):
                pairs.append((number, message))
            case _:
                got = short_repr(cast("object", entry))
                raise ProtocolError(f"$[2][{index}]: expected [number, message], got {got}")
    return pairs
