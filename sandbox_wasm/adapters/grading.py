"""What the adapters share, under the names that are documented: see `sandbox_wasm.grading`."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

from sandbox_wasm.grading import (
    Calls,
    Check,
    Comparison,
    Executor,
    Stdin,
    Tests,
    agrade,
    grade,
    parse_check,
)

__all__ = [
    "Calls",
    "Check",
    "Comparison",
    "Executor",
    "Stdin",
    "Tests",
    "agrade",
    "grade",
    "parse_check",
    "program_of",
    "text_of",
]

# Blanks have one place to match in, so that a line of them is read once and not n times.
_FENCE = re.compile(
    r"```[ \t]*(?:python3?[ \t]*|py[ \t]*)?\r?\n(.*?)```", re.DOTALL | re.IGNORECASE
)


def program_of(completion: object) -> str:
    """Take the program out of a completion: the last fenced block, else the whole text."""
    text = text_of(completion)
    blocks = _FENCE.findall(text)
    return blocks[-1] if blocks else text


def text_of(completion: object) -> str:
    """Return a completion's text: of a string, or of the last message of a conversation."""
    content: Any = completion
    if isinstance(content, list | tuple) and content:
        content = cast("Sequence[Any]", content)[-1]
    if isinstance(content, Mapping):
        content = cast("Mapping[str, Any]", content).get("content")
    else:
        content = getattr(cast("Any", content), "content", cast("Any", content))
    if isinstance(content, list | tuple):  # a message in parts
        parts = cast("Sequence[Any]", content)
        return "".join(str(dict(part).get("text", "")) for part in parts)
    return content if isinstance(content, str) else ""
