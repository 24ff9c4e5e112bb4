"""`azr inspect RUN --tasks hardest` and `--task NAME`: tasks, and what became of them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.text import Text

from azr.errors import CheckpointError
from azr.records.rollouts import read_rollouts
from azr.report.story import (
    MeasuredTask,
    RunFormat,
    Story,
    all_measured,
    explain,
    format_of,
    ordered,
    stories_in,
    task_name,
)
from azr.report.terminal.rollouts import check_stream, files_of
from azr.report.terminal.text import (
    STYLES,
    VERDICTS,
    made_in,
    rate_text,
    screen,
    task_lines,
    visible,
)

__all__ = ["show_task", "show_tasks"]


def show_tasks(
    folder: Path,
    order: str,
    limit: int = 5,
    stream: str | None = None,
    console: Console | None = None,
) -> None:
    """Print the first tasks of an order.

    Args:
        folder: The run's folder.
        order: One of azr.report.ORDERS.
        limit: How many at most.
        stream: A mode, or a stream of it; all modes if not given.
        console: stdout unless told otherwise.

    Raises:
        CheckpointError: The run keeps no rollouts.
        ConfigError: No run has such a stream.
    """
    console = console or screen()
    files_of(folder)
    check_stream(stream)
    mode = (stream or "").rpartition("/")[2]
    every = mode in ("", "proposer", "solver")
    found = (f for f in all_measured(folder) if every or f.task.mode.value == mode)
    chosen = ordered(found, order, limit)
    for measured in chosen:
        console.print(measured_panel(measured))
    if not chosen:
        console.print("no proposal became a task", markup=False)


def measured_panel(found: MeasuredTask) -> RenderableType:
    """One task in a frame."""
    title = Text.assemble(
        (f"{task_name(found.task)}  ", "bold"),
        (rate_text(found.solve_rate), rate_style(found.solve_rate)),
    )
    return Panel(
        Group(*task_lines(found.task)),
        title=title,
        title_align="left",
        subtitle=f"step {found.step}  reward {found.reward:+.2f}",
        subtitle_align="left",
    )


def rate_style(rate: float) -> str:
    """What can be learned from stands out."""
    return "red" if rate == 0 else "green" if rate == 1 else "cyan"


def show_task(
    folder: Path,
    name: str,
    limit: int | None = None,
    verdict: str | None = None,
    console: Console | None = None,
) -> None:
    """Print one task, who made it when, and every recorded answer to it.

    Args:
        folder: The run's folder.
        name: `azr.report.story.task_name`, or the beginning of it, with or without the mode.
        limit: Most answers to show; all unless given.
        verdict: Only answers that ended like this.
        console: stdout unless told otherwise.

    Raises:
        CheckpointError: No task, or more than one, has that name.
    """
    console = console or screen()
    run_format = format_of(folder)
    stories = stories_named(folder, name)
    first = stories[0][1]
    assert first.task is not None
    console.print(
        Panel(
            Group(*task_lines(first.task)),
            title=Text(first.name, style="bold"),
            title_align="left",
        )
    )
    answers = 0
    for step, story in stories:
        console.print(history(step, story, run_format))
        for record in story.answers:
            if verdict in (None, record["verdict"]) and (limit is None or answers < limit):
                answers += 1
                console.print(answer_lines(record, run_format))
    if not answers:
        console.print("no answer to it is recorded", style="dim", markup=False)


def stories_named(folder: Path, name: str) -> list[tuple[int, Story]]:
    """The task's stories, oldest first."""
    found: list[tuple[int, Story]] = []
    for step, file in files_of(folder).items():
        for story in stories_in(read_rollouts(file)):
            mode, _, digest = story.name.rpartition("-")
            if story.name and (story.name.startswith(name) or digest.startswith(name)) and mode:
                found.append((step, story))
    names = sorted({story.name for _, story in found})
    if not names:
        refusal = CheckpointError(f"{folder} has no task {name!r} among its rollouts")
        refusal.add_note(f"list some: azr inspect {folder} --tasks newest")
        raise refusal
    if len(names) > 1:
        some = ", ".join(names[:8])
        raise CheckpointError(f"{len(names)} tasks begin with {name!r}: {some}")
    return found


def history(step: int, story: Story, run_format: RunFormat) -> RenderableType:
    """One line: what happened to the task in a step."""
    line = Text(f"step {step}: {made_in(story)}", style="bold")
    if story.proposal is not None:
        why = explain(story.proposal, run_format).why
        line.append(f"; {why}; reward {story.proposal['reward']:+.2f}", style="not bold")
    return line


def answer_lines(record: Mapping[str, Any], run_format: RunFormat) -> RenderableType:
    """Verdict and reason, then the answer, indented."""
    explained = explain(record, run_format)
    verdict: str = record["verdict"]
    head = Text.assemble(
        "  ",
        (VERDICTS.get(verdict, verdict), STYLES.get(verdict, "white")),
        f"  {visible(explained.why)}",
        (f"  ({record['tokens']} tokens)", "dim"),
    )
    given = "\n".join(f"      {line}" for line in visible(explained.given).splitlines()[:12])
    return Group(head, Text(given, style="dim"))
