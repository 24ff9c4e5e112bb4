"""The real sandbox where tests want an executor, without server and client between."""

import asyncio
from collections.abc import Sequence

from sandbox_wasm import Job, JobResult, Sandbox

__all__ = ["DirectExecutor"]


class DirectExecutor:
    """azr.game.judge.judge.Executor over a sandbox of this process; keeps the jobs it was sent."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.jobs: list[Job] = []

    async def arun(self, jobs: Sequence[Job]) -> list[JobResult]:
        self.jobs.extend(jobs)
        return await asyncio.to_thread(self.sandbox.run, jobs)
