"""TRR++: a reward counts relative to its own stream, never to the other five.

Shape suffix: _N experiences of a step.
"""

import math
from collections import defaultdict
from collections.abc import Sequence

from azr.config import LearnerConfig
from azr.types import Experience

__all__ = ["task_relative_advantages"]

EPSILON = 1e-8
"""Added to the variance, as the reference's whitening does."""


def task_relative_advantages(
    experiences_N: Sequence[Experience], config: LearnerConfig
) -> list[float]:
    """Centre and scale each reward by the statistics of its own stream (paper, eq. 8).

    Args:
        experiences_N: One step's experiences, all streams mixed, in any order.
        config: `advantage`: trr++ (per stream), global (one baseline for all), none (the
            reward itself). `whitening`: sample (each rollout counts once, population
            variance) or token (each counts as often as its completion has tokens, Bessel's
            correction, as in AZR's code).

    Returns:
        advantages_N, aligned with the argument. Within every group: weighted mean 0 and
        standard deviation 1, unless all its rewards are equal: then all are exactly 0.
    """
    if config.advantage == "none":
        return [experience.reward for experience in experiences_N]
    rows_of: dict[object, list[int]] = defaultdict(list)
    for row, experience in enumerate(experiences_N):
        rows_of[experience.stream if config.advantage == "trr++" else None].append(row)
    advantages_N = [0.0] * len(experiences_N)
    for rows in rows_of.values():
        group = [experiences_N[row] for row in rows]
        for row, advantage in zip(rows, _whitened(group, config.whitening), strict=True):
            advantages_N[row] = advantage
    return advantages_N


def _whitened(group: Sequence[Experience], whitening: str) -> list[float]:
    """Advantages of one group that shares a baseline."""
    rewards = [experience.reward for experience in group]
    by_token = whitening == "token"
    weights = [len(e.rollout.completion_ids) if by_token else 1 for e in group]
    total = sum(weights)
    if total == 0 or min(rewards) == max(rewards):  # exact: no rounding may leak a gradient
        return [0.0] * len(group)
    weighted = list(zip(weights, rewards, strict=True))
    mean = math.fsum(weight * reward for weight, reward in weighted) / total
    spread = math.fsum(weight * (reward - mean) ** 2 for weight, reward in weighted)
    variance = spread / (max(total - 1, 1) if by_token else total)
    return [(reward - mean) / math.sqrt(variance + EPSILON) for reward in rewards]
