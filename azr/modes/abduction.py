"""Abduction: given program and output, find an input that yields it; any such input is right."""

from collections.abc import Sequence

from azr.modes.examples import FORMAT_TRIPLETS
from azr.modes.rules import NUM_EXAMPLES, Pattern
from azr.modes.triplet import TripletRules, example_pattern, with_format_examples
from azr.modes.wording import BANNED_WORDS, block
from azr.types import Answer, Check, Mode, ParseFailure, Rollout, Task

__all__ = ["ABDUCTION", "Abduction"]

GOAL = """\
## Task: find an input of a Python program

Reason step by step from the code and the output to one possible input of `f`. Any input that \
gives the output is right."""

FORMAT = """\
Give the arguments of `f` as plain Python literals in a fence tagged input, separated by commas. \
Put strings in quotes. For example:
```input
'John', {'age': 20, 'city': 'New York'}
```"""


class Abduction(TripletRules):
    """The answer is an argument list; the task's own program decides."""

    mode = Mode.ABDUCTION
    answer_part = "input"
    puzzle = (
        "Somebody else will see your code and the output it gives for your input, but not the"
        " input, and must find an input that gives this output."
    )
    title = "Input puzzle"
    difficulty = "finding an input from the code and the output takes many steps."

    def solver_text(
        self,
        task: Task,
        banned_words: Sequence[str] = BANNED_WORDS,  # noqa: ARG002
    ) -> str:
        """Program and output."""
        return "\n\n".join((GOAL, _asked(task), FORMAT))

    def solver_pattern(
        self, task: Task, references: Sequence[Task], num_examples: int = NUM_EXAMPLES
    ) -> Pattern:
        """Program, output, input."""
        shown = [
            f"{_opening(t)}# Input: {t.cases[0].input}"
            for t in with_format_examples(references, FORMAT_TRIPLETS, num_examples)
        ]
        return example_pattern(self.title, [*shown, _opening(task)], "# Input:", "\n")

    def read_answer(self, rollout: Rollout) -> Answer | ParseFailure:
        """The last input block."""
        return self.literal_answer(rollout, "input")

    def check_of(self, task: Task, answer: Answer) -> Check:
        """Run the task's program on the claimed input."""
        return Check(
            program=task.program, calls=(answer.content,), expected=(task.cases[0].output,)
        )


def _asked(task: Task) -> str:
    return "\n".join((block("python", task.program), block("output", task.cases[0].output)))


def _opening(task: Task) -> str:
    """A puzzle of a pattern, up to what is to be found."""
    return f"{block('python', task.program)}\n# Output: {task.cases[0].output}\n"


ABDUCTION = Abduction()
