"""A reward less what its rollout costs in divergence from the model the run started from.

    reward - c sum_t kl_t,    before rewards are compared (azr.game.rewards.advantages)

kl_t estimates KL(policy, reference) from the sampled token (azr.learner.loss.formulas). The learner
computes both sides, by one program: a policy that has not moved pays exactly nothing, where the
engine's other rounding would be scaled up to advantages. c is constant, or moves as in Ziegler
et al. 2019 (arXiv 1909.08593, section 2.2):

    e = clip(KL / target - 1, -0.2, 0.2),    c <- c (1 + K e),    K = rollouts / horizon

verl's apply_kl_penalty, with its KL: nats a token, each rollout's mean, and the mean of these. It
takes kl_t off token by token; here, as in its GRPO and RLOO, a rollout's whole sum counts for each.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# (torch, transformers and vllm are typed in part)

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

import torch
from torch import Tensor

from azr.config.loss import Kl
from azr.config.run import RunConfig
from azr.learner.loss.formulas import kl_penalty
from azr.learner.packing import MicroBatch, Sequence1
from azr.models.process_group import Ranks
from azr.types import Experience

__all__ = ["RewardKl", "rollout_sums"]

LARGEST_ERROR = 0.2
"""Of KL against its target, in either direction. (arXiv 1909.08593, section 2.2)"""


@dataclass(slots=True)
class RewardKl:
    """Its state is a function of the divergences it has seen, and part of a checkpoint."""

    kind: Kl
    coef: float
    """c, in reward a nat; never negative."""
    target: float
    """Nats a token; 0 = c is constant."""
    horizon: float
    """Rollouts."""

    @classmethod
    def of(cls, config: RunConfig) -> "RewardKl | None":
        """Start at the run's own coefficient; None if nothing is taken off, or nothing learned."""
        rewards = config.rewards
        if rewards.kl == "none" or config.learner.lr == 0:
            return None
        return cls(Kl(rewards.kl), rewards.kl_coef, rewards.kl_target, rewards.kl_horizon)

    def of_tokens(self, logprobs: Tensor, ref_logprobs: Tensor) -> Tensor:
        """The estimate for each token, in nats."""
        return kl_penalty(logprobs, ref_logprobs, self.kind)

    def taken_off(
        self, experiences_N: Sequence[Experience], divergences_N: Sequence[float]
    ) -> tuple[list[Experience], dict[str, float]]:
        """The step with penalised rewards, and what was found; moves the coefficient thereafter.

        Args:
            experiences_N: Of one step.
            divergences_N: Each rollout's sum over its tokens, in nats.
        """
        pairs = list(zip(experiences_N, divergences_N, strict=True))
        found = {"reward_kl/coef": self.coef}
        penalised = [replace(e, reward=e.reward - self.coef * nats) for e, nats in pairs]
        # an empty completion has no tokens to diverge in, and no mean
        means = [nats / n for e, nats in pairs if (n := len(e.rollout.completion_ids))]
        if means:
            found["reward_kl/mean"] = fmean(means)
            found["reward_kl/penalty"] = self.coef * fmean(divergences_N)
            self.observe(found["reward_kl/mean"], len(pairs))
        return penalised, found

    def observe(self, divergence: float, num_rollouts: int) -> None:
        """Move the coefficient after a step.

        Args:
            divergence: The step's, in nats a token.
            num_rollouts: What it is a mean of. More than a horizon count as one: with five, c
                would fall below 0.
        """
        if self.target == 0 or not math.isfinite(divergence):
            return
        error = min(max(divergence / self.target - 1, -LARGEST_ERROR), LARGEST_ERROR)
        self.coef *= 1 + error * min(num_rollouts / self.horizon, 1.0)

    def state(self) -> dict[str, float]:
        """What a resumed run needs."""
        return {"coef": self.coef}

    def restore(self, state: Mapping[str, float]) -> None:
        """Go on from `state()`: where the coefficient moves, from where it had come to."""
        if self.target != 0:
            self.coef = state["coef"]


def rollout_sums(
    sequences: Sequence[Sequence1],
    batches: Sequence[MicroBatch],
    of_tokens: Callable[[MicroBatch], Tensor],
    ranks: Ranks,
) -> list[float]:
    """Sums over each rollout's tokens of a number that is computed micro-batch by micro-batch.

    Args:
        sequences: All rollouts, the same on every rank; the result is in their order.
        batches: What this rank computes of them (azr.learner.dealing.deal).
        of_tokens: Of a micro-batch's completion tokens, [C]; may use collectives.
        ranks: All of them must call.
    """
    rows = {id(sequence): row for row, sequence in enumerate(sequences)}
    sums = torch.zeros(len(sequences), dtype=torch.float64)
    for batch in batches:
        values = of_tokens(batch)
        if not batch.is_filler:
            places = torch.tensor([rows[id(sequence)] for sequence in batch.sequences])
            sums.index_add_(0, places[batch.sequence_ids.cpu()], values.double().cpu())
    return ranks.sum(sums).tolist()
