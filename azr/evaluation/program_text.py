"""Finding the program in a completion. Total and linear: no program is parsed here.

Where the function to write is known, the last block that defines it is taken, as EvalPlus'
`sanitize` takes what defines the entry point: models like to go on with a usage or its output.
"""

import re
from collections.abc import Iterator

from azr.parse import PROGRAM_TAGS, answer_body, fences
from azr.types import ParseFailure, Rollout

__all__ = ["FENCE_END", "body_of", "read_program"]

FENCE_END = "\n```"


def read_program(rollout: Rollout, entry: str) -> str | None:
    """The program, inside the envelope if it is there.

    Args:
        rollout: What came from the model.
        entry: The function or class to write; empty where it is not known.

    Returns:
        The last block that defines the entry, else the last block, else one that never closes
        (of an answer that was cut), else a whole text that defines the entry; None without any.
    """
    if rollout.prompt.envelope == "completion":
        # A pattern's completion is closed for it, also when it was cut: its program may be whole,
        # with more after it, and if it is not, it will not compile.
        closed, _ = blocks_of(rollout.text + FENCE_END)
        return first(defining(closed, entry)) or first(iter(closed))
    texts = [text for text in (body_of(rollout), rollout.text) if text]
    bare = [text for text in (body_of(rollout), rollout.completion) if text]
    blocks = [blocks_of(text) for text in texts]
    candidates = (
        *(defining(closed, entry) for closed, _ in blocks),
        *(defining(unclosed, entry) for _, unclosed in blocks),
        *(iter(closed[:1]) for closed, _ in blocks),
        *(iter(unclosed) for _, unclosed in blocks),
        defining(bare, entry),
    )
    return next((found for found in map(first, candidates) if found), None)


def blocks_of(text: str) -> tuple[list[str], list[str]]:
    """The programs in fences, the last one first: the closed ones, and the one that never ends."""
    closed = fences(text)
    unclosed = fences(text + FENCE_END)[len(closed) :]
    one, other = (
        [block.body for block in reversed(blocks) if block.tag in PROGRAM_TAGS]
        for blocks in (closed, unclosed)
    )
    return one, other


def defining(texts: list[str], entry: str) -> Iterator[str]:
    """Those with a line that begins to define the entry."""
    if not entry:
        return
    definition = re.compile(
        rf"^(?:(?:async[ \t]+)?def|class)[ \t]+{re.escape(entry)}[ \t]*[(:\[]", re.MULTILINE
    )
    yield from (text for text in texts if definition.search(text))


def first(texts: Iterator[str]) -> str | None:
    """The first one, unless it is blank."""
    found = next(texts, "")
    return found if found.strip() else None


def body_of(rollout: Rollout) -> str | None:
    """The completion without its envelope, or None where there is no envelope."""
    body = answer_body(rollout)
    return None if isinstance(body, ParseFailure) else body
