"""The fields of a data set's record, each with its type.

Functions raise `FieldError`, which names the field, what it must be and what it is. Whoever reads
the file adds the file and the record.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from sandbox_wasm.literals import LiteralError, require_literal

__all__ = ["FieldError", "Record", "items_in", "literal", "record_in", "tests_in", "text"]

Record = Mapping[str, Any]

KINDS: Mapping[type, str] = {
    str: "a text", bool: "true or false", int: "a number", float: "a number", list: "a list",
    dict: "an object", type(None): "null",
}  # fmt: skip
SHOWN_CHARS = 60


class FieldError(ValueError):
    """A field is missing, or of another type."""


def field(record: Record, name: str, wanted: type, where: str = "") -> Any:
    """Return the field, of that type."""
    if not isinstance(record, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise FieldError(f"{where or 'a record'} must be an object, got {kind_of(record)}")
    label = f"{where}.{name}" if where else name
    if name not in record:
        raise FieldError(f"{label} is missing")
    value = record[name]
    if not isinstance(value, wanted):
        raise FieldError(f"{label} must be {KINDS[wanted]}, got {kind_of(value)}")
    return value


def kind_of(value: object) -> str:
    """Name a type as JSON does."""
    return KINDS.get(type(value), type(value).__name__)


def text(record: Record, name: str, where: str = "") -> str:
    """Return a text, which may be empty."""
    return cast("str", field(record, name, str, where))


def tests_in(record: Record, name: str) -> str:
    """Return assert sources; an empty one is refused, because every program would pass it."""
    found = text(record, name)
    if not found.strip():
        raise FieldError(f"{name} must hold a test, got an empty text")
    return found


def literal(record: Record, name: str) -> str:
    """Return a program's result as a literal with which answers can be compared."""
    found = text(record, name)
    try:
        require_literal(found)
    except LiteralError as error:
        shown = found if len(found) <= SHOWN_CHARS else f"{found[:SHOWN_CHARS]}..."
        raise FieldError(f"{name} must be a Python literal, got {shown!r}: {error}") from error
    return found


def record_in(record: Record, name: str, where: str = "") -> Record:
    """An object in a record."""
    return cast("Record", field(record, name, dict, where))


def items_in(record: Record, name: str, where: str = "") -> Sequence[Record]:
    """A list in a record; what it holds is looked at when it is read."""
    return cast("Sequence[Record]", field(record, name, list, where))
