"""What a server asks of whatever runs its jobs."""

from concurrent.futures import Future
from typing import Any, Protocol

from sandbox_wasm.sessions.errands import Errand
from sandbox_wasm.types import Job, JobResult

__all__ = ["Executor"]


class Executor(Protocol):
    """What runs the jobs: `Sandbox`, or a fake."""

    @property
    def packages(self) -> frozenset[str]:
        """What jobs may ask for."""
        ...

    def submit(self, job: Job | Errand) -> "Future[JobResult]":
        """Queue one job without blocking, or do an errand."""
        ...

    def drop_state(self, name: str) -> None:
        """Keep the state of a session no longer."""
        ...

    def tend(self) -> None:
        """Give up what is too old; called at every tick of the server, several times a second."""
        ...

    def stats(self) -> dict[str, Any]:
        """Return counters for the metrics."""
        ...

    def close(self) -> None:
        """Release the workers."""
        ...
