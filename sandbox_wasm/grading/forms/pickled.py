"""Tests in a pickle of lists, dicts, texts and numbers, read without unpickling.

open-instruct packs its tests as base64 of zlib of a pickle (open_instruct/code_utils, encode_tests,
at 0653941). A pickle is a program. This reader follows only the instructions that write such values
down. An instruction that makes an object, calls something or shares a container is an error.
"""

import base64
import binascii
import pickletools
import zlib
from typing import Any, Final, cast

from sandbox_wasm.grading.forms.packed import PackedTestsError

__all__ = ["read_pickled"]

VALUES: Final = frozenset({
    "UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "BININT", "BININT1", "BININT2",
    "INT", "LONG", "LONG1", "LONG4", "BINFLOAT", "FLOAT",
})  # fmt: skip
CONSTANTS: Final = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
FRAMING: Final = frozenset({"PROTO", "FRAME"})
PUTS: Final = frozenset({"PUT", "BINPUT", "LONG_BINPUT"})
GETS: Final = frozenset({"GET", "BINGET", "LONG_BINGET"})
MAX_DEPTH: Final = 32
MAX_INSTRUCTIONS: Final = 100_000
"""4,096 tests have half as many; an instruction of one byte can make a container of sixty."""


def read_pickled(packed: str, max_bytes: int) -> Any:
    """Read base64 of zlib of a pickle of plain values.

    Args:
        packed: The text.
        max_bytes: Largest size of the pickle; the reader stops inflating there.

    Raises:
        PackedTestsError: The text is something else, or holds something else.
    """
    try:
        stream = zlib.decompressobj()
        content = stream.decompress(base64.b64decode(packed, validate=True), max_bytes)
    except (binascii.Error, ValueError, zlib.error) as error:
        raise PackedTestsError(f"no base64 of zlib: {error}") from error
    if not stream.eof:
        long = bool(stream.unconsumed_tail)
        raise PackedTestsError(f"more than {max_bytes} bytes" if long else "cut off")
    return values_of_pickle(content)


def values_of_pickle(content: bytes) -> Any:
    """Follow the instructions that write plain values down.

    Raises:
        PackedTestsError: The pickle has other instructions.
    """
    reader = _Reader()
    try:
        for number, (opcode, argument, position) in enumerate(pickletools.genops(content)):
            if number > MAX_INSTRUCTIONS:
                raise PackedTestsError(f"more than {MAX_INSTRUCTIONS} values")
            if opcode.name == "STOP":
                if position != len(content) - 1:
                    raise PackedTestsError("something stands behind the pickle")
                return reader.result()
            reader.follow(opcode.name, argument)
    except (ValueError, UnicodeError, IndexError) as error:
        raise PackedTestsError(f"no pickle of plain values: {error}") from error
    raise PackedTestsError("the pickle has no end")


class _Reader:
    """A pickle machine that has only the harmless instructions."""

    def __init__(self) -> None:
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}

    def result(self) -> Any:
        """Return the one value that is left."""
        if len(self._stack) != 1 or self._marks:
            raise PackedTestsError("a pickle of one value was expected")
        require_shallow(self._stack[0])
        return self._stack[0]

    def follow(self, name: str, argument: Any) -> None:
        """Follow one instruction."""
        if name in VALUES:
            self._stack.append(argument)
        elif name in CONSTANTS:
            self._stack.append(CONSTANTS[name])
        elif name in PUTS or name == "MEMOIZE":
            self._memo[len(self._memo) if argument is None else int(argument)] = self._stack[-1]
        elif name in GETS:
            self._stack.append(self._plain(self._memo.get(int(argument))))
        elif name not in FRAMING:
            self._build(name)

    def _build(self, name: str) -> None:
        stack = self._stack
        if name in ("EMPTY_LIST", "EMPTY_DICT", "EMPTY_TUPLE"):
            stack.append({} if name == "EMPTY_DICT" else [])
        elif name == "MARK":
            self._marks.append(len(stack))
        elif name in ("APPEND", "APPENDS"):
            items = self._popped(1 if name == "APPEND" else None)
            cast("list[Any]", self._top(list)).extend(items)
        elif name in ("SETITEM", "SETITEMS"):
            items = self._popped(2 if name == "SETITEM" else None)
            cast("dict[Any, Any]", self._top(dict)).update(self._pairs(items))
        elif name in ("LIST", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"):
            stack.append(self._popped(int(name[5]) if name[5:] else None))
        elif name == "DICT":
            stack.append(self._pairs(self._popped(None)))
        else:
            raise PackedTestsError(f"tests are plain values; a pickle of them has no {name}")

    def _popped(self, count: int | None) -> list[Any]:
        """Take the last items off: so many, or those since the last mark."""
        start = self._marks.pop() if count is None else len(self._stack) - count
        if start < (self._marks[-1] if self._marks else 0):
            raise PackedTestsError("an instruction takes more than there is")
        items = self._stack[start:]
        del self._stack[start:]
        return items

    def _top(self, kind: type) -> Any:
        if not isinstance(self._stack[-1], kind):
            raise PackedTestsError(f"a {kind.__name__} was expected")
        return self._stack[-1]

    def _pairs(self, items: list[Any]) -> dict[Any, Any]:
        if len(items) % 2:
            raise PackedTestsError("a key has no value")
        return {self._plain(key): value for key, value in zip(items[::2], items[1::2], strict=True)}

    def _plain(self, value: Any) -> Any:
        """A text or a number: what is shared, or a key, may not be a container."""
        if isinstance(value, list | dict) or value is None:
            raise PackedTestsError("a container, or nothing, stands where a text must")
        return value


def require_shallow(value: Any) -> None:
    """Refuse values that are nested too deep for recursive readers.

    Raises:
        PackedTestsError: Containers are nested more than `MAX_DEPTH` deep.
    """
    level = [value]
    for _ in range(MAX_DEPTH):
        inner: list[Any] = []
        for item in level:
            if isinstance(item, list):
                inner += cast("list[Any]", item)
            elif isinstance(item, dict):
                inner += cast("dict[Any, Any]", item).values()
        level = inner
    if level:
        raise PackedTestsError(f"nested more than {MAX_DEPTH} deep")
