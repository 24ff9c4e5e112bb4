"""`azr report --svg FOLDER`: chosen curves of runs or arms, one SVG file a plot."""

from collections.abc import Sequence
from pathlib import Path

from azr.atomic_write import whole
from azr.errors import ConfigError
from azr.report.html.arms import Group, History, curve_of, groups_of, steps_of
from azr.report.html.data import collect_history
from azr.report.html.labels import PLOTS, any_mode, label_of
from azr.report.html.page import run_names
from azr.report.html.svg import Line, Plot, file_name, plot_svg

__all__ = ["write_curves"]


Seeds = tuple[str, Sequence[History]]
"""An arm's name and what its runs measured."""


def write_curves(
    runs: Sequence[Path],
    folder: Path,
    plots: Sequence[str] = (),
    groups: Sequence[Group] = (),
    smooth: int = 1,
) -> list[Path]:
    """Write one file a plot; returns the files.

    Args:
        runs: Run folders; grouped by name (azr.report.html.arms.groups_of).
        folder: Where to write; made if missing.
        plots: A metric's name each, or several with commas for one plot of them together; a
            usual choice unless given.
        groups: Arms with their seeds; they stand before those that `runs` makes.
        smooth: Steps of the running mean; 1 is none.

    Raises:
        ConfigError: No run has a metric that was asked for; nothing is written.
        CheckpointError: A folder holds no run, or a file cannot be written.
    """
    groups = [*groups, *groups_of(run_names(runs), runs)]
    arms = [(group.name, [collect_history(run) for run in group.runs]) for group in groups]
    wanted = [[name for name in plot.split(",") if name] for plot in plots or PLOTS]
    drawn = {file_name(metrics): plot_of(metrics, arms, smooth) for metrics in wanted}
    for plot, found in zip(plots, drawn.values(), strict=False):
        if found is None:
            raise unknown_metric(plot, arms)
    written: list[Path] = []
    for name, plot in drawn.items():
        if plot is not None:
            with whole(folder / name) as partial:
                partial.write_text(plot_svg(plot), encoding="utf-8")
            written.append(folder / name)
    return written


def plot_of(metrics: Sequence[str], arms: Sequence[Seeds], smooth: int) -> Plot | None:
    """The metrics of all arms in one plot; None if no run has any."""
    lines = [
        Line(words, steps_of(runs), curve, sum(metric in run.metrics for run in runs))
        for arm, runs in arms
        for metric, words in names_of(metrics, arm, is_alone=len(arms) == 1).items()
        if (curve := curve_of(runs, metric, smooth))
    ]
    if not lines:
        return None
    label = label_of(metrics[0])
    return Plot(
        title=title_of(metrics, arms),
        unit=label.unit,
        form=label.form,
        lines=lines,
        note=note(lines, 1 if metrics[0].startswith("eval/") else smooth),
    )


def names_of(metrics: Sequence[str], arm: str, *, is_alone: bool) -> dict[str, str]:
    """What the key calls each metric of an arm: by the arm, the mode or all of the title."""
    if len(metrics) == 1:
        return {metrics[0]: arm}
    titles = {metric: label_of(metric).title for metric in metrics}
    if len({title.partition(", ")[0] for title in titles.values()}) == 1:
        titles = {m: title.partition(", ")[2] or "all modes" for m, title in titles.items()}
    return titles if is_alone else {m: f"{arm}, {title}" for m, title in titles.items()}


def title_of(metrics: Sequence[str], arms: Sequence[Seeds]) -> str:
    """The metric's title; of several in one plot, what stands in all of them."""
    titles = [label_of(metric).title for metric in metrics]
    heads = {title.partition(",")[0] for title in titles}
    title = titles[0] if len(titles) == 1 else ", ".join(sorted(heads, key=titles[0].find))
    return f"{title}: {arms[0][0]}" if len(arms) == 1 and len(metrics) > 1 else title


def note(lines: Sequence[Line], smooth: int) -> str:
    """What the bands are, and how much is smoothed."""
    parts: list[str] = []
    counts = {line.seeds for line in lines}
    if max(counts) > 2:
        parts.append("band: 95 % interval of the mean over seeds")
    if 2 in counts:
        parts.append("two seeds: from one to the other")
    if counts == {1} and any(line.curve.low for line in lines):
        parts.append("band: 95 % interval over items")
    if smooth > 1:
        parts.append(f"mean of {smooth} steps")
    return "; ".join(parts)


def unknown_metric(plot: str, arms: Sequence[Seeds]) -> ConfigError:
    """The refusal, with names that look alike."""
    known = sorted({name for _, runs in arms for run in runs for name in run.metrics})
    words = [word for word in plot.replace(",", "/").split("/") if word]
    alike = [name for name in known if any(word in name.split("/") for word in words)]
    refusal = ConfigError(f"--plot: no run has a metric {plot!r}")
    short = [name for name in known if not any_mode(name)[1]]
    refusal.add_note("there are: " + ", ".join(alike[:20] or short[:60]))
    return refusal
