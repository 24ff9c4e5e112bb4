"""What a program looks like, and what a task is worth beside its learnability: values alone.

They are computed elsewhere: profiles in the guest (azr.profiler), merits in azr.intrinsic.
"""

import math
from dataclasses import dataclass

__all__ = ["Appraisal", "Merits", "Profile", "halstead_effort", "halstead_volume"]


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
class Appraisal:
    """What was found out about a valid proposal."""

    merits: Merits
    profile: Profile | None = None
    """None where the analysis did not finish."""
