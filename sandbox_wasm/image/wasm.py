"""Rewrites the guest's WebAssembly binary: strip, cut functions, and separate code from memory.

Only the sections are decoded, never instructions: `_pool.renumber_functions` does that.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sandbox_wasm import _pool

__all__ = ["PAGE_BYTES", "ModuleParts", "is_unneeded", "split_module"]

PAGE_BYTES = 65536
_MAGIC = b"\0asm\1\0\0\0"
_CUSTOM, _IMPORT, _FUNCTION, _MEMORY, _EXPORT, _ELEMENT, _CODE, _DATA = 0, 2, 3, 5, 7, 9, 10, 11
_OF_FUNCTIONS = 0
"""The kind of an import or an export that is a function."""
_AT_CONSTANT = b"\x00\x41"
"""Begins a segment of table 0 or of the memory that lies at an i32.const from the start."""
_STUB_BODY = b"\x03\x00\x00\x0b"
"""A function body of three bytes: no locals, `unreachable`, `end`; preceded by its length."""
_EMPTY_BODY = b"\x02\x00\x0b"
"""Likewise, no locals and `end`: does nothing. For constructors of objects that nothing uses."""
_CONSTRUCTORS = "_GLOBAL__sub_I_"
"""Runs the constructors of one C++ file, whose name follows."""
_KEPT_PREFIXES = ("operator new", "operator delete", "std::", "__cxa", "__cxx", "_Unwind",
                  "__gxx", "abort")  # fmt: skip
_CXX_NAME = re.compile(r"::|<|\(|^_Z")
_LIBXML_NAME = re.compile(r"_*xml[A-Z]")
"""libxml2's; CPython's own `xmlcharrefreplace` and `xmlparse_...` are lower-case."""
_UNNEEDED_PREFIXES = (
    "hb_", "FT_", "T1_", "tt_", "af_", "xslt", "html", "png_", "jpeg", "qh_", "j2k",
    "opj", "Imaging", "cff_", "ps_", "pcf_", "bdf_", "sfnt", "Brotli", "exslt",
)  # fmt: skip


def is_unneeded(name: str) -> bool:
    """Whether a function of this (demangled) name serves only packages that images leave out.

    A wrong guess is safe: what stands in for it is `unreachable`, so a call is a trap, no result.
    """
    if name.startswith(_KEPT_PREFIXES):
        return False
    if "__pyx" in name or "__Pyx" in name or _CXX_NAME.search(name):
        return True
    return name.startswith(_UNNEEDED_PREFIXES) or _LIBXML_NAME.match(name) is not None


@dataclass(frozen=True, slots=True)
class ModuleParts:
    """A guest module taken apart."""

    code: bytes
    """The module without data, names and unneeded functions; compiled once for all images."""
    memory: bytes
    """The initial linear memory that the data segments described."""
    cut: int
    """How many functions are gone."""


def _uleb(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def _sleb32(data: bytes, at: int) -> tuple[int, int]:
    start = at
    value, at = _uleb(data, at)
    bits = 7 * (at - start)
    return (value - (1 << bits) if data[at - 1] & 64 else value), at


def _encode_uleb(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def _section(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + _encode_uleb(len(body)) + body


def _sections(module: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Yield (kind, start, body start, end) of each section."""
    if module[:8] != _MAGIC:
        raise ValueError("not a WebAssembly module")
    at = 8
    while at < len(module):
        length, body = _uleb(module, at + 1)
        yield module[at], at, body, body + length
        at = body + length


def _name(module: bytes, at: int) -> tuple[bytes, int]:
    length, at = _uleb(module, at)
    return module[at : at + length], at + length


def _function_names(module: bytes, body: int, end: int) -> dict[int, str]:
    """Read the function names out of a "name" custom section, whose name is already consumed."""
    names: dict[int, str] = {}
    at = body
    while at < end:
        kind = module[at]
        length, at = _uleb(module, at + 1)
        if kind == 1:
            count, cursor = _uleb(module, at)
            for _ in range(count):
                index, cursor = _uleb(module, cursor)
                raw, cursor = _name(module, cursor)
                names[index] = raw.decode("utf-8", "replace")
        at += length
    return names


def _count_imported_functions(module: bytes, body: int) -> int:
    count, at = _uleb(module, body)
    for _ in range(count):
        _, at = _name(module, at)
        _, at = _name(module, at)
        if module[at] != _OF_FUNCTIONS:
            raise ValueError("the guest imports something that is not a function")
        _, at = _uleb(module, at + 1)
    return count


def _numbers(module: bytes, at: int) -> tuple[list[int], int]:
    """Read a vector of unsigned numbers."""
    count, at = _uleb(module, at)
    numbers: list[int] = []
    for _ in range(count):
        number, at = _uleb(module, at)
        numbers.append(number)
    return numbers, at


def _encode_numbers(numbers: Sequence[int]) -> bytes:
    return _encode_uleb(len(numbers)) + b"".join(map(_encode_uleb, numbers))


@dataclass(frozen=True, slots=True)
class _Functions:
    """Which functions stay, and the indices that all have from now on.

    Those that go share one for each type, so that a call of theirs, and their places in the table,
    are still there.
    """

    first: int
    """The index of the first that is not imported."""
    kept: list[int]
    """By their old indices."""
    substitutes: list[tuple[int, bytes]]
    """Types and bodies of what stands in for the others, behind them."""
    indices: list[int]
    """New ones, by the old."""


def _cut(first: int, types: Sequence[int], bodies: dict[int, bytes]) -> _Functions:
    """Take the functions out that get another body."""
    kept = [index for index in range(first, first + len(types)) if index not in bodies]
    indices = [*range(first), *[0] * len(types)]
    for new, old in enumerate(kept, start=first):
        indices[old] = new
    shared: dict[tuple[int, bytes], int] = {}
    for old, body in bodies.items():
        substitute = (types[old - first], body)
        indices[old] = shared.setdefault(substitute, first + len(kept) + len(shared))
    return _Functions(first, kept, list(shared), indices)


def _cut_code(module: bytes, body: int, functions: _Functions) -> bytes:
    count, at = _uleb(module, body)
    kept = set(functions.kept)
    out = [_encode_uleb(len(functions.kept) + len(functions.substitutes))]
    for index in range(functions.first, functions.first + count):
        length, inner = _uleb(module, at)
        if index in kept:
            out.append(module[at : inner + length])
        at = inner + length
    return b"".join([*out, *(body for _, body in functions.substitutes)])


def _cut_table(module: bytes, body: int, functions: _Functions) -> bytes:
    count, at = _uleb(module, body)
    out = _encode_uleb(count)
    for _ in range(count):
        if module[at : at + 2] != _AT_CONSTANT:
            raise ValueError("the guest fills its table in another way than this program knows")
        _, end = _sleb32(module, at + 2)
        old, after = _numbers(module, end + 1)  # behind the `end` of the expression
        out += module[at : end + 1] + _encode_numbers([functions.indices[index] for index in old])
        at = after
    return out


def _cut_exports(module: bytes, body: int, functions: _Functions) -> bytes:
    """Export global 0 as well, which LLVM keeps the stack pointer in: the host checks it."""
    count, at = _uleb(module, body)
    out = _encode_uleb(count + 1)
    for _ in range(count):
        start = at
        _, at = _name(module, at)
        kind = module[at]
        index, after = _uleb(module, at + 1)
        index = functions.indices[index] if kind == _OF_FUNCTIONS else index
        out += module[start : at + 1] + _encode_uleb(index)
        at = after
    name = b"__stack_pointer"
    return out + _encode_uleb(len(name)) + name + b"\x03\x00"  # kind: global; index 0


def _initial_memory(module: bytes, memory_body: int, data_body: int) -> bytes:
    if module[memory_body] != 1:
        raise ValueError("the guest must have exactly one memory")
    pages, _ = _uleb(module, memory_body + 2)
    memory = bytearray(pages * PAGE_BYTES)
    count, at = _uleb(module, data_body)
    for _ in range(count):
        if module[at : at + 2] != _AT_CONSTANT:
            raise ValueError("the guest has a data segment that is not active and constant")
        offset, at = _sleb32(module, at + 2)
        length, at = _uleb(module, at + 1)
        memory[offset : offset + length] = module[at : at + length]
        at += length
    return bytes(memory)


def _choose_bodies(
    names: dict[int, str], defined: range, interpreter: Sequence[range], package: Sequence[range]
) -> dict[int, bytes]:
    """Choose the functions that go, and what stands in for each."""
    kept = {index for part in (*interpreter, *package) for index in part}
    others = [index for index in defined if index not in kept]
    if not package:
        return dict.fromkeys(others, _STUB_BODY)
    bodies: dict[int, bytes] = {}
    for index in others:
        name = names.get(index, "")
        if name.startswith(_CONSTRUCTORS):
            bodies[index] = _EMPTY_BODY  # the package's own constructors run, and call all others
        elif "std::" not in name and is_unneeded(name):
            bodies[index] = _STUB_BODY
    return bodies


def split_module(
    module: bytes, interpreter: Sequence[range], package: Sequence[range] = ()
) -> ModuleParts:
    """Take the guest module apart into code to compile and a memory to start from.

    Args:
        module: The WebAssembly binary.
        interpreter: The indices of functions to keep.
        package: Of functions to keep besides. If there are some, all that they might need stays,
            by its name.
    """
    found: dict[int, int] = {}
    names: dict[int, str] = {}
    for kind, _, body, end in _sections(module):
        found.setdefault(kind, body)
        if kind == _CUSTOM and package:
            label, at = _name(module, body)
            if label == b"name":
                names = _function_names(module, at, end)
    first = _count_imported_functions(module, found[_IMPORT])
    types, _ = _numbers(module, found[_FUNCTION])
    defined = range(first, first + len(types))
    bodies = _choose_bodies(names, defined, interpreter, package)
    functions = _cut(first, types, bodies)
    code = _pool.renumber_functions(_rewritten(module, types, functions), functions.indices)
    return ModuleParts(code, _initial_memory(module, found[_MEMORY], found[_DATA]), len(bodies))


def _rewritten(module: bytes, types: Sequence[int], functions: _Functions) -> bytes:
    """Return the module with these functions alone; instructions still name the old ones."""
    out = bytearray(_MAGIC)
    for kind, start, body, end in _sections(module):
        if kind == _FUNCTION:
            kept = [types[index - functions.first] for index in functions.kept]
            kept += [kind_of for kind_of, _ in functions.substitutes]
            out += _section(kind, _encode_numbers(kept))
        elif kind == _ELEMENT:
            out += _section(kind, _cut_table(module, body, functions))
        elif kind == _EXPORT:
            out += _section(kind, _cut_exports(module, body, functions))
        elif kind == _CODE:
            out += _section(kind, _cut_code(module, body, functions))
        elif kind not in (_CUSTOM, _DATA):
            out += module[start:end]
    return bytes(out)
