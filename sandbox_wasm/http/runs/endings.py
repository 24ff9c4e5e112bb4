"""How a run ended, in the words of processes: a return code, and a text on stderr."""

from typing import Final

from sandbox_wasm.sessions.session import TurnResult
from sandbox_wasm.types import CallResult, Outcome

__all__ = ["TEXTS", "is_late", "return_code", "stderr_of"]

LATE: Final = (Outcome.OUT_OF_FUEL, Outcome.TIMED_OUT)
TEXTS: Final = {
    Outcome.OUT_OF_MEMORY: "MemoryError",
    Outcome.OUTPUT_TOO_LARGE: "OutputTooLarge: the program printed more than it may",
    Outcome.TRAPPED: "the interpreter crashed",
}


def is_late(call: CallResult | TurnResult) -> bool:
    """Whether it used up its time limit."""
    return call.outcome in LATE


def return_code(call: CallResult) -> int:
    """The status that a process would have ended with: 0 for success."""
    if call.outcome is Outcome.RETURNED:
        return 0
    if call.outcome is Outcome.EXITED:
        return _status_of(call.error or "")
    return 1


def _status_of(error: str) -> int:
    """What sys.exit was given: a text is printed, and the status is 1."""
    text = error.removeprefix("SystemExit").removeprefix(":").strip()
    digits = text.removeprefix("-")
    if not digits.isascii() or not digits.isdigit() or len(digits) > 10:
        return 1
    return int(text) & 0xFF or 1


def stderr_of(call: CallResult) -> str:
    """What stands on stderr: what the program wrote there, and the error that reached the top."""
    if call.stderr is not None and (call.stderr or call.outcome is Outcome.RETURNED):
        return call.stderr
    if call.outcome is Outcome.RETURNED or is_late(call):
        return ""
    return f"{call.error or TEXTS.get(call.outcome, call.outcome.value)}\n"
