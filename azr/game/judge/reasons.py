"""What a call's result means to the judge: an output, or a reason why there is none.

A guest may write any text as an error: a reason names what Python knows, and nothing else.
"""

import builtins
import re

from sandbox_wasm.types import CallResult, Outcome
from sandbox_wasm.values import equal

__all__ = ["mismatch", "why_failed", "why_no_case", "why_wrong"]

NOT_DETERMINISTIC = "not deterministic"


def mismatch(value: str | None, expected: str) -> str:
    """Empty if both literals are the same typed value: True is not 1, and 1 is not 1.0."""
    return "" if value is not None and equal(value, expected) else "wrong value"


def why_wrong(result: CallResult, expected: str) -> str:
    """Empty if the call returned the expected value, in every image that it ran in."""
    if result.differs is not None:
        return NOT_DETERMINISTIC
    return why_failed(result) or mismatch(result.value, expected)


def why_no_case(result: CallResult) -> str:
    """What keeps a proposal's call from being a case, where it makes none."""
    if result.differs is not None:
        return NOT_DETERMINISTIC
    return why_failed(result) or "no value"


def why_failed(result: CallResult) -> str:
    """A stable word for an outcome; empty if the call returned."""
    if result.outcome is Outcome.RETURNED:
        return ""
    if result.outcome is Outcome.RAISED:
        return f"raised: {_exception_name(result.error)}"
    return result.outcome.value.replace("_", " ")


def _exception_name(error: str | None) -> str:
    """The type before the colon, if Python knows it: guests write here what they like."""
    found = re.match(r"[A-Za-z]\w{0,40}(?=:|$)", error or "")
    known = getattr(builtins, found.group(), None) if found else None
    if isinstance(known, type) and issubclass(known, BaseException):
        return known.__name__
    return "other"
