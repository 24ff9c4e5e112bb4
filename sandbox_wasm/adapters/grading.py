"""What the adapters share, under the names that are documented: see `sandbox_wasm.grading`."""

from sandbox_wasm.grading import (
    Calls,
    Check,
    Comparison,
    Executor,
    Graded,
    Stdin,
    Tests,
    agrade,
    agrade_all,
    grade,
    grade_all,
    parse_check,
    shares_of,
)
from sandbox_wasm.grading.text.completions import read_program, text_of
from sandbox_wasm.grading.text.python_text import tested_name

__all__ = [
    "Calls",
    "Check",
    "Comparison",
    "Executor",
    "Graded",
    "Stdin",
    "Tests",
    "agrade",
    "agrade_all",
    "grade",
    "grade_all",
    "parse_check",
    "program_of",
    "shares_of",
    "text_of",
]


def program_of(completion: object, check: Check | None = None) -> str:
    """Take the program out of a completion; see `read_program`. Without one it is empty.

    Args:
        completion: A text, a message or a conversation.
        check: What will be asked of it, where that is known: what it calls is looked for.
    """
    text = text_of(completion)
    entry = check.entry if isinstance(check, Calls) else ""
    if isinstance(check, Tests):
        entry = tested_name(text, check.source)
    return read_program(text, entry) or ""
