"""LiveCodeBench's hidden tests: JSON in a pickle, in zlib, in base64. Nothing is unpickled.

A pickle is a program. This reader follows only the instructions that spell one text; any other
instruction is an error.
"""

import base64
import binascii
import json
import pickletools
import zlib
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, cast

__all__ = ["MAX_TESTS_BYTES", "PackedTestsError", "at_most", "text_of_pickle", "unpack_tests"]

MAX_TESTS_BYTES = 1 << 30
"""Largest size of one item's unpacked tests; more is a bomb."""
_most_bytes: ContextVar[int] = ContextVar("most bytes of unpacked tests", default=MAX_TESTS_BYTES)

TEXT = frozenset({"UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"})
FRAMING = frozenset(
    {"PROTO", "FRAME", "MEMOIZE", "PUT", "BINPUT", "LONG_BINPUT", "STOP"}
)  # fmt: skip
"""Instructions that a pickler writes around a text; none of them makes or calls anything."""


class PackedTestsError(ValueError):
    """The text is not packed tests, or it is larger than allowed."""


def unpack_tests(packed: str) -> Sequence[dict[str, Any]]:
    """Return the cases of one item: `{input, output, testtype}` each.

    Args:
        packed: The JSON itself, as some records have it, or base64 of zlib of a pickled JSON text.

    Raises:
        PackedTestsError: It is neither.
    """
    try:
        text = packed if packed.lstrip()[:1] == "[" else text_of_pickle(inflate(packed))
        cases = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise PackedTestsError(f"the hidden tests cannot be read: {error}") from error
    if not isinstance(cases, list) or not all(
        isinstance(case, dict) and {"input", "output"} <= case.keys()
        for case in cast("list[Any]", cases)
    ):
        raise PackedTestsError("the hidden tests are not a list of input and output")
    return cast("list[dict[str, Any]]", cases)


@contextmanager
def at_most(num_bytes: int) -> Generator[None]:
    """Limit the size of unpacked data inside this block, for many texts of strangers at once."""
    token = _most_bytes.set(num_bytes)
    try:
        yield
    finally:
        _most_bytes.reset(token)


def inflate(packed: str) -> bytes:
    """Undo base64, then zlib, up to MAX_TESTS_BYTES or the limit of `at_most`."""
    most_bytes = _most_bytes.get()
    try:
        squeezed = base64.b64decode(packed, validate=True)
        stream = zlib.decompressobj()
        content = stream.decompress(squeezed, most_bytes)
    except (binascii.Error, zlib.error) as error:
        raise PackedTestsError(str(error)) from error
    if not stream.eof:
        problem = f"more than {most_bytes} bytes" if stream.unconsumed_tail else "cut off"
        raise PackedTestsError(f"the packed text is {problem}")
    return content


def text_of_pickle(content: bytes) -> str:
    """Return the text of a pickle that holds exactly one text.

    Raises:
        PackedTestsError: The pickle holds anything else: an object, a call, two texts.
    """
    texts: list[str] = []
    end = 0
    try:
        for opcode, argument, position in pickletools.genops(content):
            if opcode.name in TEXT:
                texts.append(cast("str", argument))
            elif opcode.name not in FRAMING:
                raise PackedTestsError(f"a pickle of a text has no {opcode.name}")
            end = position or 0
    except (ValueError, UnicodeError) as error:
        raise PackedTestsError(str(error)) from error
    if len(texts) != 1 or end != len(content) - 1:
        raise PackedTestsError("a pickle of one text was expected")
    return texts[0]
