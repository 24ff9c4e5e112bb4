"""The policy loss, forward and both gradients, beside everything one would use instead.

    python bench/bench_policy_loss.py [--rounds 3] [--out FILE]

measures both shapes in bfloat16 and float32 in about 8 minutes, each in a process of its own, and
writes bench/results/policy_loss.json; `--show` prints the tables of that file again.
`--case T,H,V,dtype` measures one and prints JSON.

Each round runs every implementation once, so that a disturbance of the machine meets all of them.
Memory is the growth of the process's resident peak above inputs and gradients. Every gradient is
compared with one of float32 logits. Liger takes part where it is installed
(`pip install --no-deps liger-kernel`).
"""

# pyright: basic
# Half of torch.Tensor's methods have no types.

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch
from torch import Tensor

from azr import _loss
from azr.cli.gpu.peers import (
    Batch,
    checkpointed,
    eager,
    exact,
    exact_logprobs,
    liger,
    ours,
    products,
)

DTYPES = {"bf16": torch.bfloat16, "fp32": torch.float32}
CASES = tuple(
    f"{shape},{dtype}" for shape in ("2048,576,49152", "1024,896,151936") for dtype in DTYPES
)
RESULTS = Path(__file__).parent / "results" / "policy_loss.json"


def peers(dtype: torch.dtype) -> dict[str, Callable[[Batch], Tensor]]:
    """Return what can run here."""
    found: dict[str, Callable[[Batch], Tensor]] = {"azr": ours}
    found["compile"] = torch.compile(eager, dynamic=False)
    if dtype is not torch.float32:
        found["compile, float32 logits"] = torch.compile(exact, dynamic=False)
    found |= {"eager": eager, "checkpoint": checkpointed}
    try:
        found["liger"] = liger(compiled=False)
    except ImportError as error:
        print(f"liger left out: {error}", file=sys.stderr)
    return found


def gradient(function: Callable[[Batch], Tensor], batch: Batch) -> tuple[float, float]:
    """Run forward and backward; return seconds and MB above inputs and gradients."""
    batch.hidden.grad = batch.weight.grad = None
    before = _resident("VmRSS", reset=True)
    start = time.perf_counter()
    function(batch).backward()
    seconds = time.perf_counter() - start
    grads = (batch.hidden.grad, batch.weight.grad)
    kept = sum(grad.numel() * grad.element_size() for grad in grads if grad is not None)
    return seconds, (_resident("VmHWM") - before - kept) / 1e6


def _resident(field: str, *, reset: bool = False) -> int:
    if reset:
        Path("/proc/self/clear_refs").write_text("5")  # forget the peak
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024
    return 0


def timed_products(batch: Batch) -> tuple[float, float]:
    """Return the seconds of the matrix products alone."""
    start = time.perf_counter()
    products(batch)
    return time.perf_counter() - start, 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One implementation's figures."""

    name: str
    n: int
    seconds_min: float
    seconds_median: float
    seconds_max: float
    extra_mb: float
    """The most of all rounds, the first included, in which nothing is kept from a call before."""
    grad_weight_error: float | None
    """Relative, against the gradient of float32 logits."""


def measure(
    batch: Batch, rounds: int, functions: dict[str, Callable[[Batch], Tensor]]
) -> list[Row]:
    """Run all in turn, `rounds` times, after a call of those that have something to warm up."""
    checkpointed(batch, exact_logprobs).backward()
    expected, batch.weight.grad = batch.weight.grad, None
    assert expected is not None
    runs: dict[str, list[tuple[float, float]]] = {name: [] for name in functions}
    extra: dict[str, list[float]] = {name: [] for name in functions}
    errors: dict[str, float] = {}
    for i in range(rounds + 1):
        for name, function in functions.items():
            if i == 0 and not name.startswith(("azr", "compile")):
                continue
            result = gradient(function, batch)
            print(f"round {i} {name}: {result[0]:.3f} s", file=sys.stderr, flush=True)
            if i > 0 or name == "azr":  # compiling needs memory too, which is not the loss's
                extra[name].append(result[1])
            if i > 0:
                runs[name].append(result)
            if name not in errors and batch.weight.grad is not None:
                errors[name] = _difference(batch.weight.grad, expected)
        batch.hidden.grad = batch.weight.grad = None
        if i > 0:
            runs.setdefault("products", []).append(timed_products(batch))
    return [
        row(name, [seconds for seconds, _ in results], extra.get(name, [0.0]), errors.get(name))
        for name, results in runs.items()
    ]


def _difference(actual: Tensor, expected: Tensor) -> float:
    """Return the relative error, block by block: a difference as large as the weight is memory."""
    pairs = zip(actual.split(4096), expected.split(4096), strict=True)
    square = sum((x.float() - y.float()).square().sum().item() for x, y in pairs)
    total = sum(y.float().square().sum().item() for y in expected.split(4096))
    return (square / total) ** 0.5


def row(name: str, seconds: list[float], extra: list[float], error: float | None) -> Row:
    """Sum up one implementation's rounds."""
    return Row(
        name=name,
        n=len(seconds),
        seconds_min=min(seconds),
        seconds_median=statistics.median(seconds),
        seconds_max=max(seconds),
        extra_mb=max(extra),
        grad_weight_error=error,
    )


def measure_case(case: str, rounds: int) -> dict[str, Any]:
    """Measure one shape and dtype in this process."""
    *sizes, dtype = case.split(",")
    T, H, V = (int(size) for size in sizes)
    batch = Batch.random(T, H, V, DTYPES[dtype])
    load = os.getloadavg()[0]
    rows = measure(batch, rounds, peers(DTYPES[dtype]))
    kept = _loss.release_scratch()
    rate = _loss.product_rate(
        isa="", is_bfloat16=dtype == "bf16", num_threads=torch.get_num_threads(), rounds=20
    )
    return {
        "case": {"T": T, "H": H, "V": V, "dtype": dtype},
        "load_average": [load, os.getloadavg()[0]],
        "tile_in_cache_seconds": 6 * T * H * V / rate,
        "kept_between_calls_mb": kept / 1e6,
        "rows": [asdict(row) for row in rows],
    }


def table(result: dict[str, Any]) -> str:
    """Return the markdown of one case."""
    case, rows = result["case"], {row["name"]: row for row in result["rows"]}
    lines = [
        (
            f"\nT={case['T']} H={case['H']} V={case['V']} {case['dtype']}; "
            f"register tile in cache: {result['tile_in_cache_seconds']:.3f} s; "
            f"load {result['load_average'][0]:.1f} to {result['load_average'][1]:.1f}"
        ),
        "",
        "| | s: min, median, max | n | / products | this / azr | extra MB | error of dW |",
        "|---|---|---|---|---|---|---|",
    ]
    ours, torchs = (rows[name]["seconds_median"] for name in ("azr", "products"))
    for name, row in rows.items():
        seconds = [row[f"seconds_{word}"] for word in ("min", "median", "max")]
        error = "" if row["grad_weight_error"] is None else f"{row['grad_weight_error']:.1e}"
        memory = "" if name == "products" else f"{row['extra_mb']:,.0f}"
        times = ", ".join(f"{x:.3f}" for x in seconds)
        ratios = f"{seconds[1] / torchs:.2f} | {seconds[1] / ours:.2f}"
        lines.append(f"| {name} | {times} | {row['n']} | {ratios} | {memory} | {error} |")
    return "\n".join(lines)


def machine() -> dict[str, Any]:
    """Say where and on what this was measured."""
    cpu = [x for x in Path("/proc/cpuinfo").read_text().splitlines() if x.startswith("model name")]
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    )
    return {
        "cpu": cpu[0].split(":")[1].strip() if cpu else platform.processor(),
        "threads": torch.get_num_threads(),
        "isas": _loss.available_isas(),
        "torch": torch.__version__,
        "commit": commit.stdout.strip(),
    }


def targets(results: list[dict[str, Any]]) -> str:
    """Return the markdown of what was aimed at and what was reached, medians and minima."""
    names = {"bf16": "bfloat16", "fp32": "float32"}
    cases = [result["case"] for result in results]
    titles = " | ".join(f"{names[case['dtype']]}, T={case['T']}" for case in cases)
    lines = ["", f"| ratio of medians (of minima) | {titles} |", "|---" * (len(cases) + 1) + "|"]
    tables = [{row["name"]: row for row in result["rows"]} for result in results]
    for label, above, below in (
        ("time / products, <= 1.10 (bfloat16), 1.15 (float32)", "azr", "products"),
        ("compile / azr, >= 1.4", "compile", "azr"),
        ("compile with float32 logits / azr", "compile, float32 logits", "azr"),
        ("eager / azr, >= 2.5", "eager", "azr"),
        ("liger / azr, >= 10", "liger", "azr"),
    ):
        cells = [ratio(rows.get(above), rows.get(below)) for rows in tables]
        lines.append(f"| {label} | {' | '.join(cells)} |")
    memory = " | ".join(f"{rows['azr']['extra_mb']:.0f}" for rows in tables)
    lines.append(f"| extra MB, <= 250 at T=2048 | {memory} |")
    return "\n".join(lines)


def ratio(above: dict[str, Any] | None, below: dict[str, Any] | None) -> str:
    """Return how one implementation's seconds compare with another's."""
    if above is None or below is None:
        return ""
    median, least = (above[f"seconds_{x}"] / below[f"seconds_{x}"] for x in ("median", "min"))
    return f"{median:.2f} ({least:.2f})"


def show(results: list[dict[str, Any]]) -> None:
    """Print every table."""
    print("\n".join([*(table(result) for result in results), targets(results)]))


def main() -> None:
    """Measure every case in a process of its own; print tables and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--case", help="T,H,V,bf16 or T,H,V,fp32: only this, JSON to stdout")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--show", action="store_true", help="print what --out holds")
    arguments = parser.parse_args()
    if arguments.case:
        print(json.dumps(measure_case(arguments.case, arguments.rounds)))
        return
    if arguments.show:
        show(json.loads(arguments.out.read_text())["cases"])
        return
    results: list[dict[str, Any]] = []
    for case in CASES:
        command = [sys.executable, __file__, "--case", case, "--rounds", str(arguments.rounds)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)  # noqa: S603
        results.append(json.loads(done.stdout))
    show(results)
    arguments.out.parent.mkdir(exist_ok=True)
    arguments.out.write_text(json.dumps({"machine": machine(), "cases": results}, indent=2) + "\n")


if __name__ == "__main__":
    main()
