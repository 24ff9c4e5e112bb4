"""Abduction: given program and output, find an input that gives it; any such input is right."""

from azr.game.modes.triplet import VALUE_TRIPLETS, TripletRules
from azr.types import Answer, Check, Mode, Task

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
    """The answer is an argument list; running the task's own program decides."""

    mode = Mode.ABDUCTION
    seeds_for = VALUE_TRIPLETS
    answer_part = "input"
    goal = GOAL
    answer_format = FORMAT
    puzzle = (
        "Somebody else will see your code and the output it gives for your input, but not the"
        " input, and must find an input that gives this output."
    )
    title = "Input puzzle"
    difficulty = "finding an input from the code and the output takes many steps."

    def check_of(self, task: Task, answer: Answer) -> Check:
        """Run the task's program on the claimed input."""
        return Check(
            program=task.program, calls=(answer.content,), expected=(task.cases[0].output,)
        )

    def solution_of(self, task: Task) -> str:
        """Return the task's own input; others may be right, too."""
        case = task.cases[0]
        return f"any input giving {case.output}\n# for example {case.input}"


ABDUCTION = Abduction()
