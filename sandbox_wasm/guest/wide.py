"""Lets programs count beyond 2^31, which the C code of a 32-bit build cannot. Shipped as text.

`sys.maxsize` is 2^63 - 1, as programs use it for infinity. What is told so by the library, and
asks C code for as much, keeps the build's own number, or is clamped.
"""

import _collections_abc
import bisect
import functools
import random
import sys
import types

import compression._common._streams as streams

_OWN = sys.maxsize
_search_left, _search_right = bisect.bisect_left, bisect.bisect_right
_make_cache = functools._lru_cache_wrapper


def _length(items):
    try:
        return len(items)
    except OverflowError:
        if type(items) is range:
            return 1 + (items[-1] - items.start) // items.step
        return type(items).__len__(items)


def _search(items, lo, hi, goes_right):
    hi = _length(items) if hi is None else hi
    while lo < hi:
        middle = (lo + hi) // 2
        if goes_right(items[middle]):
            lo = middle + 1
        else:
            hi = middle
    return lo


def bisect_left(a, x, lo=0, hi=None, *, key=None):
    """Search with C code; in Python where that cannot count so far."""
    try:
        return _search_left(a, x, lo, hi, key=key)
    except OverflowError:
        if _length(a) <= _OWN:
            raise
    return _search(a, lo, hi, lambda item: (item if key is None else key(item)) < x)


def bisect_right(a, x, lo=0, hi=None, *, key=None):
    """Search as bisect_left does, for the place behind equal items."""
    try:
        return _search_right(a, x, lo, hi, key=key)
    except OverflowError:
        if _length(a) <= _OWN:
            raise
    return _search(a, lo, hi, lambda item: not x < (item if key is None else key(item)))


def _make_clamped_cache(function, maxsize, typed, info):
    return _make_cache(function, maxsize and min(maxsize, _OWN), typed, info)


bisect.bisect_left = bisect_left
bisect.bisect_right = bisect.bisect = bisect_right
random.len = _length
functools._lru_cache_wrapper = _make_clamped_cache
_collections_abc.sys = streams.sys = types.SimpleNamespace(maxsize=_OWN)
sys.maxsize = 2**63 - 1
