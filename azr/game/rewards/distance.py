"""How far two programs are apart: as sequences of the node types of their syntax trees."""

from collections.abc import Sequence

from rapidfuzz.distance import Indel
from rapidfuzz.process import extractOne

from azr.types import Profile

__all__ = ["is_closer", "program_distance"]


def program_distance(one: Profile, other: Profile) -> float:
    """1 - 2 LCS / (n + m) of the two pre-order sequences; LCS their longest common subsequence.

    Returns:
        A number in [0, 1]: 0 for trees that differ in names and constants alone, the same both
        ways. AZR's code (difflib's ratio of the trees as JSON text) is not: its 1 - ratio of one
        pair is 0.65 or 0.79, by which comes first.
    """
    return Indel.normalized_distance(one.sequence, other.sequence)


def is_closer(one: Profile, others: Sequence[Profile], distance: float) -> bool:
    """Whether some of the others is at less than `distance`."""
    nearest = extractOne(
        one.sequence,
        [other.sequence for other in others],
        scorer=Indel.normalized_distance,
        score_cutoff=distance,
    )
    return nearest is not None and nearest[1] < distance
