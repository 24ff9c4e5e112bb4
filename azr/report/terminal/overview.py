"""`azr inspect RUN`: how the run's tasks grew, as a table by ranges of steps."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from azr.errors import CheckpointError
from azr.records.metrics_file import read_metrics
from azr.records.rollouts import read_rollouts
from azr.records.run_folder import rollout_files
from azr.report.html.data import history_in
from azr.report.html.decay import falls_of, in_words
from azr.report.story import Growth, resolved_config
from azr.report.terminal.text import screen, visible
from azr.types import Mode

__all__ = ["show_overview"]

RANGES = 6
"""Rows of each mode, at most."""
ROOMY = 90
"""Columns of a terminal that has room for two blanks between the table's."""

COLUMNS = (
    "valid: share of proposals that run, safe and deterministic.  learnable: solved by some"
    " trials, not by all.  novel: never made before in the run.  distinct: different tasks so far."
    "  correct: answers."
)
"""One line, which the console breaks where its own ends."""

Row = Mapping[str, Any]

SHARES = (
    ("valid", "valid/{}"),
    ("solve rate", "solve_rate/{}"),
    ("learnable", "learnable/{}"),
    ("novel", "curriculum/novel/{}"),
    ("correct", "accuracy/solver/{}"),
)


def show_overview(folder: Path, console: Console | None = None) -> None:
    """Print what a person asks of a run first.

    Args:
        folder: The run's folder.
        console: stdout unless told otherwise.

    Raises:
        CheckpointError: There is no run in the folder, or it is damaged.
    """
    console = console or screen()
    if not (folder / "metrics.jsonl").exists():
        raise CheckpointError(f"{folder} holds no run: there is no metrics.jsonl")
    growth = Growth()
    for step, file in rollout_files(folder).items():
        growth.take(step, read_rollouts(file))
    rows = [
        {**row, **growth.metrics(row["step"])}
        for row in read_metrics(folder)
        if row["step"] > 0  # 0 is the untrained model's evaluation, where no task was made
    ]
    console.print(Text(headline(folder, rows), style="bold"))
    if not rows:
        console.print("no step is finished", style="dim")
        return
    console.print(curriculum_table(rows, gap=2 if console.width >= ROOMY else 1))
    for line in (totals(growth), refusals(rows), decay(rows)):
        if line:
            console.print(Text(line))
    console.print(Text(explanation(folder), style="dim"))


def headline(folder: Path, rows: Sequence[Row]) -> str:
    """Name, steps, model."""
    config = resolved_config(folder)
    model: dict[str, Any] = config.get("model", {})
    last = rows[-1]["step"] if rows else 0
    planned: int | None = config.get("steps")
    of = f" of {planned}" if planned else ""
    parts: tuple[str | None, ...] = (folder.resolve().name, f"step {last}{of}", model.get("name"))
    return visible("  ".join(part for part in parts if part))


def curriculum_table(rows: Sequence[Row], gap: int = 2) -> Table:
    """A line for each mode and range of steps, with so many blanks between the columns."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, gap, 0, 0))
    table.add_column("steps")
    table.add_column("mode", no_wrap=True)
    for name in ("tasks", *(name for name, _ in SHARES), "distinct", "lines"):
        table.add_column(name, justify="right")
    modes = [mode.value for mode in Mode if any(key_of(mode.value) & row.keys() for row in rows)]
    for place, mode in enumerate(modes):
        if place:
            table.add_row()
        for chosen in ranges(rows):
            first, last = chosen[0]["step"], chosen[-1]["step"]
            steps = str(first) if first == last else f"{first}-{last}"
            table.add_row(steps, mode, *cells(chosen, mode))
    return table


def key_of(mode: str) -> set[str]:
    """Metrics that only a mode which was played has."""
    return {f"valid/{mode}", f"accuracy/solver/{mode}"}


def ranges(rows: Sequence[Row]) -> list[Sequence[Row]]:
    """At most RANGES stretches of the run, about equally long."""
    count = min(RANGES, len(rows))
    ends = [len(rows) * place // count for place in range(count + 1)]
    return [rows[ends[place] : ends[place + 1]] for place in range(count)]


def cells(rows: Sequence[Row], mode: str) -> list[str]:
    """One line's figures; `-` where there is no data."""
    tasks = values(rows, f"curriculum/tasks/{mode}")
    distinct = values(rows, f"curriculum/distinct/{mode}")
    lines = values(rows, f"lines/{mode}")
    shares = [values(rows, pattern.format(mode)) for _, pattern in SHARES]
    return [
        f"{sum(tasks):.0f}" if tasks else "-",
        *(f"{fmean(found):.0%}" if found else "-" for found in shares),
        f"{distinct[-1]:.0f}" if distinct else "-",
        f"{fmean(lines):.1f}" if lines else "-",
    ]


def values(rows: Sequence[Row], metric: str) -> list[float]:
    """Those that are there."""
    return [value for row in rows if (value := row.get(metric)) is not None]


def totals(growth: Growth) -> str:
    """How many proposals, tasks and programs there are."""
    counts = [counts for modes in growth.steps.values() for counts in modes.values()]
    proposals = sum(found.proposals for found in counts)
    if not proposals:
        return "no rollouts are kept (logging.rollouts): tasks, novel and distinct are not known"
    valid = sum(found.valid for found in counts)
    programs = len(growth.programs)
    return f"\n{valid} of {proposals} proposals became tasks, of {programs} different programs"


def decay(rows: Sequence[Row]) -> str:
    """The run's step of decay."""
    return f"decay: {in_words(falls_of(history_in(rows)))}"


def refusals(rows: Sequence[Row], most: int = 5) -> str:
    """The commonest reasons."""
    names = {name for row in rows for name in row if name.startswith("refused/")}
    counts = {name: sum(values(rows, name)) for name in names}
    commonest = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:most]
    words = [f"{reason(name.partition('/')[2])} ({count:.0f})" for name, count in commonest]
    return visible("refused: " + ", ".join(words)) if words else ""


def reason(name: str) -> str:
    """A metric's name has no blanks, and the functions of a composite task are called g_0, g_1."""
    return re.sub(r"(?<!\bg)_", " ", name).replace(".", ": ")


def explanation(folder: Path) -> str:
    """What the columns mean, and where to look next."""
    return f"""
{COLUMNS}

  azr inspect {folder} --tasks hardest
  azr inspect {folder} --stream proposer/deduction
  azr report {folder}"""
