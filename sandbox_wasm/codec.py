"""Jobs and results as msgpack, checked field by field in both directions.

The check is one expression on the way in (`_is_job`): a job costs a microsecond or two. Only when
it fails is the job walked again, to name the path of what is wrong.
"""

from typing import Any, Final, cast

import msgpack  # pyright: ignore[reportMissingTypeStubs]

from sandbox_wasm.errors import BadJob, ProtocolError
from sandbox_wasm.protocol import (
    MAX_CALLS,
    MAX_JOBS_PER_FRAME,
    MAX_NAME_CHARS,
    MAX_NUMBER,
    MAX_REPLY_BYTES,
    MAX_TEXT_BYTES,
    short_repr,
)
from sandbox_wasm.types import MAX_IMAGES, CallResult, Job, JobResult, Limits, Outcome

__all__ = [
    "job_of_fields",
    "number_of_fields",
    "numbers_of",
    "pack_job",
    "pack_pair",
    "pack_result",
    "pairs_of",
    "results_of",
]

Fields = tuple[Any, ...]
"""A decoded msgpack array whose items are not checked yet."""

_NAMES: Final = (
    "number", "id", "source", "calls", "entry", "expressions", "stdin", "tests", "limits",
    "images", "banned_modules", "want_stdout", "packages",
)  # fmt: skip
_OUTCOMES: Final = {outcome.value: outcome for outcome in Outcome}
_THREE_INTS: Final = [int, int, int]
_CALL_OVERHEAD_BYTES: Final = 16 * 1024
"""Room for one call's error text, fuel and framing, beside its value and stdout."""

# A Packer keeps its buffer, so making one per job would cost more than packing; but it is not
# thread-safe, hence one per call of packb here: the buffer is small and the call is C.
_packb = cast("Any", msgpack.packb)  # pyright: ignore[reportUnknownMemberType]


def pack_job(number: int, job: Job, max_bytes: int) -> bytes:
    """Encode a job for the wire.

    Raises:
        BadJob: A field has the wrong type or is too large; nothing was sent.
    """
    limits = job.limits
    fields = (
        number, job.id, job.source, job.calls, job.entry, job.expressions, job.stdin, job.tests,
        (limits.fuel, limits.memory_bytes, limits.output_bytes), job.images,
        tuple(sorted(job.banned_modules)) if job.banned_modules else (), job.want_stdout,
        tuple(sorted(job.packages)) if job.packages else (),
    )  # fmt: skip
    if not _is_job(fields):
        raise BadJob(f"job {short_repr(job.id)}: {_what_is_wrong(fields, '')}")
    data = cast("bytes", _packb(fields, unicode_errors="surrogatepass"))
    if len(data) > max_bytes:
        raise BadJob(f"job {short_repr(job.id)}: {len(data)} bytes encoded, at most {max_bytes}")
    return data


def number_of_fields(fields: object, path: str) -> int:
    """Read a job's request number, without which no answer could name it."""
    values = cast("Fields", fields)
    if type(fields) is not tuple or len(values) != len(_NAMES):
        got = short_repr(cast("object", fields))
        raise ProtocolError(f"{path}: a job is an array of {len(_NAMES)} fields, got {got}")
    number = values[0]
    if type(number) is not int or not 0 <= number <= MAX_NUMBER:
        raise ProtocolError(f"{path}.number: expected a request number, got {short_repr(number)}")
    return number


def job_of_fields(fields: Fields, path: str) -> Job:
    """Build the job from fields whose number was read already.

    Raises:
        BadJob: A field has the wrong type, is too large, or contradicts another.
    """
    if not _is_job(fields):
        raise BadJob(_what_is_wrong(fields, path))
    (_, id_, source, calls, entry, expressions, stdin, tests, limits, images, banned, want,
     packages) = fields  # fmt: skip
    return Job(
        id_, source, calls, entry, expressions, stdin, tests, _limits(limits), images,
        frozenset(banned), want, frozenset(packages),
    )  # fmt: skip


def _limits(values: Fields, memo: dict[Fields, Limits] = {}) -> Limits:  # noqa: B006 - a memo
    """Share one Limits between the jobs of a batch: they rarely differ."""
    limits = memo.get(values)
    if limits is None:
        if len(memo) > 64:
            memo.clear()
        fuel, memory_bytes, output_bytes = values
        limits = Limits(fuel=fuel, memory_bytes=memory_bytes, output_bytes=output_bytes)
        memo[values] = limits
    return limits


def _is_job(fields: Fields) -> bool:
    """Tell whether every field of a job has its type and size, without saying which has not."""
    (_, id_, source, calls, entry, expressions, stdin, tests, limits, images, banned, want,
     packages) = fields  # fmt: skip
    return (
        _is_name(id_)
        and _is_text(source)
        and _are_texts(calls)
        and _is_name(entry)
        and _are_texts(expressions)
        and (stdin is None or _is_text(stdin))
        and (tests is None or _is_text(tests))
        and _are_limits(limits)
        and type(images) is int
        and 1 <= images <= MAX_IMAGES
        and _are_names(banned)
        and type(want) is bool
        and _are_names(packages)
        and _reply_bytes(fields) <= MAX_REPLY_BYTES
    )


def _is_name(value: object) -> bool:
    return type(value) is str and len(value) <= MAX_NAME_CHARS


def _is_text(value: object) -> bool:
    # Characters are at most 4 bytes; the exact count is taken only when it could matter.
    return type(value) is str and (
        len(value) * 4 <= MAX_TEXT_BYTES
        or len(value.encode("utf-8", "surrogatepass")) <= MAX_TEXT_BYTES
    )


def _are_names(value: object) -> bool:
    names = cast("Fields", value)
    return type(value) is tuple and len(names) <= MAX_CALLS and all([_is_name(n) for n in names])  # noqa: C419


def _are_texts(value: object) -> bool:
    texts = cast("Fields", value)
    return (
        type(value) is tuple and len(texts) <= MAX_CALLS and all([_is_text(text) for text in texts])  # noqa: C419
    )


def _reply_bytes(fields: Fields) -> int:
    """Bound the size of the answer before running anything, so that it can always be sent."""
    num_calls = max(len(fields[3]), len(fields[5]), 1)
    per_call = fields[8][2] * (2 if fields[11] else 1)
    return num_calls * (per_call + _CALL_OVERHEAD_BYTES)


def _what_is_wrong(fields: Fields, path: str) -> str:
    """Name the first field that `_is_job` refuses, and what is allowed there."""
    (_, id_, source, calls, entry, expressions, stdin, tests, limits, images, banned, want,
     packages) = fields  # fmt: skip
    name = f"text of at most {MAX_NAME_CHARS} characters"
    text = f"text of at most {MAX_TEXT_BYTES} bytes"
    texts = f"an array of at most {MAX_CALLS} items, each {text}"
    checks: list[tuple[str, object, bool, str]] = [
        ("id", id_, _is_name(id_), name),
        ("source", source, _is_text(source), text),
        ("calls", calls, _are_texts(calls), texts),
        ("entry", entry, _is_name(entry), name),
        ("expressions", expressions, _are_texts(expressions), texts),
        ("stdin", stdin, stdin is None or _is_text(stdin), f"nil or {text}"),
        ("tests", tests, tests is None or _is_text(tests), f"nil or {text}"),
        ("limits", limits, _are_limits(limits), "[fuel, memory_bytes, output_bytes], integers"),
        ("images", images, type(images) is int and 1 <= images <= MAX_IMAGES,
         f"an integer in [1, {MAX_IMAGES}]"),
        ("banned_modules", banned, _are_names(banned), f"an array of names, each {name}"),
        ("want_stdout", want, type(want) is bool, "a boolean"),
        ("packages", packages, _are_names(packages), f"an array of names, each {name}"),
    ]  # fmt: skip
    for field, value, is_right, allowed in checks:
        if not is_right:
            return f"{path}.{field}: expected {allowed}, got {short_repr(value)}".lstrip(".")
    return (
        f"{path}.limits.output_bytes: its results could need {_reply_bytes(fields)} bytes, at most"
        f" {MAX_REPLY_BYTES}: ask for fewer calls or less output"
    ).lstrip(".")


def _are_limits(value: object) -> bool:
    return type(value) is tuple and [type(n) for n in cast("Fields", value)] == _THREE_INTS


def pack_result(number: int, result: JobResult) -> bytes:
    """Encode one job's results; the client knows the job's id by its number."""
    calls = [
        (call.outcome.value, call.value, call.error, call.fuel, call.stdout, call.differs)
        for call in result.calls
    ]
    return cast("bytes", _packb((number, calls), unicode_errors="surrogatepass"))


def pack_pair(number: int, message: str) -> bytes:
    """Encode `[number, message]`, an entry of `failed` and `rejected`."""
    return cast("bytes", _packb((number, message[:2000]), unicode_errors="surrogatepass"))


def results_of(body: Fields) -> list[tuple[int, tuple[CallResult, ...]]]:
    """Decode the body of `results`.

    Raises:
        ProtocolError: The server does not speak this protocol; nothing of the frame is used.
    """
    entries = body[0] if len(body) == 1 else None
    try:
        return [(number, tuple([_call(call) for call in calls])) for number, calls in entries]  # pyright: ignore
    except (TypeError, ValueError, KeyError) as exc:
        raise ProtocolError(f"$[2]: not an array of results: {short_repr(str(exc))}") from exc


def _call(fields: Fields) -> CallResult:
    outcome, value, error, fuel, stdout, differs = fields
    if (
        type(fuel) is not int
        or not 0 <= fuel <= MAX_NUMBER
        or not _is_str_or_none(value)
        or not _is_str_or_none(error)
        or not _is_str_or_none(stdout)
        or not _is_str_or_none(differs)
    ):
        raise TypeError("a call's field has the wrong type")
    return CallResult(
        outcome=_OUTCOMES[outcome], value=value, error=error, fuel=fuel, stdout=stdout,
        differs=differs,
    )  # fmt: skip


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
