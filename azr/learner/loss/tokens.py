"""The tokens of one call that count, with their weights.

Masked tokens are dropped before anything is computed. So they cost nothing, and nothing in them,
not even a NaN, can reach the loss.
"""

from dataclasses import dataclass, replace
from typing import Any, cast

import torch
from torch import Tensor

from azr.config.loss import Aggregation, Importance, LossConfig

__all__ = ["Normalizer", "Tokens", "normalizer_of", "sequence_mean", "sequence_sum"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Normalizer:
    """The divisors of the sums: counts of the whole batch, over ranks and micro-batches."""

    num_tokens: float
    """Tokens that count."""
    num_sequences: float
    """Sequences with at least one token that counts."""

    def __add__(self, other: "Normalizer") -> "Normalizer":
        """Return the counts of two disjoint parts of a batch taken together."""
        return Normalizer(
            num_tokens=self.num_tokens + other.num_tokens,
            num_sequences=self.num_sequences + other.num_sequences,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """Aligned per-token values, [T] each."""

    targets: Tensor
    """int64."""
    old_logprobs: Tensor
    """Under the weights before the update."""
    advantages: Tensor
    ref_logprobs: Tensor | None = None
    """Under the frozen reference; None without one."""
    rollout_logprobs: Tensor | None = None
    """As the sampler computed them; None if they are not to be compared."""
    sequence_ids: Tensor | None = None
    """int64, which sequence a token is of; None if no formula needs to know."""

    def __len__(self) -> int:
        return self.targets.shape[0]

    def __getitem__(self, rows: slice | Tensor) -> "Tokens":
        """Return the tokens of the given rows."""
        return replace(
            self,
            targets=self.targets[rows],
            old_logprobs=self.old_logprobs[rows],
            advantages=self.advantages[rows],
            ref_logprobs=None if self.ref_logprobs is None else self.ref_logprobs[rows],
            rollout_logprobs=None if self.rollout_logprobs is None else self.rollout_logprobs[rows],
            sequence_ids=None if self.sequence_ids is None else self.sequence_ids[rows],
        )

    def sequence_index(self) -> tuple[Tensor, int]:
        """Return each token's sequence as an index from 0, and the number of sequences."""
        if self.sequence_ids is None:
            raise ValueError("sequence_ids must be given: this loss is defined over sequences")
        ids, index = _unique(self.sequence_ids)
        return index, ids.shape[0]

    def kept(self, config: LossConfig) -> Tensor:  # [T] bool
        """Return which tokens are left after sequences with too much mismatch are dropped."""
        if config.importance is not Importance.SEQUENCE_MASK:
            return torch.ones_like(self.targets, dtype=torch.bool)
        index, num = self.sequence_index()
        mean = sequence_mean(self.old_logprobs - _rollout(self), index, num)
        ratio = mean.exp()[index]
        return (ratio >= config.importance_low) & (ratio <= config.importance_high)

    def importance(self, config: LossConfig) -> Tensor:  # [T]
        """Return the factor that corrects each token's term for the program that sampled it.

        `tis`: truncated importance sampling, Yao et al. 2025, "Your efficient RL framework
        secretly brings you off-policy RL training". `icepop`: Ring-1T, arXiv:2510.18855.
        """
        if config.importance in (Importance.NONE, Importance.SEQUENCE_MASK):
            return torch.ones_like(self.old_logprobs)
        q = (self.old_logprobs - _rollout(self)).clamp(-20, 20).exp()
        if config.importance is Importance.TIS:
            return q.clamp(max=config.importance_high)
        inside = (q >= config.importance_low) & (q <= config.importance_high)
        return torch.where(inside, q, 0)

    def aggregation(self, config: LossConfig, normalizer: Normalizer) -> Tensor:  # [T]
        """Return k, the weight of each token's term in the sum.

        token_mean: DAPO, arXiv:2503.14476. seq_mean_token_mean: GRPO, arXiv:2402.03300.
        dr_grpo: Dr. GRPO, arXiv:2503.20783.
        """
        num_tokens = max(normalizer.num_tokens, 1.0)
        num_sequences = max(normalizer.num_sequences, 1.0)
        one = torch.ones_like(self.old_logprobs)
        if config.aggregation is Aggregation.TOKEN_MEAN:
            return one / num_tokens
        if config.aggregation is Aggregation.SEQ_MEAN_TOKEN_SUM:
            return one / num_sequences
        if config.aggregation is Aggregation.DR_GRPO:
            return one / (num_sequences * config.max_length)
        index, num = self.sequence_index()
        return one / (sequence_sum(one, index, num)[index] * num_sequences)


def _unique(values: Tensor) -> tuple[Tensor, Tensor]:
    return cast(Any, torch).unique(values, return_inverse=True)  # untyped in torch


def _rollout(tokens: Tokens) -> Tensor:
    if tokens.rollout_logprobs is None:
        raise ValueError("rollout_logprobs must be given: loss.importance corrects towards them")
    return tokens.rollout_logprobs


def sequence_sum(values: Tensor, index: Tensor, num: int) -> Tensor:
    """Sum values [T] over the sequences named by index [T]; returns [num]."""
    return values.new_zeros(num).index_add(0, index, values)


def sequence_mean(values: Tensor, index: Tensor, num: int) -> Tensor:
    """Average values [T] over the sequences named by index [T]; returns [num]."""
    return sequence_sum(values, index, num) / sequence_sum(torch.ones_like(values), index, num)


def normalizer_of(tokens: Tokens, config: LossConfig) -> Normalizer:
    """Count what the given tokens, all unmasked, add to the loss's denominators."""
    kept = tokens[tokens.kept(config)]
    counts_sequences = config.aggregation is not Aggregation.TOKEN_MEAN
    known = kept.sequence_ids is not None
    num_sequences = kept.sequence_index()[1] if counts_sequences or known else 0
    return Normalizer(num_tokens=float(len(kept)), num_sequences=float(num_sequences))
