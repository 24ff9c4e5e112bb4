"""Connections before their requests: how many there may be, and how long a head may take.

uvicorn bounds neither: a peer that connects and says nothing, or sends headers without end, would
hold a descriptor, or memory, for ever.
"""

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from sandbox_wasm.http.metrics import HttpCounters

__all__ = ["HEAD_S", "visitor_class"]

HEAD_S: Final = 10.0
"""From a connection's beginning, or its next request's, to the end of the head."""
MAX_HEAD_BYTES: Final = 64 * 1024


class Visitor(HttpToolsProtocol):
    """One connection."""

    counters: HttpCounters
    max_connections: int
    _head_until: asyncio.TimerHandle | None = None
    _head_bytes = 0
    _is_in_head = True

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride] - as uvicorn's own
        """Let the peer in if there is room, and begin to wait for its head."""
        super().connection_made(transport)
        self.counters.connections = len(self.connections)
        if len(self.connections) > self.max_connections:
            self._shut()
            return
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._stop_waiting()
        super().connection_lost(exc)
        self.counters.connections = len(self.connections)

    def data_received(self, data: bytes) -> None:
        """Read on, as long as the head stays small."""
        if self._is_in_head:
            if self._head_until is None:  # the next request of a connection that is kept
                self._expect_head()
            self._head_bytes += len(data)
        super().data_received(data)
        if self._is_in_head and self._head_bytes > MAX_HEAD_BYTES:
            self._shut()

    def on_headers_complete(self) -> None:
        """The head is there; bodies have a limit of their own."""
        self._stop_waiting()
        self._is_in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """What comes next is another head."""
        self._is_in_head, self._head_bytes = True, 0
        super().on_message_complete()

    def _expect_head(self) -> None:
        self._head_until = self.loop.call_later(HEAD_S, self._shut)

    def _stop_waiting(self) -> None:
        if self._head_until is not None:
            self._head_until.cancel()
            self._head_until = None

    def _shut(self) -> None:
        self.counters.shut_out += 1
        self._stop_waiting()
        self.transport.abort()


def visitor_class(counters: HttpCounters, max_connections: int) -> type[Any]:
    """Make the protocol of one server's connections."""
    return type("Visitor", (Visitor,), {"counters": counters, "max_connections": max_connections})
