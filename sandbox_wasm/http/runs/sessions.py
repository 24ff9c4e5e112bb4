"""Sessions: an interpreter whose state goes on from turn to turn, by exact replay.

A session is the sources of its turns. Each turn runs them again in a fresh guest and then the new
one; as nothing in a guest is random, the state is the one that the turns left. So a session costs
no memory but its text, survives any worker, and its n-th turn costs what all n turns compute.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

from sandbox_wasm.http.runs.notebook import Allowance, CellsResult, job_of_cells, result_of_cells
from sandbox_wasm.types import Job, JobResult

__all__ = ["Session", "SessionFull", "SessionLimits", "Sessions"]

Run = Callable[[Iterable[Job]], Awaitable[list[JobResult]]]


class SessionFull(Exception):  # noqa: N818 - reads as a state
    """A session has as many turns, or as much text, as it may have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionLimits:
    """What sessions may hold."""

    max_sessions: int = 10_000
    """The one that was used longest ago is forgotten first."""
    max_turns: int = 256
    max_bytes: int = 1024**2
    """Of a session's sources together."""
    max_bytes_together: int = 1024**3
    """Of all sessions' sources."""
    max_idle_s: float = 3600.0


@dataclass(slots=True)
class Session:
    """One interpreter's turns."""

    limits: SessionLimits
    created_at: float
    """Seconds since the epoch."""
    used_at: float
    turns: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """Source and stdin of each."""
    size_bytes: int = 0
    fuel: int = 0
    """What all turns use together."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Turns of one session come one after the other."""

    @classmethod
    def new(cls, limits: SessionLimits) -> "Session":
        """Begin one now."""
        now = time.time()
        return cls(limits, now, now)

    async def run(self, run: Run, code: str, allowance: Allowance, stdin: str = "") -> CellsResult:
        """Run one turn. One that is stopped (time, memory, exit) leaves the state as it was.

        Raises:
            SessionFull: It has as many turns, or bytes, as it may have.
            BadJob, SandboxUnavailable: As of the executor.
        """
        async with self.lock:
            size_bytes = self.size_bytes + _size_bytes(code) + _size_bytes(stdin)
            self._require_room(size_bytes)
            cells = [*self.turns, (code, stdin)]
            job = job_of_cells(cells, len(self.turns), allowance, self.fuel)
            (result,) = await run([job])
            turn = result_of_cells(result, 1)
            if turn.cells:
                self.turns.append((code, stdin))
                self.size_bytes, self.fuel = size_bytes, turn.fuel
            return turn

    def _require_room(self, size_bytes: int) -> None:
        limits = self.limits
        if len(self.turns) >= limits.max_turns:
            raise SessionFull(f"this session has {limits.max_turns} turns, the most: begin another")
        if size_bytes > limits.max_bytes:
            raise SessionFull(
                f"this session's code would have {size_bytes} bytes, at most {limits.max_bytes}:"
                " begin another"
            )


class Sessions:
    """The sessions of a server, by name; used from one event loop."""

    def __init__(self, limits: SessionLimits | None = None) -> None:
        self.limits = limits or SessionLimits()
        self._by_name: OrderedDict[str, Session] = OrderedDict()

    def __len__(self) -> int:
        return len(self._by_name)

    def get(self, name: str) -> tuple[Session, bool]:
        """Return the session, and whether it is a new one."""
        now = time.time()
        session = self._by_name.get(name)
        if session is not None and session.used_at < now - self.limits.max_idle_s:
            session = None
        is_new = session is None
        if session is None:
            session = self._by_name[name] = Session.new(self.limits)
        session.used_at = now
        self._by_name.move_to_end(name)
        if len(self._by_name) > self.limits.max_sessions:
            self.tend()
        return session, is_new

    def drop(self, name: str) -> bool:
        """Forget a session; False when there is none."""
        return self._by_name.pop(name, None) is not None

    def items(self) -> list[tuple[str, Session]]:
        """Return the sessions, the one used longest ago first."""
        self.tend()
        return list(self._by_name.items())

    def tend(self) -> None:
        """Forget sessions that are idle, and those beyond the bounds; to be called often."""
        limits, sessions = self.limits, self._by_name
        oldest_at = time.time() - limits.max_idle_s
        size_bytes = sum(session.size_bytes for session in sessions.values())
        while sessions:
            session = next(iter(sessions.values()))
            is_over = len(sessions) > limits.max_sessions or size_bytes > limits.max_bytes_together
            if session.lock.locked() or not (is_over or session.used_at < oldest_at):
                return
            sessions.popitem(last=False)
            size_bytes -= session.size_bytes


def _size_bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
