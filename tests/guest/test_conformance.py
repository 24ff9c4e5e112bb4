"""The guest's values against native CPython's, on published programs."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from sandbox_wasm import Job, Limits, Outcome, Sandbox
from sandbox_wasm.values import equal

pytestmark = [pytest.mark.guest, pytest.mark.slow]

KNOWN_TO_DIFFER = {
    "mbpp_88": "returns a Counter, which has no literal",
    "mbpp_596": "sys.getsizeof: the guest is 32-bit",
    "Mbpp/596": "sys.getsizeof: the guest is 32-bit",
    "Mbpp/599": "sums a hundred million numbers one by one: out of fuel",
    "LeetCode/make-array-empty": "imports sortedcontainers, which is not in the standard library",
}
LIMITS = Limits(fuel=20_000_000_000, memory_bytes=1 << 30)


def read(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def wrong(sandbox: Sandbox, rows: list[tuple[str, str, str, str]]) -> list[str]:
    jobs = [Job(name, code, expressions=[call], limits=LIMITS) for name, code, call, _ in rows]
    found: list[str] = []
    for (name, _, _, expected), result in zip(rows, sandbox.run(jobs), strict=True):
        call = result.calls[0]
        same = call.outcome is Outcome.RETURNED and equal(
            call.value or "", expected, float_tolerance=1e-9
        )
        if not same:
            found.append(f"{name}: {call.outcome} {call.value or call.error} != {expected[:80]}")
    return found


def test_the_bench_programs_give_cpythons_values(sandbox: Sandbox, shared_data: Path) -> None:
    rows = read(shared_data / "execution_bench.jsonl.gz")
    bad = wrong(sandbox, [(r["id"], r["code"], r["call"], r["expected"]) for r in rows])
    assert {line.partition(":")[0] for line in bad} <= set(KNOWN_TO_DIFFER), bad


def test_cruxeval_gives_cpythons_values(sandbox: Sandbox, shared_data: Path) -> None:
    rows = read(shared_data / "execution" / "cruxeval.jsonl.gz")
    assert not wrong(sandbox, [(r["id"], r["code"], f"f({r['input']})", r["output"]) for r in rows])


def test_execution_programs_give_cpythons_values(sandbox: Sandbox, shared_data: Path) -> None:
    rows = read(shared_data / "execution" / "execution_programs.jsonl.gz")
    bad = wrong(sandbox, [(r["id"], r["code"], r["call"], r["expected"]) for r in rows])
    assert {line.partition("#")[0] for line in bad} <= set(KNOWN_TO_DIFFER), bad
    assert len(bad) <= 10
