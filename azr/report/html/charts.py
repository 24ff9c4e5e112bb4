"""Which plots and headline figures a page has: what its runs have measured, in labels' words."""

from collections.abc import Sequence
from statistics import fmean, median

from azr.report.html.contract import Arm, Chart, Form, Part, Tile, Totals, Values
from azr.report.html.labels import METRICS, any_mode, label_of

__all__ = ["charts_of", "stacks_of", "tiles_of"]

DIFFICULTY = (
    Part("solved by none", "bad", ["curriculum/none/*"]),
    Part("by some", "c0", ["curriculum/some/*"]),
    Part("by all", "good", ["curriculum/all/*"]),
)
PHASES = (
    Part("play", "c0", ["time/play"]),
    Part("train", "c3", ["time/train"]),
    Part("sync", "c1", ["time/sync"]),
    Part("evaluate", "c2", ["time/evaluate"]),
    Part("other", "faint", ["time/other"]),
)
SHARE_COLORS = ("c5", "c1", "c4", "c3", "c7", "c6", "c0")
"""Of the largest kinds of outcomes and refusals; the rest is one layer."""
MOVED = ("valid/*", "accuracy/solver/*", "learnable/*", "reward/solver/*/mean")
"""Metrics whose beginning and end are headlines."""
ENDS = 10
"""A beginning or an end is the mean over a quarter of the values, this many at most."""


def charts_of(arms: Sequence[Arm], *, is_single: bool) -> list[Chart]:
    """The plots of lines, in the order of the page.

    Args:
        arms: What was measured.
        is_single: One run: a metric that a stack shows has no plot of its own.
    """
    names = {metric for arm in arms for metric in arm.curves if not any_mode(metric)[1]}
    order = {metric: place for place, metric in enumerate(METRICS)}
    charts: list[Chart] = []
    for metric in sorted(names, key=lambda name: (order.get(name, len(order)), name)):
        label = label_of(metric)
        if label.section and not (label.is_stacked and is_single):
            words = (label.title, label.unit, label.form)
            charts.append(Chart(label.section, *words, metric))
    return charts


def stacks_of(arm: Arm) -> list[Chart]:
    """Shares of a whole, for a single run."""
    outcomes, refusals = largest(arm, "outcome/proposer/"), largest(arm, "refused/")
    stacks = [
        Chart("tasks", "Difficulty", "share of new tasks", "share", parts=DIFFICULTY),
        Chart("tasks", "What becomes of proposals", "share of them", "share", parts=outcomes),
        Chart("tasks", "Why proposals were refused", "share of refusals", "share", parts=refusals),
        Chart("machine", "Where the time goes", "share of a step", "share", parts=PHASES),
    ]
    return [c for c in stacks if any(m in arm.curves for part in c.parts for m in part.metrics)]


def largest(arm: Arm, prefix: str) -> list[Part]:
    """The metrics of this beginning, those with the largest sums first and the rest as one."""
    sizes = {
        name: sum(known(unsmoothed(arm, name))) for name in arm.curves if name.startswith(prefix)
    }
    names = sorted(sizes, key=lambda name: -sizes[name])
    parts = [
        Part(spoken(name, prefix), "good" if name.endswith("/passed") else color, [name])
        for name, color in zip(names, SHARE_COLORS, strict=False)
    ]
    rest = names[len(parts) :]
    return [*parts, Part("other", "faint", rest)] if rest else parts


def spoken(metric: str, prefix: str) -> str:
    """The end of a name as words."""
    return metric.removeprefix(prefix).replace("_", " ").replace(".", ": ")


def tiles_of(arm: Arm, planned: int, totals: Totals) -> list[Tile]:
    """The headlines of a single run that was planned for so many steps."""
    times = known(unsmoothed(arm, "time/step"))
    speeds = known(unsmoothed(arm, "perf/tokens_per_s"))
    made = f"of {totals.proposals:,} proposals; {totals.programs:,} different programs"
    return [
        Tile("Steps", "number", arm.steps[-1:] or [0], f"of {planned:,} planned"),
        *(moved(arm, metric) for metric in MOVED),
        figure("Tasks made", "number", [totals.valid] if totals.proposals else [], made),
        figure("Time of a step", "seconds", times, f"median; {sum(times) / 60:,.1f} min in all"),
        figure("Sampling speed", "number", speeds, "tokens a second of play, median"),
    ]


def figure(title: str, form: Form, values: Sequence[float], note: str) -> Tile:
    """The median of values, if there are any."""
    return Tile(title, form, [median(values)], note) if values else Tile(title, form, [], "no data")


def moved(arm: Arm, metric: str) -> Tile:
    """From where a metric came, and where it is."""
    label, values = label_of(metric), known(unsmoothed(arm, metric))
    count = max(1, min(ENDS, len(values) // 4))
    if len(values) < 2:
        return Tile(label.title, label.form, values, "one step" if values else "no data")
    note = f"mean of the first and the last {count} steps" if count > 1 else "first and last step"
    ends = [fmean(values[:count]), fmean(values[-count:])]
    return Tile(label.title, label.form, ends, note)


def unsmoothed(arm: Arm, metric: str) -> Values:
    """A single run's values of a metric; none if it has none."""
    curve = arm.curves.get(metric)
    return () if curve is None else curve.mean if curve.raw is None else curve.raw


def known(values: Values) -> list[float]:
    """Without the gaps."""
    return [value for value in values if value is not None]
