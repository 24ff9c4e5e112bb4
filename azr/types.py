"""The nouns of self-play, in the order in which they come to be.

    Prompt -> Rollout -> Proposal | Answer -> Ruling (Task), Grade -> Experience

Every type is frozen: a stage never edits what an earlier stage made, it makes the next thing.
Only `Experience` carries numbers that a gradient will see.
"""

import math
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import product

__all__ = [
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
    "halstead_effort",
    "halstead_volume",
    "prefix_of",
    "stream_name",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A program in numbers, found by reading it, never by running it."""

    nodes: int
    """Of the syntax tree; annotations, docstrings and comments not counted."""
    lines: int
    """That are not blank."""
    cognitive: int
    """Cognitive complexity. (G. A. Campbell, SonarSource; increments as complexipy has them)"""
    cyclomatic: int
    """1 + decision points. (T. J. McCabe; weights as radon has them)"""
    volume: float
    """Halstead's, in bits."""
    effort: float
    """Halstead's, in elementary discriminations."""
    uses_input: bool
    """Some parameter of `f` is read in its body."""
    structure: str
    """Hash of the program up to renaming of its variables, layout and annotations."""
    sequence: str
    """One letter a node, in pre-order, cut at 2,048; names and constants leave no trace."""


def halstead_volume(
    distinct_operators: int, distinct_operands: int, operators: int, operands: int
) -> float:
    """N log2(n): length times the bits that one word of the vocabulary takes."""
    vocabulary = distinct_operators + distinct_operands
    return (operators + operands) * math.log2(vocabulary) if vocabulary else 0.0


def halstead_effort(
    distinct_operators: int, distinct_operands: int, operators: int, operands: int
) -> float:
    """Difficulty times volume; difficulty is n1 / 2 times N2 / n2."""
    if not distinct_operands:
        return 0.0
    difficulty = distinct_operators * operands / (2 * distinct_operands)
    return difficulty * halstead_volume(distinct_operators, distinct_operands, operators, operands)


@dataclass(frozen=True, slots=True, kw_only=True)
class Merits:
    """The intrinsic values of a task, before coefficients; None where one has no meaning.

    The first three and `answer_diversity` are for modes whose proposer writes the program, the
    other two for those where it only gives inputs. Diversities are in [0, 1].
    """

    complexity: float | None = None
    """Cognitive complexity / 15."""
    mean_edit_distance: float | None = None
    """Mean distance of the syntax trees to the references' of the prompt, in [0, 1]."""
    halstead: float | None = None
    """In [0, 1]: 0.5 min(effort / 10000, 1) + 0.3 min(cyclomatic / 10, 1) + 0.2 min(volume / 500, 1)."""  # noqa: E501 - a formula
    answer_diversity: float | None = None
    """How seldom the answer was seen among the tasks of the mode."""
    input_diversity: float | None = None
    """The same of the cases' inputs, as a mean."""
    output_diversity: float | None = None
    """The same of the cases' outputs, as a mean."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """How like a program is to those stored before its step, in [0, 1]: 1 is the same tree."""

    nearest: float
    mean: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Appraisal:
    """What was found out about a valid proposal."""

    merits: Merits
    profile: Profile | None = None
    """None where the analysis did not finish."""
    likeness: Likeness | None = None
    """None where nothing is remembered (novelty.memory_...)."""


class Mode(StrEnum):
    """Which part of the triplet (program, input, output) the solver must find."""

    DEDUCTION = "deduction"
    """Given program and input, predict the output."""
    ABDUCTION = "abduction"
    """Given program and output, find an input that yields it."""
    INDUCTION = "induction"
    """Given some input-output cases and a message, write the program."""
    ERROR = "error"
    """Given program and input, name the exception that the call raises, or NoError."""


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
    """The value; in error mode the exception's class name as a string: "'KeyError'"."""


def count_lines(program: str) -> int:
    """Lines that are not blank."""
    return sum(bool(line.strip()) for line in program.splitlines())


def prefix_of(functions: tuple[str, ...]) -> str:
    """What stands before a program that builds on these functions, in the module both share."""
    return "".join(f"{function}\n\n\n" for function in functions)


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
    functions: tuple[str, ...] = ()
    """Of a composite task: the sources of g_0, g_1, ... that `program` begins with and calls."""

    @property
    def own_program(self) -> str:
        """The program without the given functions: what its proposer wrote."""
        return self.program.removeprefix(prefix_of(self.functions))


@dataclass(frozen=True, slots=True)
class Demands:
    """What a proposal's program is asked to be like, beyond what its mode asks of all."""

    functions: tuple[str, ...] = ()
    """Sources of g_0, g_1, ...: it must call each and may define none. (paper, D.2)"""
    min_own_operations: int = 0
    """Operations it must do beside calling them; 0 allows a mere wrapper."""
    banned_statements: tuple[str, ...] = ()
    """Of assert, raise, try, except."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParseRules:
    """How the blocks of a completion are to be found; a part of [parsing], told with the prompt."""

    format: str = "strict"
    """Of the r1 envelope: prefix, strict or exact."""
    code_block: str = "first"
    """Which block of code is a proposal's program: first or last."""
    entry: str = "f"
    """f: the program defines f; any other word: the rule by which a function becomes f."""
    reject_test_input: bool = False
    """Whether a program that seems to hold its own test is no proposal."""


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
    reading: ParseRules = ParseRules()
    """How the answer is to be read (parsing.*)."""
    num_inputs: int = 1
    """Proposers only: how many inputs a proposal must hold."""
    demands: Demands = field(default_factory=Demands, repr=False)
    """Proposers only: what the program is asked to be like."""
    references: tuple[Task, ...] = ()
    """Proposers only: the past tasks that are shown."""
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
    demands: Demands = field(default_factory=Demands)
    """What it was asked to be like: the judge checks it."""

    @property
    def whole_program(self) -> str:
        """The program with the given functions before it: what runs and what is stored."""
        return prefix_of(self.demands.functions) + self.program


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
    is_novel: bool = True
    """False: valid, and FAILED for being no news ([novelty])."""


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
    appraisal: Appraisal | None = None
    """Valid proposals only: what the task is like, and worth beside its learnability."""
    group: str = ""
    """The slot it was played in, `mode/slot`: experiences of one stream and group answer the same
    prompt. Empty = a group of its own."""

    @property
    def stream(self) -> Stream:
        """The (role, mode) pair whose baseline this reward is compared with."""
        return self.rollout.prompt.role, self.rollout.prompt.mode
