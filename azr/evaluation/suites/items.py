"""The nouns of evaluation.

    Item -> Prompt -> Rollout -> answer (a text) -> Mark -> Attempt -> estimates

An item holds what the model is shown and what decides; nothing here runs or compares anything.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from azr.types import Task
from sandbox_wasm.grading.checks import Check

__all__ = [
    "Attempt",
    "CodeItem",
    "ExecutionItem",
    "HiddenTests",
    "Item",
    "Mark",
    "MathsItem",
    "Part",
    "Status",
]


class Status(StrEnum):
    """What became of one attempt; all but PASSED count as wrong in every score."""

    PASSED = "passed"
    WRONG = "wrong"
    NO_ANSWER = "no_answer"
    """The completion holds nothing that could be graded."""
    OUT_OF_FUEL = "out_of_fuel"
    """The program spent its instruction budget: slow, or endless. Nobody can tell which.
    Or all the CPU time of the sandbox's safety net, which no known program does."""
    UNDECIDED = "undecided"
    """The grader of maths did not come to an end within its deadline."""
    PROMPT_TOO_LONG = "prompt_too_long"
    """The model could not be asked: its context is too short."""


@dataclass(frozen=True, slots=True)
class Part:
    """A check with the name of what it is a part of the item's score."""

    name: str
    """`base`, `plus`, `samples`, ..."""
    check: Check


@dataclass(frozen=True, slots=True)
class HiddenTests:
    """Runs or calls that stay in their file, packed, until they are needed.

    LiveCodeBench's are gigabytes for a few hundred items.
    """

    name: str
    entry: str
    """The method to call; empty where the program is run as a whole."""
    file: Path
    offset: int
    """In bytes, of the record's line in the file."""
    column: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeItem:
    """Write a program. It passes when it passes every check, in order."""

    id: str
    statement: str = ""
    """What the program shall do, in words; empty where `opening` says it."""
    opening: str = ""
    """Code that the program shall go on from."""
    context: str = ""
    """Code that stands before an answer which does not repeat it (imports, helper functions)."""
    checks: tuple[Part | HiddenTests, ...]
    gold: str = ""
    """A right program, where one is known; never shown."""
    entry: str = ""
    """The function or class that the tests call; empty where it is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionItem:
    """A task of self-play, deduction (find the output) or abduction (find an input)."""

    id: str
    task: Task


@dataclass(frozen=True, slots=True, kw_only=True)
class MathsItem:
    """Find a number or an expression."""

    id: str
    statement: str
    gold: str
    """LaTeX or plain text, as the data set has it."""


Item = CodeItem | ExecutionItem | MathsItem


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What a grader found out about one answer."""

    status: Status
    parts: Mapping[str, bool] = field(default_factory=dict[str, bool])
    """By the name of each check that was tried, whether it and all before it passed."""
    reason: str = ""
    fuel: int = 0
    """Spent by the checks; 0 where nothing ran."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One completion of one item, with its mark; what is written down and counted."""

    item: str
    seed: int
    index: int
    """Which of the completions with this seed, from 0."""
    completion: str
    answer: str | None
    """What was taken out of the completion and graded."""
    mark: Mark
    truncated: bool = False
    prompt_tokens: int = 0
    completion_tokens: int = 0

    @property
    def key(self) -> tuple[str, int, int]:
        """What makes it this attempt and no other."""
        return self.item, self.seed, self.index
