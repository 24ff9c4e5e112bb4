"""The tables of docs/results.md: which steps a block's figures are of."""

import runpy
from pathlib import Path
from typing import Any

SCRIPT: dict[str, Any] = runpy.run_path(
    str(Path(__file__).parents[2] / "scripts" / "learning_table.py")
)


def rows(table: str, metric: str) -> list[str]:
    """The row of a metric, and those of the other arms below it."""
    lines = table.splitlines()
    [first] = [n for n, line in enumerate(lines) if line.startswith(f"| {metric} |")]
    return [line.split("|", 3)[3].strip(" |") for line in lines[first : first + 2]]


def test_a_block_shows_the_mean_of_its_steps_and_the_last_of_what_is_counted() -> None:
    long = {
        "valid/deduction": [0.0, 0.5, 1.0, 1.0, 0.25],
        "curriculum/distinct/deduction": [1.0, 2.0, 3.0, 4.0, 5.0],
        "eval/easy-o/pass@1": [None, 0.5, None, None, None],
    }
    short = {"valid/deduction": [1.0, 1.0], "curriculum/distinct/deduction": [7.0, 9.0]}
    table = SCRIPT["block_table"]({"a": [long], "b": [short]}, 2)
    assert table.splitlines()[0] == "| | | 1-2 | 3-4 | 5-5 |"
    assert rows(table, "valid/deduction") == ["0.250 | 1.000 | 0.250", "1.000 | - | -"]
    assert rows(table, "curriculum/distinct/deduction") == ["2 | 4 | 5", "9 | - | -"]
    assert rows(table, "eval/easy-o/pass@1")[0] == "0.500 | - | -"
