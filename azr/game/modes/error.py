"""Error mode: given program and input, name the exception that the call raises, or NoError.

This is an experiment of the paper (D.1; AZR's code_e), off by default. A case's output is the class
name as a string literal, because all outputs are literals. Prompts and answers write it without
quotes.
"""

import re
from collections.abc import Sequence

from azr.game.modes.examples import FORMAT_ERRORS, zero_error
from azr.game.modes.rules import PromptSetting
from azr.game.modes.triplet import TripletRules
from azr.game.modes.wording import block
from azr.types import Answer, Check, Mode, ParseFailure, Rollout, Task
from sandbox_wasm.types import CallResult, Outcome

__all__ = ["ERROR", "Error", "error_named"]

NO_ERROR = "NoError"
"""The right answer if the call returns. (AZR's code_e)"""

MAX_ANSWER_CHARS = 400
"""The rest of an answer is ignored, because a class name is at the beginning."""

GOAL = """\
## Task: find out which error a Python program raises, if any

Follow the code step by step for the given input and find whether calling `f` raises an exception, \
and which one reaches the caller."""

FORMAT = """\
Give the name of the exception's class alone, without its message, in a fence tagged output; if \
the call returns without an exception, give NoError. For example:
```output
ValueError
```"""

RAISING_DEMAND = """\
- The call with your input may raise an exception or not, as you like: what happens must be hard \
to tell. You may define exception classes of your own, at the top of the code. Ending the \
interpreter, and running out of time or memory, are not allowed."""


class Error(TripletRules):
    """The answer is the name of a class; nothing runs to grade it."""

    mode = Mode.ERROR
    seeds_for = (Mode.ERROR,)
    azr_kind = "_code_e"
    verb = "raises"
    puzzle = (
        "Somebody else will see your code and your input, and must find out which exception the"
        " call raises, if any, by following the code."
    )
    title = "Error puzzle"
    executable = "the code can be compiled, and the call with your input ends."
    difficulty = "telling from the code and the input which error is raised takes many steps."
    answer_part = "output"
    goal = GOAL
    answer_format = FORMAT
    format_examples = FORMAT_ERRORS

    @property
    def zero_task(self) -> Task:
        """The identity function, which raises nothing."""
        return zero_error()

    def banned_statements(self, error_banned: tuple[str, ...]) -> tuple[str, ...]:
        """Return the configured statements."""
        return error_banned

    def further_demands(self, setting: PromptSetting) -> Sequence[str]:
        """Allow raising; ban the statements that make it too easy, if configured."""
        banned = setting.demands.banned_statements
        line = f"- It does not use the statements {', '.join(banned)}: errors come of themselves."
        return (RAISING_DEMAND, line) if banned else (RAISING_DEMAND,)

    def result_of(self, task: Task) -> str:
        """Show what a reference raises."""
        return block("error", self.shown_output(task))

    def shown_output(self, task: Task) -> str:
        """Return the name without its quotes."""
        return error_named(task.cases[0].output)

    def output_of(self, result: CallResult) -> str | None:
        """Return the exception's class name, or NoError, as a literal; None if there is neither.

        A raised class may have any name, even one that was set at run time. Only plain ASCII
        identifiers count, and not the name NoError. Running out of fuel, memory or time and ending
        the interpreter are not exceptions of the program.
        """
        if result.outcome is Outcome.RETURNED and result.value is not None:
            return repr(NO_ERROR)
        if result.outcome is not Outcome.RAISED:
            return None
        found = re.match(r"[A-Za-z_][A-Za-z0-9_]{0,63}(?=:|\Z)", result.error or "")
        if found is None or found.group().lower() == NO_ERROR.lower():
            return None
        return repr(found.group())

    def read_answer(self, rollout: Rollout) -> Answer | ParseFailure:
        """Read the first word of the last output block."""
        found = super().read_answer(rollout)
        if isinstance(found, ParseFailure):
            return found
        name = error_named(found.content)
        return Answer(self.mode, name) if name else ParseFailure("no error name")

    def check_of(self, task: Task, answer: Answer) -> Check:
        """Compare two names without regard to case, as AZR's code does."""
        claimed = error_named(answer.content).lower()
        return Check(claimed=(repr(claimed),), expected=(task.cases[0].output.lower(),))


def error_named(text: str) -> str:
    """Return the class name at the beginning of a text; empty if there is none.

    The text around it in tracebacks is dropped: `json.JSONDecodeError: no` names JSONDecodeError.
    The name is an identifier of ASCII letters, so its repr is a literal.
    """
    found = re.match(r"[\s'\"`]*([A-Za-z_][A-Za-z0-9_.]*)", text[:MAX_ANSWER_CHARS])
    return found[1].rstrip(".").rpartition(".")[2] if found else ""


ERROR = Error()
