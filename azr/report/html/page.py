"""The page: data, style and scripts in one file."""

import base64
import hashlib
import html
import json
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

from azr import __version__
from azr.errors import ConfigError
from azr.records.files import whole
from azr.report.html.arms import Arm, Figure, arms_of, curve_of, difference, figure_of
from azr.report.html.data import MAX_STORIES, collect
from azr.report.html.labels import FINAL_FIGURES, label_of

__all__ = ["fill_page", "render_report", "run_names", "script_json", "write_report"]

SCRIPTS = ("charts.js", "python.js", "cards.js", "tables.js", "main.js")
LEAST_STORIES = 60
"""Of each of many compared runs."""
SMOOTHED_TO = 40
"""Bands are computed of running means over a 40th of the run."""

Collected = dict[str, Any]


def write_report(
    runs: Sequence[Path], output: Path | None = None, groups: Sequence[Arm] = ()
) -> Path:
    """Write the report of one run, or of several side by side; returns the file.

    Args:
        runs: Run folders; grouped by name (azr.report.html.arms.arms_of).
        output: In the first run's folder unless given: its `report.html`, or `comparison.html` of
            several, so that a run's own report stays.
        groups: Arms with their seeds; they stand before those that `runs` makes.

    Raises:
        CheckpointError: A folder holds no run, or the file cannot be written.
        ConfigError: A run or an arm is named twice.
    """
    paths = [*(run for arm in groups for run in arm.runs), *runs]
    refuse_twice("run", [str(path.resolve()) for path in paths])
    refuse_twice("group", [arm.name for arm in groups])
    output = output or paths[0] / ("report.html" if len(paths) == 1 else "comparison.html")
    page = render_report(runs, groups)
    with whole(output) as partial:
        partial.write_text(page, encoding="utf-8")
    return output


def refuse_twice(what: str, names: Sequence[str]) -> None:
    """A run counted as two seeds would make an interval of nothing."""
    for name, number in Counter(names).items():
        if number > 1:
            raise ConfigError(f"the {what} {name} is named {number} times: once is enough")


def render_report(runs: Sequence[Path], groups: Sequence[Arm] = ()) -> str:
    """The page as text."""
    arms = [*groups, *arms_of(run_names(runs), runs)]
    paths = [run for arm in arms for run in arm.runs]
    names = run_names(paths)
    most = max(LEAST_STORIES, MAX_STORIES // len(paths))
    collected = [collect(run, name, most) for run, name in zip(paths, names, strict=True)]
    seeds: list[list[Collected]] = []
    place = 0
    for arm in arms:
        seeds.append(collected[place : place + len(arm.runs)])
        place += len(arm.runs)
    title = " against ".join(arm.name for arm in arms)
    data: dict[str, Any] = {
        "title": title,
        "subtitle": subtitle(arms, collected),
        "footer": f"azr {__version__}, written {now()}. This file is complete in itself.",
        "arms": [arm_data(arm.name, found) for arm, found in zip(arms, seeds, strict=True)],
        "finals": final_figures(seeds) if len(collected) > 1 else [],
        "runs": [{k: v for k, v in run.items() if k != "metrics"} for run in collected],
    }
    return fill_page(title, data)


def now() -> str:
    """To the minute."""
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")


def run_names(runs: Sequence[Path]) -> list[str]:
    """Folder names, with their parents' where two are alike."""
    counts = Counter(run.resolve().name for run in runs)
    return [run.resolve().name if counts[run.resolve().name] == 1 else str(run) for run in runs]


def subtitle(arms: Sequence[Arm], collected: Sequence[Collected]) -> str:
    """One line: what was trained, and where."""
    if len(collected) > 1:
        seeds = "" if len(arms) == len(collected) else f" in {len(arms)} arms"
        return f"{len(collected)} runs compared{seeds}"
    found = dict(collected[0]["facts"])
    parts = (found.get("model"), found.get("GPUs") or found.get("machine"))
    return " · ".join(part for part in parts if part)


def arm_data(name: str, seeds: Sequence[Collected]) -> Collected:
    """An arm's curves; of one run the values themselves, of several their mean and band."""
    longest = max(len(run["steps"]) for run in seeds)
    smooth = max(1, longest // SMOOTHED_TO) if len(seeds) > 1 else 1
    pairs = [(run["steps"], run["metrics"]) for run in seeds]
    metrics = sorted({metric for run in seeds for metric in run["metrics"]})
    steps = sorted({step for run in seeds for step in run["steps"]})
    columns: dict[str, Any] = {}
    bands: dict[str, Any] = {}
    for metric in metrics:
        curve = curve_of(pairs, metric, smooth)
        if curve is None:
            continue
        columns[metric] = on_steps(steps, curve.steps, curve.mean)
        if any(value is not None for value in curve.low):
            low, high = (on_steps(steps, curve.steps, end) for end in (curve.low, curve.high))
            bands[metric] = [low, high]
    return {
        "name": name,
        "runs": [run["name"] for run in seeds],
        "smooth": smooth,
        "steps": steps,
        "metrics": columns,
        "bands": bands,
    }


def on_steps(
    steps: Sequence[int], own: Sequence[int], values: Sequence[float | None]
) -> list[float | None]:
    """The values, aligned with another list of steps."""
    found = dict(zip(own, values, strict=True))
    return [None if (v := found.get(step)) is None else float(f"{v:.5g}") for step in steps]


def final_figures(seeds: Sequence[Sequence[Collected]]) -> list[Collected]:
    """Rows of the table: each metric at the end of training, arm by arm."""
    arms = [[run["metrics"] for run in found] for found in seeds]
    there = {metric for arm in arms for metrics in arm for metric in metrics}
    suites = sorted(name for name in there if name.startswith("eval/") and name.endswith("/pass@1"))
    rows: list[Collected] = []
    for pattern in (*suites, *FINAL_FIGURES):
        modes = sorted(n for n in there if n != pattern and matches(pattern, n))
        for metric in (pattern, *modes):
            figures = [figure_of(arm, metric) for arm in arms]
            if any(figures):
                rows.append(final_row(metric, figures, is_part=metric != pattern))
    return rows


def matches(pattern: str, metric: str) -> bool:
    """Is the metric the pattern's in one mode?"""
    before, star, after = pattern.partition("*")
    middle = metric[len(before) : len(metric) - len(after)]
    fits = metric.startswith(before) and metric.endswith(after)
    return bool(star) and fits and "/" not in middle and middle != "*"


def final_row(metric: str, figures: Sequence[Figure | None], *, is_part: bool) -> Collected:
    """One metric: of each arm the figure, and of all but the first the difference to it."""
    label, base = label_of(metric), figures[0]
    differences = [
        None if figure is None or base is None else figure_data(difference(figure, base))
        for figure in figures[1:]
    ]
    return {
        "title": label.title,
        "unit": label.unit,
        "is_share": label.is_share,
        "is_part": is_part,
        "figures": [None if figure is None else figure_data(figure) for figure in figures],
        "differences": differences,
    }


def figure_data(figure: Figure) -> Collected:
    """As the page takes it."""
    numbers = {"value": figure.value, "low": figure.low, "high": figure.high}
    found: Collected = {k: None if v is None else float(f"{v:.5g}") for k, v in numbers.items()}
    return {**found, "seeds": len(figure.values)}


def fill_page(title: str, data: dict[str, Any]) -> str:
    """Put data, style and scripts into the page, and their hashes into its policy."""
    here = files("azr.report.html").joinpath("assets")
    style = here.joinpath("style.css").read_text(encoding="utf-8")
    script = "\n".join(here.joinpath(name).read_text(encoding="utf-8") for name in SCRIPTS)
    slots = {
        "TITLE": html.escape(f"{title} - azr"),
        "STYLE_HASH": source_hash(style),
        "SCRIPT_HASH": source_hash(script),
        "STYLE": style,
        "SCRIPT": script,
        "DATA": script_json(data),
    }
    pieces = here.joinpath("page.html").read_text(encoding="utf-8").split("%")
    # one pass over the template, so that a %SLOT% inside the data stays what it is
    return "".join(slots.get(piece, piece) for piece in pieces)


def script_json(data: object) -> str:
    """JSON that cannot end the script element it stands in, whatever it holds."""
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def source_hash(text: str) -> str:
    """As a content security policy names an inline source."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
