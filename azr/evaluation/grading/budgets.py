"""How many instructions a program may spend on a check. This is a number, not a clock.

EvalPlus gives a program max(a floor, 4 x what the canonical solution takes), in seconds (evalplus
0.3.1, evaluate.py: gt_time_limit_factor). Here it is the same in fuel, so the verdict is the same
on any machine, under any load.
"""

from collections.abc import Mapping

from azr.evaluation.suites.items import Part
from sandbox_wasm.grading.limits import limits_of
from sandbox_wasm.types import Limits

__all__ = ["BASE_FUEL", "MEMORY_BYTES", "OUTPUT_BYTES", "fuel_of", "limits_of_part"]

BASE_FUEL = 50_000_000_000
"""The floor of small tests: five to ten seconds of one core."""
LARGE_FUEL: Mapping[str, int] = {
    "samples": 200_000_000_000,
    "hidden": 200_000_000_000,
    "extra": 400_000_000_000,
    "tests": 400_000_000_000,
}
"""The floor of contests' tests, by the check's name; their solutions need up to 310e9."""
FACTOR = 4

MEMORY_BYTES = 2 * 1024**3
"""The most a guest can have; EvalPlus gives 4 GiB."""
OUTPUT_BYTES = 16 * 1024**2

CANONICAL_GIGAFUEL: Mapping[str, int] = {
    "HumanEval/15": 99,
    "HumanEval/36": 37,
    "HumanEval/59": 42,
    "HumanEval/83": 81,
    "HumanEval/94": 33,
    "HumanEval/130": 67,
    "HumanEval/139": 294,
    "Mbpp/84": 31,
    "Mbpp/123": 60,
    "Mbpp/162": 15,
    "Mbpp/255": 38,
    "Mbpp/271": 109,
    "Mbpp/300": 28,
    "Mbpp/389": 41,
    "Mbpp/392": 84,
    "Mbpp/583": 22,
    "Mbpp/589": 41,
    "Mbpp/592": 71,
    "Mbpp/599": 1498,
    "Mbpp/603": 66,
    "Mbpp/630": 15,
    "LeetCode/find-the-number-of-subsequences-with-equal-gcd": 840,
    "LeetCode/maximum-number-of-moves-to-kill-all-pawns": 278,
}
"""Measured fuel of the canonical solutions' slowest check, if 4 times that is above the floor."""

HEAVY_CHECKS = ("plus", "tests")


def fuel_of(item: str, check: str) -> int:
    """Return the budget of one check of an item."""
    floor = LARGE_FUEL.get(check, BASE_FUEL)
    if check not in HEAVY_CHECKS:
        return floor
    return max(floor, FACTOR * CANONICAL_GIGAFUEL.get(item, 0) * 10**9)


def limits_of_part(item: str, part: Part) -> Limits:
    """Return the limits of one check of an item."""
    fuel = fuel_of(item, part.name)
    own = Limits(fuel=fuel, memory_bytes=MEMORY_BYTES, output_bytes=OUTPUT_BYTES)
    return limits_of(part.check, own)
