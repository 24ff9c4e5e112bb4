"""What fuel lasts where a program does nothing but make the host work, next to computing.

    python bench/bench_host_calls.py [--out bench/results/host_calls.json]

For each program of tests/guest/host_work.py: the fuel that a microsecond of CPU time burns, and how
many times longer the same fuel lasts than in computing; more than 3 asks for a higher price in
native/executor/wasi/wasi_price.h. Computing is measured before each, so that a busy machine counts
for both; of five rounds the median.
"""

import argparse
import json
import runpy
import statistics
import time
from pathlib import Path

from bench_sandbox import machine

from sandbox_wasm import Job, Limits, Sandbox

FUEL = 1_000_000_000
ROUNDS = 5
PROGRAMS = Path(__file__).parents[1] / "tests/guest/host_work.py"


def fuel_per_us(sandbox: Sandbox, source: str) -> float:
    """Fuel that the program burns in a microsecond of CPU time."""
    sandbox.run([Job("compiled", source, calls=["1"])])
    job = Job("measured", source, calls=[str(10**9)], limits=Limits(fuel=FUEL))
    started = time.process_time()
    (result,) = sandbox.run([job])
    return result.calls[0].fuel / (time.process_time() - started) / 1e6


def main() -> None:
    """Print a table, and keep it where asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path)
    out = parser.parse_args().out
    names = runpy.run_path(str(PROGRAMS))
    rows: dict[str, dict[str, float]] = {}
    with Sandbox(1, images=1) as sandbox:
        for name, source in names["HOST_WORK"].items():
            pairs = [
                (fuel_per_us(sandbox, names["COMPUTING"]), fuel_per_us(sandbox, source))
                for _ in range(ROUNDS)
            ]
            burnt = statistics.median(host for _, host in pairs)
            ratio = statistics.median(computing / host for computing, host in pairs)
            rows[name] = {"fuel_per_us": round(burnt), "times_as_long": round(ratio, 2)}
            print(f"{name:18} {burnt:8.0f} fuel/us, lasts {ratio:5.2f} times as long", flush=True)
    if out:
        out.write_text(json.dumps({"machine": machine(), "programs": rows}) + "\n")


if __name__ == "__main__":
    main()
