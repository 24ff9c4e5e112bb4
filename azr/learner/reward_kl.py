"""Lowers a rollout's reward by its divergence from the model the run started from.

    reward - c sum_t kl_t,    before rewards are compared (azr.game.rewards.advantages)

kl_t estimates KL(policy, reference) from the sampled token (azr.learner.loss.formulas). The learner
computes both sides with one program, so a policy that has not moved pays exactly nothing. With the
engine's log-probabilities, its different rounding would be scaled up to advantages. c is constant,
or moves as in Ziegler et al. 2019 (arXiv 1909.08593, section 2.2):

    e = clip(KL / target - 1, -0.2, 0.2),    c <- c (1 + K e),    K = rollouts / horizon

This is verl's apply_kl_penalty, with its KL: nats per token, each rollout's mean, and the mean of
these. verl subtracts kl_t token by token. Here, as in verl's GRPO and RLOO, a rollout's whole sum
counts for each token.
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
    """The penalty. Its state depends on the divergences it has seen; checkpoints hold it."""

    kind: Kl
    coef: float
    """c, in reward per nat; never negative."""
    target: float
    """Nats per token; 0 = c is constant."""
    horizon: float
    """Rollouts."""

    @classmethod
    def of(cls, config: RunConfig) -> "RewardKl | None":
        """Start at the run's own coefficient; None without a penalty, or if nothing is learned."""
        rewards = config.rewards
        if rewards.kl == "none" or config.learner.lr == 0:
            return None
        return cls(Kl(rewards.kl), rewards.kl_coef, rewards.kl_target, rewards.kl_horizon)

    def of_tokens(self, logprobs: Tensor, ref_logprobs: Tensor) -> Tensor:
        """Return the estimate for each token, in nats."""
        return kl_penalty(logprobs, ref_logprobs, self.kind)

    def taken_off(
        self, experiences_N: Sequence[Experience], divergences_N: Sequence[float]
    ) -> tuple[list[Experience], dict[str, float]]:
        """Return the step with penalised rewards, and statistics; then move the coefficient.

        Args:
            experiences_N: The experiences of one step.
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
            divergence: The step's divergence, in nats per token.
            num_rollouts: How many rollouts it is the mean of. More than a horizon count as one
                horizon; with five of them, c would fall below 0.
        """
        if self.target == 0 or not math.isfinite(divergence):
            return
        error = min(max(divergence / self.target - 1, -LARGEST_ERROR), LARGEST_ERROR)
        self.coef *= 1 + error * min(num_rollouts / self.horizon, 1.0)

    def state(self) -> dict[str, float]:
        """Return what a resumed run needs."""
        return {"coef": self.coef}

    def restore(self, state: Mapping[str, float]) -> None:
        """Continue from `state()`; a coefficient that moves continues from where it was."""
        if self.target != 0:
            self.coef = state["coef"]


def rollout_sums(
    sequences: Sequence[Sequence1],
    batches: Sequence[MicroBatch],
    of_tokens: Callable[[MicroBatch], Tensor],
    ranks: Ranks,
) -> list[float]:
    """Sum over each rollout's tokens a number that is computed micro-batch by micro-batch.

    Args:
        sequences: All rollouts, the same on every rank; the result is in their order.
        batches: The micro-batches that this rank computes (azr.learner.dealing.deal).
        of_tokens: Returns the number for each completion token of a micro-batch, [C]; may use
            collectives.
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
