"""Curves as small SVG files, for documents: drawn by matplotlib in one fixed style.

Colours are of middle lightness and the ground is transparent, so that a file can be read on
white and on black alike (a file in an <img> is not told the theme of the page around it). The
same curves make the same bytes.
"""

import io
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cycler import cycler
from matplotlib import style
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from azr.records.safe_text import inert
from azr.report.html.contract import Curve, Form

__all__ = ["COLOURS", "INK", "Line", "Plot", "file_name", "plot_svg"]

COLOURS = ("#3b82e0", "#d9730d", "#1a9e75", "#c2479f", "#8b6ce0", "#dd4f46", "#2b93a8", "#94793a")
INK = "#768390"
"""Text and axes: contrast at least 3.7 on white and on GitHub's dark ground."""
INKED = ("axes.edgecolor", "axes.labelcolor", "axes.titlecolor", "grid.color", "legend.labelcolor")
STYLE = {
    **dict.fromkeys((*INKED, "text.color", "xtick.color", "ytick.color"), INK),
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.prop_cycle": cycler(color=COLOURS),
    "axes.spines.left": False,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.xmargin": 0.01,
    "figure.constrained_layout.h_pad": 0.08,
    "figure.figsize": (6.4, 3.5),
    "font.size": 9,
    "grid.alpha": 0.25,
    "lines.markersize": 3.5,
    "lines.solid_capstyle": "round",
    "svg.fonttype": "none",  # text stays text: small, and found by a search
    "svg.hashsalt": "azr",
    "text.parse_math": False,  # a dollar in a run's name is a dollar
    "ytick.major.size": 0,
}
DOTS = 30
"""Curves of at most so many values show each."""


@dataclass(frozen=True, slots=True)
class Line:
    """A curve and what the key calls it."""

    name: str
    steps: Sequence[int]
    curve: Curve
    seeds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """What one file shows."""

    title: str
    unit: str
    form: Form
    lines: Sequence[Line]
    note: str = ""
    """What the bands are and how much is smoothed."""


def plot_svg(plot: Plot) -> str:
    """The file's text; well-formed whatever the names hold."""
    file = io.StringIO()
    with style.context(["default", STYLE]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # the viewer's fonts draw the text
        figure: Any = Figure(layout="constrained")  # Any: matplotlib's keywords have no types
        draw(figure.subplots(), plot)
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    return file.getvalue()


def draw(axes: Any, plot: Plot) -> None:
    """Lines, bands, and the words around them."""
    handles = [draw_line(axes, line) for line in plot.lines]
    axes.set_title(inert(plot.title), pad=12 + 14 * -(-len(plot.lines) // 3))
    axes.set_ylabel(inert(plot.unit))
    axes.set_xlabel("step" + f"\n{inert(plot.note)}" * bool(plot.note))
    axes.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1), ncols=3, frameon=False)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    low, high = axes.get_ylim()
    low = 0.0 if 0 <= min(axes.dataLim.intervaly) < 0.5 * high else low
    if plot.form == "share":
        low, high = max(0.0, low), min(1.0, high)
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))
    axes.set_ylim(low, high)


def draw_line(axes: Any, line: Line) -> Any:
    """The mean and its band, led across gaps: an evaluation every tenth step is a curve too."""
    curve = line.curve
    known = [(s, v) for s, v in zip(line.steps, curve.mean, strict=True) if v is not None]
    marker = "o" if len(known) <= DOTS else ""
    name = inert(line.name) + f" ({line.seeds} seeds)" * (line.seeds > 1)
    [drawn] = axes.plot(*zip(*known, strict=True), marker=marker, label=name)
    if curve.low and curve.high:
        ends = zip(line.steps, curve.low, curve.high, strict=True)
        band = [(s, low, high) for s, low, high in ends if low is not None and high is not None]
        axes.fill_between(*zip(*band, strict=True), color=drawn.get_color(), alpha=0.18, lw=0)
    return drawn


def file_name(metrics: Sequence[str]) -> str:
    """`accuracy-solver-deduction.svg`; `*` becomes `all`."""
    name = "_".join(metric.replace("*", "all") for metric in metrics)
    return re.sub(r"[^\w.@]+", "-", name).strip("-.")[:120] + ".svg"
