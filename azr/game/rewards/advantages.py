"""From rewards to advantages: what a reward is compared with.

`ESTIMATORS` has one function for each value of learner.advantage. To add an estimator, add a
function and an entry here, and its name in azr.config.run.

A group is what `Experience.group` names, within a stream. An attempt that is alone in its group is
compared with its stream instead, in the same way.
Shape suffix: _N experiences of a step.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from random import Random

from azr.config.run import LearnerConfig
from azr.seeds import derive_seed
from azr.types import Experience, Role, Stream

__all__ = ["ESTIMATORS", "Estimator", "advantages_of"]

EPSILON = 1e-8
"""Added to the variance, as in AZR's whitening."""

Estimator = Callable[[Sequence[Experience], LearnerConfig], list[float]]
"""A function that returns the advantages of one step's experiences, in their order."""

Pooled = Callable[[Sequence[Experience]], list[float]]
"""A function that returns the advantages of experiences that are compared with each other."""


def advantages_of(experiences_N: Sequence[Experience], config: LearnerConfig) -> list[float]:
    """Compare each reward with those of its kind.

    Args:
        experiences_N: One step's experiences, all streams mixed, in any order.
        config: `advantage` names one of `ESTIMATORS`. `whitening`: sample (each rollout counts
            once, population variance) or token (each counts as often as its completion has tokens,
            Bessel's correction, as in AZR's code); rloo always counts rollouts. `group_std`: if
            off, groups are centred and not scaled (Dr. GRPO, arXiv 2503.20783). `roles`: all others
            have advantage 0. `shuffle_rewards`: a control, see azr.config.run.

    Returns:
        advantages_N, aligned with the argument. Advantages that are compared with each other have
        weighted mean 0 and, if scaled, standard deviation 1. If their rewards are all equal, all
        are 0.
    """
    if config.shuffle_rewards:
        experiences_N = _shuffled(experiences_N)
    advantages_N = ESTIMATORS[config.advantage](experiences_N, config)
    return [
        advantage if experience.stream[0] in config.roles else 0.0
        for experience, advantage in zip(experiences_N, advantages_N, strict=True)
    ]


# ---------------------------------------------------------------- estimators


def trr(experiences_N: Sequence[Experience], config: LearnerConfig) -> list[float]:
    """Compare with the stream, one role in one mode: TRR++ (AZR, arXiv 2505.03335, eq. 8)."""
    return _apart(experiences_N, _scaled(config), kind_of)


def whole_step(experiences_N: Sequence[Experience], config: LearnerConfig) -> list[float]:
    """Compare with all of the step (REINFORCE++, arXiv 2501.03262)."""
    return _apart(experiences_N, _scaled(config), lambda _: None)


def grouped(experiences_N: Sequence[Experience], config: LearnerConfig) -> list[float]:
    """Compare with the attempts at the same task (GRPO, arXiv 2402.03300)."""
    scale = config.group_std
    return _in_groups(experiences_N, lambda pool: _whitened(pool, config.whitening, scale=scale))


def rloo(experiences_N: Sequence[Experience], _: LearnerConfig) -> list[float]:
    """Compare with the other attempts at the same task, and scale nothing (arXiv 2402.14740)."""
    return _in_groups(experiences_N, _left_out)


def two_level(experiences_N: Sequence[Experience], config: LearnerConfig) -> list[float]:
    """Compare proposals with their stream, answers with their group (ANCORA, arXiv 2604.27644)."""
    in_streams, in_groups = trr(experiences_N, config), grouped(experiences_N, config)
    return [
        in_streams[row] if experience.stream[0] is Role.PROPOSER else in_groups[row]
        for row, experience in enumerate(experiences_N)
    ]


def rewards_alone(experiences_N: Sequence[Experience], _: LearnerConfig) -> list[float]:
    """Compare with nothing: return the reward itself (REINFORCE)."""
    return [experience.reward for experience in experiences_N]


ESTIMATORS: Mapping[str, Estimator] = {
    "trr++": trr,
    "global": whole_step,
    "group": grouped,
    "rloo": rloo,
    "two_level": two_level,
    "none": rewards_alone,
    "moving": rewards_alone,  # of rewards that azr.game.rewards.baselines has made relative
}
"""The estimators, by their names in learner.advantage."""


# ---------------------------------------------------------------- what they are made of


def kind_of(experience: Experience) -> tuple[Stream, bool]:
    """With what a reward is compared: its stream's rewards; anchors', with each other alone."""
    return experience.stream, experience.is_anchor


def _scaled(config: LearnerConfig) -> Pooled:
    return lambda pool: _whitened(pool, config.whitening, scale=True)


def _shuffled(experiences_N: Sequence[Experience]) -> list[Experience]:
    """Each stream's rewards in an order that depends on the rollouts' seeds alone."""
    rows_of: dict[tuple[Stream, bool], list[int]] = defaultdict(list)
    for row, experience in enumerate(experiences_N):
        rows_of[kind_of(experience)].append(row)
    shuffled = list(experiences_N)
    for (stream, _), rows in rows_of.items():
        seeds = [experiences_N[row].rollout.prompt.seed for row in rows]
        order = Random(derive_seed("shuffled", *stream, *seeds)).sample(rows, len(rows))  # noqa: S311
        for row, other in zip(rows, order, strict=True):
            shuffled[row] = replace(experiences_N[row], reward=experiences_N[other].reward)
    return shuffled


def _apart(
    experiences_N: Sequence[Experience],
    estimate: Pooled,
    key: Callable[[Experience], Hashable],
) -> list[float]:
    """Estimate among the experiences of each key."""
    rows_of: dict[Hashable, list[int]] = defaultdict(list)
    for row, experience in enumerate(experiences_N):
        rows_of[key(experience)].append(row)
    advantages_N = [0.0] * len(experiences_N)
    for rows in rows_of.values():
        pool = [experiences_N[row] for row in rows]
        for row, advantage in zip(rows, estimate(pool), strict=True):
            advantages_N[row] = advantage
    return advantages_N


def _in_groups(experiences_N: Sequence[Experience], estimate: Pooled) -> list[float]:
    """Estimate in each group; those that are alone in theirs, in their stream."""
    sizes: dict[Hashable, int] = defaultdict(int)
    for experience in experiences_N:
        sizes[experience.stream, experience.group] += 1
    advantages_N = _apart(experiences_N, estimate, kind_of)
    in_group_N = _apart(experiences_N, estimate, lambda e: (e.stream, e.group))
    for row, experience in enumerate(experiences_N):
        if experience.group and sizes[experience.stream, experience.group] > 1:
            advantages_N[row] = in_group_N[row]
    return advantages_N


def _left_out(pool: Sequence[Experience]) -> list[float]:
    """Each reward less the mean of the others' (Kool et al. 2019; arXiv 2402.14740)."""
    rewards = [experience.reward for experience in pool]
    if len(pool) == 1 or min(rewards) == max(rewards):  # exact, as below
        return [0.0] * len(pool)
    total, others = math.fsum(rewards), len(rewards) - 1
    return [reward - (total - reward) / others for reward in rewards]


def _whitened(pool: Sequence[Experience], whitening: str, *, scale: bool) -> list[float]:
    """Rewards less their mean, divided by their standard deviation if they are to be scaled."""
    rewards = [experience.reward for experience in pool]
    by_token = whitening == "token"
    weights = [len(e.rollout.completion_ids) if by_token else 1 for e in pool]
    total = sum(weights)
    if total == 0 or min(rewards) == max(rewards):  # exact: no rounding may leak a gradient
        return [0.0] * len(pool)
    weighted = list(zip(weights, rewards, strict=True))
    mean = math.fsum(weight * reward for weight, reward in weighted) / total
    if not scale:
        return [reward - mean for reward in rewards]
    spread = math.fsum(weight * (reward - mean) ** 2 for weight, reward in weighted)
    variance = spread / (max(total - 1, 1) if by_token else total)
    return [(reward - mean) / math.sqrt(variance + EPSILON) for reward in rewards]
