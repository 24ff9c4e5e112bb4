"""Sessions of HTTP clients, by the names that they give them.

The state of each is kept by the sandbox (sandbox_wasm/sessions), which bounds the bytes of all;
here are their names, and how long they may be idle. A turn travels like any job, through the desk.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from sandbox_wasm.errors import BadJob, SessionGone
from sandbox_wasm.http.runs.endings import TEXTS, is_late
from sandbox_wasm.sessions.errands import Errand, LoadState, SaveState, saved_of
from sandbox_wasm.sessions.session import StateRef, TurnResult, turn_job
from sandbox_wasm.sessions.states import SessionLimits
from sandbox_wasm.types import Job, JobResult, Limits, Outcome

__all__ = ["MAX_NAME_CHARS", "HeldSession", "Run", "Sessions", "raised_in", "why_stopped"]

MAX_NAME_CHARS: Final = 256
Run = Callable[[Sequence[Job | Errand]], Awaitable[list[JobResult]]]


class HeldSession:
    """One interpreter's turns, which come one after the other."""

    def __init__(self, drop: Callable[[str], None]) -> None:
        self.created_at = self.used_at = time.time()
        """Seconds since the epoch."""
        self.lock = asyncio.Lock()
        self._drop = drop
        self._ref: StateRef | None = None

    async def run(
        self, run: Run, code: str, limits: Limits, packages: frozenset[str], stdin: str = ""
    ) -> TurnResult:
        """Run one turn. One that is stopped (time, memory, exit) leaves the state as it was.

        Raises:
            SessionGone: Its state made room for others; the next turn begins anew.
            BadJob, SandboxUnavailable: As of the executor.
        """
        async with self.lock:
            before = self._ref.name if self._ref is not None else ""
            job = turn_job(before, code, stdin=stdin, limits=limits, packages=packages)
            try:
                (result,) = await run([job])
            except SessionGone:
                self._ref = None
                raise
            self._keep(result)
            return TurnResult.of(result.calls[0])

    async def save(self, run: Run) -> bytes:
        """Return the state as bytes; raises as `run`."""
        async with self.lock:
            if self._ref is None:  # nothing was run yet
                (empty,) = await run([turn_job("", "")])
                self._keep(empty)
                if self._ref is None:
                    raise BadJob(f"there is no state to save: {empty.calls[0].error}")
            (result,) = await run([SaveState(self._ref.name)])
            return saved_of(result)

    async def load(self, run: Run, saved: bytes) -> None:
        """Go on from the state that bytes are; it stays as it was when they are none (BadJob)."""
        async with self.lock:
            (result,) = await run([LoadState(saved)])
            self._keep(result)

    def _keep(self, result: JobResult) -> None:
        state = result.calls[0].state
        if state is not None:
            self._ref = StateRef(self._drop, state)


class Sessions:
    """The sessions of a server, by name; used from one event loop."""

    def __init__(self, drop: Callable[[str], None], limits: SessionLimits | None = None) -> None:
        """Begin with none; `drop` has the executor keep a state no longer."""
        self.limits = limits or SessionLimits()
        self._drop = drop
        self._by_name: OrderedDict[str, HeldSession] = OrderedDict()

    def __len__(self) -> int:
        return len(self._by_name)

    def new(self) -> HeldSession:
        """Begin a session without a name."""
        return HeldSession(self._drop)

    def get(self, name: str) -> tuple[HeldSession, bool]:
        """Return the session, and whether it is a new one."""
        self.tend()
        session = self._by_name.get(name)
        is_new = session is None
        if session is None:
            session = self._by_name[name] = self.new()
        session.used_at = time.time()
        self._by_name.move_to_end(name)
        return session, is_new

    async def load(self, name: str, run: Run, saved: bytes) -> bool:
        """Have a session go on from the state that bytes are; return whether it is a new one.

        Raises:
            BadJob: They are no session for this image; what was there stays as it was.
        """
        is_new = name not in self._by_name
        session = self.new() if is_new else self.get(name)[0]
        await session.load(run, saved)
        self._by_name[name] = session
        self.get(name)
        return is_new

    def find(self, name: str) -> HeldSession | None:
        """Return the session of this name, if there is one."""
        return self.get(name)[0] if name in self._by_name else None

    def drop(self, name: str) -> bool:
        """Forget a session; False when there is none."""
        return self._by_name.pop(name, None) is not None

    def items(self) -> list[tuple[str, HeldSession]]:
        """Return the sessions, the one used longest ago first."""
        self.tend()
        return list(self._by_name.items())

    def tend(self) -> None:
        """Forget sessions that are idle, and those beyond the bound; to be called often."""
        oldest_at = time.time() - self.limits.max_idle_s
        while self._by_name:
            session = next(iter(self._by_name.values()))
            is_over = len(self._by_name) > self.limits.max_sessions
            if session.lock.locked() or not (is_over or session.used_at < oldest_at):
                return
            self._by_name.popitem(last=False)


def raised_in(turn: TurnResult) -> str | None:
    """The traceback, or what there is of one, of a turn that ended by itself; None if it did well.

    A source that does not compile, or imports what is banned, counts as one that raises.
    """
    has_ended = turn.is_kept or turn.outcome in (Outcome.SYNTAX_ERROR, Outcome.REFUSED)
    if not has_ended or turn.outcome is Outcome.RETURNED:
        return None
    return (turn.traceback or turn.error or turn.outcome.value).rstrip("\n")


def why_stopped(turn: TurnResult, seconds: float) -> str | None:
    """By what a turn was stopped; None if it ended by itself."""
    if is_late(turn):
        return f"stopped after {seconds:g} s of computing"
    if turn.is_kept or raised_in(turn) is not None:
        return None
    return turn.error or TEXTS.get(turn.outcome, turn.outcome.value.replace("_", " "))
