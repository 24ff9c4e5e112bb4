"""What the report of some runs shows, and the file it is written to."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from azr import __version__
from azr.atomic_write import whole
from azr.errors import ConfigError
from azr.report.html.arms import Group, History, arm_of, difference, figure_of, groups_of
from azr.report.html.charts import charts_of, stacks_of, tiles_of
from azr.report.html.contract import Figure, FinalRow, Page, Run
from azr.report.html.data import MAX_STORIES, Collected, collect
from azr.report.html.decay import in_words
from azr.report.html.filling import fill_page
from azr.report.html.labels import FINAL_FIGURES, label_of
from azr.types import Mode

__all__ = ["now", "page_of", "render_report", "run_names", "write_report"]

LEAST_STORIES = 60
"""Of each of many compared runs."""


def write_report(
    runs: Sequence[Path],
    output: Path | None = None,
    groups: Sequence[Group] = (),
    hear: Callable[[str], None] | None = None,
) -> Path:
    """Write the report of one run, or of several side by side; returns the file.

    Args:
        runs: Run folders; grouped by name (azr.report.html.arms.groups_of).
        output: In the first run's folder unless given: its `report.html`, or `comparison.html` of
            several, so that a run's own report stays.
        groups: Arms with their seeds; they stand before those that `runs` makes.
        hear: Is told each run's step of decay, a line a run.

    Raises:
        CheckpointError: A folder holds no run, or the file cannot be written.
        ConfigError: A run or an arm is named twice.
    """
    paths = [*(run for group in groups for run in group.runs), *runs]
    refuse_twice("run", [str(path.resolve()) for path in paths])
    refuse_twice("group", [group.name for group in groups])
    output = output or paths[0] / ("report.html" if len(paths) == 1 else "comparison.html")
    page = page_about(runs, groups)
    with whole(output) as partial:
        partial.write_text(fill_page(page.title, page), encoding="utf-8")
    if hear is not None:
        for run in page.runs:
            hear(f"decay       {run.name}: {in_words(run.falls)}")
    return output


def refuse_twice(what: str, names: Sequence[str]) -> None:
    """A run counted as two seeds would make an interval of nothing."""
    for name, number in Counter(names).items():
        if number > 1:
            raise ConfigError(f"the {what} {name} is named {number} times: once is enough")


def render_report(runs: Sequence[Path], groups: Sequence[Group] = ()) -> str:
    """The page as text."""
    page = page_about(runs, groups)
    return fill_page(page.title, page)


def page_about(runs: Sequence[Path], groups: Sequence[Group] = ()) -> Page:
    """What the report of these runs shows."""
    groups = [*groups, *groups_of(run_names(runs), runs)]
    paths = [run for group in groups for run in group.runs]
    most = max(LEAST_STORIES, MAX_STORIES // len(paths))
    names = dict(zip(paths, run_names(paths), strict=True))
    arms = [[collect(run, names[run], most) for run in group.runs] for group in groups]
    return page_of([group.name for group in groups], arms)


def page_of(names: Sequence[str], arms: Sequence[Sequence[Collected]]) -> Page:
    """What the page shows of these arms, each with the runs of its seeds."""
    runs = [found for seeds in arms for found in seeds]
    curves = [
        arm_of(name, {found.run.name: found.history for found in seeds})
        for name, seeds in zip(names, arms, strict=True)
    ]
    is_single = len(runs) == 1
    metrics = {metric for arm in curves for metric in arm.curves}
    charts = charts_of(curves, is_single=is_single)
    return Page(
        title=" against ".join(names),
        subtitle=subtitle(len(arms), [found.run for found in runs]),
        footer=f"azr {__version__}, written {now()}. This file is complete in itself.",
        modes=[mode for mode in Mode if {f"valid/{mode}", f"accuracy/solver/{mode}"} & metrics],
        tiles=tiles_of(curves[0], runs[0].planned, runs[0].run.totals) if is_single else [],
        finals=[] if is_single else final_rows([[f.history for f in seeds] for seeds in arms]),
        charts=[*charts, *stacks_of(curves[0])] if is_single else charts,
        arms=curves,
        runs=[found.run for found in runs],
    )


def now() -> str:
    """To the minute."""
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")


def run_names(runs: Sequence[Path]) -> list[str]:
    """Folder names, with their parents' where two are alike."""
    counts = Counter(run.resolve().name for run in runs)
    return [run.resolve().name if counts[run.resolve().name] == 1 else str(run) for run in runs]


def subtitle(arms: int, runs: Sequence[Run]) -> str:
    """One line: what was trained, and where."""
    if len(runs) > 1:
        seeds = "" if arms == len(runs) else f" in {arms} arms"
        return f"{len(runs)} runs compared{seeds}"
    found = dict(runs[0].facts)
    parts = (found.get("model"), found.get("GPUs") or found.get("machine"))
    return " · ".join(part for part in parts if part)


def final_rows(arms: Sequence[Sequence[History]]) -> list[FinalRow]:
    """The table: each metric at the end of training, arm by arm."""
    columns = [[history.metrics for history in seeds] for seeds in arms]
    there = {metric for arm in columns for metrics in arm for metric in metrics}
    suites = sorted(name for name in there if name.startswith("eval/") and name.endswith("/pass@1"))
    rows: list[FinalRow] = []
    for pattern in (*suites, *FINAL_FIGURES):
        modes = sorted(n for n in there if n != pattern and matches(pattern, n))
        for metric in (pattern, *modes):
            figures = [figure_of(arm, metric) for arm in columns]
            if any(figures):
                rows.append(final_row(metric, figures, is_part=metric != pattern))
    return rows


def matches(pattern: str, metric: str) -> bool:
    """Is the metric the pattern's in one mode?"""
    before, star, after = pattern.partition("*")
    middle = metric[len(before) : len(metric) - len(after)]
    fits = metric.startswith(before) and metric.endswith(after)
    return bool(star) and fits and "/" not in middle and middle != "*"


def final_row(metric: str, figures: Sequence[Figure | None], *, is_part: bool) -> FinalRow:
    """One metric: of each arm the figure, and of all but the first the difference to it."""
    label, base = label_of(metric), figures[0]
    differences = [
        None if figure is None or base is None else difference(figure, base)
        for figure in figures[1:]
    ]
    return FinalRow(
        title=label.title,
        unit=label.unit,
        form=label.form,
        is_part=is_part,
        figures=figures,
        differences=differences,
    )
