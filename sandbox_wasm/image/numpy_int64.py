"""Gives the guest's NumPy a default integer of 64 bits, as it has where programs are written.

NumPy takes the machine's pointer for its default integer: 32 bits in WebAssembly, where sums wrap
in silence. The choice is a constant in a few of its functions (type number 7, `NPY_LONG`, which is
also `NPY_INTP`); here it becomes 9, `NPY_LONGLONG`. What takes positions or counts goes on with
intp, and has to accept integers of 64 bits now, as indexing does anyhow.

The other half runs in the guest: guest/wide_numpy.py.
"""

from dataclasses import dataclass
from typing import Final

from sandbox_wasm.errors import ImageError

__all__ = ["NUMPY_INT64", "Patch", "patched"]


@dataclass(frozen=True, slots=True)
class Patch:
    """Some bytes of the guest's module, and what they become: as many."""

    function: str
    at: int
    """From the start of the module, which is pinned by its hash."""
    old: bytes
    new: bytes


def _of(function: str, at: int, old: str, new: str) -> Patch:
    return Patch(function, at, bytes.fromhex(old), bytes.fromhex(new))


_DESCRIPTOR_OF: Final = "10 bd d3 80 80 00"
"""call PyArray_DescrFromType"""
_LONG: Final = ("41 07" + _DESCRIPTOR_OF, "41 09" + _DESCRIPTOR_OF)
_INTP_TO_INT64: Final = ("28 02 dc 98 97 8d 00", "28 02 d4 98 97 8d 00")
"""Loads the pointer to a DType."""
_CAST: Final = ("41 81 0a", "41 91 0a")
"""NPY_ARRAY_CARRAY, and FORCECAST with it."""

NUMPY_INT64: Final = (
    _of("_convert_from_any", 5030417, *_LONG),  # dtype=int
    _of("discover_descriptor_from_pylong", 4993943, *_LONG),  # array([1])
    _of("discover_descriptor_from_pylong", 4994008, "41 07 41 09", "41 09 41 09"),
    _of("int_default_descriptor", 4994038, *_LONG),
    _of("int_common_dtype", 4994092, *_INTP_TO_INT64),  # True + 1
    _of("int_common_dtype", 4994357, *_INTP_TO_INT64),
    _of("PyArray_ArangeObj", 4981456, *_LONG),
    # sum, prod, cumsum, ...: of truth values; of integers of at most 3 bytes, now 7; of these, what
    # a table holds, now 10 (unsigned) or 9.
    _of("reducelike_promote_and_resolve", 6695857, "41 07 21 09", "41 09 21 09"),
    _of("reducelike_promote_and_resolve", 6695878, "41 03 4d 0d 00", "41 07 4d 0d 00"),
    _of("reducelike_promote_and_resolve", 6695902,
        "20 0b 2d 00 80 e3 c3 8a 00", "41 0a 20 0b 41 01 71 6b 01"),
    # What converts to intp, and refuses 64 bits.
    _of("PyArray_Repeat", 4821311, *_CAST),
    _of("PyArray_PutTo", 4813394, *_CAST),
    _of("PyArray_Choose", 4827994, _LONG[0] + "41 00 41 00 41 00", _LONG[0] + "41 00 41 00 41 10"),
    _of("arr_bincount", 5708803, *_CAST),
    _of("PyUFunc_GenericReduction", 6676517, "41 01 41 01 41 81 0a", "41 01 41 01 41 91 0a"),
)  # fmt: skip


def patched(module: bytes, patches: tuple[Patch, ...]) -> bytes:
    """The module with these patches.

    Raises:
        ImageError: Other bytes stand where one belongs: it is another module.
    """
    out = bytearray(module)
    for patch in patches:
        place = slice(patch.at, patch.at + len(patch.old))
        if bytes(out[place]) != patch.old or len(patch.old) != len(patch.new):
            raise ImageError(f"the guest has another {patch.function} than its patch is for")
        out[place] = patch.new
    return bytes(out)
