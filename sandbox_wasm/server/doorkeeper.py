"""Connections: how long they may stay without a hello, how many of them, and which have ended.

ZeroMQ bounds the handshake of its own protocol. A peer whose first byte is another's (`GET /`) is
taken for one of ZeroMQ 2, which shakes no hands, and would stay for ever. So connections are
watched from outside, and who has not said hello in time is shut out by its descriptor.
"""

import contextlib
import resource
import socket
import time
from typing import Final

import zmq
from zmq.utils.monitor import parse_monitor_message

__all__ = ["HANDSHAKE_S", "Doorkeeper", "raise_descriptor_limit"]

HANDSHAKE_S: Final = 5.0
_EVENTS: Final = zmq.EVENT_ACCEPTED | zmq.EVENT_DISCONNECTED | zmq.EVENT_CLOSED
_SHARE: Final = 4
"""Newcomers may hold one descriptor in so many."""


def raise_descriptor_limit() -> int:
    """Take as many descriptors as the system allows this process; return how many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
    return soft if soft > 0 else 1_000_000


class Doorkeeper:
    """Watches one bound socket; call `answer` when its `socket` can be read, and `tend` often."""

    def __init__(
        self, router: "zmq.Socket[bytes]", num_descriptors: int, handshake_s: float = HANDSHAKE_S
    ) -> None:
        self._router = router
        self._handshake_s = handshake_s
        self._max_newcomers = max(4, num_descriptors // _SHARE)
        self._newcomers: dict[int, float] = {}
        """When each came that has not said hello, by descriptor; the oldest first."""
        self._guests: dict[int, bytes] = {}
        """The identities of those that have said hello, by descriptor."""
        self._gone: dict[bytes, None] = {}
        self.num_shut = 0
        self.socket: zmq.Socket[bytes] = router.get_monitor_socket(_EVENTS)

    def answer(self) -> None:
        """Hear who has come and who has gone."""
        while self.socket.poll(0):
            event = parse_monitor_message(self.socket.recv_multipart())
            descriptor = int(event["value"])
            self._newcomers.pop(descriptor, None)
            if (identity := self._guests.pop(descriptor, None)) is not None:
                self._gone[identity] = None
            if event["event"] == zmq.EVENT_ACCEPTED:
                self._newcomers[descriptor] = time.monotonic()
        while len(self._newcomers) > self._max_newcomers:
            self._shut(next(iter(self._newcomers)))

    def welcome(self, identity: bytes, hello: zmq.Frame) -> None:
        """Hear that a connection's peer has said hello: it may stay."""
        self.answer()  # its coming first
        descriptor = int(hello.get(zmq.SRCFD))
        self._newcomers.pop(descriptor, None)
        self._guests[descriptor] = identity
        self._gone.pop(identity, None)  # by a name of its own choice it is back

    def take_gone(self) -> list[bytes]:
        """Return who has said hello and whose connection has ended since the last call."""
        gone, self._gone = list(self._gone), {}
        return gone

    def tend(self, now: float) -> None:
        """Shut out who has been here too long without a hello."""
        self.answer()
        newcomers = self._newcomers
        while newcomers and now - (oldest := next(iter(newcomers.items())))[1] > self._handshake_s:
            self._shut(oldest[0])

    def _shut(self, descriptor: int) -> None:
        """Shut a connection down; ZeroMQ sees its end and closes the descriptor itself."""
        del self._newcomers[descriptor]
        self.num_shut += 1
        with contextlib.suppress(OSError):  # not a copy of it: there may be no descriptor left
            connection = socket.socket(fileno=descriptor)
            try:
                connection.shutdown(socket.SHUT_RDWR)
            finally:
                connection.detach()

    def close(self) -> None:
        """Stop watching."""
        self._router.disable_monitor()
        self.socket.close(linger=0)
