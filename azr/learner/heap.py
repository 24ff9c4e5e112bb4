"""Memory that was freed and is only held: the C library's, given back to the system."""

import ctypes

__all__ = ["give_back_freed_memory"]


def give_back_freed_memory() -> None:
    """Return what malloc keeps for later; does nothing where the C library has no such call.

    Tensors of less than 32 MB come from glibc's heaps. Those shrink only at their end, where
    something small is always alive, and no two updates free and take blocks of the same sizes:
    what is kept grows to several times what is used. Taking it anew costs an update a page fault
    per 4 KiB, about a second for 3 GB.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's alone
    if trim is not None:
        trim(ctypes.c_size_t(0))
