"""Jobs for the fake executor and what they answer, shared by the tests of the wire and its ends."""

import sys
from pathlib import Path

from sandbox_wasm.types import Job

FAKE = (sys.executable, "-m", "sandbox_wasm.fake", "serve")


def numbered(count: int, source: str = "echo") -> list[Job]:
    return [Job(f"job-{i}", source, calls=(str(i),)) for i in range(count)]


def answers(results) -> list[str | None]:
    return [result.calls[0].value for result in results]


def numbers(count: int) -> list[str]:
    return [str(i) for i in range(count)]


def num_open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())
