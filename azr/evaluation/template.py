"""How an item is asked and how its answer is found: one template for all suites.

The envelopes are those of training (ENVELOPES), and execution items use the words of self-play.
Readers are lenient and accept any text. Without the envelope they look for the answer in the whole
completion, because an evaluation measures answers, not obedience.
"""

from dataclasses import dataclass

from azr.evaluation.grading.execution_reading import read_execution
from azr.evaluation.grading.program_text import FENCE_END, read_program
from azr.evaluation.maths.reading import read_maths
from azr.evaluation.suites.items import CodeItem, ExecutionItem, Item, MathsItem
from azr.game.modes import Pattern, rules_of
from azr.game.modes.examples import FORMAT_TRIPLETS
from azr.game.modes.prompts import ENVELOPES
from azr.game.modes.rules import NUM_EXAMPLES
from azr.game.modes.wording import block
from azr.types import Mode, Prompt, Role, Rollout

__all__ = [
    "COMPLETED_FUNCTIONS",
    "SOLVED_MATHS",
    "TEMPLATES",
    "WRITTEN_PROGRAMS",
    "Shot",
    "Template",
]


@dataclass(frozen=True, slots=True)
class Shot:
    """One solved miniature."""

    statement: str
    """In words; empty if the solution holds it."""
    solution: str


COMPLETED_FUNCTIONS = (
    Shot(
        "",
        "def largest_gap(values: list) -> int:\n"
        '    """Return the largest difference between neighbours of the sorted list.\n'
        "    >>> largest_gap([4, 1, 9])\n"
        "    5\n"
        '    """\n'
        "    ordered = sorted(values)\n"
        "    return max(b - a for a, b in zip(ordered, ordered[1:]))",
    ),
    Shot(
        "",
        '"""\n'
        "Write a function to count the words of a text that start with a given letter.\n"
        'assert count_words("an old ape sat", "a") == 2\n'
        '"""\n'
        "def count_words(text, letter):\n"
        "    return sum(word.startswith(letter) for word in text.split())",
    ),
)
"""For items whose opening says what the program must do."""

WRITTEN_PROGRAMS = (
    Shot(
        "Read a number n and then n integers. Print their sum.\n\n"
        "Sample Input 1:\n3\n1 2 3\n\nSample Output 1:\n6",
        "n = int(input())\nvalues = list(map(int, input().split()))\nprint(sum(values[:n]))",
    ),
    Shot(
        "Given an array nums and an integer k, return how often k occurs in nums.\n\n"
        "Example 1:\n\nInput: nums = [2,7,2], k = 2\nOutput: 2",
        "class Solution:\n"
        "    def countOccurrences(self, nums: List[int], k: int) -> int:\n"
        "        return nums.count(k)",
    ),
)
"""For items with a statement in words."""

SOLVED_MATHS = (
    Shot(
        "A baker makes 12 loaves an hour for 5 hours and sells all but 9 of them. How many does he"
        " sell?",
        "He makes 12 * 5 = 60 loaves. He sells 60 - 9 = 51 of them.\n"
        "The final answer is \\boxed{51}.",
    ),
    Shot(
        "Solve $3x + 4 = 19$ for $x$.",
        "Subtracting 4 gives $3x = 15$, so $x = 5$.\nThe final answer is \\boxed{5}.",
    ),
    Shot(
        "A bag holds 3 red and 5 blue balls. What is the probability that two balls drawn without"
        " replacement are both blue?",
        "The first is blue with probability $\\frac{5}{8}$, the second then with $\\frac{4}{7}$."
        " The product is $\\frac{20}{56} = \\frac{5}{14}$.\n"
        "The final answer is \\boxed{\\frac{5}{14}}.",
    ),
    Shot(
        "Tom has twice as many books as Ann. Together they have 36 books. How many has Ann?",
        "If Ann has $n$ books, then $n + 2n = 36$, so $3n = 36$ and $n = 12$.\n"
        "The final answer is \\boxed{12}.",
    ),
)


TEMPLATES = (*ENVELOPES, "completion")

WRITE_FUNCTION = "Complete this Python code. Give the whole program in a fence tagged python."
WRITE_CLASS = "Write this class in Python. Give the whole program in a fence tagged python."
WRITE_PROGRAM = (
    "Write a Python program that reads from standard input and writes to standard output. Give it"
    " in a fence tagged python."
)
SOLVE = "Give the final answer as \\boxed{...}."

PROGRAM_ENDS = (FENCE_END, "\nProgram:")
FUNCTION_ENDS = (*PROGRAM_ENDS, "\nif __name__", "\nassert ", "\nprint(")
"""Where a pattern of functions ends; models continue with a demonstration of what they wrote."""


@dataclass(frozen=True, slots=True)
class Template:
    """One way to ask.

    Args:
        envelope: One of `TEMPLATES`; completion is a few-shot pattern to continue.
        chat: Put the instruction into the model's own chat template.
        num_examples: Solved miniatures before an execution item in a pattern.
    """

    envelope: str
    chat: bool = False
    num_examples: int = NUM_EXAMPLES

    @property
    def name(self) -> str:
        """Name in results."""
        if self.envelope == "completion" and self.num_examples != NUM_EXAMPLES:
            return f"completion-{self.num_examples}"
        return f"{self.envelope}+chat" if self.chat else self.envelope

    def ask(self, item: Item, *, seed: int, temperature: float, max_tokens: int) -> Prompt:
        """Return the prompt of one attempt at an item."""
        asked = self._pattern(item) if self.envelope == "completion" else self._wrapped(item)
        return Prompt(
            role=Role.SOLVER,
            mode=item.task.mode if isinstance(item, ExecutionItem) else Mode.INDUCTION,
            text=asked.text,
            prefill=asked.prefill,
            stop=asked.stop,
            chat=self.chat,
            envelope=self.envelope,
            task=item.task if isinstance(item, ExecutionItem) else None,
            seed=seed,
            temperature=temperature,
            max_tokens=max_tokens,
        )

    def num_shots(self, item: Item) -> int:
        """Return how many solved miniatures precede an item of this kind."""
        if self.envelope != "completion":
            return 0
        match item:
            case CodeItem():
                return len(code_shots(item))
            case ExecutionItem():
                return min(self.num_examples, len(FORMAT_TRIPLETS))
            case MathsItem():
                return len(SOLVED_MATHS)

    def answer_in(self, item: Item, rollout: Rollout) -> str | None:
        """Return the text to grade, or None if there is none."""
        match item:
            case CodeItem():
                return read_program(rollout, item.entry)
            case ExecutionItem():
                return read_execution(item, rollout)
            case MathsItem():
                return read_maths(rollout)

    def _wrapped(self, item: Item) -> Pattern:
        envelope = ENVELOPES[self.envelope]
        before, after = envelope.before, envelope.after
        if self.chat:
            before, after = envelope.chat_before, envelope.chat_after
        return Pattern(f"{before}{instruction(item)}{after}", envelope.prefill, ())

    def _pattern(self, item: Item) -> Pattern:
        match item:
            case CodeItem():
                return code_pattern(item)
            case ExecutionItem(task=task):
                return rules_of(task.mode).solver_pattern(task, [], self.num_examples)
            case MathsItem(statement=statement):
                shown = [f"Problem: {shot.statement}\nSolution: {shot.solution}"
                         for shot in SOLVED_MATHS]  # fmt: skip
                text = "\n\n".join([*shown, f"Problem: {statement}\n"])
                return Pattern(text, "Solution:", ("\nProblem:",))


def instruction(item: Item) -> str:
    """Return the instruction in words."""
    match item:
        case CodeItem(statement="", opening=opening):
            return f"{WRITE_FUNCTION}\n{block('python', opening.rstrip())}"
        case CodeItem(statement=statement, opening=""):
            return f"{WRITE_PROGRAM}\n\n{statement}"
        case CodeItem(statement=statement, opening=opening):
            return f"{WRITE_CLASS}\n\n{statement}\n\n{block('python', opening.rstrip())}"
        case ExecutionItem(task=task):
            return rules_of(task.mode).solver_text(task)
        case MathsItem(statement=statement):
            return f"{statement}\n\n{SOLVE}"


def code_pattern(item: CodeItem) -> Pattern:
    """Return solved programs, then this item's opening."""
    shown = [solved(shot) for shot in code_shots(item)]
    text = "\n\n".join([*shown, titled(item.statement)])
    stop = PROGRAM_ENDS if item.statement else FUNCTION_ENDS
    # without a last newline, which many tokenizers join with the indentation that comes next
    return Pattern(text, f"```python\n{item.opening}".rstrip(), stop)


def code_shots(item: CodeItem) -> tuple[Shot, ...]:
    """Return the shots that look like the item."""
    return WRITTEN_PROGRAMS if item.statement else COMPLETED_FUNCTIONS


def solved(shot: Shot) -> str:
    """A shot as a pattern shows it."""
    return titled(shot.statement) + block("python", shot.solution)


def titled(statement: str) -> str:
    """What stands before a program."""
    return f"Program:\n{statement}\n" if statement else "Program:\n"
