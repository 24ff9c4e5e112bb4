"""Runs that differ in the seed alone are one arm: a mean and a band for each metric.

The band of three seeds and more is the 95 % interval of their mean (Student's t); of two it is
what lies between them, since their interval would be wider than the plot; of one run it is the
interval that the metric itself brings (`eval/<suite>/pass@1` over items), if any. Pure.

Smoothing is computed here and nowhere else, so a run looks alike alone and among its arm's seeds.
"""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

import math
import re
import warnings
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from pathlib import Path
from statistics import fmean, stdev

from scipy import stats

from azr.config.kinds import at_home
from azr.errors import ConfigError
from azr.report.html.contract import Arm, Curve, Figure, Values

__all__ = [
    "Group",
    "History",
    "arm_of",
    "curve_of",
    "difference",
    "figure_of",
    "groups_of",
    "half_width",
    "read_group",
    "steps_of",
]

Metrics = Mapping[str, Values]

SEED = re.compile(r"(.+?)[-_.](?:s|seed)[-_]?\d+")
"""`full-s0`, `full_seed12`: the part before is the arm's name."""

WINDOWS = 40
"""Curves are smoothed with a running mean over a 40th of the run."""
FINAL_SHARE = 10
"""A final figure is the mean over the last tenth of a run's values, ..."""
FINAL_MOST = 20
"""... over this many at most."""
LAST_ONLY = ("eval/", "curriculum/distinct/")
"""Final figures of these are the last value: it is a measurement, or a sum, of its own."""


@dataclass(frozen=True, slots=True)
class Group:
    """An arm's name and its run folders."""

    name: str
    runs: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class History:
    """What one run measured: its metrics by name, aligned with its steps."""

    steps: Sequence[int]
    metrics: Metrics


def read_group(text: str) -> Group:
    """`NAME=RUN,RUN,...` of the command line.

    Raises:
        ConfigError: It is not of that form.
    """
    name, equals, runs = text.partition("=")
    try:
        paths = tuple(Path(at_home(run)) for run in runs.split(",") if run)
    except ValueError as error:
        raise ConfigError(f"--group {error}") from error
    if not (name and equals and paths):
        raise ConfigError(f"--group must be NAME=RUN,RUN,..., got {text!r}")
    return Group(name, paths)


def groups_of(names: Sequence[str], runs: Sequence[Path]) -> list[Group]:
    """Group runs by name without `-s<N>` or `-seed<N>`; others stand alone, in the order given."""
    found: dict[str, list[Path]] = defaultdict(list)
    last: dict[str, str] = {}
    for name, run in zip(names, runs, strict=True):
        seeded = SEED.fullmatch(name)
        arm = seeded[1] if seeded else name
        found[arm].append(run)
        last[arm] = name
    return [
        Group(arm if len(members) > 1 else last[arm], tuple(members))
        for arm, members in found.items()
    ]


def arm_of(name: str, runs: Mapping[str, History]) -> Arm:
    """An arm with its curves as the page draws them.

    Args:
        name: Of the arm.
        runs: Of its seeds, by name.
    """
    histories = list(runs.values())
    window = max(1, max(len(history.steps) for history in histories) // WINDOWS)
    names = sorted({metric for history in histories for metric in history.metrics})
    curves = {metric: curve_of(histories, metric, window) for metric in names}
    return Arm(
        name=name,
        runs=list(runs),
        window=window,
        steps=steps_of(histories),
        curves={metric: curve for metric, curve in curves.items() if curve is not None},
    )


def steps_of(runs: Sequence[History]) -> list[int]:
    """All steps that any of the runs has."""
    return sorted({step for history in runs for step in history.steps})


def curve_of(runs: Sequence[History], metric: str, window: int = 1) -> Curve | None:
    """The metric over `steps_of` the runs; None if no run has it.

    Args:
        runs: The seeds.
        metric: Its name.
        window: Steps of the running mean that each seed is smoothed with before the band is
            computed, half of them to either side; 1 is none. Evaluations are never smoothed.
    """
    has_it = [history for history in runs if metric in history.metrics]
    steps, window = steps_of(runs), 1 if metric.startswith("eval/") else window
    seeds = [on(steps, h, running_mean(h.metrics[metric], window)) for h in has_it]
    columns = [[v for v in values if v is not None] for values in zip(*seeds, strict=True)]
    if not any(columns):
        return None
    bands = [band(values) for values in columns]
    low, high = [low for low, _ in bands], [high for _, high in bands]
    if len(seeds) == 1 and f"{metric}/low" in has_it[0].metrics:
        own = has_it[0]
        low, high = (on(steps, own, own.metrics[f"{metric}/{end}"]) for end in ("low", "high"))
    has_band = any(value is not None for value in low)
    is_smoothed = len(runs) == 1 and window > 1
    return Curve(
        mean=rounded(fmean(values) if values else None for values in columns),
        raw=rounded(runs[0].metrics[metric]) if is_smoothed else None,
        low=rounded(low) if has_band else None,
        high=rounded(high) if has_band else None,
    )


def on(steps: Sequence[int], own: History, values: Values) -> list[float | None]:
    """Values of a run's own steps, aligned with other steps; what those lack is a gap."""
    found = dict(zip(own.steps, values, strict=True))
    return [found.get(step) for step in steps]


def rounded(values: Iterable[float | None]) -> Values:
    """Five digits: more than a plot shows."""
    return [None if value is None else float(f"{value:.5g}") for value in values]


def running_mean(values: Values, window: int) -> list[float | None]:
    """The mean of the values within half a window to either side; gaps stay gaps."""
    half = window // 2
    sums = [0.0, *accumulate(value or 0.0 for value in values)]
    counts = [0, *accumulate(value is not None for value in values)]
    means: list[float | None] = []
    for place, value in enumerate(values):
        first, end = max(0, place - half), min(len(values), place + half + 1)
        known = counts[end] - counts[first]
        means.append(None if value is None else (sums[end] - sums[first]) / known)
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
    return t_975(len(values) - 1) * stdev(values) / math.sqrt(len(values))


@cache
def t_975(degrees: int) -> float:
    """97.5 % quantile of Student's t."""
    return float(stats.t.ppf(0.975, degrees))


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


def final(values: Values, metric: str) -> float | None:
    """Of one run: see FINAL_SHARE and LAST_ONLY."""
    seen = [value for value in values if value is not None]
    if not seen:
        return None
    last = 1 if metric.startswith(LAST_ONLY) else min(FINAL_MOST, len(seen) // FINAL_SHARE)
    return fmean(seen[-max(1, last) :])


def difference(figure: Figure, base: Figure) -> Figure:
    """How much the figure exceeds the base, with Welch's 95 % interval over seeds.

    With fewer than two seeds on a side there is no interval.
    """
    value = figure.value - base.value
    sides = (figure.values, base.values)
    low = high = None
    if all(len(set(side)) == 1 < len(side) for side in sides):
        low = high = value  # scipy knows no interval of width 0
    elif all(len(side) > 1 for side in sides):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Precision loss")  # seeds that are nearly equal
            interval = stats.ttest_ind(*sides, equal_var=False).confidence_interval(0.95)
        low, high = float(interval.low), float(interval.high)
    return Figure(value=value, low=low, high=high, values=())
