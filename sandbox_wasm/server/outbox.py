"""What a server still has to say to each client. Sending never blocks and never fails the caller.

A client that does not read keeps its own answers waiting and nobody else's; `is_lost` tells when to
give it up.
"""

import time
from collections import deque
from collections.abc import Callable

import zmq

from sandbox_wasm.server.queues import Session
from sandbox_wasm.wire import protocol
from sandbox_wasm.wire.protocol import ErrorCode, Kind

__all__ = ["Outbox"]

MAX_FRAME_RESULTS = 512
MAX_FRAME_BYTES = 1024 * 1024
"""Results are grouped up to this size; a larger one travels alone."""
MAX_UNSENT_FRAMES = 1000
STUCK_S = 60.0
"""A client that reads nothing for so long while answers wait is given up."""


class Outbox:
    """Sends to the clients of one ROUTER socket (with ROUTER_MANDATORY set)."""

    def __init__(self, router: "zmq.Socket[bytes]", hold: Callable[[Session, int], None]) -> None:
        self._router = router
        self._hold = hold
        self._waiting: dict[bytes, Session] = {}

    @property
    def is_empty(self) -> bool:
        """True when every answer is with ZeroMQ."""
        return not self._waiting

    def put(self, session: Session, result: bytes) -> None:
        """Queue one encoded result; `deliver` groups it with others."""
        session.ready.append(result)
        self._hold(session, len(result))
        self._waiting[session.identity] = session

    def post(self, session: Session, frame: bytes) -> None:
        """Send one frame, later if the client does not read now."""
        if session.unsent or not self._send(session, frame):
            session.unsent.append(frame)
            self._waiting[session.identity] = session

    def refuse(self, identity: bytes, code: ErrorCode, message: str) -> None:
        """Tell a peer, known or not, that its frame was refused; dropped if it does not read."""
        frame = protocol.pack(Kind.ERROR, code.value, message)
        try:
            self._router.send_multipart((identity, frame), zmq.NOBLOCK)
        except zmq.ZMQError:
            return

    def deliver(self) -> None:
        """Send what is ready, many results a frame."""
        for identity, session in list(self._waiting.items()):
            if self._flush(session):
                del self._waiting[identity]

    def forget(self, session: Session) -> None:
        """Drop what a lost client will not read."""
        session.ready.clear()
        session.unsent.clear()
        self._waiting.pop(session.identity, None)

    def is_lost(self, session: Session, now: float) -> bool:
        """Tell whether the connection is gone, or nobody reads at its end."""
        return (
            session.is_gone
            or len(session.unsent) > MAX_UNSENT_FRAMES
            or (session.stuck_since is not None and now - session.stuck_since > STUCK_S)
        )

    def _flush(self, session: Session) -> bool:
        while session.unsent:
            if not self._send(session, session.unsent[0]):
                return False
            session.unsent.popleft()
        while session.ready:
            parts = _group(session.ready)
            if not self._send(session, protocol.frame_of_parts(Kind.RESULTS, parts)):
                session.ready.extendleft(reversed(parts))
                return False
            self._hold(session, -sum(map(len, parts)))
        return True

    def _send(self, session: Session, frame: bytes) -> bool:
        """Send without waiting; False when the client does not read just now."""
        try:
            self._router.send_multipart((session.identity, frame), zmq.NOBLOCK)
        except zmq.Again:
            session.stuck_since = session.stuck_since or time.monotonic()
            return False
        except zmq.ZMQError as exc:
            if exc.errno != zmq.EHOSTUNREACH:
                raise
            session.is_gone = True  # swallowed from here on; the loop drops the session
        else:
            session.stuck_since = None
        return True


def _group(ready: deque[bytes]) -> list[bytes]:
    """Take results for one frame: at least one, at most the caps."""
    parts = [ready.popleft()]
    size_bytes = len(parts[0])
    while ready and len(parts) < MAX_FRAME_RESULTS:
        size_bytes += len(ready[0])
        if size_bytes > MAX_FRAME_BYTES:
            break
        parts.append(ready.popleft())
    return parts
