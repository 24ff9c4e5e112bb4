"""What a consumer's endpoint is: a path, a body, a deadline, and a function that answers."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter

from sandbox_wasm.http.desk import Desk
from sandbox_wasm.http.runs.sessions import Sessions
from sandbox_wasm.sessions.errands import Errand
from sandbox_wasm.types import Job, JobResult

__all__ = ["Answer", "Call", "Endpoint"]


@dataclass(frozen=True, slots=True)
class Call:
    """One request, as an endpoint sees it."""

    desk: Desk
    sessions: Sessions
    client: str
    """The host that asks."""
    headers: Mapping[str, str]
    packages: frozenset[str] = frozenset()
    """Every program may import what the server has loaded: no consumer can ask for it."""

    async def arun(self, jobs: Iterable[Job | Errand]) -> list[JobResult]:
        """Run jobs, as the executor of `sandbox_wasm.grading.agrade`.

        Raises:
            BadJob: A job breaks the contract, or a cap of this server.
            SandboxUnavailable: The machinery failed.
        """
        return await self.desk.run(self.client, list(jobs))

    def run(self, jobs: Iterable[Job]) -> list[JobResult]:
        """Not here: an event loop does not wait."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Answer:
    """A response that is not a 200."""

    status: int
    content: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One path of one consumer."""

    path: str
    consumer: str
    summary: str
    body: TypeAdapter[Any]
    answer: Callable[[Call, Any], Awaitable[Any]]
    """From a checked body to what becomes JSON, or to an `Answer`."""
    deadline_s: Callable[[Any], float]
    """When the answer must have left: before the consumer's own time is over."""
    late_status: int = 504
    """Of the answer that comes instead."""
    failed: Callable[[str], Any] | None = None
    """What the consumer takes for a failure of the machine, as content of a 200, if it has such."""
    failed_status: int = 503
    """Of the answer to a failure of the machine, if it has none."""
    example: Any = field(default=None)
    """Of a body, for the page of the interface."""
