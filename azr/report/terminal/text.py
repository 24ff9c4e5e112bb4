"""How text of a model may reach a terminal: without control characters, highlighted, framed."""

from typing import Any, cast

from rich.console import Console
from rich.syntax import Syntax
from rich.text import Text

from azr.records.safe_text import inert
from azr.report.story import Story
from azr.types import Task

__all__ = [
    "STYLES",
    "VERDICTS",
    "made_in",
    "rate_text",
    "screen",
    "source",
    "task_lines",
    "visible",
]

STYLES = {"passed": "green", "failed": "red", "ill_formed": "yellow"}
VERDICTS = {"passed": "right", "failed": "wrong", "ill_formed": "ill-formed"}


def screen() -> Console:
    """Standard output, without colours of its own in plain words."""
    return Console(highlight=False)


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


def source(text: str) -> Syntax:
    """Python, highlighted, on the terminal's own background."""
    return Syntax(text, "python", theme="ansi_dark", background_color="default", word_wrap=True)


def task_lines(task: Task) -> list[Syntax | Text]:
    """Program, cases and message, made `visible`."""
    parts: list[Syntax | Text] = [source(inert(task.program))]
    parts += [source(inert(f"f({case.input})  # -> {case.output}")) for case in task.cases]
    if task.message:
        parts.append(Text(inert(f"message: {task.message}")))
    return parts


def rate_text(rate: float | None) -> str:
    """`solve rate 75%`."""
    return "" if rate is None else f"solve rate {rate:.0%}"


def made_in(story: Story) -> str:
    """Where a story's task comes from."""
    if story.proposal is not None or story.task is None:
        return "proposed"
    born = story.task.born_step
    return f"asked again, made in step {born}" if born else "asked again, a seed"
