"""The nouns of evaluation.

    Item -> Prompt -> Rollout -> answer (a text) -> Mark -> Attempt -> estimates

An item holds what the model sees and what decides. Nothing here runs or compares anything.
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
    """The result of one attempt; every status except PASSED counts as wrong in every score."""

    PASSED = "passed"
    WRONG = "wrong"
    NO_ANSWER = "no_answer"
    """The completion holds nothing to grade."""
    OUT_OF_FUEL = "out_of_fuel"
    """The program spent its instruction budget; it is slow or endless, and nobody can tell which.
    Or it spent all CPU time of the sandbox's safety net, which no known program does."""
    UNDECIDED = "undecided"
    """The maths grader did not finish within its deadline."""
    PROMPT_TOO_LONG = "prompt_too_long"
    """The model could not be asked: its context is too short."""


@dataclass(frozen=True, slots=True)
class Part:
    """A named check: a part of the item's score."""

    name: str
    """`base`, `plus`, `samples`, ..."""
    check: Check


@dataclass(frozen=True, slots=True)
class HiddenTests:
    """Runs or calls that stay packed in their file until they are needed.

    LiveCodeBench's are gigabytes for a few hundred items.
    """

    name: str
    entry: str
    """The method to call; empty if the program runs as a whole."""
    file: Path
    offset: int
    """Where the record's line begins in the file, in bytes."""
    column: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeItem:
    """An item that asks for a program. It passes if it passes every check, in order."""

    id: str
    statement: str = ""
    """What the program must do, in words; empty if `opening` says it."""
    opening: str = ""
    """Code that the program must continue."""
    context: str = ""
    """Code to put before an answer that does not repeat it (imports, helper functions)."""
    checks: tuple[Part | HiddenTests, ...]
    gold: str = ""
    """A right program, if one is known; never shown."""
    entry: str = ""
    """The function or class that the tests call; empty if it is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionItem:
    """A task of self-play, deduction (find the output) or abduction (find an input)."""

    id: str
    task: Task


@dataclass(frozen=True, slots=True, kw_only=True)
class MathsItem:
    """An item that asks for a number or an expression."""

    id: str
    statement: str
    gold: str
    """LaTeX or plain text, as the data set has it."""


Item = CodeItem | ExecutionItem | MathsItem


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A grader's finding about one answer."""

    status: Status
    parts: Mapping[str, bool] = field(default_factory=dict[str, bool])
    """For each check that was tried, whether it and all before it passed."""
    reason: str = ""
    fuel: int = 0
    """Fuel of the checks; 0 if nothing ran."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One completion of one item, with its mark; it is written down and counted."""

    item: str
    seed: int
    index: int
    """Number among the completions with this seed, from 0."""
    completion: str
    answer: str | None
    """The text that was taken from the completion and graded."""
    mark: Mark
    truncated: bool = False
    prompt_tokens: int = 0
    completion_tokens: int = 0

    @property
    def key(self) -> tuple[str, int, int]:
        """What identifies this attempt."""
        return self.item, self.seed, self.index
