"""What a call's result means to the judge: an output, or a reason why there is none.

A guest may write any text as an error: a reason names what Python knows, and nothing else.
"""

import builtins
import re

from azr.game.modes import ModeRules
from sandbox_wasm.types import CallResult, Outcome
from sandbox_wasm.values import equal

__all__ = ["mismatch", "output_of", "why_failed", "why_no_case", "why_wrong"]

NOT_DETERMINISTIC = "not deterministic"
NO_ERROR = "NoError"
"""The answer of an error task whose call returns. (AZR's code_e)"""


def mismatch(value: str | None, expected: str) -> str:
    """Empty if both literals are the same typed value: True is not 1, and 1 is not 1.0."""
    return "" if value is not None and equal(value, expected) else "wrong value"


def why_wrong(result: CallResult, expected: str) -> str:
    """Empty if the call returned the expected value, in every image that it ran in."""
    if result.differs is not None:
        return NOT_DETERMINISTIC
    return why_failed(result) or mismatch(result.value, expected)


def why_no_case(result: CallResult, rules: ModeRules) -> str:
    """What keeps a proposal's call from being a case."""
    if result.differs is not None:
        return NOT_DETERMINISTIC
    if rules.names_error and _error_output(result) is not None:
        return ""
    return why_failed(result)


def output_of(result: CallResult, rules: ModeRules) -> str | None:
    """The literal that is a case's output: a value, or what the call raised."""
    if not rules.names_error:
        return result.value
    return _error_output(result)


def _error_output(result: CallResult) -> str | None:
    """The class name of what was raised, or NoError, as a literal; None if there is neither.

    A raised class may have any name, also one that was set at run time: only plain ASCII
    identifiers can be asked for, and none that says that nothing was raised. Running out of fuel,
    memory or time and ending the interpreter are no exceptions of the program.
    """
    if result.outcome is Outcome.RETURNED and result.value is not None:
        return repr(NO_ERROR)
    if result.outcome is not Outcome.RAISED:
        return None
    found = re.match(r"[A-Za-z_][A-Za-z0-9_]{0,63}(?=:|\Z)", result.error or "")
    if found is None or found.group().lower() == NO_ERROR.lower():
        return None
    return repr(found.group())


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
