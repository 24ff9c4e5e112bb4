"""The nouns of self-play, in the order in which they come to be.

    Prompt -> Rollout -> Proposal | Answer -> Ruling (Task), Grade -> Experience

Every type is frozen: a stage never edits what an earlier stage made, it makes the next thing.
Only `Experience` carries numbers that a gradient will see.
"""

from dataclasses import dataclass
from enum import StrEnum
from itertools import product

__all__ = [
    "STREAMS",
    "Answer",
    "Case",
    "Check",
    "Experience",
    "Grade",
    "Mode",
    "ParseFailure",
    "Prompt",
    "Proposal",
    "Role",
    "Rollout",
    "Ruling",
    "Stream",
    "Task",
    "Verdict",
    "stream_name",
]


class Mode(StrEnum):
    """Which part of the triplet (program, input, output) the solver must find."""

    DEDUCTION = "deduction"
    """Given program and input, predict the output."""
    ABDUCTION = "abduction"
    """Given program and output, find an input that yields it."""
    INDUCTION = "induction"
    """Given some input-output cases and a message, write the program."""


class Role(StrEnum):
    """On which side of the game the policy is playing."""

    PROPOSER = "proposer"
    SOLVER = "solver"


Stream = tuple[Role, Mode]
"""A (role, mode) pair; the unit over which TRR++ centres and scales rewards."""

STREAMS: tuple[Stream, ...] = tuple(product(Role, Mode))


def stream_name(stream: Stream) -> str:
    """`proposer/deduction`: the name a stream has in metrics, plots and logs."""
    role, mode = stream
    return f"{role}/{mode}"


class Verdict(StrEnum):
    """What the judge found out about one answer or proposal; with the grade, all rewards see."""

    PASSED = "passed"
    """Answer: correct. Proposal: a valid, deterministic program within limits."""
    FAILED = "failed"
    """Well-formed, but wrong or (for a proposal) not runnable, refused or not deterministic."""
    ILL_FORMED = "ill_formed"
    """The text did not hold the blocks that the prompt asked for."""


@dataclass(frozen=True, slots=True)
class Case:
    """One input-output pair: the argument list and the value, both as canonical literals."""

    input: str
    """What stands between the parentheses of f(...), e.g. "[1, 2], k=3"."""
    output: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A program with the cases the judge has verified for it; the thing buffers hold.

    Deduction and abduction tasks have exactly one case (the triplet); induction tasks have
    several, of which the first half is shown to the solver and the rest is held back.
    """

    mode: Mode
    program: str
    cases: tuple[Case, ...]
    message: str = ""
    born_step: int = 0
    """Training step that proposed it; 0 for seeds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """What the policy is asked to do, as text, plus what the judge needs to know about it."""

    role: Role
    mode: Mode
    text: str
    prefill: str = ""
    """Opening of the completion that is written for the policy: "<think>", "```python\\ndef f("."""
    stop: tuple[str, ...] = ()
    """Sampling ends before the first of these."""
    chat: bool = False
    """Wrap `text` in the model's own chat template; else it is given to the model as it stands."""
    envelope: str = "none"
    """How the completion is wrapped (selfplay.envelope); tells the reader what to take off."""
    num_inputs: int = 1
    """Proposers only: how many inputs a proposal must hold."""
    task: Task | None = None
    """The task to solve; for an induction proposer the task whose program is shown; else None."""
    seed: int = 0
    """Seed of the sampler for this rollout: (run seed, step, stream, slot, trial) hashed."""
    temperature: float | None = None
    """None = the run's; 0 = greedy, for evaluation alone."""
    max_tokens: int | None = None
    """Longest completion, at most the run's; None = the run's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """One completion, exactly as sampled.

    Invariant: `len(rollout_logprobs) == len(completion_ids)`.
    """

    prompt: Prompt
    prompt_ids: tuple[int, ...]
    """Template and prefill included."""
    completion_ids: tuple[int, ...]
    """What was sampled, an end-of-sequence token included."""
    rollout_logprobs: tuple[float, ...]
    """Natural log, as the sampler computed them; not what the learner would compute."""
    completion: str
    """The decoded completion, without special tokens, prefill and stop string."""
    policy_version: int
    truncated: bool = False
    """Sampling ended at the token limit."""

    @property
    def text(self) -> str:
        """What a parser reads: the prefill and the completion as one text."""
        return self.prompt.prefill + self.completion


@dataclass(frozen=True, slots=True)
class Proposal:
    """A proposer's parsed text; not yet known to run."""

    mode: Mode
    program: str
    inputs: tuple[str, ...]
    message: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """A solver's parsed text: a literal, an argument list, or for induction a program."""

    mode: Mode
    content: str


@dataclass(frozen=True, slots=True)
class ParseFailure:
    """Why a completion could not be read; kept for metrics, shown in the report."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What the judge does to grade an answer: run `calls`, compare values pairwise.

    `expected` never enters the guest. Without calls, `claimed` are compared instead.
    """

    program: str = ""
    calls: tuple[str, ...] = ()
    claimed: tuple[str, ...] = ()
    expected: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """What became of a proposal: a task, or the reason why not."""

    verdict: Verdict
    task: Task | None = None
    """Set exactly when the verdict is PASSED."""
    reason: str = ""
    """For metrics and the report: "parse: no input block", "raised: ValueError", ..."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grade:
    """What became of an answer."""

    verdict: Verdict
    score: float = 0.0
    """Share of the checked cases that are right, in [0, 1]; PASSED means all of them."""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Experience:
    """A graded rollout; what the learner consumes."""

    rollout: Rollout
    verdict: Verdict
    reward: float
    reason: str = ""
    task: Task | None = None
    """The task that was solved, or the one a valid proposal became."""
    solve_rate: float | None = None
    """Proposals only: share of trials that passed."""
    group: str = ""
    """The slot it was played in, `mode/slot`: experiences of one stream and group answer the same
    prompt. Empty = a group of its own."""

    @property
    def stream(self) -> Stream:
        """The (role, mode) pair whose baseline this reward is compared with."""
        return self.rollout.prompt.role, self.rollout.prompt.mode
