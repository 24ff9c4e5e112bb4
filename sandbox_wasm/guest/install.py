"""The last turn of an image's boot: makes `_reactor.turn` call `run`, and tidies the heap.

The C side holds the function object `_reactor.turn`, so its code and defaults are replaced.
`MAKER` and `SEED` are filled in by sandbox_wasm.image.
"""

import gc

import _reactor


def _turn(src, environ, run=None):  # noqa: ARG001 - the reactor's signature
    return run(src)


def install(make_run, seed):
    """Point the reactor at a new runner; the seed moves addresses between images."""
    _reactor.padding = [bytes(n) for n in range(0, 480, 16) for _ in range(seed % 61)]
    _reactor.turn.__code__ = _turn.__code__
    _reactor.turn.__defaults__ = (make_run(),)
    gc.collect()
    gc.freeze()
