"""Where the jobs of HTTP requests wait for the pool, and where their results come back.

Lives in the HTTP door's event loop. The queue is the one of ZeroMQ's door: fair between clients,
which are hosts here, and bounded in jobs and bytes. A request that finds it full waits for room.
"""

import asyncio
import itertools
import time
from collections import deque
from collections.abc import Iterable, Sequence
from concurrent.futures import CancelledError, Future
from dataclasses import replace
from functools import partial
from typing import Final

from sandbox_wasm.errors import BadJob, SandboxUnavailable, SessionGone
from sandbox_wasm.server.executor import Executor
from sandbox_wasm.server.metrics import ServerCounters
from sandbox_wasm.server.queues import (
    FairQueue,
    QueueLimits,
    Session,
    Ticket,
    fuel_of,
    states_of,
    too_costly,
)
from sandbox_wasm.server.stall import StallWatch, StuckWorkers
from sandbox_wasm.sessions.errands import Errand, LoadState
from sandbox_wasm.types import Job, JobResult
from sandbox_wasm.wire.codec import reply_bytes

__all__ = ["TICK_S", "Desk"]

ATTEMPTS: Final = 3
"""A job that the machine failed to run is tried so often: most clients would score a 0 for it."""
WINDOW: Final = 32
"""Jobs a worker that the pool may hold at once."""
OVERHEAD_BYTES: Final = 512
"""Of a job beside its texts."""
SILENCE_S: Final = 60.0
"""A host without jobs is forgotten after so long."""
TICK_S: Final = 0.5
"""How often `tend` is to be called."""


class _Order:
    """The jobs of one request on their way."""

    __slots__ = ("done", "jobs", "num_left", "results", "tickets", "tries")

    def __init__(self, jobs: Sequence[Job | Errand], done: "asyncio.Future[None]") -> None:
        self.jobs = jobs
        self.done = done
        self.results: list[JobResult | None] = [None] * len(jobs)
        self.tries = [0] * len(jobs)
        self.num_left = len(jobs)
        self.tickets: list[Ticket] = []


class Desk:
    """Runs the jobs of requests; used from one event loop."""

    def __init__(
        self, executor: Executor, workers: int, limits: QueueLimits, counters: ServerCounters,
        stall_s: float = 120.0,
    ) -> None:  # fmt: skip
        # Most answers are far smaller than they may be, and one host may be all there is.
        limits = replace(limits, max_client_reply_bytes=limits.max_reply_bytes)
        self._executor = executor
        self._limits = limits
        self._queue = FairQueue(limits, workers)
        self._counters = counters
        self._window = WINDOW * workers
        self._loop = asyncio.get_running_loop()
        self._numbers = itertools.count()
        self._orders: dict[int, tuple[_Order, int]] = {}
        """Of each ticket: its request, and its place there."""
        self._finished: deque[tuple[Ticket, Future[JobResult]]] = deque()
        self._is_woken = False
        self._num_running = 0
        self._num_finished = 0
        self._room: asyncio.Event = asyncio.Event()
        self._stall = StallWatch(stall_s)
        self.is_stuck = False

    async def run(self, client: str, jobs: Sequence[Job | Errand]) -> list[JobResult]:
        """Run jobs and return their results in order; cancelling this cancels them.

        Args:
            client: The host that asks; hosts share the workers by the fuel they use.
            jobs: At most what one client may have waiting.

        Raises:
            BadJob: A job breaks the contract, or a cap of this server; none was run.
            SandboxUnavailable: The machinery failed, `ATTEMPTS` times; no result is known.
            SessionGone: The state that a session's turn goes on from is kept no more.
        """
        if not jobs:
            return []
        size_bytes = self._check(jobs)
        session = await self._enter(client, len(jobs), size_bytes)
        order = _Order(jobs, self._loop.create_future())
        for index in range(len(jobs)):
            self._add(session, order, index)
        self._counters.jobs += len(jobs)
        self._feed()
        try:
            await order.done
        finally:
            if order.num_left:
                self._drop(session, order.tickets)
        return [result for result in order.results if result is not None]

    def tend(self) -> None:
        """Look after what time brings: silent hosts, stuck workers, figures.

        Raises:
            StuckWorkers: The pool has jobs and does nothing; whoever waits was told.
        """
        now = time.monotonic()
        for session in list(self._queue.sessions.values()):
            if not session.tickets and now - session.last_heard_at > SILENCE_S:
                self._queue.forget(session)
        counters = self._counters
        for ticket in self._queue.to_give_way(now):
            counters.gave_way += ticket.future is not None and ticket.future.cancel()
        counters.clients, counters.queue_jobs = len(self._queue.sessions), self._queue.num_jobs
        counters.queue_bytes, counters.window = self._queue.size_bytes, self._window
        counters.running = self._num_running
        is_stuck = self._stall.is_stuck(self._num_running, self._num_finished)
        self._num_finished = 0
        if is_stuck:
            self.is_stuck = True
            error = StuckWorkers(f"{self._num_running} jobs are with the workers, which do nothing")
            for order, _ in list(self._orders.values()):
                self._fail(order, error)
            raise error

    def _check(self, jobs: Iterable[Job | Errand]) -> int:
        """Refuse what costs more than this server gives; return the bytes of the jobs."""
        size_bytes = num_jobs = 0
        for job in jobs:
            if why := too_costly(job, self._limits):
                raise BadJob(why)
            num_jobs += 1
            size_bytes += _size_bytes(job)
        limits = self._limits
        if num_jobs > limits.max_client_jobs or size_bytes > limits.max_client_bytes:
            raise BadJob(
                f"{num_jobs} jobs of {size_bytes} bytes at once; at most {limits.max_client_jobs}"
                f" jobs and {limits.max_client_bytes} bytes"
            )
        return size_bytes

    async def _enter(self, client: str, num_jobs: int, size_bytes: int) -> Session:
        """Wait until the queue has room for the jobs."""
        identity = client.encode()
        is_first = True
        while True:
            session = self._queue.sessions.get(identity)
            if session is None:
                session = Session(identity, client, time.monotonic())
                self._queue.sessions[identity] = session
            session.last_heard_at = time.monotonic()
            if self._queue.why_busy(session, num_jobs, size_bytes) is None:
                return session
            self._counters.busy += num_jobs if is_first else 0
            is_first = False
            self._room.clear()
            await self._room.wait()

    def _add(self, session: Session, order: _Order, index: int) -> None:
        job = order.jobs[index]
        number = next(self._numbers)
        self._orders[number] = (order, index)
        ticket = Ticket(session, number, job, _size_bytes(job), time.monotonic(), reply_bytes(job))
        order.tickets.append(ticket)
        self._queue.add(session, ticket)

    def _feed(self) -> None:
        while self._num_running < self._window:
            ticket = self._queue.next()
            if ticket is None:
                return
            assert ticket.job is not None, ticket
            try:
                future = self._executor.submit(ticket.job)
            except Exception as exc:  # noqa: BLE001 - a fault of the machine must reach the client
                future = Future[JobResult]()
                future.set_exception(exc)
            ticket.future = future
            self._num_running += 1
            future.add_done_callback(partial(self._on_done, ticket))

    def _on_done(self, ticket: Ticket, future: "Future[JobResult]") -> None:
        """Runs in a thread of the executor."""
        self._finished.append((ticket, future))
        if not self._is_woken:
            self._is_woken = True
            try:
                self._loop.call_soon_threadsafe(self._collect)
            except RuntimeError:  # the loop is closed: nobody waits any more
                return

    def _collect(self) -> None:
        self._is_woken = False
        finished = self._finished
        while finished:
            ticket, future = finished.popleft()
            self._num_running -= 1
            self._num_finished += 1
            self._queue.returned(ticket, fuel_of(future))
            if ticket.gives_way and future.cancelled() and self._queue.put_back(ticket):
                continue
            order, index = self._orders.pop(ticket.number)
            if self._queue.finish(ticket) and not order.done.done():
                self._take(ticket, order, index, future)
            else:  # nobody waits for it
                for name in states_of(future):
                    self._executor.drop_state(name)
        self._feed()
        self._room.set()

    def _take(self, ticket: Ticket, order: _Order, index: int, future: "Future[JobResult]") -> None:
        """Keep the result of a job that somebody waits for."""
        exc = CancelledError() if future.cancelled() else future.exception()
        if exc is None:
            result = future.result()
            self._counters.add_result(result, time.monotonic() - ticket.arrived_at)
            order.results[index] = result
            order.num_left -= 1
            if not order.num_left:
                order.done.set_result(None)
            return
        order.tries[index] += 1
        if not isinstance(exc, BadJob | SessionGone):
            self._counters.failed += 1
            if order.tries[index] < ATTEMPTS:
                self._add(ticket.session, order, index)
                return
        self._fail(order, exc)

    def _fail(self, order: _Order, exc: BaseException) -> None:
        if isinstance(exc, BadJob):
            self._counters.rejected += 1
        elif not isinstance(exc, SandboxUnavailable | SessionGone):
            exc = SandboxUnavailable(f"{type(exc).__name__}: {exc}")
        if not order.done.done():
            order.done.set_exception(exc)

    def _drop(self, session: Session, tickets: Iterable[Ticket]) -> None:
        """Cancel what is left of a request that nobody waits for any more."""
        for ticket in tickets:
            if ticket.future is None:  # no worker has it, so nobody will report it
                self._orders.pop(ticket.number, None)
        self._counters.cancelled += self._queue.cancel(session, tickets)
        session.last_heard_at = time.monotonic()
        self._room.set()


def _size_bytes(job: Job | Errand) -> int:
    """What a job takes while it waits."""
    if not isinstance(job, Job):
        return OVERHEAD_BYTES + (len(job.saved) if isinstance(job, LoadState) else 0)
    size_bytes = OVERHEAD_BYTES + len(job.source) + len(job.stdin or "")
    size_bytes += len(job.tests or "") + sum(map(len, job.calls))
    return size_bytes + sum(len(name) + len(data) for name, data in job.files)
