"""What connects the leader with its workers: ZeroMQ over TCP, both ends authenticated by CURVE.

Addresses and public keys are exchanged through a collective, when all processes have met. The
leader listens on one port a worker and lets in that worker's key alone; a connection that breaks
is not made again: whoever was at its other end is lost. The heartbeat is ZeroMQ's own, so that a
process that computes for minutes without a look at Python is alive all the same.

One thread owns the sockets; any thread may send. Messages of one sender arrive in order.
"""

import logging
import os
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Final, cast

import torch
import torch.distributed as untyped
import zmq
from zmq.utils import z85
from zmq.utils.monitor import recv_monitor_message

from azr.cluster.messages import Failed, Message, pack, unpack
from azr.models.process_group import Ranks

__all__ = ["LOST", "Link", "open_link"]

log = logging.getLogger(__name__)
dist = cast(Any, untyped)

Socket = zmq.Socket[bytes]

HEARTBEAT_MS: Final = 5_000
SILENCE_MS: Final = 60_000
"""A machine that is gone without a word is lost after so long; a killed process at once."""
LAST_WORDS_MS: Final = 3_000
"""What was sent last may take so long to leave when a link is closed."""
EXCHANGED_BYTES: Final = 4096
RELAY: Final = b"relay"
END: Final = b"end"
LOST: Final = Failed("", "")
"""Delivered in the name of a peer whose connection broke, after all it had sent."""


class Gate:
    """Answers ZeroMQ's question whether a worker may come in (the ZAP protocol, RFC 27)."""

    def __init__(self, context: "zmq.Context[Socket]") -> None:
        self.allowed: dict[bytes, bytes] = {}
        """The one key that may come in, by the socket's domain."""
        self.socket = context.socket(zmq.REP)
        self.socket.bind("inproc://zeromq.zap.01")

    def answer(self) -> None:
        """Handle one question; call it when `socket` can be read."""
        version, request_id, domain, _address, _identity, mechanism, *credentials = (
            self.socket.recv_multipart()
        )
        known = self.allowed.get(domain)
        is_known = mechanism == b"CURVE" and [z85.encode(key) for key in credentials] == [known]
        code, text = (b"200", b"OK") if is_known else (b"400", b"key not allowed")
        self.socket.send_multipart((version, request_id, code, text, b"", b""))


class Link:
    """One end: a socket for each peer, and the thread that owns them.

    Args:
        context: Of the sockets; closed with the link.
        sockets: By the peer's rank; connected or bound already.
        deliver: Called in the thread, once a message and in order; with `LOST` at the end.
        gate: Of the end that listens.
    """

    def __init__(
        self,
        context: "zmq.Context[Socket]",
        sockets: Mapping[int, Socket],
        deliver: Callable[[int, Message], None],
        gate: Gate | None = None,
    ) -> None:
        self.peers = tuple(sockets)
        self._context = context
        self._sockets = dict(sockets)
        self._deliver = deliver
        self._gate = gate
        self._monitors = {
            rank: peer.get_monitor_socket(zmq.EVENT_DISCONNECTED) for rank, peer in sockets.items()
        }
        """Of the peers that are not lost."""
        self._descriptors: dict[int, int] = {}
        """Of the connections that let somebody in: others that break off are strangers'."""
        self._outbox = context.socket(zmq.PAIR)
        self._outbox.bind("inproc://outbox")
        self._sending = threading.Lock()  # guards the next two
        self._outgoing = context.socket(zmq.PAIR)
        self._outgoing.connect("inproc://outbox")
        self._is_closed = False
        self._poller = zmq.Poller()
        self._thread = threading.Thread(target=self._run, name="azr-link", daemon=True)
        self._thread.start()

    def send(self, rank: int, message: Message) -> None:
        """Send to one peer. To one that is lost, or over a closed link, it is dropped."""
        self._put(RELAY, rank.to_bytes(4, "big"), pack(message))

    def send_all(self, message: Message) -> None:
        """Send to every peer."""
        packed = pack(message)
        for rank in self.peers:
            self._put(RELAY, rank.to_bytes(4, "big"), packed)

    def close(self) -> None:
        """Let the last words leave, then close; a second time nothing happens."""
        with self._sending:
            if self._is_closed:
                return
            self._is_closed = True
            self._outgoing.send(END)
        self._thread.join()
        self._outgoing.close(linger=0)
        self._context.term()

    def _put(self, *frames: bytes) -> None:
        with self._sending:
            if not self._is_closed:
                self._outgoing.send_multipart(frames)

    # ------------------------------------------------------------------ the thread

    def _run(self) -> None:
        gates = [] if self._gate is None else [self._gate.socket]
        for one in (self._outbox, *gates, *self._sockets.values(), *self._monitors.values()):
            self._poller.register(one, zmq.POLLIN)
        try:
            while self._turn({one for one, _ in self._poller.poll()}):
                pass
        except Exception:
            log.exception("event=link_failed")
            for rank in tuple(self._monitors):
                self._lose(rank)
        finally:
            for rank in tuple(self._monitors):
                self._monitors.pop(rank).close(linger=0)
                self._sockets[rank].disable_monitor()
            for peer in self._sockets.values():
                peer.close(linger=LAST_WORDS_MS)
            for one in (self._outbox, *gates):
                one.close(linger=0)

    def _turn(self, ready: set[object]) -> bool:
        """Carry what is there, both ways; False ends the thread."""
        if self._gate is not None and self._gate.socket in ready:
            self._gate.answer()
        for rank, monitor in tuple(self._monitors.items()):
            if self._sockets[rank] in ready or monitor in ready:
                self._receive(rank)
            if monitor in ready:
                broken = recv_monitor_message(monitor)["value"]
                if self._gate is None or broken == self._descriptors.get(rank):
                    self._lose(rank)
        return self._outbox not in ready or self._relay()

    def _relay(self) -> bool:
        """Pass on what somebody sent; False if it is the end."""
        kind, *frames = self._outbox.recv_multipart()
        if kind == END:
            return False
        rank = int.from_bytes(frames[0], "big")
        if rank in self._monitors:
            self._sockets[rank].send(frames[1])
        return True

    def _receive(self, rank: int) -> None:
        with suppress(zmq.Again):
            while True:
                frame = self._sockets[rank].recv(zmq.NOBLOCK, copy=False)
                self._descriptors[rank] = frame.get(zmq.SRCFD)
                self._deliver(rank, unpack(frame.bytes))

    def _lose(self, rank: int) -> None:
        monitor = self._monitors.pop(rank)
        self._poller.unregister(monitor)
        self._poller.unregister(self._sockets[rank])
        monitor.close(linger=0)
        self._sockets[rank].disable_monitor()
        self._deliver(rank, LOST)


@contextmanager
def open_link(ranks: Ranks, deliver: Callable[[int, Message], None]) -> Generator[Link]:
    """Connect this process with the leader, or the leader with all others; every rank calls it.

    Args:
        ranks: More than one.
        deliver: Told of every message, in the link's thread.
    """
    context: zmq.Context[Socket] = zmq.Context()
    try:
        if ranks.is_leader:
            gate = Gate(context)
            link = Link(context, bind_all(ranks, context, gate), deliver, gate)
        else:
            link = Link(context, {0: connect(ranks, context)}, deliver)
    except BaseException:
        context.destroy(linger=0)
        raise
    try:
        yield link
    finally:
        link.close()


def bind_all(ranks: Ranks, context: "zmq.Context[Socket]", gate: Gate) -> dict[int, Socket]:
    """The leader's sockets: a port and a key for each worker."""
    public, secret = zmq.curve_keypair()
    host = leader_host()
    sockets: dict[int, Socket] = {}
    for rank in range(1, ranks.size):
        one = new_socket(context)
        one.curve_server = True
        one.curve_publickey, one.curve_secretkey = public, secret
        one.zap_domain = str(rank).encode()
        one.bind("tcp://127.0.0.1:*" if is_loopback(host) else "tcp://*:*")
        sockets[rank] = one
    ports = [
        cast(bytes, one.last_endpoint).rstrip(b"\0").decode().rpartition(":")[2]
        for one in sockets.values()
    ]
    keys = exchange(ranks, " ".join([public.decode(), *ports]))
    gate.allowed = {str(rank).encode(): keys[rank].encode() for rank in sockets}
    ranks.barrier()  # no worker knocks before its key is known
    return sockets


def connect(ranks: Ranks, context: "zmq.Context[Socket]") -> Socket:
    """A worker's socket to the leader."""
    public, secret = zmq.curve_keypair()
    server, *ports = exchange(ranks, public.decode())[0].split()
    one = new_socket(context)
    one.curve_publickey, one.curve_secretkey = public, secret
    one.curve_serverkey = server.encode()
    ranks.barrier()
    host = leader_host()
    one.connect(f"tcp://{f'[{host}]' if ':' in host else host}:{ports[ranks.rank - 1]}")
    return one


def new_socket(context: "zmq.Context[Socket]") -> Socket:
    """One end of one worker's connection."""
    one = context.socket(zmq.DEALER)
    one.sndhwm = one.rcvhwm = 0  # an update's rollouts are one message: nothing is ever dropped
    one.ipv6 = ":" in leader_host()
    one.setsockopt(zmq.HEARTBEAT_IVL, HEARTBEAT_MS)
    one.setsockopt(zmq.HEARTBEAT_TIMEOUT, SILENCE_MS)
    return one


def leader_host() -> str:
    """Where the leader is, as torch.distributed was told."""
    return os.environ.get("MASTER_ADDR", "127.0.0.1")


def is_loopback(host: str) -> bool:
    """Whether all processes are on this machine, so that nothing must listen to the network."""
    return host in ("localhost", "127.0.0.1")


def exchange(ranks: Ranks, text: str) -> list[str]:
    """Everybody's text, by rank."""
    packed = text.encode()
    if len(packed) > EXCHANGED_BYTES:
        raise ValueError(f"{len(packed)} bytes do not fit into {EXCHANGED_BYTES}")
    mine = torch.zeros(EXCHANGED_BYTES, dtype=torch.uint8)
    mine[: len(packed)] = torch.frombuffer(bytearray(packed), dtype=torch.uint8)
    found = [torch.empty_like(mine) for _ in range(ranks.size)]
    dist.all_gather(found, mine)
    return [bytes(cast(list[int], cast(Any, one).tolist())).rstrip(b"\0").decode() for one in found]
