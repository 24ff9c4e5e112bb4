"""The server's memory of who asked for what: fair between clients, bounded in jobs and bytes.

Knows nothing of sockets. One thread uses it.
"""

import time
from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Final

from sandbox_wasm.sessions.errands import Errand
from sandbox_wasm.types import FUEL_A_SECOND, Job, JobResult

__all__ = [
    "BrokerOptions",
    "FairQueue",
    "QueueLimits",
    "Session",
    "Ticket",
    "Window",
    "fuel_of",
    "states_of",
    "too_costly",
]


COSTLY_FUEL: Final = 50_000_000
"""About 6 ms: a client with such jobs leaves a worker to the others."""
JOB_FUEL: Final = 2_000_000
"""What a job costs beside its calls."""
SLICE_S = 2.0
"""A job that has run for longer gives way to clients of whose jobs none runs."""
PATIENCE_S = 1.0
"""So long they wait before that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueLimits:
    """What may wait in a server. A frame that would pass a limit is answered with `busy`."""

    max_jobs: int = 65_536
    """Unanswered jobs of all clients."""
    max_bytes: int = 1024**3
    """Encoded bytes of those jobs."""
    max_client_jobs: int = 16_384
    max_client_bytes: int = 256 * 1024**2
    max_clients: int = 1024
    max_client_reply_bytes: int = 256 * 1024**2
    """Answers a client has not read, and the largest that its jobs with the workers could give."""
    max_reply_bytes: int = 1024**3
    """The same, of all clients."""
    max_fuel: int = 10**13
    """Of one call: the longest that azr eval asks for is 6e12 (Mbpp/599 of EvalPlus)."""
    max_job_fuel: int = 10**15
    """Of all calls of a job in all its images."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerOptions:
    """How a server treats its clients."""

    queue: QueueLimits
    drain_s: float = 30.0
    """After `stop()`: how long queued jobs may still run."""
    stall_s: float = 120.0
    """Workers that have jobs and do nothing for so long are stuck."""


@dataclass(slots=True, eq=False)
class Ticket:
    """One job between its arrival and its answer."""

    session: "Session"
    number: int
    job: Job | Errand | None
    """None once cancelled: the memory is free at once."""
    size_bytes: int
    arrived_at: float
    reply_bytes: int = 0
    """The largest its answer could be."""
    is_waiting: bool = True
    """False once handed on or cancelled: its place in the queue is skipped."""
    future: "Future[JobResult] | None" = None
    """Set while the pool has the job."""
    running_since: float = 0.0
    """When it was first seen to run; 0.0 while it waits."""
    slices: int = 1
    """Twice as many after each time it gave way: what is run in vain is less than what counts."""
    gives_way: bool = False
    """It was stopped for another client's sake, and is to be run again."""


@dataclass(slots=True, eq=False)
class Session:
    """One client's connection. It ends with the connection; a client that returns is a new one."""

    identity: bytes
    name: str
    last_heard_at: float
    tickets: dict[int, Ticket] = field(default_factory=dict[int, Ticket])
    """By request number: queued and running."""
    queue: deque[Ticket] = field(default_factory=deque[Ticket])
    size_bytes: int = 0
    ready: deque[bytes] = field(default_factory=deque[bytes])
    """Encoded results that wait to be sent."""
    unsent: deque[bytes] = field(default_factory=deque[bytes])
    """Whole frames that wait to be sent, before the results."""
    key: bytes | None = None
    """Its public key, where keys are asked for."""
    used_fuel: float = 0.0
    """What its jobs have used; the client that has used least is next."""
    mean_fuel: float = COSTLY_FUEL
    """Of its last jobs; the first is taken for a costly one."""
    num_in_pool: int = 0
    served_at: float = 0.0
    """When a job of it last ended, or the first came."""
    owed_bytes: int = 0
    """The largest answers that its jobs with the workers could give."""
    held_bytes: int = 0
    """Answers that wait until it reads."""
    is_in_ring: bool = False
    is_gone: bool = False
    """A send found no connection."""
    stuck_since: float | None = None
    """When the first send failed because the client does not read."""


class FairQueue:
    """The session that has used the workers least is next; among equals, one job each in turn."""

    def __init__(self, limits: QueueLimits, workers: int = 1) -> None:
        self.limits = limits
        self._workers = workers
        self._reply_bytes = 0
        self._least_used = 0.0
        self.sessions: dict[bytes, Session] = {}
        self.num_jobs = 0
        """Unanswered, running ones included."""
        self.size_bytes = 0
        self.num_waiting = 0
        self._ring: deque[Session] = deque()
        self._in_pool: dict[Ticket, None] = {}
        """The jobs handed on, in that order: the workers have the first of them."""

    def why_busy(self, session: Session, num_jobs: int, size_bytes: int) -> str | None:
        """Say which limit the frame would pass, or None."""
        limits = self.limits
        if len(session.tickets) + num_jobs > limits.max_client_jobs:
            num_jobs = len(session.tickets)
            return f"this client has {num_jobs} unanswered jobs, at most {limits.max_client_jobs}"
        if session.size_bytes + size_bytes > limits.max_client_bytes:
            size_bytes = session.size_bytes
            return f"this client's jobs take {size_bytes} bytes, at most {limits.max_client_bytes}"
        if self.num_jobs + num_jobs > limits.max_jobs:
            return f"{self.num_jobs} jobs are waiting here, at most {limits.max_jobs}"
        if self.size_bytes + size_bytes > limits.max_bytes:
            return f"the waiting jobs take {self.size_bytes} bytes, at most {limits.max_bytes}"
        return None

    def add(self, session: Session, ticket: Ticket) -> None:
        """Queue one job; the caller has asked `why_busy`."""
        session.tickets[ticket.number] = ticket
        session.size_bytes += ticket.size_bytes
        self.num_jobs += 1
        self.size_bytes += ticket.size_bytes
        self.num_waiting += 1
        session.queue.append(ticket)
        if not session.is_in_ring:
            session.is_in_ring = True
            if not session.num_in_pool:
                session.served_at = ticket.arrived_at
            # Who was away comes back as an equal: what was not used then is no credit now.
            session.used_fuel = max(session.used_fuel, self._least_used)
            self._ring.append(session)

    def next(self) -> Ticket | None:
        """Take the next job to run, or None when none may; `returned` must follow."""
        ring = self._ring
        best: Session | None = None
        for _ in range(len(ring)):
            session = ring.popleft()
            queue = session.queue
            while queue and not queue[0].is_waiting:
                queue.popleft()
            if not queue:
                session.is_in_ring = False
                continue
            ring.append(session)
            is_better = best is None or session.used_fuel < best.used_fuel
            if is_better and self._may_run(session, queue[0]):
                best = session
        return None if best is None else self._take(best)

    def _may_run(self, session: Session, ticket: Ticket) -> bool:
        if session.stuck_since is not None:
            return False  # it does not read: more results would only pile up
        if session.mean_fuel >= COSTLY_FUEL:
            # One worker is left to the others; alone, it gets enough that no worker ever waits.
            is_alone = len(self.sessions) <= 1
            most = 4 * self._workers if is_alone else max(1, self._workers - 1)
            if session.num_in_pool >= most:
                return False
        mine = session.owed_bytes + session.held_bytes
        limits = self.limits
        return not mine or (
            mine + ticket.reply_bytes <= limits.max_client_reply_bytes
            and self._reply_bytes + ticket.reply_bytes <= limits.max_reply_bytes
        )

    def _take(self, session: Session) -> Ticket:
        ticket = session.queue.popleft()
        ticket.is_waiting = False
        self.num_waiting -= 1
        self._ring.remove(session)
        if session.queue:
            self._ring.append(session)
        else:
            session.is_in_ring = False
        self._least_used = session.used_fuel
        session.used_fuel += session.mean_fuel
        session.num_in_pool += 1
        self._in_pool[ticket] = None
        session.owed_bytes += ticket.reply_bytes
        self._reply_bytes += ticket.reply_bytes
        return ticket

    def returned(self, ticket: Ticket, fuel: int | None) -> None:
        """Hear that the workers are done with a job, and its fuel.

        None is for a job that was stopped: it has used the time that it was seen to run.
        """
        session = ticket.session
        session.served_at = time.monotonic()
        self._in_pool.pop(ticket, None)
        if fuel is None and ticket.running_since:
            fuel = int((session.served_at - ticket.running_since) * FUEL_A_SECOND)
        session.num_in_pool -= 1
        session.owed_bytes -= ticket.reply_bytes
        self._reply_bytes -= ticket.reply_bytes
        if fuel is not None:
            cost = fuel + JOB_FUEL
            session.used_fuel += cost - session.mean_fuel
            # Up at once and down slowly: one costly job says more than many cheap ones.
            session.mean_fuel = max(cost, 0.8 * session.mean_fuel + 0.2 * cost)

    def to_give_way(self, now: float) -> list[Ticket]:
        """Choose jobs to be stopped that run for long, since clients wait of whose jobs none runs.

        What their clients have waiting in the pool is called back with them. The caller cancels
        all of them, and `put_back` follows once the workers have let go.
        """
        in_pool = list(self._in_pool)
        running, behind = in_pool[: self._workers], in_pool[self._workers :]
        for ticket in running:
            ticket.running_since = ticket.running_since or now
        over = [
            ticket for ticket in running if now - ticket.running_since > ticket.slices * SLICE_S
        ]
        if not over or len(running) < self._workers:
            return []
        served = {ticket.session.identity for ticket in running}
        starved = [
            session
            for session in self.sessions.values()
            if session.identity not in served and self._is_starved(session, now)
        ]
        over.sort(key=lambda ticket: ticket.running_since)
        chosen = over[: len(starved)]
        owners = {ticket.session.identity for ticket in chosen}
        chosen += [ticket for ticket in behind if ticket.session.identity in owners]
        for session in starved:
            session.served_at = now  # it is about to be: no other job need give way meanwhile
        for ticket in chosen:
            ticket.gives_way = True
        return chosen

    def _is_starved(self, session: Session, now: float) -> bool:
        if not session.tickets or now - session.served_at <= PATIENCE_S:
            return False
        waiting = session.queue[0] if session.queue else None
        return session.num_in_pool > 0 or (waiting is not None and self._may_run(session, waiting))

    def put_back(self, ticket: Ticket) -> bool:
        """Queue a job again that gave way, before the others of its client.

        Returns False, and does nothing, if the job was cancelled meanwhile.
        """
        session = ticket.session
        if session.tickets.get(ticket.number) is not ticket:
            return False
        ticket.slices *= 2 if ticket.running_since else 1
        ticket.gives_way, ticket.future, ticket.running_since = False, None, 0.0
        ticket.is_waiting = True
        self.num_waiting += 1
        session.queue.appendleft(ticket)
        if not session.is_in_ring:
            session.is_in_ring = True
            self._ring.append(session)
        return True

    def hold(self, session: Session, size_bytes: int) -> None:
        """Count an answer that waits to be read (negative: that has left)."""
        session.held_bytes += size_bytes
        self._reply_bytes += size_bytes

    def finish(self, ticket: Ticket) -> bool:
        """Forget an answered job; False when it was cancelled before."""
        session = ticket.session
        if session.tickets.get(ticket.number) is not ticket:
            return False
        del session.tickets[ticket.number]
        session.size_bytes -= ticket.size_bytes
        self.num_jobs -= 1
        self.size_bytes -= ticket.size_bytes
        return True

    def cancel(self, session: Session, tickets: Iterable[Ticket]) -> int:
        """Drop a session's jobs that nobody waits for; return how many there were."""
        num_cancelled = 0
        for ticket in list(tickets):
            if not self.finish(ticket):
                continue
            num_cancelled += 1
            if ticket.is_waiting:
                ticket.is_waiting = False
                self.num_waiting -= 1
            elif ticket.future is not None:
                ticket.future.cancel()
            ticket.job = None
        if len(session.queue) > 2 * len(session.tickets) + 64:
            # Without this a client that asks and cancels in turn would grow the queue for ever.
            session.queue = deque(item for item in session.queue if item.is_waiting)
        return num_cancelled

    def forget(self, session: Session) -> int:
        """End a session and cancel its jobs; return how many there were."""
        self.sessions.pop(session.identity, None)
        num_cancelled = self.cancel(session, session.tickets.values())
        session.queue.clear()
        self.hold(session, -session.held_bytes)
        session.stuck_since = None  # so that `next` drops its place in the ring
        return num_cancelled


def too_costly(job: Job | Errand, limits: QueueLimits) -> str | None:
    """Say why a job may use more than this server gives one, or None."""
    if not isinstance(job, Job):
        return None
    fuel = job.limits.fuel
    if fuel > limits.max_fuel:
        return f"limits.fuel is {fuel}, at most {limits.max_fuel} here (see serve --max-fuel)"
    total = fuel * job.images * (len(job.calls) or len(job.expressions) or 1)
    if total > limits.max_job_fuel:
        return (f"its calls may use {total} fuel together, at most {limits.max_job_fuel} here:"
                " send fewer calls in a job (see serve --max-job-fuel)")  # fmt: skip
    return None


def fuel_of(future: "Future[JobResult]") -> int | None:
    """What a job used, or None where it has no result."""
    if future.cancelled() or future.exception() is not None:
        return None
    return sum([call.fuel for call in future.result().calls])


def states_of(future: "Future[JobResult]") -> list[str]:
    """Names of the states that a job's turn left."""
    if future.cancelled() or future.exception() is not None:
        return []
    return [call.state for call in future.result().calls if call.state is not None]


class Window:
    """How many jobs the executor is given at once: what it does in ~30 ms.

    That is enough that it never starves while the server's loop is busy elsewhere, and little
    enough that a client with slow jobs does not make the next one wait behind hundreds of them.
    """

    def __init__(self, workers: int) -> None:
        self.least = 4 * workers
        self.size = self.least
        self._most = 128 * workers
        self._since = time.monotonic()

    def widen(self) -> None:
        """The executor ran dry."""
        self.size = min(2 * self.size, self._most)

    def fit(self, now: float, num_finished: int) -> None:
        """Follow the rate: so many jobs were finished since the last call."""
        elapsed_s = now - self._since
        rate = num_finished / elapsed_s if elapsed_s > 0 else 0.0
        self._since = now
        self.size = max(self.least, min(self._most, int(rate * 0.03)))
