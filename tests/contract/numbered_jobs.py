"""Jobs for the fake executor and what they answer, shared by the tests of the wire and its ends."""

import sys
import threading
from pathlib import Path

from sandbox_wasm.client.client import SandboxClient
from sandbox_wasm.errors import SandboxUnavailable
from sandbox_wasm.types import Job

FAKE = (sys.executable, "-m", "tests.fake_sandbox", "serve")


def numbered(count: int, source: str = "echo") -> list[Job]:
    return [Job(f"job-{i}", source, calls=(str(i),)) for i in range(count)]


def answers(results) -> list[str | None]:
    return [result.calls[0].value for result in results]


def numbers(count: int) -> list[str]:
    return [str(i) for i in range(count)]


def num_open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def run_in_thread(client: SandboxClient, jobs: list[Job]) -> tuple[threading.Thread, list]:
    """Start the jobs; the list is given their answers, or the error, when they are done."""
    outcome: list = []

    def run() -> None:
        try:
            outcome.append(answers(client.run(jobs)))
        except SandboxUnavailable as exc:
            outcome.append(exc)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, outcome
