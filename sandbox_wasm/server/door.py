"""Who may come in, and who has to go: keys at the handshake and after it, and strangers' time."""

from collections.abc import Callable, Mapping
from typing import Final

import zmq

from sandbox_wasm.server.doorkeeper import Doorkeeper
from sandbox_wasm.server.queues import Session
from sandbox_wasm.wire.keys import AllowedKeys

__all__ = ["Door", "key_of"]

KEYS_S: Final = 1.0
"""The folder of keys is read again this often, so that a withdrawn key ends its sessions."""


class Door:
    """The door of one server; used by its loop."""

    def __init__(self, doorkeeper: Doorkeeper, keys: AllowedKeys | None) -> None:
        self._doorkeeper = doorkeeper
        self._keys = keys
        self._keys_at = 0.0

    @property
    def sockets(self) -> "list[tuple[zmq.Socket[bytes], Callable[[], None]]]":
        """What to poll, and what to call when it can be read."""
        sockets = [(self._doorkeeper.socket, self._doorkeeper.answer)]
        if self._keys is not None:
            sockets.append((self._keys.socket, self._keys.answer))
        return sockets

    def welcome(self, identity: bytes, hello: zmq.Frame) -> None:
        """Let the sender's connection stay."""
        self._doorkeeper.welcome(identity, hello)

    def lets_in(self, key: bytes | None) -> bool:
        """Tell whether a client with this key may have a session now."""
        return self._keys is None or (key is not None and self._keys.allows(key))

    def tend(self, now: float, sessions: Mapping[bytes, Session]) -> list[Session]:
        """Shut strangers out; return the sessions whose connection ended or key was withdrawn."""
        self._doorkeeper.tend(now)
        gone = [sessions[name] for name in self._doorkeeper.take_gone() if name in sessions]
        if self._keys is None or now < self._keys_at:
            return gone
        self._keys_at = now + KEYS_S
        self._keys.reload()
        return gone + [one for one in sessions.values()
                       if one not in gone and not self.lets_in(one.key)]  # fmt: skip


def key_of(message: zmq.Frame) -> bytes | None:
    """The public key with which the sender was let in; None where no keys are asked for."""
    try:
        key = message.get("User-Id")
    except zmq.ZMQError:
        return None
    return str(key).encode() or None
