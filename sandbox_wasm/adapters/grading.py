"""The names of `sandbox_wasm.grading` that the adapters share and the docs use."""

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
    """Extract the program from a completion (see `read_program`); empty if there is none.

    Args:
        completion: A text, a message or a conversation.
        check: The check that will judge the program, if it is known. The reader then looks for the
            function or class that the check calls.
    """
    text = text_of(completion)
    entry = check.entry if isinstance(check, Calls) else ""
    if isinstance(check, Tests):
        entry = tested_name(text, check.source)
    return read_program(text, entry) or ""
