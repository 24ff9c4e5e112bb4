"""Ten times what a server can do, from four hosts of which one is greedy.

The greedy host asks for seven times the server's capacity, the three others for as much as it
has each. They come from addresses of their own on loopback. Every program prints a number that
only it knows, after some computing; an answer with another one is a wrong score.
"""

import asyncio
import json
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench_http import Serving, prepared

__all__ = ["Load", "overload"]

_PROGRAM = """
total = 0
for i in range(40_000):
    total += i % 7
print({mark}, total)
"""
_TOTAL = sum(i % 7 for i in range(40_000))
_SHARES = {"127.0.0.2": 7, "127.0.0.3": 1, "127.0.0.4": 1, "127.0.0.5": 1}
"""Hosts, and what each asks for, in capacities of the server."""


@dataclass(frozen=True, slots=True)
class Load:
    """What became of the requests."""

    capacity: float
    """Answers a second when nothing waits."""
    asked: int
    right: int
    refused: int
    """Said to be not run: 504, or SandboxError."""
    wrong: int
    by_host: dict[str, int]
    """Right answers while requests came in, which is when hosts compete."""
    slowest_s: float
    grown_mib: float
    """Of the server's memory, from before to after."""
    jobs_left: int


async def _ask(port: int, host: str, mark: int) -> tuple[str, float]:
    """The fate of one request on a connection of its own, and how long it took."""
    began = time.monotonic()
    request = prepared("/run_code", {"code": _PROGRAM.format(mark=mark), "language": "python",
                                     "compile_timeout": 5, "run_timeout": 5})  # fmt: skip
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(host, 0))
    try:
        writer.write(request)
        status, body = await _answer(reader)
    finally:
        writer.close()
    return _fate(status, body, mark), time.monotonic() - began


async def _answer(reader: asyncio.StreamReader) -> tuple[int, Any]:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    start = head.index(b"content-length: ") + 16
    body = await reader.readexactly(int(head[start : head.index(b"\r\n", start)]))
    status = int(head.split()[1])
    return status, json.loads(body) if status == 200 else None


def _fate(status: int, body: Any, mark: int) -> str:
    if status != 200 or body["status"] == "SandboxError":
        return "refused"
    return "right" if body["run_result"]["stdout"] == f"{mark} {_TOTAL}\n" else "wrong"


async def _capacity(port: int, count: int) -> float:
    """Answers a second with as many requests in flight as keep the workers busy."""
    marks = iter(range(count))
    began = time.monotonic()

    async def one() -> None:
        for mark in marks:
            await _ask(port, "127.0.0.2", mark)

    await asyncio.gather(*(one() for _ in range(8)))
    return count / (time.monotonic() - began)


async def _arrivals(
    port: int, capacity: float, seconds: float
) -> tuple[Counter[str], Counter[str], float]:
    """Send at ten capacities, whatever comes back: fates, right answers by host, the slowest."""
    fates: Counter[str] = Counter()
    by_host: Counter[str] = Counter()
    slowest, tasks = 0.0, set[asyncio.Task[None]]()
    ends = time.monotonic() + seconds

    async def one(host: str, mark: int) -> None:
        nonlocal slowest
        fate, took = await _ask(port, host, mark)
        fates[fate] += 1
        by_host[host] += fate == "right" and time.monotonic() < ends
        slowest = max(slowest, took)

    mark = 0
    while time.monotonic() < ends:
        for host, share in _SHARES.items():
            for _ in range(share):
                mark += 1
                tasks.add(asyncio.create_task(one(host, mark)))
        await asyncio.sleep(1 / capacity)
    await asyncio.gather(*tasks)
    return fates, by_host, slowest


def overload(server: Serving, seconds: float) -> Load:
    """Load a server for so long at ten times what it has just done, then wait for all answers."""
    capacity = asyncio.run(_capacity(server.port, 200))
    before = _memory_mib(server)
    fates, by_host, slowest = asyncio.run(_arrivals(server.port, capacity, seconds))
    return Load(
        capacity=capacity,
        asked=fates.total(),
        right=fates["right"],
        refused=fates["refused"],
        wrong=fates["wrong"],
        by_host=dict(by_host),
        slowest_s=slowest,
        grown_mib=_memory_mib(server) - before,
        jobs_left=_jobs_left(server),
    )


def _jobs_left(server: Serving) -> int:
    """Once what was refused has had a second to end."""
    left = int(server.figure("azr_sandbox_queue_jobs"))
    for _ in range(10):
        if left == 0:
            break
        time.sleep(0.1)
        left = int(server.figure("azr_sandbox_queue_jobs"))
    return left


def _memory_mib(server: Serving) -> float:
    lines = Path(f"/proc/{server.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024
