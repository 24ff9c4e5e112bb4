"""What each way of knowing what a program wrote costs (docs/sandbox.md), by CPU time.

    python bench/bench_dirty_pages.py [--out bench/results/dirty_pages.json] [--data FILE]

One process, one worker a way; every fourth light program with its code cached, one call each, the
ways taking turns. A way that does not work on the machine is left out, with the reason.
"""

import argparse
import json
import os
import statistics
from collections.abc import Sequence
from pathlib import Path

from bench_sandbox import code_cached, cpu_seconds, machine
from programs import Program, Workload, add_data_option

from sandbox_wasm import Sandbox, _pool
from sandbox_wasm.image.manifest import locate_wasmtime

REPEATS = 5


def us_per_call(way: str, programs: Sequence[Program]) -> list[float]:
    """CPU microseconds a call, one figure a repeat."""
    os.environ["AZR_DIRTY_PAGES"] = way
    with Sandbox(workers=1) as sandbox:
        assert sandbox.stats()["dirty_pages"] == way
        run = code_cached(sandbox, list(programs))
        run(0)
        times: list[float] = []
        for repeat in range(REPEATS):
            began = cpu_seconds()
            run(repeat)
            times.append(1e6 * (cpu_seconds() - began) / len(programs))
    return times


def main() -> None:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--out", type=Path, help="write the figures as JSON here")
    add_data_option(parser)
    args = parser.parse_args()
    before = machine()  # its load is not our own
    trials = _pool.try_dirty_pages(str(locate_wasmtime()[0]))
    ways = [name for name, problem in trials if problem is None]
    workload: Workload = args.data.light()
    programs = workload.programs[::4]
    rounds = [{way: us_per_call(way, programs) for way in ways} for _ in range(2)]
    times = {way: [us for each in rounds for us in each[way]] for way in ways}
    fastest = statistics.median(times[ways[0]])
    for way, problem in trials:
        if problem is not None:
            print(f"{way:<8} left out: {problem}")
            continue
        median = statistics.median(times[way])
        print(f"{way:<8} {median:8.1f} us of CPU a call, {median / fastest:6.2f} of {ways[0]}")
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        record = {"machine": before, "workload": workload.identity, "us_per_call": times}
        args.out.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
