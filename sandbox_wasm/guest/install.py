"""The last turn of an image's boot: makes `_reactor.turn` call `run`, and tidies the heap.

The C side holds the function object `_reactor.turn`, so its code and defaults are replaced.
`MAKER` and `SEED` are filled in by sandbox_wasm.image.build.
"""

import array
import gc
import os

import _reactor

_REPLY_FD = 1000003
_SMALL_BYTES = range(0, 480, 16)
"""One length for each size class of CPython's small-object allocator."""
_LARGE_BYTES = (65536, 32768, 16384, 8192, 4096, 3072, 2048, 1536, 1024, 768, 600)
_SEQUENTIAL = 48
_MAX_FILLERS = 40_000
_SPARE_BYTES = 6 << 20
_SCATTERED = 64


def _turn(src, environ, run=None):  # noqa: ARG001 - the reactor's signature
    return run(src)


def scatter(seed):
    """Move what is allocated from now on, by amounts that differ between images.

    Else the addresses of one image are those of another: `id(x) // 16 % 2` would be the same.
    """
    _reactor.padding = getattr(_reactor, "padding", [])
    state = seed
    for _ in range(_SCATTERED):
        state = (state * 1103515245 + 12345) & 0x7FFFFFFF
        _reactor.padding.append(bytes(state >> 16 & 511))


def _fill_holes(length, kept):
    """Allocate until the allocator has no hole of this size left between live objects.

    Then its addresses rise one after the other. What a program allocates afterwards lies together
    on fresh pages instead of in holes all over the heap: fewer pages are written, and restored.
    """
    last = rising = 0
    for _ in range(_MAX_FILLERS):
        filler = bytes(length)
        kept.append(filler)
        address = id(filler)
        rising = rising + 1 if last < address < last + length + 4096 else 0
        last = address
        if rising == _SEQUENTIAL:
            return


def _addresses(objects):
    """Return the address of everything that these objects reach."""
    seen = set()
    stack = [objects]
    while stack:
        for item in gc.get_referents(*stack.pop()):
            if id(item) not in seen:
                seen.add(id(item))
                stack.append((item,))
    return array.array("I", seen)


def install(make_run, seed):
    """Point the reactor at a new runner, and lay the heap out.

    Replies with the addresses of all objects, for the host to make them immortal: counting
    references to them would write to their pages in every run.
    """
    scatter(seed + 1)
    _reactor.turn.__code__ = _turn.__code__
    _reactor.turn.__defaults__ = (make_run(),)
    gc.collect()
    for length in (*_LARGE_BYTES, *_SMALL_BYTES):
        _fill_holes(length, _reactor.padding)
    scatter(seed + 2)
    bytearray(_SPARE_BYTES)  # and free: memory that programs take without growing
    objects = _reactor.objects = gc.get_objects()  # kept: none of them may be freed any more
    os.write(_REPLY_FD, _addresses(objects))
    gc.freeze()
