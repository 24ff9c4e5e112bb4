"""Taking a module apart, on a module small enough to write by hand."""

import pytest

from sandbox_wasm import _pool
from sandbox_wasm.image.audit import audit_wasm
from sandbox_wasm.image.wasm import PAGE_BYTES, is_unneeded, split_module


def section(kind: int, body: bytes) -> bytes:
    assert len(body) < 128
    return bytes([kind, len(body)]) + body


def text(value: str) -> bytes:
    return bytes([len(value)]) + value.encode()


def vector(*items: bytes) -> bytes:
    return bytes([len(items)]) + b"".join(items)


def function(body: bytes) -> bytes:
    code = b"\x00" + body + b"\x0b"
    return bytes([len(code)]) + code


def module(first: bytes = b"\x01" * 30, second: bytes = b"\x01") -> bytes:
    """One import, two functions (the second is a package's, by its name too), one segment."""
    names = vector(b"\x01" + text("keep_me"), b"\x02" + text("hb_shape"))
    return b"\0asm\1\0\0\0" + b"".join(
        [
            section(1, vector(b"\x60\x00\x00")),
            section(2, vector(text("host") + text("call") + b"\x00\x00")),
            section(3, vector(b"\x00", b"\x00")),
            section(5, vector(b"\x00\x01")),
            section(10, vector(function(second), function(first))),
            section(11, vector(b"\x00\x41\x10\x0b" + text("data"))),
            section(0, text("name") + b"\x01" + bytes([len(names)]) + names),
        ]
    )


KEPT = [range(2)]
"""The import, and the first function."""


def test_the_data_becomes_the_memory_and_leaves_the_code() -> None:
    parts = split_module(module(), KEPT)
    assert len(parts.memory) == PAGE_BYTES
    assert parts.memory[16:20] == b"data"
    assert not any(parts.memory[20:])
    assert b"data" not in parts.code
    assert b"keep_me" not in parts.code


def test_a_function_of_nobody_is_cut_and_others_stay() -> None:
    parts = split_module(module(), KEPT)
    assert parts.cut == 1
    assert b"\x03\x00\x00\x0b" in parts.code
    assert b"\x01" * 30 not in parts.code
    assert audit_wasm(parts.code).undecoded == 0


def test_with_a_package_a_function_stays_for_its_name() -> None:
    assert split_module(module(), [], package=[range(2, 3)]).cut == 0
    assert split_module(module(), [], package=[range(9, 10)]).cut == 1  # hb_shape


def call(index: int) -> bytes:
    """A call as linkers write it: the index takes five bytes, whatever it is."""
    return b"\x10" + bytes([index | 128, 128, 128, 128, 0])


def calling_module() -> bytes:
    """Function 1 calls 2, 3 and 4; all four and the import are in the table; 4 is exported."""
    bodies = [function(call(2) + call(3) + call(4) + call(0)), *[function(b"\x01" * 30)] * 2,
              function(call(1))]  # fmt: skip
    return b"\0asm\1\0\0\0" + b"".join(
        [
            section(1, vector(b"\x60\x00\x00")),
            section(2, vector(text("host") + text("call") + b"\x00\x00")),
            section(3, vector(*[b"\x00"] * 4)),
            section(4, vector(b"\x70\x00\x06")),
            section(5, vector(b"\x00\x01")),
            section(7, vector(text("turn") + b"\x00\x04", text("memory") + b"\x02\x00")),
            section(
                9, vector(b"\x00\x41\x01\x0b" + vector(*map(bytes, [[1], [2], [3], [4], [0]])))
            ),
            section(10, vector(*bodies)),
            section(11, vector()),
        ]
    )


def test_those_that_are_cut_share_a_stand_in_and_all_indices_follow() -> None:
    parts = split_module(calling_module(), [range(2), range(4, 5)])
    assert parts.cut == 2
    assert function(call(3) + call(3) + call(2) + call(0)) in parts.code  # 4 is 2 now
    assert b"\x05\x01\x03\x03\x02\x00" in parts.code  # the table
    assert text("turn") + b"\x00\x02" + text("memory") + b"\x02\x00" in parts.code
    assert audit_wasm(parts.code).functions == 3


def test_an_index_without_room_and_a_function_that_is_not_there_are_refused() -> None:
    one = b"\0asm\1\0\0\0" + section(10, vector(function(b"\x10\x01")))
    assert _pool.renumber_functions(one, [0, 127])[-2:] == b"\x7f\x0b"
    for indices in ([0, 128], [0]):
        with pytest.raises(RuntimeError, match="function"):
            _pool.renumber_functions(one, indices)


@pytest.mark.parametrize("data", [b"", b"\0asm\2\0\0\0", b"MZ"])
def test_other_files_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="not a WebAssembly module"):
        split_module(data, KEPT)
    with pytest.raises(RuntimeError, match="not a WebAssembly module"):
        _pool.audit_module(data)


@pytest.mark.parametrize(
    ("instruction", "name"),
    [
        (b"\x41\x00\x24\x03", "global.set 3"),
        (b"\x41\x01\x40\x00\x1a", "memory.grow"),
        (b"\x26\x00", "table.set"),
        (b"\xfc\x0d\x00", "elem.drop"),
        (b"\xfc\x0f\x00", "table.grow"),
        (b"\xfc\x08\x00\x00", "memory.init"),
    ],
)
def test_the_audit_finds_every_kind_of_state(instruction: bytes, name: str) -> None:
    audit = audit_wasm(module(second=instruction))
    assert audit.state_changes == {name: 1}
    assert audit.is_complete == (name == "memory.grow")


def test_the_audit_says_what_it_could_not_decode() -> None:
    audit = audit_wasm(module(second=b"\xf5"))
    assert (audit.undecoded, audit.is_complete) == (1, False)


@pytest.mark.parametrize(
    "code",
    [
        b"\x7f" + b"\xf9" + b"\xff" * 8 + b"\x01",  # a length that leads back to itself
        b"\x01" + b"\x80" * 30 + b"\x00",  # a number of 31 bytes
        b"\x01\x02\xff\x7f",  # more locals than bytes
    ],
)
def test_the_audit_reads_nothing_beyond_a_function(code: bytes) -> None:
    with pytest.raises(RuntimeError):
        _pool.audit_module(b"\0asm\1\0\0\0" + section(10, code) + bytes(100))


@pytest.mark.parametrize(
    ("name", "unneeded"),
    [("std::vector<int>::push_back", False), ("hb_shape", True), ("PyList_Append", False),
     ("sklearn::tree", True), ("_Z3foov", True), ("__pyx_f_5numpy", True), ("", False),
     ("lzma_code", False), ("sqlite3_step", False)],
)  # fmt: skip
def test_names_decide_what_is_stubbed(name: str, unneeded: bool) -> None:
    assert is_unneeded(name) is unneeded
