"""`azr inspect RUN --step N`: rollouts one by one, each with the judge's reason in plain words."""

from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.text import Text

from azr.errors import CheckpointError, ConfigError
from azr.records.rollouts import read_rollouts, task_of
from azr.records.run_folder import rollout_files
from azr.report.story import RunFormat, explain, format_of, task_name
from azr.report.terminal.text import STYLES, screen, task_lines, visible
from azr.types import STREAMS, Task, stream_name

__all__ = ["check_stream", "files_of", "is_of", "show_rollouts"]

Record = Mapping[str, Any]


def show_rollouts(
    folder: Path,
    step: int | None = None,
    stream: str | None = None,
    limit: int = 5,
    console: Console | None = None,
    verdict: str | None = None,
) -> None:
    """Print rollouts of one step.

    Args:
        folder: The run's folder.
        step: The newest one with rollouts unless given.
        stream: `proposer/deduction`, or a role or a mode alone; all if not given.
        limit: How many at most.
        console: stdout unless told otherwise.
        verdict: Only those that ended like this.

    Raises:
        CheckpointError: The run or the step does not exist.
        ConfigError: No run has such a stream.
    """
    console = console or screen()
    files = files_of(folder)
    step = max(files) if step is None else step
    if step not in files:
        steps = f"{min(files)} to {max(files)}"
        raise CheckpointError(
            f"{folder} has no rollouts of step {step}; there are those of {steps}"
        )
    check_stream(stream)
    run_format = format_of(folder)
    found = (
        record
        for record in read_rollouts(files[step])
        if is_of(record, stream) and verdict in (None, record["verdict"])
    )
    chosen = list(islice(found, limit))
    for record in chosen:
        console.print(panel(record, run_format))
    if not chosen:
        words = " ".join(word for word in (verdict, stream) if word)
        console.print(f"step {step} has no rollouts of {words}", markup=False)


def files_of(folder: Path) -> Mapping[int, Path]:
    """The run's rollouts by step, at least one."""
    files = rollout_files(folder)
    if not files:
        raise CheckpointError(f"{folder} holds no rollouts (logging.rollouts keeps them)")
    return files


def check_stream(stream: str | None) -> None:
    """Refuse a word that no stream has, or every answer would be `none`."""
    names = [stream_name(known) for known in STREAMS]
    words = {word for name in names for word in name.split("/")}
    if stream is not None and stream not in names and stream not in words:
        known = ", ".join([*names, *sorted(words)])
        raise ConfigError(f"--stream must be one of {known}, got {stream!r}")


def is_of(record: Record, stream: str | None) -> bool:
    """Does the record belong to the stream, the role or the mode that was asked for?"""
    name: str = record["stream"]
    return stream is None or stream == name or stream in name.split("/")


def panel(record: Record, run_format: RunFormat) -> RenderableType:
    """One rollout in a frame."""
    shown = visible(dict(record))
    style = STYLES.get(shown["verdict"], "white")
    title = Text.assemble(
        (f"{shown['stream']} ", "bold"),
        (shown["verdict"], style),
        f"  reward {shown['reward']:+.2f}  advantage {shown['advantage']:+.2f}",
    )
    cut = ", cut at the limit" if shown["truncated"] else ""
    foot = Text(f"step {shown['step']}, {shown['tokens']} tokens{cut}", style="dim")
    task = task_of(record)
    parts = Group(*body(shown, task), Text(visible(explain(record, run_format).why), style=style))
    return Panel(parts, title=title, title_align="left", subtitle=foot, subtitle_align="left")


def body(record: Record, task: Task | None) -> Iterable[RenderableType]:
    """The task, if there is one, and what the model wrote."""
    if task is not None:
        yield Text(task_name(task), style="dim")
        yield from task_lines(task)
        yield Text("completion", style="dim")
    yield Text(record["prefill"], style="dim", end="")
    yield Text(record["completion"])
