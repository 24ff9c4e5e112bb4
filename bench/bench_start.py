"""What a pool costs before it has done anything: time to its first result, memory for each worker.

    python bench/bench_start.py [--out bench/results/start.json] [--data FILE]

Start: a new Python process that builds a pool from the cached guest and runs one program, `import
sandbox_wasm` included. Memory: PSS of a process with 1 to 4 workers that have all run the light
programs; a worker has three slots (one compiles, two run).
"""

import argparse
import json
import multiprocessing
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from bench_sandbox import machine
from bench_soak import pss_mb
from programs import Program, Workload, add_data_option, as_job

from sandbox_wasm import Sandbox

STARTS = 7
FIRST_RESULT = """
from sandbox_wasm import Job, Sandbox
with Sandbox(workers=1) as sandbox:
    assert sandbox.run([Job("1", "def f(x): return x", calls=["1"])])[0].calls[0].value == "1"
    print("ready", flush=True)
"""


def first_result_s() -> float:
    """Seconds from starting a process to its first result; ending it is not counted."""
    began = time.perf_counter()
    with subprocess.Popen([sys.executable, "-c", FIRST_RESULT], stdout=subprocess.PIPE) as process:  # noqa: S603
        assert process.stdout is not None
        line = process.stdout.readline()
        seconds = time.perf_counter() - began
    assert line == b"ready\n", line
    return seconds


def memory_mb(workers: int, programs: Sequence[Program]) -> float:
    """PSS of a new process with so many workers, each of which has surely run many programs."""
    with multiprocessing.get_context("spawn").Pool(1) as process:
        return process.apply(run_all, (workers, programs))


def run_all(workers: int, programs: Sequence[Program]) -> float:
    """Run the programs a few times and return this process's PSS in MB."""
    jobs = [as_job(program, images=2) for program in programs]
    with Sandbox(workers=workers) as sandbox:
        for _ in range(2 * workers):
            sandbox.run(jobs)
        return pss_mb()


def main() -> None:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--out", type=Path, help="write the figures as JSON here")
    add_data_option(parser)
    args = parser.parse_args()
    workload: Workload = args.data.light()
    before = machine()  # its load is not our own
    starts = sorted(first_result_s() for _ in range(STARTS + 1))[:STARTS]  # the first warms up
    memory = {workers: memory_mb(workers, workload.programs) for workers in (1, 2, 3, 4)}
    per_worker = (memory[4] - memory[1]) / 3
    print(f"first result: {statistics.median(starts):.2f} s (n={STARTS}, {starts[0]:.2f} to"
          f" {starts[-1]:.2f})")  # fmt: skip
    print(f"memory, 1 to 4 workers: {[round(mb) for mb in memory.values()]} MB;"
          f" {per_worker:.1f} MB a worker, {per_worker / 3:.1f} MB a slot")  # fmt: skip
    if args.out:
        record = {"machine": before, "workload": workload.identity, "first_result_s": starts,
                  "pss_mb": memory, "per_worker_mb": per_worker}  # fmt: skip
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
