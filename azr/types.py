"""The nouns of self-play, in the order in which they arise.

    Prompt -> Rollout -> Proposal | Answer -> Ruling (Task), Grade -> Experience

Every type is frozen: a stage never edits what an earlier stage made, it makes the next thing. Only
`Experience` carries numbers that reach a gradient.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from itertools import product

__all__ = [
    "ANCHORS",
    "STREAMS",
    "Answer",
    "Appraisal",
    "Case",
    "Check",
    "Demands",
    "Experience",
    "Grade",
    "Likeness",
    "Merits",
    "Mode",
    "ParseFailure",
    "ParseRules",
    "Profile",
    "Prompt",
    "Proposal",
    "Role",
    "Rollout",
    "Ruling",
    "Stream",
    "Task",
    "Verdict",
    "count_lines",
    "prefix_of",
    "stream_name",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A program in numbers, found in its syntax tree and never by running it."""

    nodes: int
    """Nodes of the syntax tree, without annotations, docstrings and comments."""
    lines: int
    """Non-blank lines."""
    cognitive: int
    """Cognitive complexity. (G. A. Campbell, SonarSource; increments as complexipy has them)"""
    cyclomatic: int
    """1 + decision points. (T. J. McCabe; weights as radon has them)"""
    volume: float
    """Halstead's volume, in bits."""
    effort: float
    """Halstead's effort, in elementary discriminations."""
    uses_input: bool
    """Whether the body of `f` reads one of its parameters."""
    structure: str
    """Hash of the program that does not depend on its variables' names, its layout and annotations.
    """
    sequence: str
    """The nodes in pre-order, one letter each, at most 2,048; names and constants leave no trace.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Merits:
    """The intrinsic values of a task, before coefficients; None where a value has no meaning.

    The first three and `answer_diversity` are for modes whose proposer writes the program. The
    other two are for modes whose proposer only gives inputs. Diversities are in [0, 1].
    """

    complexity: float | None = None
    """Cognitive complexity / 15."""
    mean_edit_distance: float | None = None
    """Mean distance of its syntax tree to those of the prompt's references, in [0, 1]."""
    halstead: float | None = None
    """In [0, 1]: 0.5 min(effort / 10000, 1) + 0.3 min(cyclomatic / 10, 1) + 0.2 min(volume / 500, 1)."""  # noqa: E501 - a formula
    answer_diversity: float | None = None
    """How rare the answer is among the tasks of the mode."""
    input_diversity: float | None = None
    """How rare the cases' inputs are, as a mean."""
    output_diversity: float | None = None
    """How rare the cases' outputs are, as a mean."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """How like a program is to those stored before its step, in [0, 1]: 1 is the same tree."""

    nearest: float
    mean: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Appraisal:
    """What was measured of a valid proposal."""

    merits: Merits
    profile: Profile | None = None
    """None if the analysis did not finish."""
    likeness: Likeness | None = None
    """None where nothing is remembered (novelty.memory_...)."""


class Mode(StrEnum):
    """Which part of the triplet (program, input, output) the solver must find."""

    DEDUCTION = "deduction"
    """Given program and input, predict the output."""
    ABDUCTION = "abduction"
    """Given program and output, find an input that gives it."""
    INDUCTION = "induction"
    """Given some input-output cases and a message, write the program."""
    ERROR = "error"
    """Given program and input, name the exception that the call raises, or NoError."""


class Role(StrEnum):
    """The side of the game that the policy plays."""

    PROPOSER = "proposer"
    SOLVER = "solver"


Stream = tuple[Role, Mode]
"""A (role, mode) pair; the unit over which TRR++ centres and scales rewards."""

STREAMS: tuple[Stream, ...] = tuple(product(Role, Mode))


def stream_name(stream: Stream) -> str:
    """Return `proposer/deduction`: a stream's name in metrics, plots and logs."""
    role, mode = stream
    return f"{role}/{mode}"


ANCHORS = "anchor/"
"""Beginning of the groups of answers to tasks of the user's own."""


class Verdict(StrEnum):
    """The judge's finding on an answer or a proposal. Rewards depend on it and the grade."""

    PASSED = "passed"
    """Answer: correct. Proposal: a valid, deterministic program within limits."""
    FAILED = "failed"
    """Well-formed, but wrong, or (for a proposal) it does not run, is refused or not deterministic.
    """
    ILL_FORMED = "ill_formed"
    """The text lacks blocks that the prompt asked for."""


@dataclass(frozen=True, slots=True)
class Case:
    """One input-output pair: the argument list and the value, both as canonical literals."""

    input: str
    """The text between the parentheses of f(...), e.g. "[1, 2], k=3"."""
    output: str
    """The value. In error mode it is the name of the exception's class as a string: "'KeyError'".
    """


def count_lines(program: str) -> int:
    """Count the lines that are not blank."""
    return sum(bool(line.strip()) for line in program.splitlines())


def prefix_of(functions: tuple[str, ...]) -> str:
    """Return the text before a program that builds on these functions, in the module they share."""
    return "".join(f"{function}\n\n\n" for function in functions)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A program with the cases that the judge has verified for it. Buffers hold tasks.

    Deduction and abduction tasks have exactly one case (the triplet). Induction tasks have several;
    the solver sees the first half, and the rest is held back.
    """

    mode: Mode
    program: str
    cases: tuple[Case, ...]
    message: str = ""
    born_step: int = 0
    """Training step that proposed it; 0 for seeds."""
    functions: tuple[str, ...] = ()
    """Of a composite task: the sources of g_0, g_1, ..., with which `program` begins and which it
    calls."""

    @property
    def own_program(self) -> str:
        """What its proposer wrote: the program without the given functions."""
        return self.program.removeprefix(prefix_of(self.functions))


@dataclass(frozen=True, slots=True)
class Demands:
    """What a proposal's program must be like, beyond the rules of its mode."""

    functions: tuple[str, ...] = ()
    """Sources of g_0, g_1, ...: the program must call each and may redefine none. (paper, D.2)"""
    min_own_operations: int = 0
    """Operations that it must do besides calling them; 0 allows a mere wrapper."""
    banned_statements: tuple[str, ...] = ()
    """Any of assert, raise, try, except."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParseRules:
    """How to find the blocks of a completion; the part of [parsing] that a prompt carries."""

    format: str = "strict"
    """How strictly the r1 envelope is read: prefix, strict or exact."""
    code_block: str = "first"
    """Which block of code is a proposal's program: first or last."""
    entry: str = "f"
    """"f": the program defines f. Any other word: the rule by which a function is renamed to f."""
    reject_test_input: bool = False
    """Whether a program that seems to contain its own test is refused."""


@dataclass(frozen=True, slots=True)
class Dropout:
    """Words that the policy must do without: a share of them, in (0, 1), drawn by the seed."""

    share: float
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """What the policy is asked to do, as text, and what the judge needs to know about it."""

    role: Role
    mode: Mode
    text: str
    prefill: str = ""
    """Beginning of the completion, written for the policy: "<think>", "```python\\ndef f("."""
    stop: tuple[str, ...] = ()
    """Sampling ends before the first of these."""
    chat: bool = False
    """Whether `text` is wrapped in the model's own chat template; otherwise the model gets it as it
    is."""
    envelope: str = "none"
    """How the completion is wrapped (selfplay.envelope), so that the reader can take it off."""
    reading: ParseRules = ParseRules()
    """How the answer is read (parsing.*)."""
    num_inputs: int = 1
    """Proposers only: how many inputs a proposal must have."""
    demands: Demands = field(default_factory=Demands, repr=False)
    """Proposers only: what the program must be like."""
    references: tuple[Task, ...] = ()
    """Proposers only: the past tasks shown as examples."""
    task: Task | None = None
    """The task to solve. For an induction proposer: the task whose program is shown. Otherwise
    None."""
    seed: int = 0
    """Seed of the sampler for this rollout: (run seed, step, stream, slot, trial) hashed."""
    temperature: float | None = None
    """None = the run's; 0 = greedy, for evaluation alone."""
    dropout: Dropout | None = None
    max_tokens: int | None = None
    """Longest completion, at most the run's; None = the run's."""
    priority: int = 0
    """The lowest goes first: the step, where several are under way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """One completion, exactly as sampled.

    Invariant: `len(rollout_logprobs) == len(completion_ids)`.
    """

    prompt: Prompt
    prompt_ids: tuple[int, ...]
    """Template and prefill included."""
    completion_ids: tuple[int, ...]
    """The sampled tokens, including an end-of-sequence token."""
    rollout_logprobs: tuple[float, ...]
    """Natural logarithms as the sampler computed them; the learner would compute others."""
    completion: str
    """The decoded completion, without special tokens, prefill and stop string."""
    policy_version: int
    """Of the oldest of its tokens."""
    truncated: bool = False
    """Sampling ended at the token limit."""
    versions: tuple[int, ...] = field(default=(), repr=False)
    """Of the weights that sampled each token; empty = all are of `policy_version`."""
    dropped: tuple[int, ...] = field(default=(), repr=False)
    """Tokens that could not be sampled (`Prompt.dropout`); the loss leaves them out as well."""

    @property
    def text(self) -> str:
        """The text that a parser reads: prefill and completion."""
        return self.prompt.prefill + self.completion


@dataclass(frozen=True, slots=True)
class Proposal:
    """A proposer's parsed text. Nobody knows yet whether it runs."""

    mode: Mode
    program: str
    inputs: tuple[str, ...]
    message: str = ""
    demands: Demands = field(default_factory=Demands)
    """What the prompt demanded; the judge checks it."""

    @property
    def whole_program(self) -> str:
        """The program after the given functions: this is what runs and is stored."""
        return prefix_of(self.demands.functions) + self.program


@dataclass(frozen=True, slots=True)
class Answer:
    """A solver's parsed text: a literal, an argument list, or for induction a program."""

    mode: Mode
    content: str


@dataclass(frozen=True, slots=True)
class ParseFailure:
    """Why a completion could not be read. Metrics count it, and the report shows it."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """How the judge grades an answer: it runs `calls` and compares values pairwise.

    `expected` never enters the guest. Without calls, `claimed` is compared instead.
    """

    program: str = ""
    calls: tuple[str, ...] = ()
    claimed: tuple[str, ...] = ()
    expected: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """The decision on a proposal: a task, or the reason why not."""

    verdict: Verdict
    task: Task | None = None
    """Set exactly when the verdict is PASSED."""
    reason: str = ""
    """For metrics and the report: "parse: no input block", "raised: ValueError", ..."""
    is_novel: bool = True
    """False for a valid proposal that FAILED because [novelty] refused it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grade:
    """The decision on an answer."""

    verdict: Verdict
    score: float = 0.0
    """Share of the checked cases that are right, in [0, 1]; PASSED means all of them."""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Experience:
    """A graded rollout, from which the learner learns."""

    rollout: Rollout
    verdict: Verdict
    reward: float
    reason: str = ""
    task: Task | None = None
    """The task that was solved, or that a valid proposal became."""
    solve_rate: float | None = None
    """Proposals only: share of trials that passed."""
    appraisal: Appraisal | None = None
    """Valid proposals only: what was measured of the task besides its learnability."""
    group: str = ""
    """The slot in which it was played, `mode/slot`. Experiences of one stream and group answer the
    same prompt. Empty = a group of its own."""

    @property
    def stream(self) -> Stream:
        """The (role, mode) pair with whose rewards this reward is compared."""
        return self.rollout.prompt.role, self.rollout.prompt.mode

    @property
    def is_anchor(self) -> bool:
        """Whether a task of the user's own was asked (azr.game.anchors)."""
        return self.group.startswith(ANCHORS)
