"""The tables of docs/results.md, as Markdown: the first step, and the last three of every arm.

    python scripts/learning_table.py full=runs/full-s0,runs/full-s1 shuffled=runs/shuffled-s0,...
    python scripts/learning_table.py --blocks 12 full=... shuffled=...    # a mean for each 12 steps

Each figure is a mean over the runs of an arm, +- half its 95 % interval (Student's t over the
runs). Before the first update all arms with the same seeds are alike: one column stands for them.
Evaluations and counts of different tasks are those of the last step, or of a block's last step.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean

from azr.report.html.arms import half_width, read_group
from azr.report.html.data import collect_history

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
    "learnable/deduction",
    "learnable/abduction",
    "lines/deduction",
    "ast_distance/deduction",
    "ast_distance/abduction",
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


def cell(runs: Sequence[Columns], metric: str, window: slice) -> str:
    """Mean and half interval over the runs of what the window shows of each."""
    found = [mean_of(columns[metric][window]) for columns in runs if metric in columns]
    values = [value for value in found if value is not None]
    if not values:
        return "-"
    digits = 4 if metric == "mismatch_kl" else 0 if "distinct" in metric else 3
    half = f" ± {half_width(values):.{digits}f}" if len(values) > 1 else ""
    return f"{fmean(values):.{digits}f}{half}"


def table(arms: Mapping[str, Sequence[Columns]]) -> str:
    """One row a metric: the first step of the first arm, then the last steps of every arm."""
    names = [f"{name} (n={len(runs)})" for name, runs in arms.items()]
    lines = [f"| | first step | {' | '.join(names)} |", "|---" * (2 + len(names)) + "|"]
    first = next(iter(arms.values()))
    for metric in METRICS:
        is_last_only = metric.startswith(LAST_ONLY)
        last = slice(-1, None) if is_last_only else slice(-STEPS, None)
        cells = ["-" if is_last_only else cell(first, metric, slice(1))]
        cells += [cell(runs, metric, last) for runs in arms.values()]
        lines.append(f"| {metric} | {' | '.join(cells)} |")
    return "\n".join(lines)


def block(columns: Columns, metric: str, start: int, width: int) -> Columns:
    """What a run shows of a metric in a block of steps."""
    shown = columns.get(metric, ())[start : start + width]
    return {metric: shown[-1:] if metric.startswith(LAST_ONLY) else shown}


def block_table(arms: Mapping[str, Sequence[Columns]], width: int) -> str:
    """A row a metric and arm: its mean over each `width` steps, over the runs that came so far."""
    steps = max(len(column) for runs in arms.values() for run in runs for column in run.values())
    starts = range(0, steps, width)
    heads = [f"{start + 1}-{min(start + width, steps)}" for start in starts]
    lines = [f"| | | {' | '.join(heads)} |", "|---" * (2 + len(heads)) + "|"]
    for metric in METRICS:
        title = metric
        for name, runs in arms.items():
            blocks = ([block(run, metric, start, width) for run in runs] for start in starts)
            cells = " | ".join(cell(shown, metric, slice(None)) for shown in blocks)
            lines.append(f"| {title} | {name} (n={len(runs)}) | {cells} |")
            title = ""
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("arms", nargs="+", metavar="NAME=RUN,RUN")
    parser.add_argument("--blocks", type=int, metavar="STEPS", help="a mean for each so many steps")
    options = parser.parse_args(arguments)
    arms: dict[str, Sequence[Columns]] = {}
    for argument in options.arms:
        arm = read_group(argument)
        arms[arm.name] = [collect_history(Path(run)).metrics for run in arm.runs]
    shown = block_table(arms, options.blocks) if options.blocks else table(arms)
    sys.stdout.write(shown + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
