"""The input of one optimizer step, and the loss of a part of it.

C completion tokens of a micro-batch.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# (torch, transformers and vllm are typed in part)

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from azr.config.loss import LossConfig
from azr.learner.loss import Normalizer, policy_loss
from azr.learner.packed_model import PackedModel
from azr.learner.packing import MicroBatch

__all__ = ["MiniBatch", "ScoredBatch", "batch_loss"]


@dataclass(frozen=True, slots=True)
class ScoredBatch:
    """A micro-batch with the log-probabilities that are known before the first optimizer step."""

    batch: MicroBatch
    old: Tensor | None  # [C]
    """Under the weights before that step; None: take the current ones, which are the same."""
    ref: Tensor | None  # [C]
    """Under the frozen reference; None without one."""
    scope: str = ""
    """Whose entropy bonus it has: a stream's, where each has its own."""


@dataclass(frozen=True, slots=True)
class MiniBatch:
    """The input of one optimizer step."""

    scored: Sequence[ScoredBatch]
    whole: Normalizer
    """Counts of all its rollouts, including those that are not computed."""


def batch_loss(
    pupil: PackedModel, scored: ScoredBatch, normalizer: Normalizer, config: LossConfig
) -> tuple[Tensor, dict[str, Tensor]]:
    """Return one micro-batch's part of the loss, to be added up, and its metrics' sums."""
    batch = scored.batch
    hidden = pupil.hidden(batch)
    weight, bias = pupil.head(batch)
    # before the first step the weights are the old ones: the ratio is exactly 1
    old = pupil.logprobs(batch, hidden) if scored.old is None else scored.old
    mask = torch.full_like(batch.targets, not batch.is_filler, dtype=torch.bool)
    loss, metrics = policy_loss(
        hidden,
        weight,
        batch.targets,
        old,
        batch.advantages,
        mask,
        ref_logprobs=scored.ref,
        rollout_logprobs=batch.rollout_logprobs,
        sequence_ids=batch.sequence_ids,
        bias=bias,
        normalizer=normalizer,
        config=config,
    )
    difference = (old - batch.rollout_logprobs)[mask]
    metrics["mismatch_kl_sum"] = (difference.exp() - 1 - difference).sum()
    return loss, metrics
