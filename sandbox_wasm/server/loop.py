"""The server's loop: one thread between a ROUTER socket and an executor.

    receive -> FairQueue -> executor.submit -> done callbacks -> results, grouped by client

Laws: no message of a client can raise out of the loop; no client can make another wait longer
than its share; nothing waits without a bound; a failure of the machine is said to be one. The loop
shares its cores with the executor's workers, so per job it does as little Python as it can.
"""

import logging
import time
from collections import deque
from concurrent.futures import Future
from functools import partial
from typing import Any

import zmq

from sandbox_wasm.errors import BadJob, ProtocolError, SandboxUnavailable, SessionGone
from sandbox_wasm.jobs.fields import MAX_NAME_CHARS
from sandbox_wasm.server.door import Door, key_of
from sandbox_wasm.server.executor import Executor
from sandbox_wasm.server.intake import Intake, malformed_weight
from sandbox_wasm.server.metrics import ServerCounters
from sandbox_wasm.server.outbox import Outbox
from sandbox_wasm.server.queues import (
    BrokerOptions,
    FairQueue,
    Session,
    Ticket,
    Window,
    fuel_of,
    states_of,
    too_costly,
)
from sandbox_wasm.server.quiet_log import QuietLog
from sandbox_wasm.server.stall import StallWatch, StuckWorkers
from sandbox_wasm.types import JobResult
from sandbox_wasm.wire import codec, protocol
from sandbox_wasm.wire.protocol import ErrorCode, Kind, ServerInfo
from sandbox_wasm.wire.waker import Waker

__all__ = ["Broker", "BrokerOptions"]

log = logging.getLogger(__name__)

TICK_MS = 100
"""Longest sleep of the loop: silence, stuck clients and the drain are looked at this often."""
GATHER_MS = 3
GATHER_RESULTS = 64
"""Results wait for company this long, or until there are so many, while more are being made."""
STUCK_RETRY_MS = 5
"""ROUTER cannot say when one client reads again: ask this often."""


class Broker:
    """Serves one ROUTER socket until `stop()`, then drains."""

    def __init__(
        self,
        router: "zmq.Socket[bytes]",
        executor: Executor,
        info: ServerInfo,
        options: BrokerOptions,
        counters: ServerCounters,
        waker: Waker,
    ) -> None:
        self._router = router
        self._executor = executor
        self._info = info
        self._options = options
        self._counters = counters
        self._queue = FairQueue(options.queue, info.workers)
        self._waker = waker
        self._done: deque[tuple[Ticket, Future[JobResult]]] = deque()
        self._num_running = 0
        self._window = Window(info.workers)
        self._low_water = 2 * info.workers
        self._num_finished = 0
        self._outbox = Outbox(router, self._queue.hold)
        self._stall = StallWatch(options.stall_s)
        self._intake = Intake(router, counters)
        self._quiet = QuietLog(log)
        self._door: Door | None = None
        self._stop_asked = False
        self._drain_until: float | None = None
        self._pollers: dict[int, Any] = {}
        self._poller = zmq.Poller()
        self._poller.register(router, zmq.POLLIN)
        self._poller.register(self._waker.fileno(), zmq.POLLIN)

    def watch(self, door: Door) -> None:
        """Have the loop look after who may connect."""
        self._door = door
        for socket, handle in door.sockets:
            self._poller.register(socket, zmq.POLLIN)
            self._pollers[id(socket)] = (socket, handle)

    def stop(self) -> None:
        """Ask the loop to drain and return; safe in a signal handler and from any thread."""
        self._stop_asked = True
        self._waker.wake()

    def run(self) -> None:
        """Serve until stopped and drained.

        Raises:
            StuckWorkers: The executor has jobs and does nothing; their clients have been told.
        """
        next_tend_at = 0.0
        while not self._is_drained():
            ready = dict(self._poller.poll(self._sleep_ms()))
            for socket, handle in self._pollers.values():
                if socket in ready:
                    handle()
            if self._waker.fileno() in ready:
                self._waker.clear()
            if self._router in ready:
                self._receive()
            self._collect()
            self._feed()
            self._outbox.deliver()
            now = time.monotonic()
            if now >= next_tend_at:
                next_tend_at = now + TICK_MS / 1000
                self._tend(now)

    def close(self) -> None:
        """Forget the clients. Router, waker and executor are the caller's."""
        for session in list(self._queue.sessions.values()):
            self._queue.forget(session)

    # ------------------------------------------------------------------ messages in

    def _receive(self) -> None:
        for identity, frames in self._intake.turn():
            self._take(identity, frames)

    def _take(self, identity: bytes, frames: "list[zmq.Frame]") -> None:
        try:
            if len(frames) != 1:
                raise ProtocolError(f"a message is one frame, got {len(frames)}")  # noqa: TRY301
            self._handle(identity, frames[0])
        except protocol.VersionMismatch as exc:
            self._refuse(identity, ErrorCode.VERSION, str(exc))
        except ProtocolError as exc:
            self._refuse(identity, ErrorCode.MALFORMED, str(exc), malformed_weight(frames))

    def _handle(self, identity: bytes, message: zmq.Frame) -> None:
        session = self._queue.sessions.get(identity)
        if session is None and len(message) > protocol.MAX_HELLO_BYTES:
            self._refuse(identity, ErrorCode.HELLO_FIRST, "no session here: begin with hello")
            return
        kind, body = protocol.unpack_of_client(message.bytes)
        if kind is Kind.HELLO:
            self._greet(identity, body, key_of(message))
            if self._door is not None:
                self._door.welcome(identity, message)
            return
        if session is None:
            self._refuse(identity, ErrorCode.HELLO_FIRST, "no session here: begin with hello")
            return
        session.last_heard_at = time.monotonic()
        if kind is Kind.JOBS:
            self._accept(session, body, len(message))
        else:
            self._hear(session, kind, body)

    def _hear(self, session: Session, kind: Kind, body: tuple[object, ...]) -> None:
        if kind is Kind.CANCEL:
            numbers, held = codec.numbers_of(body), session.tickets
            tickets = [held[number] for number in numbers if number in held]
            self._counters.cancelled += self._queue.cancel(session, tickets)
        elif kind is Kind.DROP:
            for name in codec.names_of(body):
                self._executor.drop_state(name)
        elif kind is Kind.PING:
            token = body[0] if body and type(body[0]) is int else 0
            self._outbox.post(session, protocol.pack(Kind.PONG, token))
        elif kind is Kind.BYE:
            self._forget(session)
        else:
            raise ProtocolError(f"$[1]: a client may not send {kind.value!r}")

    def _greet(self, identity: bytes, body: tuple[object, ...], key: bytes | None) -> None:
        name = body[0] if len(body) == 1 else None
        if type(name) is not str or len(name) > MAX_NAME_CHARS:
            raise ProtocolError(f"$[2]: expected the client's name, a text of at most"
                                f" {MAX_NAME_CHARS} characters")  # fmt: skip
        sessions = self._queue.sessions
        if identity not in sessions:
            if self._door is not None and not self._door.lets_in(key):
                self._refuse(identity, ErrorCode.HELLO_FIRST, "this client's key was withdrawn")
                return
            if len(sessions) >= self._options.queue.max_clients:
                self._refuse(identity, ErrorCode.TOO_MANY_CLIENTS,
                             f"{len(sessions)} clients are here already")  # fmt: skip
                return
            sessions[identity] = Session(identity, name, time.monotonic(), key=key)
            self._quiet.write(logging.INFO, name, "event=client_came client=%r clients=%d",
                              name, len(sessions))  # fmt: skip
        self._outbox.post(sessions[identity], protocol.pack_info(self._info))
        if self._drain_until is not None:
            self._outbox.post(sessions[identity], protocol.pack(Kind.BYE, "draining"))

    def _accept(self, session: Session, body: tuple[object, ...], size_bytes: int) -> None:
        items, numbers = codec.jobs_of(body)
        why = "draining" if self._drain_until is not None else None
        why = why or self._queue.why_busy(session, len(numbers), size_bytes)
        if why is not None:
            self._counters.busy += len(numbers)
            self._outbox.post(session, protocol.pack(Kind.BUSY, numbers, why))
            return
        self._counters.jobs += len(numbers)
        share_bytes = size_bytes // max(len(items), 1)
        now = session.last_heard_at
        for index, (number, fields) in enumerate(zip(numbers, items, strict=True)):
            if number in session.tickets:
                self._reject(session, number, f"$[2][{index}].number: {number} is still unanswered")
                continue
            try:
                job = codec.job_of_fields(fields, f"$[2][{index}]")
            except BadJob as exc:
                self._reject(session, number, str(exc))
            else:
                if why := too_costly(job, self._options.queue):
                    self._reject(session, number, f"$[2][{index}]: job {job.id!r}: {why}")
                    continue
                reply_bytes = codec.reply_bytes(job)
                ticket = Ticket(session, number, job, share_bytes, now, reply_bytes)
                self._queue.add(session, ticket)

    # ------------------------------------------------------------------ through the executor

    def _feed(self) -> None:
        """Keep the executor's window full, one job of each client in turn."""
        while self._num_running < self._window.size:
            if (ticket := self._queue.next()) is None:
                return
            assert ticket.job is not None, ticket
            try:
                future = self._executor.submit(ticket.job)
            except Exception as exc:  # noqa: BLE001 - a fault of the machine must reach the client
                self._queue.returned(ticket, None)
                if self._queue.finish(ticket):
                    self._fail(ticket, exc)
            else:
                ticket.future = future
                self._num_running += 1
                future.add_done_callback(partial(self._on_done, ticket))

    def _on_done(self, ticket: Ticket, future: "Future[JobResult]") -> None:
        """Runs in a worker's thread."""
        done = self._done
        done.append((ticket, future))
        # Waking the loop for every job would cost more than the job's own messages: while the
        # executor has enough to do, results are gathered until there are some or time is up.
        if len(done) >= GATHER_RESULTS or self._num_running - len(done) < self._low_water:
            self._waker.wake()

    def _sleep_ms(self) -> int:
        if not self._outbox.is_empty:
            return STUCK_RETRY_MS
        return GATHER_MS if self._num_running - len(self._done) >= self._low_water else TICK_MS

    def _collect(self) -> None:
        """Encode what the workers have finished."""
        if not (done := self._done):
            return
        now = time.monotonic()
        for _ in range(len(done)):
            ticket, future = done.popleft()
            self._num_running -= 1
            self._num_finished += 1
            self._queue.returned(ticket, fuel_of(future))
            gave_way = ticket.gives_way and future.cancelled()
            if not (gave_way and self._queue.put_back(ticket)):
                self._answer(ticket, future, now)
        if self._num_running < self._window.least and self._queue.num_waiting:
            self._window.widen()

    def _answer(self, ticket: Ticket, future: "Future[JobResult]", now: float) -> None:
        if not self._queue.finish(ticket):  # cancelled: nobody waits for it
            for name in states_of(future):
                self._executor.drop_state(name)
            return
        try:
            result = future.result()
            data = codec.pack_result(ticket.number, result)
        except BaseException as exc:  # noqa: BLE001 - CancelledError is one; all reach the client
            self._fail(ticket, exc)
        else:
            self._counters.add_result(result, now - ticket.arrived_at)
            self._outbox.put(ticket.session, data)

    def _reject(self, session: Session, number: int, message: str) -> None:
        self._counters.rejected += 1
        parts = [codec.pack_pair(number, message)]
        self._outbox.post(session, protocol.frame_of_parts(Kind.REJECTED, parts))

    def _fail(self, ticket: Ticket, exc: BaseException) -> None:
        if isinstance(exc, BadJob):
            self._reject(ticket.session, ticket.number, str(exc))
            return
        is_gone = isinstance(exc, SessionGone)
        self._counters.failed += not is_gone
        if not isinstance(exc, SandboxUnavailable | SessionGone):
            self._quiet.write(logging.ERROR, ticket.session.name, "event=executor_error error=%r",
                              exc, exc=exc)  # fmt: skip
        pair = codec.pack_pair(ticket.number, str(exc) or type(exc).__name__)
        kind = Kind.GONE if is_gone else Kind.FAILED
        self._outbox.post(ticket.session, protocol.frame_of_parts(kind, [pair]))

    def _refuse(self, identity: bytes, code: ErrorCode, message: str, weight: int = 1) -> None:
        self._counters.malformed += code is not ErrorCode.HELLO_FIRST
        self._quiet.write(logging.WARNING, identity, "event=refused code=%s message=%s",
                          code.value, message)  # fmt: skip
        self._outbox.refuse(identity, code, message)
        self._intake.strike(identity, weight)
        if self._intake.is_muted(identity):
            self._quiet.write(logging.WARNING, identity, "event=peer_muted")
            session = self._queue.sessions.get(identity)
            if session is not None:
                self._forget(session)

    def _forget(self, session: Session) -> None:
        self._outbox.forget(session)
        num_cancelled = self._queue.forget(session)
        self._counters.cancelled += num_cancelled
        self._quiet.write(logging.INFO, session.name, "event=client_left client=%r cancelled=%d",
                          session.name, num_cancelled)  # fmt: skip

    # ------------------------------------------------------------------ time

    def _tend(self, now: float) -> None:
        self._quiet.tend(now)
        self._executor.tend()
        if self._door is not None:
            for session in self._door.tend(now, self._queue.sessions):
                self._forget(session)
        if self._stall.is_stuck(self._num_running, self._num_finished):
            self._give_up_stuck_workers()
        self._forget_the_silent(now)
        for ticket in self._queue.to_give_way(now):
            self._counters.gave_way += ticket.future is not None and ticket.future.cancel()
        self._window.fit(now, self._num_finished)
        self._num_finished = 0
        self._count()
        if self._stop_asked and self._drain_until is None:
            self._begin_to_drain(now)

    def _forget_the_silent(self, now: float) -> None:
        silence_s = self._info.client_silence_s
        for session in list(self._queue.sessions.values()):
            is_silent = now - session.last_heard_at > silence_s
            if is_silent or self._outbox.is_lost(session, now):
                self._forget(session)

    def _count(self) -> None:
        counters, queue = self._counters, self._queue
        counters.clients, counters.queue_jobs = len(queue.sessions), queue.num_jobs
        counters.queue_bytes = queue.size_bytes
        counters.running, counters.window = self._num_running, self._window.size

    def _begin_to_drain(self, now: float) -> None:
        self._drain_until = now + self._options.drain_s
        log.info("event=draining jobs=%d", self._queue.num_jobs)
        for session in list(self._queue.sessions.values()):
            self._outbox.post(session, protocol.pack(Kind.BYE, "draining"))

    def _give_up_stuck_workers(self) -> None:
        error = StuckWorkers(f"{self._num_running} jobs are with the workers, which have done"
                             f" nothing for {self._options.stall_s:g} s")  # fmt: skip
        for session in list(self._queue.sessions.values()):
            for ticket in list(session.tickets.values()):
                self._queue.finish(ticket)
                self._fail(ticket, error)
        raise error

    def _is_drained(self) -> bool:
        """Tell whether nothing is left to do, or the time for it is over."""
        if self._drain_until is None:
            return False
        if time.monotonic() > self._drain_until:
            log.warning("event=drain_cut jobs=%d", self._queue.num_jobs)
            return True
        return self._queue.num_jobs == 0 and self._outbox.is_empty
