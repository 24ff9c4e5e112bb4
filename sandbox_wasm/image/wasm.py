"""Rewrites the guest's WebAssembly binary: strip, stub, and separate code from memory.

Only the sections are decoded, never instructions: `_pool.audit_module` does that.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

__all__ = ["PAGE_BYTES", "ModuleParts", "is_unneeded", "split_module"]

PAGE_BYTES = 65536
_MAGIC = b"\0asm\1\0\0\0"
_CUSTOM, _IMPORT, _MEMORY, _EXPORT, _CODE, _DATA = 0, 2, 5, 7, 10, 11
_STUB_BODY = b"\x03\x00\x00\x0b"
"""A function body of three bytes: no locals, `unreachable`, `end`; preceded by its length."""
_EMPTY_BODY = b"\x02\x00\x0b"
"""Likewise, no locals and `end`: does nothing. For constructors of objects that nothing uses."""
_CONSTRUCTORS = "_GLOBAL__sub_I_"
"""Runs the constructors of one C++ file, whose name follows."""
_MIN_STUBBED_BYTES = 24
"""A smaller body costs about as much as its stub: leave it alone."""

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

    A wrong guess is safe: the stub is `unreachable`, so a call to it is a trap, never a result.
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
    """The module without data, names and unneeded bodies; compiled once for all images."""
    memory: bytes
    """The initial linear memory that the data segments described."""
    stubbed: int
    """How many function bodies became `unreachable`."""


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
        if module[at] != 0:
            raise ValueError("the guest imports something that is not a function")
        _, at = _uleb(module, at + 1)
    return count


def _stub_code(
    module: bytes, body: int, stubs: dict[int, bytes], first_index: int
) -> tuple[bytes, int]:
    count, at = _uleb(module, body)
    out = bytearray(_encode_uleb(count))
    stubbed = 0
    for index in range(first_index, first_index + count):
        length, inner = _uleb(module, at)
        end = inner + length
        if length > _MIN_STUBBED_BYTES and index in stubs:
            out += stubs[index]
            stubbed += 1
        else:
            out += module[at:end]
        at = end
    return bytes(out), stubbed


def _initial_memory(module: bytes, memory_body: int, data_body: int) -> bytes:
    if module[memory_body] != 1:
        raise ValueError("the guest must have exactly one memory")
    pages, _ = _uleb(module, memory_body + 2)
    memory = bytearray(pages * PAGE_BYTES)
    count, at = _uleb(module, data_body)
    for _ in range(count):
        if module[at : at + 2] != b"\x00\x41":  # active, offset by i32.const
            raise ValueError("the guest has a data segment that is not active and constant")
        offset, at = _sleb32(module, at + 2)
        length, at = _uleb(module, at + 1)
        memory[offset : offset + length] = module[at : at + length]
        at += length
    return bytes(memory)


def _with_stack_pointer(module: bytes, body: int, end: int) -> bytes:
    """Export global 0 as well, which LLVM keeps the stack pointer in: the host checks it."""
    count, at = _uleb(module, body)
    name = b"__stack_pointer"
    entry = _encode_uleb(len(name)) + name + b"\x03\x00"  # kind: global; index 0
    return _encode_uleb(count + 1) + module[at:end] + entry


def _choose_stubs(names: dict[int, str], package: Sequence[range]) -> dict[int, bytes]:
    """Choose the functions that lose their body, and what they get instead."""
    stubs = {i: _STUB_BODY for i, name in names.items() if is_unneeded(name)}
    if not package:
        return stubs
    for index, name in names.items():
        if "std::" in name or any(index in part for part in package):
            stubs.pop(index, None)
        elif name.startswith(_CONSTRUCTORS):
            stubs[index] = _EMPTY_BODY  # the package's own constructors run, and call all others
    return stubs


def split_module(module: bytes, package: Sequence[range] = ()) -> ModuleParts:
    """Take the guest module apart into code to compile and a memory to start from.

    Args:
        module: The WebAssembly binary.
        package: The indices of functions to keep besides the interpreter's.
    """
    found: dict[int, int] = {}
    names: dict[int, str] = {}
    for kind, _, body, end in _sections(module):
        found.setdefault(kind, body)
        if kind == _CUSTOM:
            label, at = _name(module, body)
            if label == b"name":
                names = _function_names(module, at, end)
    first_index = _count_imported_functions(module, found[_IMPORT])
    code, stubbed = _stub_code(module, found[_CODE], _choose_stubs(names, package), first_index)
    out = bytearray(_MAGIC)
    for kind, start, body, end in _sections(module):
        if kind == _CODE:
            out += _section(_CODE, code)
        elif kind == _EXPORT:
            out += _section(_EXPORT, _with_stack_pointer(module, body, end))
        elif kind not in (_CUSTOM, _DATA):
            out += module[start:end]
    return ModuleParts(bytes(out), _initial_memory(module, found[_MEMORY], found[_DATA]), stubbed)
