"""Finds the program in a rollout with `sandbox_wasm.grading`, inside the envelope first."""

from collections.abc import Iterator

from azr.game.modes.parse import boxed
from azr.types import Rollout
from sandbox_wasm.grading.text import completions
from sandbox_wasm.grading.text.completions import answer_parts

__all__ = ["FENCE_END", "read_program", "readings"]

FENCE_END = "\n```"


def read_program(rollout: Rollout, entry: str) -> str | None:
    """Return the program, from inside the envelope if it is there; None without any.

    Args:
        rollout: A rollout of the model.
        entry: The function or class to write; empty if it is not known.
    """
    found = (completions.read_program(text, entry) for text in readings(rollout))
    return next((program for program in found if program is not None), None)


def readings(rollout: Rollout) -> Iterator[str]:
    """The texts to look in, in order."""
    if rollout.prompt.envelope == "completion":
        # A pattern's completion is closed for it, also when it was cut: its program may be whole,
        # with more after it, and if it is not, it will not compile.
        yield rollout.text + FENCE_END
        return
    if rollout.prompt.envelope == "boxed":
        bodies = (boxed(part) for part in answer_parts(rollout.text))  # a thought's box is none
        yield from filter(None, [next(filter(None, bodies), None)])
    yield rollout.text
    if "</think>" not in rollout.text:  # the prompt opened a thought, the model wrote none
        yield rollout.completion
