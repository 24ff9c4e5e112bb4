"""The ZeroMQ door: a bound socket, and the loop that serves it once there is an executor."""

import secrets
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import zmq

from sandbox_wasm import __version__
from sandbox_wasm.server.door import Door
from sandbox_wasm.server.doorkeeper import HANDSHAKE_S, Doorkeeper, raise_descriptor_limit
from sandbox_wasm.server.executor import Executor
from sandbox_wasm.server.loop import Broker, BrokerOptions
from sandbox_wasm.server.metrics import ServerCounters
from sandbox_wasm.server.queues import QueueLimits
from sandbox_wasm.wire.endpoints import Endpoint
from sandbox_wasm.wire.keys import AllowedKeys, KeyFileError, load_keys
from sandbox_wasm.wire.protocol import (
    DEFAULT_MAX_MESSAGE_BYTES,
    MAX_JOBS_PER_FRAME,
    ServerInfo,
)
from sandbox_wasm.wire.waker import Waker

__all__ = ["Server", "ServerOptions"]

_LIMITS: Final = QueueLimits()
BACKLOG: Final = 512
"""Peers that wait to be accepted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """Everything a server is told."""

    bind: Endpoint
    queue: QueueLimits = _LIMITS
    max_message_bytes: int = DEFAULT_MAX_MESSAGE_BYTES
    client_silence_s: float = 60.0
    drain_s: float = 30.0
    stall_s: float = 120.0
    curve_secret: Path | None = None
    curve_allow: Path | None = None
    allow_insecure_public: bool = False

    def __post_init__(self) -> None:
        """Refuse what would be unsafe or cannot work."""
        if (self.curve_secret is None) != (self.curve_allow is None):
            raise ValueError("--curve-secret and --curve-allow belong together: the server's own"
                             " key, and the folder of the clients' public keys")  # fmt: skip
        if self.curve_secret and self.bind.scheme != "tcp":
            raise ValueError("--curve-secret is for tcp://; ipc is guarded by its folder's mode")
        if not (self.bind.is_local or self.curve_secret or self.allow_insecure_public):
            raise ValueError(
                f"{self.bind.url} can be reached from other machines and has no keys: whoever"
                " connects could run programs here. Make keys with `azr-sandbox keys DIR` and pass"
                " --curve-secret and --curve-allow, or say --allow-insecure-public"
            )


class Server:
    """An address, and the loop that serves it once there is an executor.

    Listening comes first: a port in use is known at once, not after the image was built. Nobody is
    accepted before the loop runs: until then nothing could keep strangers from taking every
    descriptor that the rest of the start needs.
    """

    def __init__(self, options: ServerOptions) -> None:
        self._options = options
        self.counters = ServerCounters()
        self._broker: Broker | None = None
        self._stop_asked = False
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._keys: AllowedKeys | None = None
        self._listener: socket.socket | None = None
        self._has_path = False
        self._waker = Waker()
        num_descriptors = raise_descriptor_limit()
        self._context.set(zmq.MAX_SOCKETS, 64)  # ours; a connection is none
        self._router = self._context.socket(zmq.ROUTER)
        self._doorkeeper = Doorkeeper(self._router, num_descriptors)
        try:
            self._configure()
            self._listener = options.bind.listen(BACKLOG)
        except BaseException:
            self.close()
            raise
        self._has_path = options.bind.scheme == "ipc"
        self.endpoint = options.bind.url_of(self._listener)
        """The address as bound: a wildcard port is a number here."""

    def metrics_text(self) -> str:
        """Return figures beside the counters: there are none."""
        return ""

    def _configure(self) -> None:
        router, options = self._router, self._options
        router.linger = 1000  # the last results leave even though the loop has ended
        router.router_mandatory = True  # a vanished client is an error we see, not a silent drop
        router.maxmsgsize = options.max_message_bytes
        router.rcvhwm = 4  # frames per client that ZeroMQ may hold before we read them
        router.sndhwm = 16
        router.handshake_ivl = int(HANDSHAKE_S * 1000)  # a peer that says nothing has to go
        router.ipv6 = "[" in options.bind.host
        router.setsockopt(zmq.HEARTBEAT_IVL, 5000)  # a half-open connection ends within ~20 s
        router.setsockopt(zmq.HEARTBEAT_TIMEOUT, 15_000)
        if options.curve_secret is None or options.curve_allow is None:
            return
        public, secret = load_keys(options.curve_secret)
        if secret is None:
            raise KeyFileError(f"key file {options.curve_secret} has no secret half")
        self._keys = AllowedKeys(self._context, options.curve_allow)
        router.curve_server = True
        router.curve_publickey, router.curve_secretkey = public, secret

    def _accept(self) -> None:
        """Have ZeroMQ accept who waits and who comes; the listener's descriptor is its own now."""
        assert self._listener is not None
        listener, self._listener = self._listener, None
        self._router.setsockopt(zmq.USE_FD, listener.detach())
        self._router.bind(self.endpoint)

    def serve(self, executor: Executor, workers: int) -> None:
        """Serve until `stop()`; the executor stays the caller's."""
        options = self._options
        info = ServerInfo(
            server_id=secrets.token_hex(8),
            package_version=__version__,
            workers=workers,
            image=str(executor.stats().get("image", "unknown")),
            max_message_bytes=options.max_message_bytes,
            max_jobs_per_frame=MAX_JOBS_PER_FRAME,
            max_client_jobs=options.queue.max_client_jobs,
            max_client_bytes=options.queue.max_client_bytes,
            client_silence_s=float(options.client_silence_s),
        )
        broker_options = BrokerOptions(
            queue=options.queue, drain_s=options.drain_s, stall_s=options.stall_s
        )
        self._broker = Broker(
            self._router, executor, info, broker_options, self.counters, self._waker
        )
        self._broker.watch(Door(self._doorkeeper, self._keys))
        self._accept()
        if self._stop_asked:
            self._broker.stop()
        try:
            self._broker.run()
        finally:
            self._broker.close()

    def stop(self) -> None:
        """Drain and return from `serve`; safe in a signal handler."""
        self._stop_asked = True
        if self._broker is not None:
            self._broker.stop()

    def close(self) -> None:
        """Close the sockets; the last results get a second to leave."""
        if self._keys is not None:
            self._keys.close()
        self._doorkeeper.close()
        self._waker.close()
        if self._has_path:  # before the socket is closed: afterwards it may be another server's
            Path(self._options.bind.path).unlink(missing_ok=True)
        if self._listener is not None:
            self._listener.close()
        self._router.close()
        self._context.term()
