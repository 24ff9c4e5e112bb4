"""`Session`: one interpreter's turns, over whatever keeps states: a `Sandbox` or a `SandboxClient`.

A state never changes, and a turn makes a new one of it. So a session is a reference to a state, a
fork is one more reference, and a turn that is asked for twice gives the same answer twice.
"""

import hashlib
import threading
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol, Self

from sandbox_wasm.errors import BadJob
from sandbox_wasm.types import FUEL_A_SECOND, CallResult, Job, JobResult, Limits, Outcome

__all__ = ["Session", "StateKeeper", "StateRef", "TurnResult", "turn_job"]


class StateKeeper(Protocol):
    """What runs turns and keeps the states that they leave, by name."""

    def run(self, jobs: Iterable[Job], /) -> Sequence[JobResult]:
        """Run jobs and return their results in order."""
        ...

    def submit(self, job: Job, /) -> "Future[JobResult]":
        """Start one job."""
        ...

    def save_state(self, name: str, /) -> bytes:
        """Return a state as bytes. Raises SessionGone when it is kept no more."""
        ...

    def drop_state(self, name: str, /) -> None:
        """Keep a state no longer; nothing happens when it is not kept."""
        ...


class StateRef:
    """Keeps a state for as long as somebody holds this; then its keeper may forget it."""

    __slots__ = ("_drop", "name")

    def __init__(self, drop: Callable[[str], None], name: str) -> None:
        self._drop = drop
        self.name = name

    def __del__(self) -> None:
        self._drop(self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnResult:
    """What became of one turn. All texts are untrusted."""

    outcome: Outcome
    """RETURNED, RAISED and EXITED (`sys.exit`) leave what the turn did; any other, and `os._exit`,
    leaves the session as it was before."""
    is_kept: bool
    """Whether the session is another one now."""
    value: str | None = None
    """repr() of the last expression, unless it is None or a semicolon follows it."""
    stdout: str = ""
    stderr: str = ""
    traceback: str | None = None
    """Of what was raised, with the lines of all turns' sources; at most 16 KiB."""
    error: str | None = None
    """"TypeName: message", or why there is no value."""
    fuel: int = 0
    """What the turn used; compiling is not counted."""

    @property
    def seconds(self) -> float:
        """The fuel as time of the guest."""
        return self.fuel / FUEL_A_SECOND

    @classmethod
    def of(cls, call: CallResult) -> "TurnResult":
        """Read the result of a turn's job."""
        return cls(
            outcome=call.outcome, is_kept=call.state is not None, value=call.value,
            stdout=call.stdout or "", stderr=call.stderr or "", traceback=call.traceback,
            error=call.error, fuel=call.fuel,
        )  # fmt: skip


def turn_job(
    state: str,
    source: str,
    *,
    stdin: str | None = None,
    limits: Limits | None = None,
    packages: frozenset[str] = frozenset(),
    banned_modules: frozenset[str] = frozenset(),
) -> Job:
    """Make the job of a turn; `state` names what it goes on from, "" begins a session."""
    return Job(
        "turn", source, state=state, stdin=stdin, limits=limits or Limits(),
        packages=packages, banned_modules=banned_modules,
    )  # fmt: skip


class Session:
    """An interpreter whose names, modules, files and clock go on from turn to turn.

    Made by `Sandbox.session` and `SandboxClient.session`. Its turns come one after the other; forks
    may run at the same time.

    Example:
        >>> with Sandbox() as sandbox, sandbox.session() as session:
        ...     _ = session.run("x = 1")
        ...     fork = session.fork()
        ...     _ = session.run("x += 1")
        ...     session.run("x").value, fork.run("x").value
        ('2', '1')
    """

    def __init__(
        self,
        keeper: StateKeeper,
        ref: StateRef | None = None,
        *,
        packages: frozenset[str] = frozenset(),
        banned_modules: frozenset[str] = frozenset(),
    ) -> None:
        self._keeper = keeper
        self._ref = ref
        self._packages = packages
        self._banned_modules = banned_modules
        self._turn = threading.Lock()
        self._is_closed = False

    def run(
        self, source: str, *, stdin: str | None = None, limits: Limits | None = None
    ) -> TurnResult:
        """Run one turn.

        Args:
            source: Untrusted. It sees what the turns before it left; the value of a last expression
                comes back as its repr(), and is `_` for the next turn.
            stdin: What the turn can read; None leaves what the turn before did not read.
            limits: Of this turn alone.

        Raises:
            SessionGone: Its state is kept no more.
            BadJob: A field is wrong, another turn of it is running, or it is closed.
            SandboxUnavailable: The machinery failed; the session is as it was.
        """
        with self._one_turn():
            (result,) = self._keeper.run([self._job(source, stdin, limits)])
            return self._take(result)

    async def arun(
        self, source: str, *, stdin: str | None = None, limits: Limits | None = None
    ) -> TurnResult:
        """Run one turn without blocking the event loop. Raises as `run` does."""
        import asyncio  # noqa: PLC0415 - a tenth of a start; whoever awaits this has it already

        with self._one_turn():
            future = self._keeper.submit(self._job(source, stdin, limits))
            return self._take(await asyncio.wrap_future(future))

    def fork(self) -> "Session":
        """Return a session of its own that goes on from this one's state."""
        self._check_open()
        return Session(
            self._keeper, self._ref, packages=self._packages, banned_modules=self._banned_modules
        )

    def save(self) -> bytes:
        """Return the state as bytes, for `load_session` of any sandbox with the same image.

        Raises:
            SessionGone: Its state is kept no more.
            BadJob: Nothing was run yet, and even that is larger than a session may be.
        """
        self._check_open()
        if self._ref is None:
            turn = self.run("")
            if self._ref is None:
                raise BadJob(f"there is no state to save: {turn.error}")
        return self._keeper.save_state(self._ref.name)

    def digest(self) -> str:
        """Return a SHA-256 of the state: equal for equal turns in equal images, on any machine."""
        return hashlib.sha256(self.save()).hexdigest()

    def close(self) -> None:
        """Give the state back, where no fork needs it."""
        self._is_closed = True
        self._ref = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _job(self, source: str, stdin: str | None, limits: Limits | None) -> Job:
        return turn_job(
            self._ref.name if self._ref is not None else "", source, stdin=stdin, limits=limits,
            packages=self._packages, banned_modules=self._banned_modules,
        )  # fmt: skip

    def _take(self, result: JobResult) -> TurnResult:
        call = result.calls[0]
        if call.state is not None:
            self._ref = StateRef(self._keeper.drop_state, call.state)
        return TurnResult.of(call)

    def _check_open(self) -> None:
        if self._is_closed:
            raise BadJob("the session is closed")

    @contextmanager
    def _one_turn(self) -> Generator[None]:
        self._check_open()
        if not self._turn.acquire(blocking=False):
            raise BadJob("a turn of this session is running: wait for it, or fork the session")
        try:
            yield
        finally:
            self._turn.release()
