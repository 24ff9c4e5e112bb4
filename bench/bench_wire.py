"""What the wire costs: jobs/s through server and client, and the share of the pool's own speed.

    python bench/bench_wire.py [--workers 2] [--data FILE] [--out FILE.json]

First an executor that does nothing, then the real pool on the light programs, beside itself in
process.

The server runs in a process of its own, as a trainer's does; server, client and workers share the
machine's cores, so the share of the pool's speed includes everything Python does on both sides.
"""

import argparse
import asyncio
import itertools
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from programs import Workload, add_data_option, as_job

from sandbox_wasm.client.client import SandboxClient
from sandbox_wasm.client.local_server import LocalServer
from sandbox_wasm.types import Job

FAKE = (sys.executable, "-m", "tests.fake_sandbox", "serve")


def measure(run: Callable[[], object], count: int, repeats: int) -> dict[str, Any]:
    """Time `run` after one warm-up; rates are jobs a second."""
    run()
    rates: list[float] = []
    for _ in range(repeats):
        began = time.perf_counter()
        run()
        rates.append(count / (time.perf_counter() - began))
    return {
        "jobs_per_s": round(statistics.median(rates)),
        "min": round(min(rates)),
        "max": round(max(rates)),
        "n": repeats,
    }


def in_batches(client: Any, jobs: list[Job], size: int) -> Callable[[], object]:
    """Run in calls of `size` jobs, a few at a time as a trainer's coroutines would."""
    batches = [jobs[i : i + size] for i in range(0, len(jobs), size)]

    async def main() -> None:
        await asyncio.gather(*(client.arun(batch) for batch in batches))

    return lambda: asyncio.run(main())


def latency_us(client: SandboxClient, job: Job, count: int) -> dict[str, float]:
    """One job at a time, nothing else running."""
    samples: list[float] = []
    for _ in range(count):
        began = time.perf_counter()
        client.run([job])
        samples.append((time.perf_counter() - began) * 1e6)
    samples.sort()
    return {"p50_us": round(samples[count // 2]), "p99_us": round(samples[int(count * 0.99)])}


def bench_no_op(count: int, repeats: int) -> dict[str, Any]:
    """The wire alone: the executor answers at once."""
    jobs = [Job(str(i), "echo", calls=("[1, 2, 3]",)) for i in range(count)]
    results: dict[str, Any] = {}
    with LocalServer(1, command=FAKE) as server, server.client() as client:
        results["run, one call"] = measure(lambda: client.run(jobs), count, repeats)
        results["arun, calls of 256"] = measure(in_batches(client, jobs, 256), count, repeats)
        results["arun, calls of 1"] = measure(in_batches(client, jobs, 1), count, repeats)
        results["round trip"] = latency_us(client, jobs[0], 1000)
    return results


def bench_pool(workload: Workload, workers: int, repeats: int, limit: int) -> dict[str, Any]:
    """The real pool in process, then the same jobs through the wire."""
    from sandbox_wasm.sandbox import Sandbox  # noqa: PLC0415 - only for this part

    programs = itertools.islice(itertools.cycle(workload.programs), limit)
    jobs = [as_job(program, str(number)) for number, program in enumerate(programs)]
    # Sources differ between repetitions, so that no cache of compiled programs answers.
    fresh = iter(range(1_000_000))

    def batch() -> list[Job]:
        mark = f"\n# {next(fresh)}\n"
        return [replace(job, source=job.source + mark) for job in jobs]

    pool_rates: list[float] = []
    wire_rates: list[float] = []
    pool_cpu_us: list[float] = []
    wire_cpu_us: list[float] = []
    with (
        Sandbox(workers=workers) as pool,
        LocalServer(workers) as server,
        server.client() as client,
    ):
        # In turn, so that other load on the machine falls on both alike; the first pair warms up.
        for turn in range(repeats + 1):
            for run, rates, cpu_us in (
                (pool.run, pool_rates, pool_cpu_us),
                (client.run, wire_rates, wire_cpu_us),
            ):
                programs = batch()
                cpu_s = cpu_seconds(server.pid)
                began = time.perf_counter()
                run(programs)
                if turn:
                    rates.append(len(jobs) / (time.perf_counter() - began))
                    cpu_us.append((cpu_seconds(server.pid) - cpu_s) / len(jobs) * 1e6)
        latency = latency_us(client, jobs[0], 300)
    median = statistics.median
    return {
        "workload": workload.identity,
        "programs": len(jobs),
        "workers": workers,
        "n": repeats,
        "pool_jobs_per_s": [round(rate) for rate in sorted(pool_rates)],
        "wire_jobs_per_s": [round(rate) for rate in sorted(wire_rates)],
        "pool_cpu_us_per_job": round(median(pool_cpu_us), 1),
        "wire_cpu_us_per_job": round(median(wire_cpu_us), 1),
        "share_of_the_pools_rate": round(median(wire_rates) / median(pool_rates), 3),
        # What saturated cores would give: independent of whatever else runs on the machine.
        "share_by_cpu_time": round(median(pool_cpu_us) / median(wire_cpu_us), 3),
        "round_trip": latency,
    }


def cpu_seconds(pid: int) -> float:
    """CPU time of this process and of the server, all threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return time.process_time() + (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=20_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--programs", type=int, default=2000, help="of the real pool's part")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, help="write the result file here")
    add_data_option(parser)
    args = parser.parse_args()
    git = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],  # noqa: S607 - whichever git is installed
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    report: dict[str, Any] = {
        "bench": "wire",
        "machine": f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "commit": git.stdout.strip(),
        "no_op": bench_no_op(args.jobs, args.repeats),
    }
    if args.programs:
        report["real"] = bench_pool(args.data.light(), args.workers, args.repeats, args.programs)
    text = json.dumps(report, indent=2)
    print(text)
    if args.out:
        args.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
