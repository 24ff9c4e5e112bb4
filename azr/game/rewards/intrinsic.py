"""Intrinsic rewards: what a task is worth besides its learnability (paper, D.4; AZR's code).

Pure functions of profiles and counts. Every run measures every value. The configuration says which
of them pay; by default none does.
"""

import math
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from statistics import fmean

from azr.config.rewards import IntrinsicConfig
from azr.game.rewards.distance import program_distance
from azr.types import Merits, Profile
from sandbox_wasm.literals import LiteralError, argument_types, literal_type

__all__ = ["Frequencies", "halstead_value", "kind_of", "program_merits", "with_intrinsic"]


def program_merits(profile: Profile, references: Sequence[Profile]) -> Merits:
    """Value a program, given those that its proposer was shown."""
    distances = [program_distance(profile, reference) for reference in references]
    return Merits(
        complexity=profile.cognitive / 15,
        mean_edit_distance=fmean(distances) if distances else None,
        halstead=halstead_value(profile),
    )


def halstead_value(profile: Profile) -> float:
    """Return half effort, three tenths decisions, a fifth volume, in [0, 1].

    Formula and scales are those of AZR's code (get_halstead_reward).
    """
    return (
        0.5 * min(profile.effort / 10_000, 1.0)
        + 0.3 * min(profile.cyclomatic / 10, 1.0)
        + 0.2 * min(profile.volume / 500, 1.0)
    )


def with_intrinsic(reward: float, merits: Merits, config: IntrinsicConfig) -> float:
    """Add the intrinsic terms that are on to a proposer's reward; one of 0 or less stays.

    With every term off the reward stays as it is, whatever the combination: an empty product would
    be 1, an empty sum 0.
    """
    if reward <= 0:
        return reward
    terms = paid_terms(merits, config)
    if terms:
        reward = combined(reward, terms, config.combine)
    return reward if config.clip is None else min(reward, config.clip)


def paid_terms(merits: Merits, config: IntrinsicConfig) -> list[float]:
    """Return min(coef * value, max) of every term that is on and has a value for this task."""
    values = {name: value for name, value in asdict(merits).items() if value is not None}
    coefficients: dict[str, float] = {name: getattr(config, name) for name in values}
    return [
        min(coefficients[name] * value, config.max)
        for name, value in values.items()
        if coefficients[name] > 0
    ]


def combined(reward: float, terms: Sequence[float], combine: str) -> float:
    """Combine in one of the paper's four ways (D.4); `terms` is not empty."""
    return {
        "sum": reward + sum(terms),
        "multiply": reward * math.prod(terms),
        "sum_multiply": reward + math.prod(terms),
        "multiply_sum": reward * sum(terms),
    }[combine]


# ---------------------------------------------------------------- how seldom an answer is


def kind_of(text: str) -> str:
    """Return the types of an argument list or a value, top level only: `int`, `list, k=str`.

    The text must be a canonical literal of the judge; any other text has the kind "".
    """
    with suppress(LiteralError):
        return literal_type(text)
    try:
        arguments = argument_types(text)
    except LiteralError:
        return ""
    return ", ".join(f"{name}={kind}" if name else kind for name, kind in arguments)


@dataclass(slots=True)
class Frequencies:
    """How often each text, and each kind of text, was seen."""

    total: int = 0
    texts: Counter[bytes] = field(default_factory=Counter[bytes])
    """By hash, because an output may have 8 KiB."""
    kinds: Counter[bytes] = field(default_factory=Counter[bytes])
    """By hash too, because a thousand arguments have a long kind, and there are many such kinds."""

    def add(self, text: str) -> None:
        """Count one more text."""
        self.total += 1
        self.texts[digest(text)] += 1
        self.kinds[digest(kind_of(text))] += 1

    def surprise(self, text: str, how: str) -> float:
        """Return how rare a text is, in [0, 1]; 1 for a text that was never seen.

        flat: 1 - its share of all texts. hierarchical: the mean of 1 - its kind's share of all
        texts and 1 - its own share of its kind. (AZR's code: get_type_counts_reward)
        """
        seen = self.texts[digest(text)]
        if how == "flat":
            return 1.0 - share(seen, self.total)
        of_kind = self.kinds[digest(kind_of(text))]
        return 1.0 - (share(of_kind, self.total) + share(seen, of_kind)) / 2

    def mean_surprise(self, texts: Sequence[str], how: str) -> float:
        """Return the mean over several texts."""
        return fmean(self.surprise(text, how) for text in texts)


def digest(text: str) -> bytes:
    """Return eight bytes that stand for the text."""
    return blake2b(text.encode(), digest_size=8).digest()


def share(part: int, whole: int) -> float:
    """Return a share; 0 of nothing."""
    return part / whole if whole else 0.0
