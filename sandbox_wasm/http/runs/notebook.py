"""Cells of a notebook to one job, and its result to what became of each cell. Pure.

The cells are data: they travel as a literal, and `sandbox_wasm/guest/notebook.py` runs them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from typing import Any, Final, cast

from sandbox_wasm.http.runs.seconds import limits_of_request
from sandbox_wasm.literals import LiteralError, parse_literal
from sandbox_wasm.types import CallResult, Job, JobResult, Outcome

__all__ = ["Allowance", "CellError", "CellResult", "CellsResult", "job_of_cells", "result_of_cells"]

_DRIVER: Final = files("sandbox_wasm.guest").joinpath("notebook.py").read_text(encoding="utf-8")
_START_FUEL: Final = 100_000_000
"""What running cells costs beside what the cells do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What cells may use."""

    seconds: float
    """Together."""
    memory_megabytes: float | None = None
    """As for `limits_of_request`."""
    most_chars: int = 1_000_000
    """Longer texts are cut in the guest."""
    packages: frozenset[str] = frozenset()
    """Third-party packages that they may import."""


@dataclass(frozen=True, slots=True)
class CellError:
    """The exception that reached the top of a cell."""

    name: str
    message: str
    traceback: str


@dataclass(frozen=True, slots=True)
class CellResult:
    """What one cell did. Untrusted texts, each one character longer than asked for if cut."""

    stdout: str
    stderr: str
    value: str | None
    """repr() of its last expression, if it ends with one that is not None."""
    error: CellError | None


@dataclass(frozen=True, slots=True)
class CellsResult:
    """What became of cells."""

    cells: tuple[CellResult, ...]
    """Empty where they were stopped: `reason` says by what."""
    fuel: int
    """Of all cells together."""
    is_late: bool = False
    """Whether they were stopped by their time limit."""
    reason: str = ""


def job_of_cells(cells: Sequence[tuple[str, str]], allowance: Allowance) -> Job:
    """Make the job that runs cells in their order.

    Args:
        cells: Untrusted sources, each with what it can read on stdin.
        allowance: Of all cells together.

    Raises:
        BadJob: The cells are too long for one job.
    """
    limits = limits_of_request(allowance.seconds, allowance.memory_megabytes)
    fuel = limits.fuel + _START_FUEL
    return Job(
        "cells", _DRIVER, [f"{list(cells)!r}, {allowance.most_chars}"], "run_cells",
        limits=replace(limits, fuel=fuel), packages=allowance.packages,
    )  # fmt: skip


def result_of_cells(result: JobResult, num_cells: int) -> CellsResult:
    """Read what came back.

    Args:
        result: Of the job.
        num_cells: How many cells there were.
    """
    call = result.calls[0]
    if call.outcome is not Outcome.RETURNED:
        return CellsResult((), call.fuel, call.outcome is Outcome.OUT_OF_FUEL, _reason(call))
    cells = _cells(call.value or "")
    if cells is None or len(cells) != num_cells:
        return CellsResult((), call.fuel, reason="the cells broke the interpreter they run in")
    return CellsResult(cells, call.fuel)


def _reason(call: CallResult) -> str:
    return call.error or call.outcome.value.replace("_", " ")


def _cells(literal: str) -> tuple[CellResult, ...] | None:
    """Read the guest's answer, which a program may have forged: any other form is None."""
    try:
        items: Any = parse_literal(literal)
    except LiteralError:
        return None
    if not isinstance(items, list):
        return None
    cells = [_cell(item) for item in cast("list[Any]", items)]
    return None if None in cells else tuple(cell for cell in cells if cell is not None)


def _cell(item: Any) -> CellResult | None:
    match item:
        case (str(out), str(err), None | str() as value, None):
            return CellResult(out, err, value, None)
        case (str(out), str(err), None | str() as value, (str(name), str(message), str(text))):
            return CellResult(out, err, value, CellError(name, message, text))
        case _:
            return None
