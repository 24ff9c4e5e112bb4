"""`azr inspect`: the rollouts of a step, read in the terminal."""

from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, cast

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.syntax import Syntax
from rich.text import Text

from azr.errors import CheckpointError
from azr.inert import inert
from azr.records import read_records
from azr.runfolder import rollout_files
from azr.types import STREAMS, stream_name

__all__ = ["show_rollouts"]

STYLES = {"passed": "green", "failed": "red", "ill_formed": "yellow"}


def show_rollouts(
    folder: Path,
    step: int | None = None,
    stream: str | None = None,
    limit: int = 5,
    console: Console | None = None,
) -> None:
    """Print rollouts of one step.

    Args:
        folder: The run's folder.
        step: The newest one with rollouts unless given.
        stream: `proposer/deduction`, or a role or a mode alone; all if not given.
        limit: How many at most.
        console: stdout unless told otherwise.

    Raises:
        CheckpointError: The run, the step or the stream does not exist.
    """
    console = console or Console(highlight=False)
    files = rollout_files(folder)
    if not files:
        raise CheckpointError(f"{folder} holds no rollouts (logging.rollouts keeps them)")
    step = max(files) if step is None else step
    if step not in files:
        steps = f"{min(files)} to {max(files)}"
        raise CheckpointError(
            f"{folder} has no rollouts of step {step}; there are those of {steps}"
        )
    check_stream(stream)
    chosen = list(islice((r for r in read_records(files[step]) if is_of(r, stream)), limit))
    for record in chosen:
        console.print(panel(visible(record)))
    if not chosen:
        console.print(f"step {step} has no rollouts of {stream}", markup=False)


def check_stream(stream: str | None) -> None:
    """Refuse a word that no stream has, or every answer would be `none`."""
    names = [stream_name(known) for known in STREAMS]
    words = {word for name in names for word in name.split("/")}
    if stream is not None and stream not in names and stream not in words:
        known = ", ".join([*names, *sorted(words)])
        raise CheckpointError(f"--stream must be one of {known}, got {stream!r}")


def is_of(record: Mapping[str, Any], stream: str | None) -> bool:
    """Does the record belong to the stream, the role or the mode that was asked for?"""
    name: str = record["stream"]
    return stream is None or stream == name or stream in name.split("/")


def visible(value: Any) -> Any:
    """The record with every control character as a picture of it.

    A model may write terminal escape sequences; whoever looks at them should not run them.
    """
    if isinstance(value, str):
        return inert(value)
    if isinstance(value, list):
        return [visible(item) for item in cast(list[Any], value)]
    if isinstance(value, dict):
        return {key: visible(item) for key, item in cast(dict[str, Any], value).items()}
    return value


def panel(record: Mapping[str, Any]) -> RenderableType:
    """One rollout in a frame."""
    style = STYLES.get(record["verdict"], "white")
    title = Text.assemble(
        (f"{record['stream']} ", "bold"),
        (record["verdict"], style),
        f"  reward {record['reward']:+.2f}  advantage {record['advantage']:+.2f}",
    )
    if record["solve_rate"] is not None:
        title.append(f"  solve rate {record['solve_rate']:.0%}")
    cut = ", cut at the limit" if record["truncated"] else ""
    foot = Text(f"{record['reason']}  {record['tokens']} tokens{cut}".strip(), style="dim")
    parts = Group(*body(record))
    return Panel(parts, title=title, title_align="left", subtitle=foot, subtitle_align="left")


def body(record: Mapping[str, Any]) -> Iterable[RenderableType]:
    """The task, if there is one, and what the model wrote."""
    task = record["task"]
    if task is not None:
        yield python(task["program"])
        for given, value in task["cases"]:
            yield python(f"f({given})  # -> {value}")
        if task["message"]:
            yield Text(f"message: {task['message']}")
        yield Text("completion", style="dim")
    yield Text(record["prefill"], style="dim", end="")
    yield Text(record["completion"])


def python(source: str) -> Syntax:
    """Highlighted, on the terminal's own background."""
    return Syntax(source, "python", theme="ansi_dark", background_color="default", word_wrap=True)
