"""A caller's wait, and how its answer travels from the client's thread to the caller's."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sandbox_wasm.types import CallResult, JobResult

__all__ = ["Answer", "Call", "Item", "LoopBridge"]


Answer = tuple[int, JobResult]
"""(index, result): the index is the job's place among the jobs of its call."""


class Call:
    """One `run`, `stream`, `arun` or `astream`. Only the client's thread changes it."""

    __slots__ = ("_on_over", "_on_result", "error", "has_deadline", "ids", "is_over", "num_left",
                 "results", "started_at", "timeout_s")  # fmt: skip

    def __init__(
        self,
        ids: Sequence[str],
        timeout_s: float,
        *,
        has_deadline: bool,
        on_over: "Callable[[Call], None]",
        on_result: Callable[[Answer], None] | None = None,
    ) -> None:
        self.ids = ids
        self.results: list[JobResult | None] = [None] * len(ids)
        self.num_left = len(ids)
        self.started_at = time.monotonic()
        self.timeout_s = timeout_s
        self.has_deadline = has_deadline
        """True when `timeout_s` counts from the start, False when it counts from the last sign of
        life of any server."""
        self.error: Exception | None = None
        self.is_over = False
        self._on_over = on_over
        self._on_result = on_result

    def due_at(self, heard_at: float) -> float:
        """Return when to give up if no server is heard until then."""
        since = self.started_at if self.has_deadline else max(self.started_at, heard_at)
        return since + self.timeout_s

    def deliver(self, index: int, calls: tuple[CallResult, ...]) -> None:
        """Take one job's results; ignore a second answer to the same job."""
        if self.is_over or self.results[index] is not None:
            return
        result = JobResult(id=self.ids[index], calls=calls)
        self.results[index] = result
        self.num_left -= 1
        if self._on_result is not None:
            self._on_result((index, result))
        if not self.num_left:
            self.end(None)

    def end(self, error: Exception | None) -> None:
        """Finish, once: with all results, or with an error."""
        if not self.is_over:
            self.is_over = True
            self.error = error
            self._on_over(self)

    def outcome(self) -> list[JobResult]:
        """Return the results in order, or raise; the call must be over."""
        if self.error is not None:
            raise self.error
        return [result for result in self.results if result is not None]


@dataclass(slots=True, eq=False)
class Item:
    """One job on its way; it is encoded once."""

    number: int
    data: bytes
    call: Call
    index: int
    num_attempts: int = 0
    """How often a server failed with the job, or died while it had it."""
    server: str | None = None
    """The one that keeps the state from which it goes on, where it is a session's turn."""
    avoid: object = None
    """The link on which the machine failed with the job; another one is taken if there is one."""


class LoopBridge:
    """Carries calls into one event loop, many with one wake-up."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._items: deque[tuple[Callable[[Any], object], Any]] = deque()
        self._is_scheduled = False

    def post(self, function: Callable[[Any], object], argument: Any) -> None:
        """Have the loop call `function(argument)`, in order; safe from any thread."""
        self._items.append((function, argument))
        if not self._is_scheduled:
            self._is_scheduled = True
            try:
                self._loop.call_soon_threadsafe(self._run)
            except RuntimeError:
                self._items.clear()  # the loop is closed: nobody is left to hear it

    def _run(self) -> None:
        self._is_scheduled = False  # before the look: a post in between schedules again
        items = self._items
        while items:
            function, argument = items.popleft()
            function(argument)
