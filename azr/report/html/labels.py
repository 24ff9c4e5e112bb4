"""Every metric's words: what people call it, its unit, and where the report draws it.

`*` in a metric's name stands for all modes: the mean over those that have a value in a step, or
for counts the sum. A row of METRICS is all that a new metric's plot needs.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from statistics import fmean

from azr.report.html.contract import Form, Section, Values
from azr.types import Mode

__all__ = ["FINAL_FIGURES", "METRICS", "PLOTS", "Label", "any_mode", "label_of", "with_all_modes"]

MODES = tuple(mode.value for mode in Mode)
COUNTS = (
    *("curriculum/tasks/", "curriculum/distinct/", "curriculum/different/"),
    "curriculum/fresh/",
)
"""Summed over modes; everything else is averaged."""


@dataclass(frozen=True, slots=True)
class Label:
    """Of one metric."""

    title: str
    unit: str
    section: Section | None = None
    """Of the page that has its plot; None: only who asks for it by name sees it."""
    form: Form = "number"
    is_stacked: bool = False
    """A stack shows it of a single run: it has a plot of its own where runs are compared."""


METRICS: Mapping[str, Label] = {
    "curriculum/tasks/*": Label("New tasks", "valid proposals a step", "tasks"),
    "curriculum/distinct/*": Label("Different tasks so far", "tasks", "tasks"),
    "curriculum/fresh/*": Label("New learnable tasks", "of a step; new by form", "tasks"),
    "curriculum/different/*": Label("Different tasks of a step", "tasks", "tasks"),
    "valid/*": Label("Valid proposals", "share of proposals", "tasks", "share"),
    "curriculum/none/*": Label("Solved by no trial", "share of new tasks", "tasks", "share", True),
    "curriculum/some/*": Label(
        "Solved by some trials", "share of new tasks", "tasks", "share", True
    ),
    "curriculum/all/*": Label("Solved by all trials", "share of new tasks", "tasks", "share", True),
    "solve_rate/*": Label("Solve rate of new tasks", "share of trials", "tasks", "share"),
    "curriculum/novel/*": Label("Novel proposals", "share never made before", "tasks", "share"),
    "curriculum/novel_form/*": Label("Novel by form", "share new up to names", "tasks", "share"),
    "ast_distance/*": Label("Distance from references", "AST edit distance, 0 to 1", "tasks"),
    "lines/*": Label("Program length", "lines", "tasks"),
    "learnability/*": Label("Learnability", "1 - solve rate; 0 if nobody solves it", "tasks"),
    "learnable/*": Label("Learnable tasks", "share solved by some trials", form="share"),
    "distinct/*": Label("Distinct within a step", "share of valid", form="share"),
    "accuracy/solver/*": Label("Answers correct", "share of solver answers", "learning", "share"),
    "well_formed/solver/*": Label("Well-formed answers", "share", form="share"),
    "reward/proposer/*/mean": Label("Proposer reward", "mean of a step", "learning", "reward"),
    "reward/solver/*/mean": Label("Solver reward", "mean of a step", "learning", "reward"),
    "entropy/proposer/*": Label("Entropy of proposals", "nats a token", "learning"),
    "entropy/solver/*": Label("Entropy of answers", "nats a token", "learning"),
    "length/proposer/*/mean": Label("Proposal length", "tokens", "learning"),
    "length/solver/*/mean": Label("Answer length", "tokens", "learning"),
    "length/solver/*/right": Label("Length of right answers", "tokens", "learning"),
    "length/solver/*/wrong": Label("Length of wrong answers", "tokens", "learning"),
    "loss": Label("Loss", ""),
    "time/step": Label("Time of a step", "s", "machine", "seconds", True),
    "perf/tokens_per_s": Label("Sampling speed", "tokens a second of play", "machine"),
    "mismatch/mean_abs": Label("Mismatch", "|Δ log-probability|, engine to learner", "machine"),
    "idle/learner": Label("Learner idle", "share of a step", "machine", "share"),
    "idle/engine": Label("Engines idle", "share of a step", "machine", "share"),
    "staleness/mean": Label("Staleness", "updates, mean over tokens", "machine"),
    "grad_norm": Label("Gradient norm", "before clipping", "machine"),
}
"""In the order of the page's plots."""

PATTERNS: tuple[tuple[re.Pattern[str], Label], ...] = (
    (re.compile(r"eval/(.+)/pass@1"), Label("{}, pass@1", "share of items", "evaluation", "share")),
    (
        re.compile(r"intrinsic/\*/(.+)"),
        Label("Intrinsic: {}", "mean of valid proposals", "tasks"),
    ),
)
"""Names that runs choose: `{}` is what the brackets match."""

PLOTS = (
    *("accuracy/solver/*", "valid/*", "learnable/*", "curriculum/distinct/*"),
    *("curriculum/novel/*", "reward/proposer/*/mean", "reward/solver/*/mean", "entropy/solver/*"),
)
"""What `--svg` draws when nothing is asked for by name."""

FINAL_FIGURES = (
    *("accuracy/solver/*", "valid/*", "solve_rate/*", "learnable/*", "curriculum/novel/*"),
    *("curriculum/fresh/*", "curriculum/distinct/*", "ast_distance/*", "lines/*"),
    *("entropy/proposer/*", "entropy/solver/*"),
    *("length/solver/*/mean", "reward/proposer/*/mean", "reward/solver/*/mean", "time/step"),
)
"""Rows of the table of final figures, for all modes together and for each mode."""


def label_of(metric: str) -> Label:
    """The metric's words; of one that is not known its own name."""
    pattern, mode = any_mode(metric)
    label = METRICS.get(pattern) or named(pattern)
    if label is None:
        return Label(metric, "")
    return replace(label, title=f"{label.title}, {mode}") if mode else label


def named(pattern: str) -> Label | None:
    """The words of a metric whose name a run chose, if there are any."""
    for expression, label in PATTERNS:
        if found := expression.fullmatch(pattern):
            return replace(label, title=label.title.format(found[1].replace("_", " ")))
    return None


def any_mode(metric: str) -> tuple[str, str]:
    """(the name with its mode replaced by `*`, that mode)."""
    for part in metric.split("/"):
        if part in MODES:
            return "/".join("*" if word == part else word for word in metric.split("/")), part
    return metric, ""


def with_all_modes(metrics: Mapping[str, Values]) -> dict[str, Values]:
    """The metrics and, for those that modes have, one over all modes."""
    by_pattern: dict[str, list[Values]] = {}
    for name, values in metrics.items():
        pattern, mode = any_mode(name)
        if mode:
            by_pattern.setdefault(pattern, []).append(values)
    joined = dict(metrics)
    for pattern, columns in by_pattern.items():
        join = sum if pattern.startswith(COUNTS) else fmean
        rows = [[v for v in row if v is not None] for row in zip(*columns, strict=True)]
        joined[pattern] = [join(row) if row else None for row in rows]
    return joined
