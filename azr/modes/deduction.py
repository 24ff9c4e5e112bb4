"""Deduction: given program and input, find the output."""

from collections.abc import Sequence

from azr.modes.examples import FORMAT_TRIPLETS
from azr.modes.rules import NUM_EXAMPLES, Pattern
from azr.modes.triplet import TripletRules, example_pattern, with_format_examples
from azr.modes.wording import BANNED_WORDS, block
from azr.types import Answer, Check, Mode, ParseFailure, Rollout, Task

__all__ = ["DEDUCTION", "Deduction"]

GOAL = """\
## Task: work out the output of a Python program

Follow the code step by step for the given input and find what `f` returns."""

FORMAT = """\
Give the output as a plain Python literal in a fence tagged output. Put strings in quotes; several \
return values form a tuple. For example:
```output
{'age': 20, 'city': 'New York'}
```"""


class Deduction(TripletRules):
    """The answer is a literal; nothing runs to grade it."""

    mode = Mode.DEDUCTION
    answer_part = "output"
    puzzle = (
        "Somebody else will see your code and your input, but not the output, and must work out"
        " the output by following the code."
    )
    title = "Output puzzle"
    difficulty = "predicting the output from the code and the input takes many steps."

    def solver_text(
        self,
        task: Task,
        banned_words: Sequence[str] = BANNED_WORDS,  # noqa: ARG002
    ) -> str:
        """Program and input."""
        return "\n\n".join((GOAL, _asked(task), FORMAT))

    def solver_pattern(
        self, task: Task, references: Sequence[Task], num_examples: int = NUM_EXAMPLES
    ) -> Pattern:
        """Program, input, output."""
        shown = [
            f"{_opening(t)}# Output: {t.cases[0].output}"
            for t in with_format_examples(references, FORMAT_TRIPLETS, num_examples)
        ]
        return example_pattern(self.title, [*shown, _opening(task)], "# Output:", "\n")

    def read_answer(self, rollout: Rollout) -> Answer | ParseFailure:
        """The last output block."""
        return self.literal_answer(rollout, "output")

    def check_of(self, task: Task, answer: Answer) -> Check:
        """Compare two literals."""
        return Check(claimed=(answer.content,), expected=(task.cases[0].output,))


def _asked(task: Task) -> str:
    return "\n".join((block("python", task.program), block("input", task.cases[0].input)))


def _opening(task: Task) -> str:
    """A puzzle of a pattern, up to what is to be found."""
    return f"{block('python', task.program)}\n# Input: {task.cases[0].input}\n"


DEDUCTION = Deduction()
