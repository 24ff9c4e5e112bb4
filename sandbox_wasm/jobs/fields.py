"""What the fields of a `Job` may hold: the one check behind every door.

A `Job` asks here when it is made, so neither the pool nor the wire nor a file of jobs checks again.
The check is one expression; only when it says no are the fields walked, to name the one at fault.
"""

from collections.abc import Sequence, Set
from typing import Any, Final, cast

from sandbox_wasm.jobs.files import FILE_NAMES, FILES, faults_of_files, faults_of_names

__all__ = [
    "MAX_CALLS",
    "MAX_IMAGES",
    "MAX_NAMES",
    "MAX_NAME_CHARS",
    "MAX_TEXT_BYTES",
    "are_right",
    "frozen_names",
    "frozen_texts",
    "short_repr",
    "size_bytes",
    "what_is_wrong",
]

MAX_TEXT_BYTES: Final = 8 * 1024 * 1024
"""Largest single literal, expression, test or stdin, in UTF-8."""
MAX_CALLS: Final = 4096
"""Calls or expressions in one job."""
MAX_NAME_CHARS: Final = 256
"""A job's id, an entry function's name, a module's name."""
MAX_NAMES: Final = 1024
"""Banned modules, or packages, of one job."""
MAX_IMAGES: Final = 16
"""In so many images a call can run: a fair coin then agrees once in 2^15."""

_NAME: Final = f"a str of at most {MAX_NAME_CHARS} characters"
_TEXT: Final = f"a str of at most {MAX_TEXT_BYTES} bytes"
_TEXTS: Final = f"a list or tuple of at most {MAX_CALLS} items, each {_TEXT}"
_NAMES: Final = (
    f"a set, list or tuple of at most {MAX_NAMES} names like 'os.path', each at most"
    f" {MAX_NAME_CHARS} characters"
)


def frozen_texts(value: Any) -> Any:
    """A tuple of the sequence's items; anything else comes back as it is, for the check to name."""
    if isinstance(value, str | bytes | bytearray) or not isinstance(value, Sequence):
        return value
    return tuple(cast("Sequence[Any]", value))


def frozen_names(value: Any) -> Any:
    """A frozenset of the items; anything else comes back as it is, for the check to name."""
    if isinstance(value, str | bytes | bytearray) or not isinstance(value, Sequence | Set):
        return value
    try:
        return frozenset(cast("Sequence[Any]", value))
    except TypeError:  # an item that has no hash is no name
        return cast("object", value)


def are_right(job: Any) -> bool:
    """Tell whether every field has its type and size, without saying which has not."""
    return (
        _is_name(job.id)
        and type(job.source) is str
        and _are_texts(job.calls)
        and _is_name(job.entry)
        and _are_texts(job.expressions)
        and (job.stdin is None or _is_text(job.stdin))
        and (job.tests is None or _is_text(job.tests))
        and type(job.images) is int
        and 1 <= job.images <= MAX_IMAGES
        and _are_names(job.banned_modules)
        and type(job.want_stdout) is bool
        and type(job.want_stderr) is bool
        and _are_names(job.packages)
        and (job.state is None or _is_name(job.state))
        and (job.files == () or not faults_of_files(job.files))
        and (job.want_files == () or not faults_of_names(job.want_files))
    )


def what_is_wrong(job: Any) -> str:
    """Name the first field that `are_right` refuses, what is allowed there, and what it holds."""
    images = job.images
    bad_files, bad_names = faults_of_files(job.files), faults_of_names(job.want_files)
    checks: list[tuple[str, object, bool, str]] = [
        ("id", job.id, _is_name(job.id), _NAME),
        ("source", job.source, type(job.source) is str, "a str"),
        ("calls", job.calls, _are_texts(job.calls), _TEXTS),
        ("entry", job.entry, _is_name(job.entry), _NAME),
        ("expressions", job.expressions, _are_texts(job.expressions), _TEXTS),
        ("stdin", job.stdin, job.stdin is None or _is_text(job.stdin), f"None or {_TEXT}"),
        ("tests", job.tests, job.tests is None or _is_text(job.tests), f"None or {_TEXT}"),
        ("images", images, type(images) is int and 1 <= images <= MAX_IMAGES,
         f"an integer in [1, {MAX_IMAGES}]"),
        ("banned_modules", job.banned_modules, _are_names(job.banned_modules), _NAMES),
        ("want_stdout", job.want_stdout, type(job.want_stdout) is bool, "True or False"),
        ("want_stderr", job.want_stderr, type(job.want_stderr) is bool, "True or False"),
        ("packages", job.packages, _are_names(job.packages), _NAMES),
        ("state", job.state, job.state is None or _is_name(job.state), f"None or {_NAME}"),
        ("files", next(iter(bad_files), None), not bad_files, FILES),
        ("want_files", next(iter(bad_names), None), not bad_names, FILE_NAMES),
    ]  # fmt: skip
    for field, value, is_right, allowed in checks:
        if not is_right:
            return f"{field} must be {allowed}, got {_shown(value)}"
    raise AssertionError("are_right and what_is_wrong disagree")


def size_bytes(text: str) -> int:
    """How many bytes a text takes as UTF-8, surrogates as in WTF-8."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def short_repr(value: object) -> str:
    """Show an untrusted value in an error message without copying megabytes into it."""
    if isinstance(value, tuple | list):
        return f"an array of {len(cast('list[object]', value))}"
    if isinstance(value, str | bytes) and len(value) > 60:
        return f"{value[:60]!r}... ({len(value)} long)"
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - an int of 5,000 digits, or a class of the caller's own
        return f"a {type(value).__name__} that cannot be shown"
    return text if len(text) <= 80 else f"{text[:80]}..."


def _shown(value: object) -> str:
    """Show a wrong value; of a collection, the first item that is at fault by itself."""
    if isinstance(value, tuple | frozenset):
        for item in cast("tuple[object, ...] | frozenset[object]", value):
            if type(item) is not str:
                return f"one that holds {short_repr(item)}"
            if isinstance(value, frozenset) and not _is_module_name(item):
                return f"one that holds {short_repr(item)}"
        return f"{len(cast('tuple[object, ...]', value))} items"
    return short_repr(value)


def _is_name(value: object) -> bool:
    return type(value) is str and len(value) <= MAX_NAME_CHARS


def _is_text(value: object) -> bool:
    # A character takes at most 4 bytes; they are counted only when it could matter.
    return type(value) is str and (
        len(value) * 4 <= MAX_TEXT_BYTES or size_bytes(value) <= MAX_TEXT_BYTES
    )


def _are_texts(value: object) -> bool:
    texts = cast("tuple[object, ...]", value)
    return type(value) is tuple and (
        not texts or (len(texts) <= MAX_CALLS and all([_is_text(text) for text in texts]))  # noqa: C419 - a list is faster
    )


def _are_names(value: object, memo: set[frozenset[object]] = set()) -> bool:  # noqa: B006 - a memo
    """Tell whether all are names; the few sets that a caller's jobs share are looked at once."""
    if type(value) is not frozenset:
        return False
    names = cast("frozenset[object]", value)
    if not names:
        return True
    # An item of another type may equal a name that was right: types are looked at each time.
    if [True for name in names if type(name) is not str]:
        return False
    if names in memo:
        return True
    if len(names) > MAX_NAMES or not all(_is_module_name(name) for name in names):
        return False
    if len(memo) >= 64:
        memo.clear()
    memo.add(names)
    return True


def _is_module_name(value: object) -> bool:
    return _is_name(value) and all(part.isidentifier() for part in cast("str", value).split("."))
