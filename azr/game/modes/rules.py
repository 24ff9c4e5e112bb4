"""What a mode has to say, as a protocol; the modes are values of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from azr.game.modes.wording import BANNED_WORDS
from azr.types import Answer, Check, Demands, Mode, ParseFailure, Proposal, Rollout, Task

__all__ = ["NUM_EXAMPLES", "ModeRules", "Pattern", "Setting"]


NUM_EXAMPLES = 3
"""Examples a pattern shows at least, unless told otherwise (selfplay.pattern_examples)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What a proposer is shown."""

    references: Sequence[Task] = field(default_factory=tuple[Task, ...])
    """Past tasks of the same mode, as examples to differ from."""
    shown: Task | None = None
    """The task whose program is to be given inputs; only where `ModeRules.shows_program`."""
    num_inputs: int = 1
    """How many inputs the proposal must hold."""
    demands: Demands = field(default_factory=Demands)
    """What its program must be like; only where no program is shown."""
    banned_words: Sequence[str] = BANNED_WORDS
    """Instructions only: what the program may not use (sandbox.banned_modules)."""
    num_examples: int = NUM_EXAMPLES
    """Patterns only: format examples fill up what references are missing to so many."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A text to continue, for models too small to follow an instruction."""

    text: str
    prefill: str
    """Opening of the completion; the reader sees it as part of the completion."""
    stop: tuple[str, ...]


class ModeRules(Protocol):
    """Everything that is specific to a mode.

    The two readers are total: they never raise and never evaluate what they read.
    """

    @property
    def mode(self) -> Mode:
        """Whose rules these are."""
        ...

    @property
    def zero_task(self) -> Task:
        """The task that is there before all others."""
        ...

    @property
    def answer_part(self) -> str:
        """What a solver must find: "output" or "input" of the one case, or the "program"."""
        ...

    @property
    def shows_program(self) -> bool:
        """Whether a proposer is given a program, and only invents its inputs."""
        ...

    @property
    def shares_seeds(self) -> bool:
        """Whether a seed of this mode is one of every mode that shares them: the same triplet."""
        ...

    @property
    def names_error(self) -> bool:
        """Whether a case's output is the name of what the call raises, not its value."""
        ...

    def banned_statements(self, error_banned: tuple[str, ...]) -> tuple[str, ...]:
        """Statements a proposal may not use, given selfplay.error_banned."""
        ...

    def num_inputs(self, induction_inputs: int) -> int:
        """How many inputs a proposal must hold, given selfplay.induction_inputs."""
        ...

    def proposer_text(self, setting: Setting) -> str:
        """The instruction to propose a task."""
        ...

    def solver_text(self, task: Task, banned_words: Sequence[str] = BANNED_WORDS) -> str:
        """The instruction to solve a task; never holds what the solver must find.

        The banned words are told to whom is to write a program.
        """
        ...

    def proposer_pattern(self, setting: Setting) -> Pattern:
        """The same as a pattern to continue."""
        ...

    def solver_pattern(
        self, task: Task, references: Sequence[Task], num_examples: int = NUM_EXAMPLES
    ) -> Pattern:
        """The same as a pattern to continue; references are shown solved.

        Where there are fewer than `num_examples` of them, format examples come first.
        """
        ...

    def read_proposal(self, rollout: Rollout) -> Proposal | ParseFailure:
        """Find the blocks of a proposal."""
        ...

    def read_answer(self, rollout: Rollout) -> Answer | ParseFailure:
        """Find the block of an answer."""
        ...

    def objection_to(self, proposal: Proposal) -> str:
        """Why this well-formed proposal is no task of this mode; empty when it may run."""
        ...

    def task_of(self, proposal: Proposal, outputs: Sequence[str], born_step: int) -> Task:
        """The task that a proposal became; outputs are aligned with `proposal.inputs`."""
        ...

    def check_of(self, task: Task, answer: Answer) -> Check:
        """What to run and what to compare with, to grade the answer."""
        ...
