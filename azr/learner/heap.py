"""Gives freed memory, which the C library still holds, back to the system."""

import ctypes

__all__ = ["give_back_freed_memory"]


def give_back_freed_memory() -> None:
    """Return memory that malloc keeps for later; do nothing if the C library has no such call.

    Tensors of less than 32 MB come from glibc's heaps. A heap shrinks only at its end, where
    something small is always alive, and no two updates free and take blocks of the same sizes. So
    the kept memory grows to several times the used memory. Taking it anew costs an update a page
    fault per 4 KiB, about a second for 3 GB.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's alone
    if trim is not None:
        trim(ctypes.c_size_t(0))
