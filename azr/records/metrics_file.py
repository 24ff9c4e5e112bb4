"""metrics.jsonl, read back: one row a step, numbers alone."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from azr.records.lines import objects_in, say_left_out

__all__ = ["Rows", "read_metrics", "rows_in", "rows_of"]

FILE = "metrics.jsonl"


@dataclass(frozen=True, slots=True)
class Rows:
    """What a file holds."""

    rows: list[dict[str, Any]]
    """`step`, and a finite number or None under every other name; in the order of the file."""
    faults: list[str]
    """What was left out: `line 3: not JSON`. A last line that a kill has torn is no fault."""


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """A run's metrics, oldest first; what cannot be read of them is told and left out."""
    found = rows_in(folder)
    say_left_out(folder / FILE, found.faults)
    return found.rows


def rows_in(folder: Path) -> Rows:
    """The same, with the faults for whoever calls."""
    file, faults = folder / FILE, list[str]()
    if not file.exists():
        return Rows([], faults)
    try:
        with file.open("rb") as opened:
            lines = opened.readlines()
    except OSError as error:
        return Rows([], [f"line 1 and after: cannot be read ({error.strerror})"])
    if lines and not lines[-1].endswith(b"\n"):  # the process died while writing it
        lines.pop()
    return Rows(rows_of(objects_in(lines, faults), faults), faults)


def rows_of(
    numbered: Iterable[tuple[int, dict[str, Any]]], faults: list[str]
) -> list[dict[str, Any]]:
    """Lines' objects as rows; what is wrong with the others is added to the faults."""
    rows: list[dict[str, Any]] = []
    for number, found in numbered:
        step = found.get("step")
        if type(step) is not int or not 0 <= step < 2**53:
            faults.append(f"line {number}: no step")
            continue
        row = {name: number_in(value) for name, value in found.items()}
        wrong = [name for name, value in row.items() if value is UNREADABLE]
        if wrong:
            faults.append(f"line {number}: {wrong[0]} is no number")
        rows.append({name: value for name, value in row.items() if value is not UNREADABLE})
    return rows


UNREADABLE = object()


def number_in(value: object) -> object:
    """The number; None for what is not finite, as it is written for nan; else `UNREADABLE`."""
    if value is None:
        return None
    if type(value) is int:
        return value if abs(value) < 2**1023 else None
    if type(value) is float:
        return value if math.isfinite(value) else None
    return UNREADABLE
