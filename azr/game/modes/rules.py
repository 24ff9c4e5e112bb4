"""What a mode has to say, as a protocol; the modes are values of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from azr.game.modes.wording import BANNED_WORDS
from azr.types import Answer, Check, Demands, Mode, ParseFailure, Proposal, Rollout, Task
from sandbox_wasm.types import CallResult, Outcome

__all__ = ["NUM_EXAMPLES", "ModeRules", "Pattern", "PromptSetting", "Rarity", "returned_value"]


NUM_EXAMPLES = 3
"""Examples a pattern shows at least, unless told otherwise (selfplay.pattern_examples)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptSetting:
    """What a prompt for a proposer is made from."""

    references: Sequence[Task] = field(default_factory=tuple[Task, ...])
    """Past tasks of the same mode, as examples to differ from."""
    shown: Task | None = None
    """The task whose program is to be given inputs; only where the mode has `programs_from`."""
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


@dataclass(frozen=True, slots=True)
class Rarity:
    """Texts of a task that are worth more the seldomer the mode's tasks had them."""

    merit: str
    """The term of [intrinsic] that pays for it, a field of azr.types.Merits."""
    part: Literal["inputs", "outputs"]
    """Of which cases they are counted."""
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
        """Whose rules these are."""
        ...

    @property
    def zero_task(self) -> Task:
        """The task that is there before all others."""
        ...

    @property
    def writes_program(self) -> bool:
        """Whether a proposer writes the task's program; else it is shown one of another task."""
        ...

    @property
    def programs_from(self) -> Sequence[Mode]:
        """Of which modes' tasks that other program is; empty where a proposer writes its own."""
        ...

    @property
    def seeds_for(self) -> tuple[Mode, ...]:
        """The modes in which a seed of this mode is a task: this one, and those that share it."""
        ...

    @property
    def azr_kind(self) -> str:
        """What the name of a file of such tasks ends in, in the layout of AZR's own files."""
        ...

    def banned_statements(self, error_banned: tuple[str, ...]) -> tuple[str, ...]:
        """Statements a proposal may not use, given selfplay.error_banned."""
        ...

    def num_inputs(self, induction_inputs: int) -> int:
        """How many inputs a proposal must hold, given selfplay.induction_inputs."""
        ...

    def proposer_text(self, setting: PromptSetting) -> str:
        """The instruction to propose a task."""
        ...

    def solver_text(self, task: Task, banned_words: Sequence[str] = BANNED_WORDS) -> str:
        """The instruction to solve a task; never holds what the solver must find.

        The banned words are told to whom is to write a program.
        """
        ...

    def proposer_pattern(self, setting: PromptSetting) -> Pattern:
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

    def output_of(self, result: CallResult) -> str | None:
        """The literal that is a case's output; None if this call makes no case."""
        ...

    def check_of(self, task: Task, answer: Answer) -> Check:
        """What to run and what to compare with, to grade the answer."""
        ...

    def answer_of(self, task: Task) -> str:
        """A right answer, as a solver would write it."""
        ...

    def rarities(self, task: Task) -> Sequence[Rarity]:
        """What of the task is worth more the seldomer it was seen."""
        ...

    def question_of(self, task: Task, sought: str) -> str:
        """What a solver is to find, in a line or a few for people; `sought` stands for it."""
        ...

    def solution_of(self, task: Task) -> str:
        """What is right, for people."""
        ...

    def azr_record(self, task: Task) -> Mapping[str, Any]:
        """The task in the layout of AZR's own files (METHOD: record schema of the reference)."""
        ...
