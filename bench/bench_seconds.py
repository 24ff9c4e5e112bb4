"""How much fuel the guest burns in a second of CPU, load by load, and what CPython needs natively.

    python bench/bench_seconds.py [--out bench/results/seconds.json]

`FUEL_A_SECOND` (sandbox_wasm/types.py) is near the median. Fuel is exact. CPU time is that of the
process with one worker, the median of five rounds in which guest and native take turns, so that a
busy machine counts for both.
"""

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Any

from bench_sandbox import machine

from sandbox_wasm import FUEL_A_SECOND, Job, Limits, Sandbox

ROUNDS = 5
LOADS = """
# while loop
def f(n):
    i = s = 0
    while i < n * 2000:
        s += i & 7
        i += 1
    return s

# recursion
def fib(k):
    return k if k < 2 else fib(k - 1) + fib(k - 2)
def f(n):
    return [fib(20) for _ in range(n // 9)][0]

# lists
def f(n):
    a = [i * i % 1013 for i in range(n * 300)]
    return sum(x for x in a if x % 3)

# dictionary
def f(n):
    d = {}
    for i in range(n * 500):
        d[i % 977] = d.get(i % 977, 0) + i
    return len(d)

# sorting
def f(n):
    a = [(i * 7919) % 100003 for i in range(n * 200)]
    return sorted(a)[n] + len(sorted(a, key=str))

# strings
def f(n):
    words = ["w%d" % (i % 97) for i in range(n * 200)]
    return len(" ".join(words).upper().replace("W", "x").split())

# floats
import math
def f(n):
    s = 0.0
    for i in range(1, n * 500):
        s += math.sin(i) / i ** 0.5
    return s

# large integers
def f(n):
    x = 1
    for i in range(1, n * 4):
        x = x * i % (1 << 2000) | 1
    return len(str(x))

# table of a dynamic programme
def f(n):
    a = [0] * 301
    for i in range(n):
        b = [0] * 301
        for j in range(1, 301):
            b[j] = max(a[j], a[j - 1] + (i * j) % 7)
        a = b
    return a[-1]

# heap of objects
import heapq
class P:
    def __init__(self, k):
        self.k = k
    def __lt__(self, other):
        return self.k < other.k
def f(n):
    heap = []
    for i in range(n * 40):
        heapq.heappush(heap, P(i * 31 % 257))
    return heapq.heappop(heap).k
"""
SIZE = "600"


def loads() -> list[tuple[str, str]]:
    """Name and source of each."""
    parts = LOADS.split("\n# ")[1:]
    return [(part.partition("\n")[0], part.partition("\n")[2]) for part in parts]


def native_s(source: str) -> float:
    """CPU seconds of the load in this interpreter."""
    names: dict[str, Any] = {}
    exec(compile(source, "load", "exec"), names)  # noqa: S102 - our own text
    started = time.process_time()
    names["f"](int(SIZE))
    return time.process_time() - started


def guest_run(sandbox: Sandbox, source: str) -> tuple[int, float]:
    """Fuel and CPU seconds of the load in the guest, its code being cached."""
    job = Job("load", source, calls=[SIZE], limits=Limits(seconds=1000))
    started = time.process_time()
    [call] = sandbox.run([job])[0].calls
    if call.value is None:
        raise RuntimeError(f"{call.outcome}: {call.error}")
    return call.fuel, time.process_time() - started


def main() -> None:
    """Print a table, and keep it where asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path)
    out = parser.parse_args().out
    rows: dict[str, dict[str, float]] = {}
    with Sandbox(1, images=1) as sandbox:
        for name, source in loads():
            fuel, _ = guest_run(sandbox, source)
            rounds = [(guest_run(sandbox, source)[1], native_s(source)) for _ in range(ROUNDS)]
            guest = statistics.median(second for second, _ in rounds)
            native = statistics.median(second for _, second in rounds)
            rows[name] = {"fuel": fuel, "guest_s": guest, "fuel_a_guest_second": fuel / guest,
                          "guest_to_native": guest / native}  # fmt: skip
            print(f"{name:30} {fuel / 1e9:6.2f}e9 fuel, {fuel / guest / 1e9:5.1f}e9 a second,"
                  f" {guest / native:4.1f} times native")  # fmt: skip
    rates = sorted(row["fuel_a_guest_second"] for row in rows.values())
    print(f"median {statistics.median(rates) / 1e9:.1f}e9, from {rates[0] / 1e9:.1f}e9 to"
          f" {rates[-1] / 1e9:.1f}e9; FUEL_A_SECOND is {FUEL_A_SECOND / 1e9:.1f}e9")  # fmt: skip
    if out:
        out.write_text(json.dumps({"machine": machine(), "loads": rows}) + "\n")


if __name__ == "__main__":
    main()
