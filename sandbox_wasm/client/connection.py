"""One client's connection to one server: opened, watched, given up, opened again.

A link owns the jobs that its server has not answered. However a connection ends, its socket is
thrown away and its jobs go back to the I/O thread. A late answer of the old connection then has no
socket to arrive at, so no job can be answered twice.
"""

import contextlib
import logging
import random
from enum import Enum, auto
from functools import partial
from typing import Any, Final, Protocol

import zmq
from zmq.utils.monitor import parse_monitor_message

from sandbox_wasm.client.calls import Item
from sandbox_wasm.client.options import LinkOptions
from sandbox_wasm.errors import BadJob, ProtocolError, SessionGone
from sandbox_wasm.types import CallResult
from sandbox_wasm.wire import codec, protocol
from sandbox_wasm.wire.endpoints import Endpoint
from sandbox_wasm.wire.protocol import ErrorCode, Kind, ServerInfo

__all__ = ["Link", "LinkOwner"]

log = logging.getLogger(__name__)

HELLO_TIMEOUT_S: Final = 10.0
FIRST_RETRY_S: Final = 0.05
MAX_RETRY_S: Final = 1.0
REFUSED_RETRY_S: Final = 5.0
JOBS_PER_WORKER: Final = 256
"""More unanswered jobs for a worker gain nothing, and must be sent again if the server dies."""
FRAME_BYTES: Final = 1024 * 1024
MAX_RECEIVED_PER_TURN: Final = 64

_MONITORED: Final = (
    zmq.EVENT_DISCONNECTED
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
)


class LinkOwner(Protocol):
    """Whom a link reports to, on the client's thread."""

    def answered(self, item: Item | None, calls: tuple[CallResult, ...]) -> None:
        """Take a job's results; None: it was cancelled meanwhile."""
        ...

    def refused(self, item: Item, error: Exception) -> None:
        """Hear that a job is malformed, or that its session's state is gone."""
        ...

    def came_back(self, link: "Link", items: list[Item], why: str, *, is_failure: bool) -> None:
        """Take jobs that must be sent again; `is_failure` counts against their attempts."""
        ...


class State(Enum):
    """The states of a link."""

    CLOSED = auto()
    OPENING = auto()
    """The socket exists, and the server has not said welcome."""
    READY = auto()


class Link:
    """A connection to one server. Only the client's thread uses it."""

    def __init__(
        self,
        context: "zmq.Context[zmq.Socket[bytes]]",
        endpoint: Endpoint,
        options: LinkOptions,
        owner: LinkOwner,
        poller: zmq.Poller,
    ) -> None:
        self.endpoint = endpoint
        self.state = State.CLOSED
        self.info: ServerInfo | None = None
        self.outstanding: dict[int, Item] = {}
        self.heard_at = 0.0
        """When this server last said anything while it was ready."""
        self.refusal: str | None = None
        """Set when the server will not have us for a reason that waiting does not mend."""
        self._context = context
        self._options = options
        self._owner = owner
        self._poller = poller
        self._why = "no answer yet"
        self._size_bytes = 0
        self._allowance = 0
        self._is_leaving = False
        self._retry_s = FIRST_RETRY_S
        self._next_at = 0.0  # CLOSED: open then; OPENING: give up then
        self._busy_until = 0.0
        self._busy_s = 0.0
        self._sent_at = 0.0
        self._asked_at: float | None = None
        self._socket: zmq.Socket[bytes] | None = None
        self._monitor: zmq.Socket[bytes] | None = None
        self._handlers = {
            Kind.WELCOME: self._welcome,
            Kind.RESULTS: self._take_results,
            Kind.FAILED: self._take_failed,
            Kind.REJECTED: partial(self._take_refused, BadJob),
            Kind.GONE: partial(self._take_refused, SessionGone),
            Kind.BUSY: self._back_off,
            Kind.BYE: self._hear_bye,
            Kind.ERROR: self._hear_error,
        }

    @property
    def load(self) -> float:
        """Unanswered jobs per worker."""
        return len(self.outstanding) / (self.info.workers if self.info else 1)

    def describe(self) -> str:
        """Describe the server's state in a few words, for an error message."""
        if self.state is State.READY:
            return f"{self.endpoint.url}: {len(self.outstanding)} jobs unanswered"
        return f"{self.endpoint.url}: {self._why}"

    def room(self, now: float) -> int:
        """Return how many more jobs this server may get."""
        if self.state is not State.READY or self._is_leaving or now < self._busy_until:
            return 0
        return max(0, self._allowance - len(self.outstanding))

    # ------------------------------------------------------------------ opening and closing

    def open(self, now: float) -> None:
        """Connect and say hello; ZeroMQ keeps trying while nobody listens."""
        options = self._options
        socket = self._socket = self._context.socket(zmq.DEALER)
        socket.linger = 0
        socket.maxmsgsize = protocol.MAX_REPLY_BYTES + 1024 * 1024
        socket.reconnect_ivl, socket.reconnect_ivl_max = 50, 1000
        socket.sndhwm, socket.rcvhwm = 64, 64
        socket.ipv6 = "[" in self.endpoint.host
        if options.curve is not None:
            socket.curve_serverkey = options.curve.server_public
            socket.curve_publickey = options.curve.client_public
            socket.curve_secretkey = options.curve.client_secret
        self._monitor = socket.get_monitor_socket(_MONITORED)
        socket.connect(self.endpoint.url)
        self._poller.register(socket, zmq.POLLIN)
        self._poller.register(self._monitor, zmq.POLLIN)
        self.state = State.OPENING
        self._next_at = now + HELLO_TIMEOUT_S
        self._send(protocol.pack(Kind.HELLO, options.name), now)

    def close(self, now: float, why: str, *, retry_s: float | None = None) -> None:
        """Throw the connection away and hand its jobs back."""
        was_ready = self.state is State.READY
        self._close_sockets()
        self.state = State.CLOSED
        self._why = why
        self._next_at = now + (retry_s or self._retry_s * random.uniform(0.5, 1.0))  # noqa: S311
        self._retry_s = FIRST_RETRY_S if was_ready else min(2 * self._retry_s, MAX_RETRY_S)
        items, self.outstanding = list(self.outstanding.values()), {}
        self._size_bytes = 0
        if was_ready:
            log.warning("event=server_lost endpoint=%s why=%s unanswered=%d",
                        self.endpoint.url, why, len(items))  # fmt: skip
        if items:
            self._owner.came_back(self, items, why, is_failure=True)

    def _close_sockets(self, linger_ms: int = 0) -> None:
        socket, monitor = self._socket, self._monitor
        self._socket = self._monitor = None
        if socket is None or monitor is None:
            return
        self._poller.unregister(socket)
        self._poller.unregister(monitor)
        socket.disable_monitor()
        monitor.close(linger=0)
        socket.close(linger=linger_ms)

    def say_bye(self) -> None:
        """Tell the server that nobody waits any more, and close the connection."""
        is_ready = self._socket is not None and self.state is State.READY
        if self._socket is not None and is_ready:
            with contextlib.suppress(zmq.ZMQError):
                self._socket.send(protocol.pack(Kind.BYE, "closed"), zmq.NOBLOCK)
        self._close_sockets(linger_ms=100 if is_ready else 0)  # a goodbye is worth no more
        self.state = State.CLOSED

    # ------------------------------------------------------------------ time

    def tend(self, now: float) -> None:
        """Do what is due: open, give up, or ask for a sign of life."""
        options = self._options
        if self.state is State.CLOSED:
            if now >= self._next_at:
                self.open(now)
        elif self.state is State.OPENING:
            if now >= self._next_at:
                self.close(now, f"no welcome within {HELLO_TIMEOUT_S:g} s")
        elif self._asked_at is not None and now - self._asked_at > options.liveness_s:
            self.close(now, f"silent for {options.liveness_s:g} s")
        elif now - self._sent_at >= options.heartbeat_s:
            self._send(protocol.pack(Kind.PING, 0), now)
            # Silence counts from a question, not from the last answer: if this thread itself was
            # held up, the answer lies in the socket and is read before we come here again.
            self._asked_at = now if self._asked_at is None else self._asked_at

    def next_at(self, now: float) -> float:
        """Return when `tend` is due, or a busy server may be tried again."""
        if self.state is not State.READY:
            return self._next_at
        due = self._sent_at + self._options.heartbeat_s
        return min(due, self._busy_until) if self._busy_until > now else due

    # ------------------------------------------------------------------ out

    def send_jobs(self, items: list[Item], now: float) -> bool:
        """Send one frame of jobs; return False if the connection takes nothing at the moment."""
        frame = protocol.frame_of_parts(Kind.JOBS, [item.data for item in items])
        if not self._send(frame, now):
            return False
        for item in items:
            self.outstanding[item.number] = item
            self._size_bytes += len(item.data)
        return True

    def fits(self, size_bytes: int, item: Item) -> bool:
        """Tell whether one more job may join a frame of `size_bytes`."""
        info = self.info
        assert info is not None, self.state
        size_bytes += len(item.data)
        cap = min(FRAME_BYTES, info.max_message_bytes - 64)
        return size_bytes <= cap and self._size_bytes + size_bytes <= info.max_client_bytes

    def is_too_large(self, item: Item) -> bool:
        """Tell whether the server would not take the job even alone."""
        info = self.info
        assert info is not None, self.state
        return len(item.data) > min(info.max_message_bytes - 64, info.max_client_bytes)

    def drop(self, states: list[str], now: float) -> list[str]:
        """Have the server keep states of sessions no longer; return those it is not told yet."""
        while states and self.state is State.READY:
            part = states[: protocol.MAX_ARRAY_ITEMS]
            if not self._send(protocol.pack(Kind.DROP, part), now):
                break
            states = states[len(part) :]
        return states

    def cancel(self, numbers: list[int], now: float) -> None:
        """Forget jobs whose caller has gone, and ask the server to do so, too."""
        for number in numbers:
            self._take(number)
        for start in range(0, len(numbers), protocol.MAX_JOBS_PER_FRAME):
            part = numbers[start : start + protocol.MAX_JOBS_PER_FRAME]
            self._send(protocol.pack(Kind.CANCEL, part), now)

    def _send(self, frame: bytes, now: float) -> bool:
        if self._socket is None:
            return False
        try:
            self._socket.send(frame, zmq.NOBLOCK)
        except zmq.Again:
            return False
        self._sent_at = now
        return True

    def _take(self, number: int) -> Item | None:
        item = self.outstanding.pop(number, None)
        if item is not None:
            self._size_bytes -= len(item.data)
        return item

    # ------------------------------------------------------------------ in

    def receive(self, ready: dict[Any, int], now: float) -> None:
        """Read all that has come, answers first, and then the news of a lost connection."""
        if self._socket in ready:
            for _ in range(MAX_RECEIVED_PER_TURN):
                if self._socket is None:
                    return
                try:
                    frame = self._socket.recv(zmq.NOBLOCK)
                except zmq.Again:
                    break
                self._hear(frame, now)
        elif self._monitor in ready:  # only once the socket is empty: answers come first
            self._hear_monitor(now)

    def _hear(self, frame: bytes, now: float) -> None:
        self._asked_at = None
        try:
            self._handle(*protocol.unpack(frame), now)
        except protocol.VersionMismatch as exc:
            self._refuse(str(exc), now)
        except ProtocolError as exc:
            self.close(now, f"the server sent nonsense: {exc}")
        if self.state is State.READY:
            self.heard_at = now

    def _hear_monitor(self, now: float) -> None:
        assert self._monitor is not None
        event = parse_monitor_message(self._monitor.recv_multipart())["event"]
        if event == zmq.EVENT_DISCONNECTED:
            self.close(now, "connection lost")
        else:
            self.close(now, "handshake failed: do the keys of this client and that server fit?")

    def _handle(self, kind: Kind, body: tuple[Any, ...], now: float) -> None:
        if kind is Kind.PONG:
            return
        handler = self._handlers.get(kind)
        if handler is None:
            raise ProtocolError(f"$[1]: a server may not send {kind.value!r}")
        handler(body, now)

    def _take_results(self, body: tuple[Any, ...], _now: float) -> None:
        entries = codec.results_of(body, self.info.server_id if self.info else "")
        self._busy_s = 0.0
        self._allowance = min(self._limit(), self._allowance + len(entries))
        for number, calls in entries:
            self._owner.answered(self._take(number), calls)

    def _take_failed(self, body: tuple[Any, ...], now: float) -> None:
        # A server that fails at once always has the least work: without a pause it would draw
        # every job of a batch through itself.
        self._pause(now)
        for number, message in codec.pairs_of(body):
            item = self._take(number)
            if item is not None:
                why = f"{self.endpoint.url}: {message}"
                self._owner.came_back(self, [item], why, is_failure=True)

    def _take_refused(self, kind: type[Exception], body: tuple[Any, ...], _now: float) -> None:
        for number, message in codec.pairs_of(body):
            item = self._take(number)
            if item is not None:
                job_id = item.call.ids[item.index]
                self._owner.refused(item, kind(f"job {job_id!r}: {message}"))

    def _hear_bye(self, _body: tuple[Any, ...], _now: float) -> None:
        self._is_leaving = True

    def _welcome(self, body: tuple[Any, ...], _now: float) -> None:
        self.info = protocol.parse_info(body)
        self.state = State.READY
        self.refusal = None
        self._is_leaving = False
        self._retry_s = FIRST_RETRY_S
        self._asked_at = None
        self._busy_until = self._busy_s = 0.0
        self._allowance = self._limit()

    def _limit(self) -> int:
        info = self.info
        if info is None:
            return 0
        return min(
            self._options.max_outstanding, info.max_client_jobs, JOBS_PER_WORKER * info.workers
        )

    def _back_off(self, body: tuple[Any, ...], now: float) -> None:
        numbers = codec.numbers_of(body)
        items = [item for number in numbers if (item := self._take(number)) is not None]
        self._why = str(body[1])[:200] if len(body) > 1 else "busy"
        self._pause(now)
        self._allowance = max(1, len(self.outstanding))
        self._owner.came_back(self, items, f"busy: {self._why}", is_failure=False)

    def _pause(self, now: float) -> None:
        """Send it nothing for a while, longer each time until it answers again."""
        self._busy_s = min(max(2 * self._busy_s, 0.01), MAX_RETRY_S)
        self._busy_until = now + self._busy_s * random.uniform(0.5, 1.0)  # noqa: S311

    def _hear_error(self, body: tuple[Any, ...], now: float) -> None:
        code, message = (*map(str, body), "", "")[:2]
        if code == ErrorCode.VERSION:
            self._refuse(message, now)
        else:
            self.close(now, f"refused: {code}: {message[:300]}")

    def _refuse(self, message: str, now: float) -> None:
        self.refusal = f"{self.endpoint.url}: {message}"
        self.close(now, message, retry_s=REFUSED_RETRY_S)
