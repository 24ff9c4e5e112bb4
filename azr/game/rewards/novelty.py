"""The novelty gate that valid proposals must pass, and the price of repetition.

Pure functions. A step's proposals are judged in the order of their slots, whatever order they came
in: of two similar ones, the first is novel.
"""

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b

from azr.config.rewards import NoveltyConfig
from azr.game.rewards.distance import is_closer, program_distance
from azr.types import Experience, Profile, Task, prefix_of

__all__ = [
    "NOT_NOVEL",
    "Precedents",
    "cluster_sizes",
    "copy_key",
    "objections",
    "with_repetition_penalty",
]

NOT_NOVEL = "not novel"
"""The beginning of the reason; the rest says which rule refused."""


def copy_key(task: Task, profile: Profile | None) -> str:
    """Return a key that copies of a task's program share.

    Without a profile, only a program with the same text is a copy.

    Args:
        task: If it is composite, the texts of its given functions are a part of the key, because
            the same f computes something else with others.
        profile: The profile of its own program.
    """
    own = profile.structure if profile is not None else f"text {_hash(task.own_program)}"
    return f"{own} on {_hash(prefix_of(task.functions))}" if task.functions else own


def _hash(text: str) -> str:
    return blake2b(text.encode(), digest_size=16).hexdigest()


@dataclass(slots=True)
class Precedents:
    """The programs of a mode with which a new one is compared."""

    copies: Counter[str] = field(default_factory=Counter[str])
    """Counts of stored tasks by `copy_key`."""
    recent: deque[Profile | None] = field(default_factory=deque[Profile | None])
    """Profiles of the last novelty.window tasks. A task without a profile takes a place too, so
    that a resumed run, which looks at no more than these, remembers the same."""


def objections(
    candidates: Sequence[tuple[Task, Profile | None]], past: Precedents, config: NoveltyConfig
) -> list[str]:
    """Say why each candidate is not novel; "" if it is.

    Args:
        candidates: Valid tasks of one mode, with the profiles of their own programs, in the order
            of their slots. Each is compared with the past, and with novel ones before it. A program
            without a profile can only be a copy.
        past: It is not changed.
        config: The rules.
    """
    fresh: Counter[str] = Counter()  # beside the past's, which may be large and is not copied
    recent = deque(past.recent, maxlen=config.window)
    reasons: list[str] = []
    for task, profile in candidates:
        key = copy_key(task, profile)
        reason = ""
        if config.max_copies and past.copies[key] + fresh[key] >= config.max_copies:
            reason = "copy"
        elif profile is not None:
            reason = trivial(profile, config) or too_near(profile, recent, config)
        if not reason:
            fresh[key] += 1
            recent.append(profile)
        reasons.append(f"{NOT_NOVEL}: {reason}" if reason else "")
    return reasons


def trivial(profile: Profile, config: NoveltyConfig) -> str:
    """Say why a program is not a task by itself."""
    if profile.nodes < config.min_nodes:
        return "too small"
    if config.require_use_of_input and not profile.uses_input:
        return "ignores its input"
    return ""


def too_near(profile: Profile, recent: Iterable[Profile | None], config: NoveltyConfig) -> str:
    """Say why a program is not far enough from others."""
    if config.min_distance == 0:
        return ""
    known = [other for other in recent if other is not None]
    return "too near" if is_closer(profile, known, config.min_distance) else ""


CLUSTER_DISTANCE = 0.1
"""Proposals that are closer than this belong to one cluster."""


def cluster_sizes(profiles: Sequence[Profile], distance: float) -> list[int]:
    """Count the programs in each one's cluster, including itself.

    Programs closer than `distance` are of one cluster, and so are clusters that share a program
    (single linkage), so the order of the programs does not matter. R-Zero clusters by average
    linkage of BLEU distances.
    """
    cluster = list(range(len(profiles)))
    for later, profile in enumerate(profiles):
        for earlier in range(later):
            if cluster[earlier] == cluster[later]:
                continue
            if program_distance(profile, profiles[earlier]) < distance:
                old, new = cluster[later], cluster[earlier]
                cluster = [new if number == old else number for number in cluster]
    sizes = Counter(cluster)
    return [sizes[number] for number in cluster]


def with_repetition_penalty(
    proposals: Sequence[Experience], batch_size: int, config: NoveltyConfig
) -> list[Experience]:
    """Lower the pay of one mode's proposals for being similar; keep their order.

    The reward becomes max(0, r - penalty * cluster / batch) if it was above 0, and stays otherwise.
    (R-Zero, arXiv 2508.05004)

    Args:
        proposals: Proposals of one mode and step.
        batch_size: All proposals of the mode, including invalid ones.
        config: repetition_penalty.
    """
    profiles = {
        place: e.appraisal.profile
        for place, e in enumerate(proposals)
        if e.appraisal is not None and e.appraisal.profile is not None
    }
    paid = list(proposals)
    sizes = cluster_sizes(list(profiles.values()), CLUSTER_DISTANCE)
    for place, size in zip(profiles, sizes, strict=True):
        reward = proposals[place].reward
        if reward > 0:
            less = max(0.0, reward - config.repetition_penalty * size / batch_size)
            paid[place] = replace(proposals[place], reward=less)
    return paid
