"""What a call's result means to the judge: an output, or a reason why there is none.

A guest may write any text as an error, so a reason names only what Python knows.
"""

import builtins
import re

from sandbox_wasm.types import CallResult, Outcome
from sandbox_wasm.values import equal

__all__ = ["mismatch", "why_failed", "why_no_case", "why_wrong"]

NOT_DETERMINISTIC = "not deterministic"


def mismatch(value: str | None, expected: str) -> str:
    """Return empty text if both literals are the same typed value: True is not 1, 1 is not 1.0."""
    return "" if value is not None and equal(value, expected) else "wrong value"


def why_wrong(result: CallResult, expected: str) -> str:
    """Return empty text if the call returned the expected value in every image, else the reason."""
    if result.differs is not None:
        return NOT_DETERMINISTIC
    return why_failed(result) or mismatch(result.value, expected)


def why_no_case(result: CallResult) -> str:
    """Say why a proposal's call makes no case; empty if it makes one."""
    if result.differs is not None:
        return NOT_DETERMINISTIC
    return why_failed(result) or "no value"


def why_failed(result: CallResult) -> str:
    """Return a stable word for an outcome; empty if the call returned."""
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
