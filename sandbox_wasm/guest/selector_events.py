"""Stands in the library for asyncio.selector_events, and gives way to it once it has changed it.

An event loop opens a pair of sockets, by which other threads and signals wake it. The guest has no
sockets, and neither threads nor signals either: the loop goes without. Shipped as text.
"""

import sys
from asyncio import _selector_events


def _make_no_pipe(loop):
    loop._ssock = loop._csock = None


def _close_no_pipe(loop):
    pass


_selector_events.BaseSelectorEventLoop._make_self_pipe = _make_no_pipe
_selector_events.BaseSelectorEventLoop._close_self_pipe = _close_no_pipe
sys.modules[__name__] = _selector_events
