"""Curves as small SVG files, for documents; plain text, no dependency, no script.

Colours are of middle lightness and the ground is transparent, so that a file can be read on
white and on black alike (a file in an <img> is not told the theme of the page around it).
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from azr.report.html.arms import Curve

__all__ = ["COLOURS", "INK", "Line", "Plot", "file_name", "plot_svg"]

COLOURS = ("#3b82e0", "#d9730d", "#1a9e75", "#c2479f", "#8b6ce0", "#dd4f46", "#2b93a8", "#94793a")
INK = "#768390"
"""Text and axes: contrast at least 3.7 on white and on GitHub's dark ground."""
WIDTH, HEIGHT = 640, 340
LEFT, RIGHT, BOTTOM = 58, 16, 62
LETTER = 6.3
"""Width of an average letter at 12 px, in px: good enough to set keys side by side."""


@dataclass(frozen=True, slots=True)
class Line:
    """A curve and what the key calls it."""

    name: str
    curve: Curve


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """What one file shows."""

    title: str
    unit: str
    is_share: bool
    lines: Sequence[Line]
    note: str = ""
    """What the bands are and how much is smoothed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """From data to pixels."""

    first: float
    last: float
    low: float
    high: float
    top: float

    def x(self, step: float) -> float:
        """Pixels from the left."""
        inner = WIDTH - LEFT - RIGHT
        span = self.last - self.first
        return LEFT + inner * ((step - self.first) / span if span else 0.5)

    def y(self, value: float) -> float:
        """Pixels from the top; a band that leaves the axis (a share below 0) is cut there."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - self.top)


def plot_svg(plot: Plot) -> str:
    """The file's text; well-formed whatever the names hold."""
    keys, rows = key_row(plot.lines)
    top = 56.0 + 18 * rows
    low, high = bounds(plot)
    steps = [step for line in plot.lines for step in line.curve.steps]
    frame = Frame(first=min(steps), last=max(steps), low=low, high=high, top=top)
    font = "-apple-system, Segoe UI, Helvetica, Arial, sans-serif"
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}"'
        f' width="{WIDTH}" height="{HEIGHT}" role="img" aria-label="{escaped(plot.title)}"'
        f' font-family="{font}" font-size="12" fill="{INK}">'
    )
    parts = [
        opening,
        text(16, 24, plot.title, 'font-size="15" font-weight="600"'),
        text(16, 43, plot.unit),
        *keys,
        *axes(frame, plot.is_share),
        *(area(frame, line.curve, colour(place)) for place, line in enumerate(plot.lines)),
        *(stroke(frame, line.curve, colour(place)) for place, line in enumerate(plot.lines)),
        text(LEFT + (WIDTH - LEFT - RIGHT) / 2, HEIGHT - 30, "step", 'text-anchor="middle"'),
        text(16, HEIGHT - 10, plot.note, 'font-size="11"') if plot.note else "",
        "</svg>\n",
    ]
    return "\n".join(part for part in parts if part)


def file_name(metrics: Sequence[str]) -> str:
    """`accuracy-solver-deduction.svg`; `*` becomes `all`."""
    name = "_".join(metric.replace("*", "all") for metric in metrics)
    return re.sub(r"[^\w.@]+", "-", name).strip("-.")[:120] + ".svg"


def colour(place: int) -> str:
    """Of the line at this place."""
    return COLOURS[place % len(COLOURS)]


def key_row(lines: Sequence[Line]) -> tuple[list[str], int]:
    """The keys, and how many rows they take."""
    parts: list[str] = []
    x, row = 16.0, 0
    for place, line in enumerate(lines):
        seeds = f" ({line.curve.seeds} seeds)" if line.curve.seeds > 1 else ""
        name = line.name + seeds
        width = 20 + LETTER * len(name) + 14
        if x > 16 and x + width > WIDTH - RIGHT:
            x, row = 16.0, row + 1
        y = 64 + 18 * row
        parts.append(
            f'<rect x="{x:.0f}" y="{y - 9}" width="14" height="10" rx="2" fill="{colour(place)}"/>'
        )
        parts.append(text(x + 20, y, name))
        x += width
    return parts, row + 1


def bounds(plot: Plot) -> tuple[float, float]:
    """Of the y axis: all lines and bands, and 0 where values come near it; shares end at 0 and 1.

    Raises:
        ValueError: There is nothing to draw.
    """
    curves = [line.curve for line in plot.lines]
    lists = [values for c in curves for values in (c.mean, c.low, c.high)]
    values = [value for found in lists for value in found if value is not None]
    if not values:
        raise ValueError("a plot needs a value")
    low, high = min(values), max(values)
    room = 0.06 * (high - low or abs(high) or 1.0)
    near_zero = 0 <= low < 0.5 * high or low == high == 0
    low, high = (0.0 if near_zero else low - room), high + room
    return (max(0.0, low), min(1.0, high)) if plot.is_share else (low, high)


def ticks(low: float, high: float, count: int) -> list[float]:
    """Round numbers from low to high, about `count` of them."""
    raw = (high - low) / count
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [n * step for n in range(first, math.floor(high / step + 1e-9) + 1)]


def axes(frame: Frame, is_share: bool) -> list[str]:
    """Grid, numbers, base line."""
    parts: list[str] = []
    right = WIDTH - RIGHT
    for value in ticks(frame.low, frame.high, 5):
        y = frame.y(value)
        parts.append(
            f'<path d="M{LEFT} {y:.1f}H{right}" stroke="{INK}" stroke-opacity=".25" fill="none"/>'
        )
        parts.append(text(LEFT - 8, y + 4, number(value, is_share), 'text-anchor="end"'))
    base = HEIGHT - BOTTOM
    parts.append(f'<path d="M{LEFT} {base}H{right}" stroke="{INK}" fill="none"/>')
    span = frame.last - frame.first
    steps = ticks(frame.first, frame.last, 8) if span else [frame.first]
    return parts + [
        text(frame.x(step), base + 16, f"{step:.0f}", 'text-anchor="middle"')
        for step in steps
        if step == int(step)
    ]


def number(value: float, is_share: bool) -> str:
    """A tick's label."""
    if is_share:
        return f"{100 * value:.4g} %"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def area(frame: Frame, curve: Curve, fill: str) -> str:
    """The band: one polygon for each stretch without a gap."""
    stretches = runs_of(curve.steps, curve.low, curve.high)
    shapes = [
        "M"
        + "L".join(
            [f"{frame.x(s):.1f} {frame.y(high):.1f}" for s, _, high in stretch]
            + [f"{frame.x(s):.1f} {frame.y(low):.1f}" for s, low, _ in reversed(stretch)]
        )
        + "Z"
        for stretch in stretches
        if len(stretch) > 1
    ]
    if not shapes:
        return ""
    return f'<path d="{"".join(shapes)}" fill="{fill}" fill-opacity=".18"/>'


def stroke(frame: Frame, curve: Curve, color: str) -> str:
    """The mean; steps that stand alone (or are far apart, as evaluations) get a dot.

    A curve of few values is connected across gaps: an evaluation every tenth step is a curve too.
    """
    points = [
        (frame.x(step), frame.y(value))
        for step, value in zip(curve.steps, curve.mean, strict=True)
        if value is not None
    ]
    if not points:
        return ""
    path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.6" fill="{color}"/>' for x, y in points)
    line = (
        f'<path d="{path}" fill="none" stroke="{color}" stroke-width="2" '
        'stroke-linejoin="round" stroke-linecap="round"/>'
    )
    return line + (dots if len(points) <= 30 else "")


def runs_of(
    steps: Sequence[int], low: Sequence[float | None], high: Sequence[float | None]
) -> list[list[tuple[int, float, float]]]:
    """The steps at which a band is known; one stretch, across gaps, as `stroke` draws the line."""
    known = [
        (step, a, b)
        for step, a, b in zip(steps, low, high, strict=True)
        if a is not None and b is not None
    ]
    return [known] if known else []


def text(x: float, y: float, words: str, attributes: str = "") -> str:
    """A text element."""
    return f'<text x="{x:.1f}" y="{y:.1f}" {attributes}>{escaped(words)}</text>'


def escaped(words: str) -> str:
    """XML knows no control characters, however they are spelled."""
    return escape(re.sub(r"[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "�", words))
