"""The tables of docs/results.md, as Markdown: arms of seeds, the first and the last three steps.

    python scripts/learning_table.py full=runs/full-s0,runs/full-s1 shuffled=runs/shuffled-s0,...

Each figure is a mean over three steps of each run, then over the runs, +- half its 95 % interval
(Student's t over the runs). Evaluations are those of the last step.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean

from azr.report.arms import half_width, read_group
from azr.report.data import collect_metrics

STEPS = 3
METRICS = (
    "reward/proposer/deduction/mean",
    "reward/proposer/abduction/mean",
    "valid/deduction",
    "valid/abduction",
    "accuracy/solver/deduction",
    "accuracy/solver/abduction",
    "well_formed/solver/deduction",
    "well_formed/solver/abduction",
    "solve_rate/deduction",
    "solve_rate/abduction",
    "learnable/deduction",
    "learnable/abduction",
    "ast_distance/deduction",
    "ast_distance/abduction",
    "lines/deduction",
    "lines/abduction",
    "length/proposer/deduction/mean",
    "length/proposer/abduction/mean",
    "entropy/proposer/deduction",
    "entropy/proposer/abduction",
    "entropy/solver/deduction",
    "entropy/solver/abduction",
    "mismatch_kl",
    "curriculum/distinct/deduction",
    "curriculum/distinct/abduction",
    "eval/easy-o/pass@1",
    "eval/easy-i/pass@1",
)
LAST_ONLY = ("eval/", "curriculum/distinct")

Columns = Mapping[str, Sequence[float | None]]


def mean_of(values: Sequence[float | None]) -> float | None:
    """Of what is there."""
    found = [value for value in values if value is not None]
    return fmean(found) if found else None


def cell(runs: Sequence[Columns], metric: str, *, at_end: bool) -> str:
    """Mean and half interval over the runs."""
    window = slice(-STEPS, None) if at_end else slice(STEPS)
    if metric.startswith(LAST_ONLY):
        window = slice(-1, None) if at_end else slice(0)
    found = [mean_of(columns[metric][window]) for columns in runs if metric in columns]
    values = [value for value in found if value is not None]
    if not values:
        return "-"
    digits = 4 if metric == "mismatch_kl" else 0 if "distinct" in metric else 3
    half = f" ± {half_width(values):.{digits}f}" if len(values) > 1 else ""
    return f"{fmean(values):.{digits}f}{half}"


def table(arms: Mapping[str, Sequence[Columns]]) -> str:
    """One row a metric, two columns an arm."""
    names = [f"{name} (n={len(runs)})" for name, runs in arms.items()]
    lines = [
        "| | " + " | ".join(f"{name}: first | last" for name in names) + " |",
        "|---" * (1 + 2 * len(names)) + "|",
    ]
    for metric in METRICS:
        cells = [
            cell(runs, metric, at_end=at_end) for runs in arms.values() for at_end in (False, True)
        ]
        lines.append(f"| {metric} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> None:
    """Print the table."""
    arms: dict[str, Sequence[Columns]] = {}
    for argument in arguments:
        arm = read_group(argument)
        arms[arm.name] = [collect_metrics(Path(run))[1] for run in arm.runs]
    sys.stdout.write(table(arms) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
