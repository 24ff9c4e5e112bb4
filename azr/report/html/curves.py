"""`azr report --svg FOLDER`: chosen curves of runs or arms, one SVG file a plot."""

from collections.abc import Sequence
from pathlib import Path

from azr.errors import ConfigError
from azr.records.files import written
from azr.report.html.arms import Arm, arms_of, curve_of
from azr.report.html.data import Row, collect_metrics
from azr.report.html.labels import PLOTS, any_mode, label_of
from azr.report.html.page import run_names
from azr.report.html.svg import Line, Plot, file_name, plot_svg

__all__ = ["write_curves"]

Series = tuple[Sequence[int], Row]


def write_curves(
    runs: Sequence[Path],
    folder: Path,
    plots: Sequence[str] = (),
    groups: Sequence[Arm] = (),
    smooth: int = 1,
) -> list[Path]:
    """Write one file a plot; returns the files.

    Args:
        runs: Run folders; grouped by name (azr.report.html.arms.arms_of).
        folder: Where to write; made if missing.
        plots: A metric's name each, or several with commas for one plot of them together; a
            usual choice unless given.
        groups: Arms with their seeds; they stand before those that `runs` makes.
        smooth: Steps of the running mean; 1 is none.

    Raises:
        ConfigError: No run has a metric that was asked for.
        CheckpointError: A folder holds no run, or a file cannot be written.
    """
    arms = [*groups, *arms_of(run_names(runs), runs)]
    seeds = [[collect_metrics(run) for run in arm.runs] for arm in arms]
    known = sorted({name for found in seeds for _, metrics in found for name in metrics})
    written: list[Path] = []
    for plot in plots or PLOTS:
        metrics = [name for name in plot.split(",") if name]
        lines = lines_of(metrics, arms, seeds, smooth)
        if not lines and not plots:
            continue
        if not lines:
            raise unknown_metric(plot, known)
        drawn = Plot(
            title=title_of(metrics, arms),
            unit=label_of(metrics[0]).unit,
            is_share=label_of(metrics[0]).is_share,
            lines=lines,
            note=note(lines, 1 if metrics[0].startswith("eval/") else smooth),
        )
        written.append(write_text(folder / file_name(metrics), plot_svg(drawn)))
    return written


def lines_of(
    metrics: Sequence[str], arms: Sequence[Arm], seeds: Sequence[Sequence[Series]], smooth: int
) -> list[Line]:
    """One line an arm and metric, where there are values."""
    lines: list[Line] = []
    titles = {metric: label_of(metric).title for metric in metrics}
    is_split_by_mode = len({title.partition(", ")[0] for title in titles.values()}) == 1
    tails = {
        metric: title.partition(", ")[2] or "all modes" if is_split_by_mode else title
        for metric, title in titles.items()
    }
    for arm, found in zip(arms, seeds, strict=True):
        for metric in metrics:
            curve = curve_of(found, metric, smooth)
            words = [arm.name] if len(arms) > 1 or len(metrics) == 1 else []
            words += [tails[metric]] if len(metrics) > 1 else []
            if curve is not None:
                lines.append(Line(", ".join(words), curve))
    return lines


def title_of(metrics: Sequence[str], arms: Sequence[Arm]) -> str:
    """The metric's title; of several in one plot, what stands in all of them."""
    titles = [label_of(metric).title for metric in metrics]
    heads = {title.partition(",")[0] for title in titles}
    title = titles[0] if len(titles) == 1 else ", ".join(sorted(heads, key=titles[0].find))
    return f"{title}: {arms[0].name}" if len(arms) == 1 and len(metrics) > 1 else title


def note(lines: Sequence[Line], smooth: int) -> str:
    """What the bands are, and how much is smoothed."""
    parts: list[str] = []
    counts = {line.curve.seeds for line in lines}
    has_band = any(value is not None for line in lines for value in line.curve.low)
    if max(counts) > 2:
        parts.append("band: 95 % interval of the mean over seeds")
    if 2 in counts:
        parts.append("two seeds: from one to the other")
    if counts == {1} and has_band:
        parts.append("band: 95 % interval over items")
    if smooth > 1:
        parts.append(f"mean of {smooth} steps")
    return "; ".join(parts)


def unknown_metric(plot: str, known: Sequence[str]) -> ConfigError:
    """The refusal, with names that look alike."""
    words = [word for word in plot.replace(",", "/").split("/") if word]
    alike = [name for name in known if any(word in name.split("/") for word in words)]
    refusal = ConfigError(f"--plot: no run has a metric {plot!r}")
    short = [name for name in known if not any_mode(name)[1]]
    refusal.add_note("there are: " + ", ".join(alike[:20] or short[:60]))
    return refusal


def write_text(file: Path, text: str) -> Path:
    """Write the file; its folder is made."""
    with written(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return file
