"""The server's memory of who asked for what: fair between clients, bounded in jobs and bytes.

Knows nothing of sockets. One thread uses it.
"""

from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field

from sandbox_wasm.types import Job, JobResult

__all__ = ["FairQueue", "QueueLimits", "Session", "Ticket"]


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


@dataclass(slots=True, eq=False)
class Ticket:
    """One job between its arrival and its answer."""

    session: "Session"
    number: int
    job: Job | None
    """None once handed on or cancelled: the memory is free at once."""
    size_bytes: int
    arrived_at: float
    is_waiting: bool = True
    """False once handed on or cancelled: its place in the queue is skipped."""
    future: "Future[JobResult] | None" = None
    """Set while the pool has the job."""


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
    is_in_ring: bool = False
    is_gone: bool = False
    """A send found no connection."""
    stuck_since: float | None = None
    """When the first send failed because the client does not read."""


class FairQueue:
    """Round robin over the sessions that have waiting jobs, one job each a turn."""

    def __init__(self, limits: QueueLimits) -> None:
        self.limits = limits
        self.sessions: dict[bytes, Session] = {}
        self.num_jobs = 0
        """Unanswered, running ones included."""
        self.size_bytes = 0
        self.num_waiting = 0
        self._ring: deque[Session] = deque()

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
            self._ring.append(session)

    def next(self) -> Ticket | None:
        """Take the next job to run, or None when none waits."""
        ring = self._ring
        for _ in range(len(ring)):
            session = ring.popleft()
            if session.stuck_since is not None:
                ring.append(session)  # it does not read: more results would only pile up
                continue
            queue = session.queue
            while queue:
                ticket = queue.popleft()
                if ticket.is_waiting:
                    ticket.is_waiting = False
                    self.num_waiting -= 1
                    if queue:
                        ring.append(session)
                    else:
                        session.is_in_ring = False
                    return ticket
            session.is_in_ring = False
        return None

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
                ticket.future.cancel()  # takes effect only if no worker has begun it
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
        session.stuck_since = None  # so that `next` drops its place in the ring
        return num_cancelled
