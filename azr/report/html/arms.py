"""Runs that differ in the seed alone are one arm: a mean and a band for each metric.

The band of three seeds and more is the 95 % interval of their mean (Student's t); of two it is
what lies between them, since their interval would be wider than the plot; of one run it is the
interval that the metric itself brings (`eval/<suite>/pass@1` over items), if any. Pure.
"""

import math
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, variance

from azr.config.checks import home
from azr.errors import ConfigError

__all__ = ["Arm", "Curve", "Figure", "arms_of", "curve_of", "difference", "figure_of", "read_group"]

Metrics = Mapping[str, Sequence[float | None]]

SEED = re.compile(r"(.+?)[-_.](?:s|seed)[-_]?\d+")
"""`full-s0`, `full_seed12`: the part before is the arm's name."""

T_975 = (
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228),
    *(2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086),
    *(2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042),
)
"""97.5 % quantile of Student's t at 1 to 30 degrees of freedom."""
Z_975 = 1.95996
FINAL_SHARE = 10
"""A final figure is the mean over the last tenth of a run's values, ..."""
FINAL_MOST = 20
"""... over this many at most."""
LAST_ONLY = ("eval/", "curriculum/distinct/")
"""Final figures of these are the last value: it is a measurement, or a sum, of its own."""


@dataclass(frozen=True, slots=True)
class Arm:
    """A name and its runs."""

    name: str
    runs: tuple[Path, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """One metric of one arm over the steps; all lists are aligned, None is a gap."""

    steps: list[int]
    mean: list[float | None]
    low: list[float | None]
    high: list[float | None]
    seeds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A mean over seeds with its 95 % interval; no interval where it cannot be known."""

    value: float
    low: float | None
    high: float | None
    values: tuple[float, ...]
    """Of the seeds."""


def read_group(text: str) -> Arm:
    """`NAME=RUN,RUN,...` of the command line.

    Raises:
        ConfigError: It is not of that form.
    """
    name, equals, runs = text.partition("=")
    paths = tuple(Path(home("--group", run)) for run in runs.split(",") if run)
    if not (name and equals and paths):
        raise ConfigError(f"--group must be NAME=RUN,RUN,..., got {text!r}")
    return Arm(name, paths)


def arms_of(names: Sequence[str], runs: Sequence[Path]) -> list[Arm]:
    """Group runs by name without `-s<N>` or `-seed<N>`; others stand alone, in the order given."""
    found: dict[str, list[Path]] = defaultdict(list)
    last: dict[str, str] = {}
    for name, run in zip(names, runs, strict=True):
        seeded = SEED.fullmatch(name)
        arm = seeded[1] if seeded else name
        found[arm].append(run)
        last[arm] = name
    return [
        Arm(arm if len(members) > 1 else last[arm], tuple(members))
        for arm, members in found.items()
    ]


def curve_of(
    runs: Sequence[tuple[Sequence[int], Metrics]], metric: str, smooth: int = 1
) -> Curve | None:
    """The metric over all steps that any of the runs has; None if no run has it.

    Args:
        runs: Of each seed its steps and metrics.
        metric: Its name.
        smooth: Steps of the running mean that each seed is smoothed with before the band is
            computed, half of them to either side; 1 is none. Evaluations are never smoothed.
    """
    window = 1 if metric.startswith("eval/") else smooth
    series = [
        dict(zip(steps, running_mean(metrics[metric], window), strict=True))
        for steps, metrics in runs
        if metric in metrics
    ]
    if not any(value is not None for found in series for value in found.values()):
        return None
    steps = sorted({step for found in series for step in found})
    columns = [[v for found in series if (v := found.get(step)) is not None] for step in steps]
    bands = [band(values) for values in columns]
    if len(series) == 1 and f"{metric}/low" in runs[0][1]:
        own = (runs[0][1][f"{metric}/low"], runs[0][1][f"{metric}/high"])
        bands = [pair if None not in pair else (None, None) for pair in zip(*own, strict=True)]
    return Curve(
        steps=steps,
        mean=[fmean(values) if values else None for values in columns],
        low=[low for low, _ in bands],
        high=[high for _, high in bands],
        seeds=len(series),
    )


def running_mean(values: Sequence[float | None], window: int) -> list[float | None]:
    """The mean of the values within half a window to either side; gaps stay gaps."""
    if window <= 1:
        return list(values)
    half = window // 2
    means: list[float | None] = []
    for place, value in enumerate(values):
        near = [v for v in values[max(0, place - half) : place + half + 1] if v is not None]
        means.append(None if value is None else fmean(near))
    return means


def band(values: Sequence[float]) -> tuple[float | None, float | None]:
    """See the module's docstring."""
    if len(values) < 2:
        return None, None
    if len(values) == 2:
        return min(values), max(values)
    mean, half = fmean(values), half_width(values)
    return mean - half, mean + half


def half_width(values: Sequence[float]) -> float:
    """Of the 95 % interval of the mean of at least two values."""
    return t_975(len(values) - 1) * math.sqrt(variance(values) / len(values))


def t_975(degrees: float) -> float:
    """97.5 % quantile of Student's t; between the table's rows log-linear in 1 / degrees.

    Within 3 % below 2 degrees, within 0.5 % above.
    """
    lower = min(len(T_975), max(1, math.floor(degrees)))
    near = T_975[lower - 1]
    far, upper = (T_975[lower], 1 / (lower + 1)) if lower < len(T_975) else (Z_975, 0.0)
    share = (1 / lower - 1 / max(1.0, degrees)) / (1 / lower - upper)
    return near * (far / near) ** share


def figure_of(runs: Sequence[Metrics], metric: str) -> Figure | None:
    """The metric at the end of training; None if no run has it."""
    finals = [f for metrics in runs if (f := final(metrics.get(metric, ()), metric)) is not None]
    if not finals:
        return None
    low = high = None
    if len(finals) > 1:
        half = half_width(finals)
        low, high = fmean(finals) - half, fmean(finals) + half
    elif len(runs) == 1:
        low, high = (final(runs[0].get(f"{metric}/{end}", ()), metric) for end in ("low", "high"))
    return Figure(value=fmean(finals), low=low, high=high, values=tuple(finals))


def final(values: Sequence[float | None], metric: str) -> float | None:
    """Of one run: see FINAL_SHARE and LAST_ONLY."""
    seen = [value for value in values if value is not None]
    if not seen:
        return None
    last = 1 if metric.startswith(LAST_ONLY) else min(FINAL_MOST, len(seen) // FINAL_SHARE)
    return fmean(seen[-max(1, last) :])


def difference(figure: Figure, base: Figure) -> Figure:
    """How much the figure exceeds the base, with Welch's 95 % interval over seeds.

    Source: Welch 1947, The generalization of "Student's" problem; degrees of freedom by
    Satterthwaite. With fewer than two seeds on a side there is no interval.
    """
    value = figure.value - base.value
    low = high = None
    if min(len(figure.values), len(base.values)) > 1:
        parts = [(variance(f.values) / len(f.values), len(f.values)) for f in (figure, base)]
        total = sum(part for part, _ in parts)
        weights = sum(part**2 / (count - 1) for part, count in parts)
        half = t_975(total**2 / weights) * math.sqrt(total) if weights > 0 else 0.0
        low, high = value - half, value + half
    return Figure(value=value, low=low, high=high, values=())
