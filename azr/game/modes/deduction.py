"""Deduction: given program and input, find the output."""

from azr.game.modes.triplet import VALUE_TRIPLETS, TripletRules
from azr.types import Answer, Check, Mode, Task

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
    seeds_for = VALUE_TRIPLETS
    answer_part = "output"
    goal = GOAL
    answer_format = FORMAT
    puzzle = (
        "Somebody else will see your code and your input, but not the output, and must work out"
        " the output by following the code."
    )
    title = "Output puzzle"
    difficulty = "predicting the output from the code and the input takes many steps."

    def check_of(self, task: Task, answer: Answer) -> Check:
        """Compare two literals."""
        return Check(claimed=(answer.content,), expected=(task.cases[0].output,))


DEDUCTION = Deduction()
