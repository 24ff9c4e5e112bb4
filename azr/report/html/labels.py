"""What metrics are called for people, in which unit, and which of them are summed up in the table.

`*` in a metric's name stands for all modes: the mean over those that have a value in a step, or
for counts the sum.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from azr.types import Mode

__all__ = ["FINAL_FIGURES", "PLOTS", "Label", "any_mode", "label_of", "with_all_modes"]

MODES = tuple(mode.value for mode in Mode)
COUNTS = ("curriculum/tasks/", "curriculum/distinct/")
"""Summed over modes; everything else is averaged."""


@dataclass(frozen=True, slots=True)
class Label:
    """Of one metric."""

    title: str
    unit: str
    is_share: bool = False
    """Shown in per cent."""


PATTERNS: tuple[tuple[str, Label], ...] = (
    ("accuracy/solver/*", Label("Answers correct", "share of solver answers", is_share=True)),
    ("valid/*", Label("Valid proposals", "share of proposals", is_share=True)),
    ("learnable/*", Label("Learnable tasks", "share solved by some trials", is_share=True)),
    ("solve_rate/*", Label("Solve rate of new tasks", "share of trials", is_share=True)),
    ("learnability/*", Label("Learnability", "1 - solve rate; 0 if nobody solves it")),
    ("curriculum/tasks/*", Label("New tasks", "valid proposals a step")),
    ("curriculum/distinct/*", Label("Different tasks so far", "tasks")),
    ("curriculum/novel/*", Label("Novel proposals", "share never made before", is_share=True)),
    ("curriculum/none/*", Label("Solved by no trial", "share of new tasks", is_share=True)),
    ("curriculum/some/*", Label("Solved by some trials", "share of new tasks", is_share=True)),
    ("curriculum/all/*", Label("Solved by all trials", "share of new tasks", is_share=True)),
    ("ast_distance/*", Label("Distance from references", "AST edit distance, 0 to 1")),
    ("distinct/*", Label("Distinct within a step", "share of valid", is_share=True)),
    ("lines/*", Label("Program length", "lines")),
    ("reward/proposer/*/mean", Label("Proposer reward", "mean of a step")),
    ("reward/solver/*/mean", Label("Solver reward", "mean of a step")),
    ("entropy/proposer/*", Label("Entropy of proposals", "nats a token")),
    ("entropy/solver/*", Label("Entropy of answers", "nats a token")),
    ("length/proposer/*/mean", Label("Proposal length", "tokens")),
    ("length/solver/*/mean", Label("Answer length", "tokens")),
    ("well_formed/solver/*", Label("Well-formed answers", "share", is_share=True)),
    ("mismatch/mean_abs", Label("Mismatch", "|delta log-probability|, engine against learner")),
    ("grad_norm", Label("Gradient norm", "before clipping")),
    ("loss", Label("Loss", "")),
    ("time/step", Label("Time of a step", "s")),
    ("perf/tokens_per_s", Label("Sampling speed", "tokens/s")),
)

PLOTS = (
    *("accuracy/solver/*", "valid/*", "learnable/*", "curriculum/distinct/*"),
    *("curriculum/novel/*", "reward/proposer/*/mean", "reward/solver/*/mean", "entropy/solver/*"),
)
"""What is drawn when nothing is asked for by name."""

FINAL_FIGURES = (
    *("accuracy/solver/*", "valid/*", "solve_rate/*", "learnable/*", "curriculum/novel/*"),
    *("curriculum/distinct/*", "ast_distance/*", "lines/*", "entropy/solver/*"),
    *("length/solver/*/mean", "reward/proposer/*/mean", "reward/solver/*/mean", "time/step"),
)
"""Rows of the table of final figures, for all modes together and for each mode."""


def label_of(metric: str) -> Label:
    """The metric's words; of one that is not known its own name."""
    suite = re.fullmatch(r"eval/(.+)/pass@1", metric)
    if suite:
        return Label(f"{suite[1]}, pass@1", "share of items", is_share=True)
    pattern, mode = any_mode(metric)
    for known, label in PATTERNS:
        if known == pattern:
            named = f"{label.title}, {mode}" if mode else label.title
            return Label(named, label.unit, label.is_share)
    return Label(metric, "")


def any_mode(metric: str) -> tuple[str, str]:
    """(the name with its mode replaced by `*`, that mode)."""
    for part in metric.split("/"):
        if part in MODES:
            return "/".join("*" if word == part else word for word in metric.split("/")), part
    return metric, ""


def with_all_modes(
    metrics: Mapping[str, Sequence[float | None]],
) -> dict[str, list[float | None]]:
    """The metrics and, for those that modes have, one over all modes."""
    by_pattern: dict[str, list[Sequence[float | None]]] = {}
    for name, values in metrics.items():
        pattern, mode = any_mode(name)
        if mode:
            by_pattern.setdefault(pattern, []).append(values)
    joined: dict[str, list[float | None]] = {name: list(v) for name, v in metrics.items()}
    for pattern, columns in by_pattern.items():
        join = sum if pattern.startswith(COUNTS) else fmean
        rows = [[v for v in row if v is not None] for row in zip(*columns, strict=True)]
        joined[pattern] = [join(row) if row else None for row in rows]
    return joined
