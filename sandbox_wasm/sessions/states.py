"""The states of a sandbox's sessions, by name, within bounds: the one idle longest goes first."""

import secrets
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from sandbox_wasm.errors import SessionGone

__all__ = ["SessionLimits", "StateTable"]

State = TypeVar("State")

_GONE: Final = (
    "the session is gone: it was idle for too long, had to make room for others, or its server was"
    " started again; begin another"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionLimits:
    """What the sessions of one sandbox may hold."""

    max_sessions: int = 10_000
    """States; forks that have not gone on yet share one."""
    max_session_bytes: int = 64 * 1024**2
    """A turn that would leave more ends with OUT_OF_MEMORY and leaves the session as it was."""
    max_bytes: int = 4 * 1024**3
    """Of all states together; what forks share counts once."""
    max_idle_s: float = 3600.0

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        for name in ("max_sessions", "max_session_bytes", "max_bytes", "max_idle_s"):
            if not getattr(self, name) > 0:
                raise ValueError(f"sessions.{name} must be positive, got {getattr(self, name)!r}")


class StateTable(Generic[State]):
    """Keeps states by names that nobody can guess. Thread-safe."""

    def __init__(self, limits: SessionLimits, size_bytes: Callable[[], int]) -> None:
        """Begin with none; `size_bytes` tells what all states take together."""
        self.limits = limits
        self.num_expired = 0
        """How many were given up for time or room."""
        self._size_bytes = size_bytes
        # The collector can end a session, which drops its state, in the middle of any method here,
        # so what is dropped waits until whoever holds the lock looks.
        self._dropped: deque[str] = deque()
        self._lock = threading.Lock()
        """Guards what follows."""
        self._states: OrderedDict[str, tuple[State, float]] = OrderedDict()
        """The one used longest ago first, each with when that was."""

    def __len__(self) -> int:
        return len(self._states)

    def put(self, state: State) -> str:
        """Keep a state, and return its name; others make room for it."""
        name = secrets.token_hex(16)
        with self._lock:
            self._states[name] = (state, time.monotonic())
            del state
            self._make_room()
        return name

    def get(self, name: str) -> State:
        """Return a state, which is used now.

        Raises:
            SessionGone: It is kept no more, or never was.
        """
        with self._lock:
            self._make_room()
            if name not in self._states:
                raise SessionGone(_GONE)
            state, _ = self._states[name]
            self._states[name] = (state, time.monotonic())
            self._states.move_to_end(name)
            return state

    def drop(self, name: str) -> None:
        """Keep a state no longer; safe in a finalizer, even of the thread that holds the lock."""
        self._dropped.append(name)
        if self._lock.acquire(blocking=False):
            try:
                self._forget_dropped()
            finally:
                self._lock.release()

    def make_room(self) -> None:
        """Give up what is too old or too much; to be called now and then where no state is used."""
        with self._lock:
            self._make_room()

    def clear(self) -> None:
        """Keep none."""
        with self._lock:
            self._states.clear()

    def _forget_dropped(self) -> None:
        while self._dropped:
            self._states.pop(self._dropped.popleft(), None)

    def _make_room(self) -> None:
        self._forget_dropped()
        limits, states = self.limits, self._states
        oldest_at = time.monotonic() - limits.max_idle_s
        while states:
            name, (_, used_at) = next(iter(states.items()))
            is_over = len(states) > limits.max_sessions or self._size_bytes() > limits.max_bytes
            if used_at >= oldest_at and not (is_over and len(states) > 1):
                return
            states.pop(name, None)
            self.num_expired += 1
