"""Edit distance of two programs, over the node types of their syntax trees."""

from collections.abc import Sequence

from rapidfuzz.distance import Indel
from rapidfuzz.process import extractOne

from azr.types import Profile

__all__ = ["is_closer", "program_distance"]


def program_distance(one: Profile, other: Profile) -> float:
    """Return 1 - 2 LCS / (n + m) of the two pre-order sequences.

    LCS is the length of their longest common subsequence.

    Returns:
        A number in [0, 1]: 0 for trees that differ only in names and constants. It is symmetric.
        AZR's code (difflib's ratio of the trees as JSON text) is not: for one pair, its 1 - ratio
        is 0.65 or 0.79, depending on which comes first.
    """
    return Indel.normalized_distance(one.sequence, other.sequence)


def is_closer(one: Profile, others: Sequence[Profile], distance: float) -> bool:
    """Tell whether one of the others is closer than `distance`."""
    nearest = extractOne(
        one.sequence,
        [other.sequence for other in others],
        scorer=Indel.normalized_distance,
        score_cutoff=distance,
    )
    return nearest is not None and nearest[1] < distance
