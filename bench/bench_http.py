"""What the HTTP door costs: requests/s one program each, and jobs/s in batches, beside ZeroMQ.

    python bench/bench_http.py                  # an executor that answers at once: the door alone
    python bench/bench_http.py --real           # and the pool, on a small program

Server, client and workers share the machine's cores. The client sends prepared
bytes and looks for one text in the answer; half of the clients of the last part vanish.
"""

import argparse
import asyncio
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from sandbox_wasm.client.client import SandboxClient
from sandbox_wasm.grading import parse_check
from sandbox_wasm.grading.grader import jobs_of
from sandbox_wasm.http.runs.seconds import limits_of_request

FAKE = (sys.executable, "-m", "tests.fake_sandbox", "serve")
REAL = (sys.executable, "-m", "sandbox_wasm.cli", "serve")
PROGRAM = "a, b = map(int, input().split())\nprint(a + b)\n"
CONNECTIONS = 64


class Serving:
    """A server with both doors, in a process of its own."""

    def __init__(self, command: tuple[str, ...], workers: int) -> None:
        arguments = ("--http", "127.0.0.1:*", "--bind", "tcp://127.0.0.1:*")
        self._popen = subprocess.Popen(  # noqa: S603 - our own command
            [*command, *arguments, "--workers", str(workers)], stderr=subprocess.PIPE, text=True
        )
        assert self._popen.stderr is not None
        found: dict[str, str] = {}
        while len(found) < 2:
            line = self._popen.stderr.readline()
            assert line, "the server ended"
            if line.startswith("READY"):
                url = line.split()[1]
                found[url.partition(":")[0]] = url
        self.http, self.zeromq = found["http"], found["tcp"]
        self.port = int(self.http.rsplit(":", 1)[1])
        self.pid = self._popen.pid

    def figure(self, name: str) -> float:
        """One figure of the metrics page."""
        with urlopen(f"{self.http}/metrics") as page:  # noqa: S310 - our own server
            lines = page.read().decode().splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith(name))

    def cpu_s(self) -> float:
        """CPU time of the server's process."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def close(self) -> None:
        """End it."""
        self._popen.terminate()
        self._popen.wait()


def prepared(path: str, body: Any) -> bytes:
    """A request as bytes."""
    data = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data


async def answer(reader: asyncio.StreamReader) -> bytes:
    """The body of one answer, which must be a 200."""
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), head
    lower = head.lower()
    start = lower.index(b"content-length: ") + 16
    return await reader.readexactly(int(lower[start : lower.index(b"\r\n", start)]))


async def hammer(port: int, request: bytes, count: int, expected: bytes) -> None:
    """Send the request so often over keep-alive connections."""
    left = iter(range(count))

    async def one() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in left:
            writer.write(request)
            body = await answer(reader)
            assert expected in body, body
        writer.close()

    await asyncio.gather(*(one() for _ in range(CONNECTIONS)))


async def vanish(port: int, request: bytes, count: int, expected: bytes) -> int:
    """As `hammer`, with new connections, half of which leave before their answer."""
    chance = random.Random(1)  # noqa: S311 - for a bench
    room = asyncio.Semaphore(200)

    async def one(leaves: bool) -> bool:
        async with room:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(request)
            await writer.drain()
            if leaves:
                await asyncio.sleep(chance.random() * 0.01)
                writer.close()
                return False
            body = await answer(reader)
            writer.close()
            return expected in body

    return sum(await asyncio.gather(*(one(number % 2 == 0) for number in range(count))))


def measured(
    server: Serving, count: int, repeats: int, run: Callable[[], Coroutine[Any, Any, Any]]
) -> dict[str, Any]:
    """Rates of a run after one warm-up, and what the server's process spends on one."""
    asyncio.run(run())
    rates: list[float] = []
    spent: list[float] = []
    for _ in range(repeats):
        cpu_s, began = server.cpu_s(), time.perf_counter()
        asyncio.run(run())
        rates.append(count / (time.perf_counter() - began))
        spent.append((server.cpu_s() - cpu_s) / count * 1e6)
    return {
        "per_s": round(statistics.median(rates)),
        "min": round(min(rates)),
        "max": round(max(rates)),
        "server_cpu_us": round(statistics.median(spent)),
        "n": repeats,
    }


def single(program: str) -> tuple[bytes, bytes]:
    """One /run_code request, and what its answer must hold."""
    body: dict[str, Any] = {
        "compile_timeout": 10, "run_timeout": 10, "code": program, "stdin": "2 3",
        "language": "python", "files": {}, "fetch_files": [],
    }  # fmt: skip
    return prepared("/run_code", body), b'"status":"Success"'


def batch(program: str, size: int) -> tuple[bytes, bytes]:
    """One /common_evaluate_batch request of so many tests."""
    cases = {"type": "stdin_stdout", "input": [f"2 {n}" for n in range(size)],
             "output": [str(n + 2) for n in range(size)], "fn_name": None}  # fmt: skip
    config = {"language": "python", "run_timeout": 10, "provided_data": {"test_cases": cases},
              "extra": {"run_all_cases": True}}  # fmt: skip
    completion = f"```python\n{program}```"
    return prepared("/common_evaluate_batch", {"completion": completion, "config": config}), (
        b'"accepted":true'
    )


async def over_zeromq(client: SandboxClient, count: int, size: int) -> None:
    """The same jobs over the other door: ScaleBox's tests as the HTTP door makes jobs of them."""
    numbers = range(size)
    truth = {"inputs": [f"2 {n}" for n in numbers], "outputs": [str(n + 2) for n in numbers]}
    check = replace(parse_check(truth), prelude="")
    jobs = jobs_of("bench", PROGRAM, check, limits_of_request(10), is_partial=True)
    await asyncio.gather(*(client.arun(jobs) for _ in range(count // size)))


def bench(server: Serving, program: str, count: int, repeats: int, size: int) -> dict[str, Any]:
    """All figures of one server."""
    request, expected = single(program)
    found: dict[str, Any] = {
        "single": measured(server, count, repeats,
                           lambda: hammer(server.port, request, count, expected)),
    }  # fmt: skip
    if program == PROGRAM:
        many, accepted = batch(program, size)
        found["batched, tests"] = measured(
            server, count, repeats, lambda: hammer(server.port, many, count // size, accepted)
        )
        with SandboxClient(server.zeromq) as client:
            found["zeromq, jobs"] = measured(
                server, count, repeats, lambda: over_zeromq(client, count, size)
            )
        ours, theirs = found["batched, tests"], found["zeromq, jobs"]
        found["batched, share of zeromq"] = round(ours["per_s"] / theirs["per_s"], 3)
        # What saturated cores would give: independent of whatever else runs on the machine.
        by_cpu = theirs["server_cpu_us"] / ours["server_cpu_us"]
        found["batched, share by cpu time"] = round(by_cpu, 3)
    stayed = asyncio.run(vanish(server.port, request, 2000, expected))
    time.sleep(1)
    found["vanishing"] = {
        "stayed": 1000,
        "answered": stayed,
        "jobs left": server.figure("azr_sandbox_queue_jobs"),
    }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--size", type=int, default=100, help="tests of a batch")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--real", action="store_true", help="also measure the real pool")
    parser.add_argument("--out", type=Path, help="write the result file here")
    args = parser.parse_args()
    report: dict[str, Any] = {
        "bench": "http",
        "machine": f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "load_1m_before": os.getloadavg()[0],
        "connections": CONNECTIONS,
    }
    commands = [("no_op", FAKE, "echo"), *([("real", REAL, PROGRAM)] if args.real else [])]
    for name, command, program in commands:
        server = Serving(command, args.workers)
        try:
            report[name] = bench(server, program, args.requests, args.repeats, args.size)
        finally:
            server.close()
    text = json.dumps(report, indent=2)
    print(text)
    if args.out:
        args.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
