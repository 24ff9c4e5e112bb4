"""What the loop reads in a turn, and to whom it listens no more.

Reading costs the server before anything is known about the sender. So a turn reads no more than its
share, and a peer that sends what it may not is soon not looked at any more.
"""

import time
from collections.abc import Iterator
from typing import Final

import zmq

from sandbox_wasm.server.metrics import ServerCounters

__all__ = ["MAX_STRIKES", "Intake", "malformed_weight"]

MAX_RECEIVED_PER_TURN: Final = 32
MAX_RECEIVED_BYTES_PER_TURN: Final = 2 * 1024 * 1024
MAX_RECEIVE_S: Final = 0.02
"""Frames, bytes and time spent on them, before the executor is fed again."""
MAX_STRIKES: Final = 64
MALFORMED_WEIGHT = 8
"""A malformed frame weighs so much more than one without a session, which a restart provokes."""
LARGE_BYTES: Final = 64 * 1024
"""A malformed frame of so many bytes is its sender's last: none is sent by chance."""
MAX_PEERS: Final = 4096
"""So many peers are remembered; the ones that offended longest ago are forgotten first."""


class Intake:
    """Reads the frames of one ROUTER socket; used by its loop."""

    def __init__(self, router: "zmq.Socket[bytes]", counters: ServerCounters) -> None:
        self._router = router
        self._counters = counters
        self._strikes: dict[bytes, int] = {}

    def turn(self) -> Iterator[tuple[bytes, "list[zmq.Frame]"]]:
        """Yield senders and frames of what has come, up to a turn's share of bytes and time."""
        size_bytes = 0
        until = time.monotonic() + MAX_RECEIVE_S
        for _ in range(MAX_RECEIVED_PER_TURN):
            try:
                parts = self._router.recv_multipart(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                return
            self._counters.frames += 1
            identity = parts[0].bytes
            if self.is_muted(identity):
                self._counters.muted += 1
            else:
                yield identity, parts[1:]
            size_bytes += sum(map(len, parts))
            if size_bytes > MAX_RECEIVED_BYTES_PER_TURN or time.monotonic() > until:
                return

    def is_muted(self, identity: bytes) -> bool:
        """Tell whether a peer's frames are no longer looked at."""
        return self._strikes.get(identity, 0) >= MAX_STRIKES

    def strike(self, identity: bytes, weight: int) -> None:
        """Count an offence."""
        self._strikes[identity] = self._strikes.pop(identity, 0) + weight
        if len(self._strikes) > MAX_PEERS:
            del self._strikes[next(iter(self._strikes))]


def malformed_weight(frames: "list[zmq.Frame]") -> int:
    """How much frames weigh that are no message."""
    return MAX_STRIKES if sum(map(len, frames)) >= LARGE_BYTES else MALFORMED_WEIGHT
