"""The rules of a mode, as a protocol; the modes are its values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from azr.game.modes.wording import BANNED_WORDS
from azr.types import Answer, Check, Demands, Mode, ParseFailure, Proposal, Rollout, Task
from sandbox_wasm.types import CallResult, Outcome

__all__ = ["NUM_EXAMPLES", "ModeRules", "Pattern", "PromptSetting", "Rarity", "returned_value"]


NUM_EXAMPLES = 3
"""Least number of examples in a pattern, unless selfplay.pattern_examples says otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptSetting:
    """What a prompt for a proposer is made from."""

    references: Sequence[Task] = field(default_factory=tuple[Task, ...])
    """Past tasks of the same mode, as examples to differ from."""
    shown: Task | None = None
    """The task whose program the proposer gets; only if the mode has `programs_from`."""
    num_inputs: int = 1
    """How many inputs the proposal must hold."""
    demands: Demands = field(default_factory=Demands)
    """What its program must be like; only if no program is shown."""
    banned_words: Sequence[str] = BANNED_WORDS
    """Instructions only: words that the program may not use (sandbox.banned_modules)."""
    num_examples: int = NUM_EXAMPLES
    """Patterns only: format examples fill up missing references to this number."""
    theme: str = ""
    """A sentence that says what the program is to be about; only if no program is shown."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A text to continue, for models too small to follow an instruction."""

    text: str
    prefill: str
    """Beginning of the completion; the reader sees it as part of the completion."""
    stop: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rarity:
    """Texts of a task that are worth more the rarer they are among the mode's tasks."""

    merit: str
    """The term of [intrinsic] that pays for it, a field of azr.types.Merits."""
    part: Literal["inputs", "outputs"]
    """Which texts of the cases are counted."""
    texts: Sequence[str]


def returned_value(result: CallResult) -> str | None:
    """The value that a call returned, as a literal; None if it ended in another way."""
    return result.value if result.outcome is Outcome.RETURNED else None


class ModeRules(Protocol):
    """Everything that is specific to a mode.

    The two readers are total: they never raise and never evaluate what they read.
    """

    @property
    def mode(self) -> Mode:
        """The mode whose rules these are."""
        ...

    @property
    def zero_task(self) -> Task:
        """The task from which self-play starts."""
        ...

    @property
    def writes_program(self) -> bool:
        """Whether a proposer writes the task's program; otherwise it sees that of another task."""
        ...

    @property
    def programs_from(self) -> Sequence[Mode]:
        """The modes whose tasks give that other program; empty if a proposer writes its own."""
        ...

    @property
    def seeds_for(self) -> tuple[Mode, ...]:
        """The modes in which a seed of this mode is a task: this one and those that share it."""
        ...

    @property
    def azr_kind(self) -> str:
        """Ending of the name of a file with such tasks, in the layout of AZR's own files."""
        ...

    def banned_statements(self, error_banned: tuple[str, ...]) -> tuple[str, ...]:
        """Return statements that a proposal may not use, given selfplay.error_banned."""
        ...

    def num_inputs(self, induction_inputs: int) -> int:
        """Return how many inputs a proposal must have, given selfplay.induction_inputs."""
        ...

    def proposer_text(self, setting: PromptSetting) -> str:
        """Write the instruction to propose a task."""
        ...

    def solver_text(self, task: Task, banned_words: Sequence[str] = BANNED_WORDS) -> str:
        """Write the instruction to solve a task; it never holds what the solver must find.

        The banned words are told to whoever writes a program.
        """
        ...

    def proposer_pattern(self, setting: PromptSetting) -> Pattern:
        """Write the same as a pattern to continue."""
        ...

    def solver_pattern(
        self, task: Task, references: Sequence[Task], num_examples: int = NUM_EXAMPLES
    ) -> Pattern:
        """Write the same as a pattern to continue; references are shown with their solution.

        If there are fewer than `num_examples` of them, format examples come first.
        """
        ...

    def read_proposal(self, rollout: Rollout) -> Proposal | ParseFailure:
        """Find the blocks of a proposal."""
        ...

    def read_answer(self, rollout: Rollout) -> Answer | ParseFailure:
        """Find the block of an answer."""
        ...

    def objection_to(self, proposal: Proposal) -> str:
        """Say why this well-formed proposal is not a task of this mode; empty if it may run."""
        ...

    def task_of(self, proposal: Proposal, outputs: Sequence[str], born_step: int) -> Task:
        """Make the task of a valid proposal; outputs are aligned with `proposal.inputs`."""
        ...

    def output_of(self, result: CallResult) -> str | None:
        """Return the literal that is a case's output; None if this call makes no case."""
        ...

    def check_of(self, task: Task, answer: Answer) -> Check:
        """Say what to run and what to compare with, to grade the answer."""
        ...

    def answer_of(self, task: Task) -> str:
        """Write a right answer, as a solver would."""
        ...

    def rarities(self, task: Task) -> Sequence[Rarity]:
        """Return the texts of the task that are worth more the rarer they are."""
        ...

    def question_of(self, task: Task, sought: str) -> str:
        """Describe for people, in a few lines, what a solver must find; `sought` stands for it."""
        ...

    def solution_of(self, task: Task) -> str:
        """Describe the right answer for people."""
        ...

    def azr_record(self, task: Task) -> Mapping[str, Any]:
        """Write the task in the layout of AZR's own files."""
        ...
