"""The suites' own solutions keep the limits that rewards have by default; a part of each suite.

Whole suites: scripts/suites/reference_solutions.py.
"""

from pathlib import Path

import pytest

from azr.evaluation.grading.code import program_of
from azr.evaluation.suites.data import load_suite
from azr.evaluation.suites.items import CodeItem, Part
from azr.evaluation.suites.suites import SUITES
from sandbox_wasm import Sandbox
from sandbox_wasm.grading import Tests, grade

pytestmark = [pytest.mark.guest, pytest.mark.slow]

ABSENT = ("sortedcontainers", "SortedList", "numpy", "threading")
"""What the sandbox does not have: other packages, and threads."""
KNOWN = {
    "HumanEval/32", "Mbpp/590", "Mbpp/596",  # other floats, 32 bits: docs/evaluation.md
    "LeetCode/find-the-number-of-subsequences-with-equal-gcd",  # 840e9 instructions
}  # fmt: skip
SLICES = [("humaneval+", 11), ("mbpp+", 23), ("leetcode", 13), ("livecodebench", 29)]
HEAVY = {"HumanEval/130", "HumanEval/139", "Mbpp/599", "Mbpp/271"}
"""Tests of EvalPlus that take a minute; `azr eval` grades them."""


def preludes_of(item: CodeItem) -> str:
    """What stands before the solution."""
    return "".join(part.check.prelude for part in item.checks
                   if isinstance(part, Part) and isinstance(part.check, Tests))  # fmt: skip


@pytest.mark.parametrize(("name", "step"), SLICES)
def test_solutions_pass_and_an_empty_program_does_not(
    sandbox: Sandbox, shared_data: Path, name: str, step: int
) -> None:
    items = [
        item for item in load_suite(SUITES[name], shared_data).items[3::step]
        if isinstance(item, CodeItem) and item.gold and item.id not in KNOWN | HEAVY
        and not any(word in item.gold + preludes_of(item) for word in ABSENT)
    ]  # fmt: skip
    parts = [(item, part.check) for item in items for part in item.checks if isinstance(part, Part)]
    programs = [program_of(item, item.gold) for item, _ in parts]
    checks = [check for _, check in parts]
    scores = grade(sandbox, programs, checks)
    failed = [item.id for (item, _), score in zip(parts, scores, strict=True) if score != 1.0]
    assert failed == []
    assert len(items) >= 10
    assert set(grade(sandbox, [""] * len(checks), checks)) == {0.0}
