"""A head split over ranks: vocabulary shards that stay apart, FSDP2's that are gathered.

Vocabulary shards: every rank has the same tokens and some of the words. FSDP2: every rank has
its own tokens, and keeps some rows of the weight only to save memory.
"""

import importlib
from dataclasses import dataclass
from typing import Any, cast

import torch
import torch.distributed as dist
from torch import Tensor

from azr.learner.loss.engine import Statistics

__all__ = ["VocabShard", "gathered"]


@dataclass(frozen=True, slots=True, kw_only=True)
class VocabShard:
    """This rank's columns [start, start + V_local) of the vocabulary.

    Every rank calls with the same tokens and its own rows of the weight; weights' gradients are
    those of the own rows, hidden's gradient is the sum over ranks.
    """

    start: int
    """The first word of this rank's rows."""
    group: dist.ProcessGroup | None = None
    """The ranks that hold the other columns; None: all ranks."""

    def merged(self, part: Statistics) -> Statistics:
        """Combine the statistics of all shards: two collectives of 1 and 3 floats a token."""
        maximum = part.maximum.clone()
        self._reduce(maximum, dist.ReduceOp.MAX)
        shift = part.maximum - maximum
        scale = shift.exp()
        sums = torch.stack(
            [
                part.sum_exp * scale,
                # Where scale underflows the shard counts for nothing, also in x.
                torch.where(scale > 0, scale * (part.sum_exp_shifted + part.sum_exp * shift), 0),
                part.target_logit,
            ]
        )
        self._reduce(sums, dist.ReduceOp.SUM)
        return Statistics(
            maximum=maximum, sum_exp=sums[0], sum_exp_shifted=sums[1], target_logit=sums[2]
        )

    def summed(self, grad_hidden: Tensor) -> Tensor:
        """Add up what each rank's columns send back to the hidden states."""
        total = grad_hidden.float()
        self._reduce(total, dist.ReduceOp.SUM)
        return total

    def _reduce(self, values: Tensor, operation: dist.ReduceOp.RedOpType) -> None:
        cast(Any, dist).all_reduce(values, operation, group=self.group)  # untyped in torch


def gathered(name: str, tensor: Tensor, shard: VocabShard | None) -> Tensor:
    """Return a parameter of FSDP2 (a DTensor) whole, and any other tensor as it is.

    A collective: every rank must call, forward and backward. The gradients of the ranks, each from
    its own tokens, are summed and cut into the parameter's parts.

    Raises:
        TypeError: If a vocabulary shard is given too, whose rows are to be local.
    """
    if not hasattr(tensor, "full_tensor"):
        return tensor
    if shard is not None:
        raise TypeError(f"{name} is a DTensor, and shard needs local rows: pass {name}.to_local()")
    distributed: Any = importlib.import_module("torch.distributed.tensor")  # slow, and here loaded
    whole: Any = tensor
    return whole.full_tensor(grad_placements=[distributed.Partial()] * whole.device_mesh.ndim)
