"""What an engine does for the loss: two passes over the vocabulary, for a chunk of tokens.

With u = the head's logits, p = softmax(u), H = the entropy:

    forward:   m = max_v u_v,  s = sum_v e^(u_v - m),  x = sum_v e^(u_v - m) (u_v - m),  u_y
    backward:  dL/du_v = a (1[v = y] - p_v) - b p_v (log p_v + H)

All that a loss needs follows from the forward (`Statistics`), and all that it sends back fits into
a and b. An engine knows no loss.
"""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from azr.learner.loss.head import Head

__all__ = ["Gradients", "LossEngine", "Pass", "Statistics"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """Sums over the vocabulary, float32 [T] each."""

    maximum: Tensor
    """m: the largest logit."""
    sum_exp: Tensor
    """s, at least 1."""
    sum_exp_shifted: Tensor
    """x."""
    target_logit: Tensor
    """u_y."""

    def logprobs(self) -> Tensor:
        """Return the targets' log-probabilities [T]; the maximum cancels exactly."""
        return (self.target_logit - self.maximum) - self.sum_exp.log()

    def entropy(self) -> Tensor:
        """Return the entropies [T], in nats."""
        return self.sum_exp.log() - self.sum_exp_shifted / self.sum_exp

    @staticmethod
    def concatenated(parts: "list[Statistics]") -> "Statistics":
        """Join the statistics of consecutive chunks of tokens."""
        return Statistics(
            maximum=torch.cat([part.maximum for part in parts]),
            sum_exp=torch.cat([part.sum_exp for part in parts]),
            sum_exp_shifted=torch.cat([part.sum_exp_shifted for part in parts]),
            target_logit=torch.cat([part.target_logit for part in parts]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Gradients:
    """Which gradients are wanted."""

    hidden: bool
    weight: bool
    bias: bool

    def __bool__(self) -> bool:
        return self.hidden or self.weight or self.bias


class Pass(Protocol):
    """One call's work on one head: the gradients add up here, chunk after chunk."""

    max_rows: int
    """Largest number of tokens in a chunk; it bounds the memory for logits."""
    row_multiple: int
    """The rows of a chunk are padded to a multiple of this."""
    grad_hidden: Tensor | None
    """[T, H] in hidden's dtype or float32, complete after the backward of the last token; None if
    unwanted."""
    grad_weight: Tensor | None
    """[V, H] in weight's dtype or float32, likewise; summed over chunks in float32."""
    grad_bias: Tensor | None
    """[V] float32, likewise."""

    def forward(self, rows: slice, *, keep: bool) -> Statistics:
        """Compute the statistics of some tokens, and keep their logits for `backward` if asked."""
        ...

    def backward(
        self,
        rows: slice,  # those of the forward just before, which kept its logits
        statistics: Statistics,  # of the whole vocabulary
        a: Tensor,  # [rows] float32, dL/dlogprob
        b: Tensor | None,  # [rows] float32, dL/dentropy; None: 0
    ) -> None:
        """Add these tokens' gradients. Tokens with a = b = 0 cost nothing."""
        ...


class LossEngine(Protocol):
    """Opens passes. Stateless: safe to share between threads."""

    def open(
        self,
        head: Head,
        hidden: Tensor,  # [T, H]
        targets: Tensor,  # [T] int64, in [0, V)
        wants: Gradients,
    ) -> Pass:
        """Start work on the given tensors, which must not change until the pass is dropped."""
        ...
