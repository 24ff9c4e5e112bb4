"""Finding the program in a rollout: `sandbox_wasm.grading` reads, inside the envelope first."""

from collections.abc import Iterator

from azr.parse import answer_body
from azr.types import ParseFailure, Rollout
from sandbox_wasm.grading import completions

__all__ = ["FENCE_END", "body_of", "read_program"]

FENCE_END = "\n```"


def read_program(rollout: Rollout, entry: str) -> str | None:
    """The program, inside the envelope if it is there; None without any.

    Args:
        rollout: What came from the model.
        entry: The function or class to write; empty where it is not known.
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
    if rollout.prompt.envelope == "boxed" and (body := body_of(rollout)):
        yield body
    yield rollout.text
    if "</think>" not in rollout.text:  # the prompt opened a thought, the model wrote none
        yield rollout.completion


def body_of(rollout: Rollout) -> str | None:
    """The completion without its envelope, or None where there is no envelope."""
    body = answer_body(rollout)
    return None if isinstance(body, ParseFailure) else body
