"""Moving baselines: a mean of each stream's earlier rewards, with which its next ones are compared.

Role-conditioned advantage estimation (SPIRAL, arXiv 2506.24119) keeps an exponential mean of the
rewards of each role in each game, and so does prime-rl, with a decay of 0.95. There it moves with
each game, here with each step: a step is compared with the steps before it, and the order of its
rollouts does not matter. The first step of a stream is compared with its own mean.

The baselines are in the buffers' file, and so they are a part of every checkpoint.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import fmean

from azr.config.run import LearnerConfig
from azr.game.rewards.advantages import advantages_of
from azr.ports import Buffers
from azr.types import ANCHORS, Experience, stream_name

__all__ = ["advantages_over_baselines", "moved"]


def advantages_over_baselines(
    experiences_N: Sequence[Experience], config: LearnerConfig, buffers: Buffers
) -> list[float]:
    """Return a step's advantages; with learner.advantage = moving, then move the baselines."""
    if config.advantage != "moving":
        return advantages_of(experiences_N, config)
    means, known = step_means(experiences_N), buffers.baselines()
    baselines = {**means, **known}
    relative = [replace(e, reward=e.reward - baselines[name_of(e)]) for e in experiences_N]
    buffers.keep_baselines(moved(baselines, means, config.baseline_decay))
    return advantages_of(relative, config)


def step_means(experiences_N: Sequence[Experience]) -> dict[str, float]:
    """Return the mean reward of each stream, by its name."""
    rewards_of: defaultdict[str, list[float]] = defaultdict(list)
    for experience in experiences_N:
        rewards_of[name_of(experience)].append(experience.reward)
    return {name: fmean(rewards) for name, rewards in rewards_of.items()}


def name_of(experience: Experience) -> str:
    """Its stream's name; anchors have a baseline of their own."""
    prefix = ANCHORS if experience.is_anchor else ""
    return prefix + stream_name(experience.stream)


def moved(
    baselines: Mapping[str, float], means: Mapping[str, float], decay: float
) -> dict[str, float]:
    """Return the baselines after a step: decay * old + (1 - decay) * mean; others stay."""
    return {
        name: decay * baseline + (1 - decay) * means.get(name, baseline)
        for name, baseline in baselines.items()
    }
