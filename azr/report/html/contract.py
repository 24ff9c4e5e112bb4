"""What the page is given. It is written as JSON, and assets/*.js read it by these names.

A text that a model wrote is a plain string or `Code` here; the page sets both as text. `None`
among numbers is a gap.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Values = Sequence[float | None]
Code = Sequence[tuple[str, str]]
"""A Python text in pieces: (style class or nothing, text), see azr.report.html.highlighting."""
Form = Literal["number", "share", "reward", "seconds"]
"""How numbers are written: a share in per cent, a reward with its sign, seconds or minutes."""
Section = Literal["tasks", "learning", "evaluation", "machine"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """One metric of one arm, aligned with the arm's steps."""

    mean: Values
    """Over the seeds, each smoothed."""
    raw: Values | None = None
    """Of one run whose `mean` is smoothed: the values themselves."""
    low: Values | None = None
    high: Values | None = None
    """The band (azr.report.html.arms); None where there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """Runs that differ in the seed alone."""

    name: str
    runs: Sequence[str]
    window: int
    """Steps of the running mean that curves are smoothed with; 1 is none."""
    steps: Sequence[int]
    curves: Mapping[str, Curve]
    """By metric; `*` for a mode is all modes together."""


@dataclass(frozen=True, slots=True)
class Part:
    """A layer of a stack: the sum of some metrics."""

    name: str
    color: str
    """A variable of style.css, without its dashes."""
    metrics: Sequence[str]


@dataclass(frozen=True, slots=True)
class Chart:
    """A plot: of one metric as lines, or of parts that are stacked to a whole.

    Where a name holds `*`, the page draws each mode, or lets the reader choose one.
    """

    section: Section
    title: str
    unit: str
    form: Form
    metric: str = ""
    parts: Sequence[Part] = ()


@dataclass(frozen=True, slots=True)
class Tile:
    """A headline figure."""

    title: str
    form: Form
    values: Sequence[float]
    """One number, or those of the run's beginning and end; none where nothing is known."""
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A mean over seeds with its 95 % interval; no interval where it cannot be known."""

    value: float
    low: float | None
    high: float | None
    values: Sequence[float]
    """Of the seeds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fall:
    """What became of a measure of a run's life; azr.report.html.decay has the formulas."""

    title: str
    form: Form
    best: float
    """Smoothed, as is `last`."""
    best_step: int
    last: float
    steps: int
    """That have a value."""
    step: int | None
    """Of decay; None where it did not."""
    half_life: float | None
    """In steps; None where it is longer than what was seen."""
    is_certain: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FinalRow:
    """One metric at the end of training."""

    title: str
    unit: str
    form: Form
    is_part: bool
    """Of one mode: folded away at first."""
    figures: Sequence[Figure | None]
    """Of each arm."""
    differences: Sequence[Figure | None]
    """Of each arm but the first, to the first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownRollout:
    """What was sampled, and what became of it."""

    verdict: str
    why: str
    given: Code
    prompt: str
    """Empty where it is the one of the story's first answer."""
    completion: str
    tokens: int
    prompt_tokens: int
    truncated: bool
    reward: float | None
    advantage: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownStory:
    """A card: a task or a refused proposal, with its answers."""

    step: int
    mode: str
    name: str
    program: Code
    cases: Sequence[tuple[Code, Code]]
    """Inputs and outputs."""
    message: str
    born: int | None
    """The step that made the task; 0 for a seed."""
    verdict: str
    """The proposal's, or `again` for a task of an earlier step."""
    why: str
    rate: float | None
    """Share of the trials that solved it."""
    proposal: ShownRollout | None
    question: Code
    expected: Code
    shows_program: bool
    """The solver sees the program; else it is what is sought."""
    answers: Sequence[ShownRollout]
    more: int
    """Answers that are not in the page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Counts of a whole run, whatever is shown of it."""

    proposals: int
    valid: int
    answers: int
    programs: int
    """Different programs of valid proposals."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run: its texts and its facts."""

    name: str
    stories: Sequence[ShownStory]
    totals: Totals
    falls: Sequence[Fall]
    facts: Sequence[tuple[str, str]]
    config: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """All of it."""

    title: str
    subtitle: str
    footer: str
    modes: Sequence[str]
    """Those that some run has, in the order of azr.types.Mode."""
    tiles: Sequence[Tile]
    """Of a single run."""
    finals: Sequence[FinalRow]
    """Of several."""
    charts: Sequence[Chart]
    arms: Sequence[Arm]
    runs: Sequence[Run]
