"""What the completion template shows before the item: solved miniatures of each kind.

All of them were written for azr; none is from a suite. Execution items use self-play's own format
examples (azr.modes.examples).
"""

from dataclasses import dataclass

__all__ = ["COMPLETED_FUNCTIONS", "SOLVED_MATHS", "WRITTEN_PROGRAMS", "Shot"]


@dataclass(frozen=True, slots=True)
class Shot:
    """One solved miniature."""

    statement: str
    """In words; empty where the solution holds it."""
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
"""For items whose opening says what is wanted."""

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
