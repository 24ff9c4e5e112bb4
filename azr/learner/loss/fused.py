"""The loss without its logits: how an engine's passes become a differentiable function.

There are two ways, depending on a token's gradient:

* one pass (6 T H V operations): a and b of a token follow from its own log-probability, so the
  forward makes the gradients chunk by chunk, from logits that it still has;
* two passes (8 T H V): log-probabilities of all tokens first, then any loss in plain torch, then
  the logits again. GSPO needs this, and so may a loss of your own.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from azr.learner.loss.engine import Gradients, LossEngine, Pass, Statistics
from azr.learner.loss.formulas import Objective
from azr.learner.loss.head import Head

__all__ = ["Problem", "one_pass", "two_pass", "without_gradient"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """The tensors of one call and the engine to work on them."""

    engine: LossEngine
    head: Head
    hidden: Tensor
    """[T, H]."""
    targets: Tensor
    """[T] int64."""

    def open(self, wants: Gradients) -> Pass:
        """Start a pass over tensors cut off from the graph."""
        return self.engine.open(self.head, self.hidden.detach(), self.targets, wants)

    def gradients(self, work: Pass) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        """Return the gradients of hidden, weight and bias in their dtypes: one rounding each."""
        return (
            _cast(work.grad_hidden, self.hidden),
            _cast(work.grad_weight, self.head.weight),
            _cast(work.grad_bias, self.head.bias),
        )


def _cast(grad: Tensor | None, like: Tensor | None) -> Tensor | None:
    return grad if grad is None or like is None else grad.to(like.dtype)


def _chunks(num_rows: int, work: Pass) -> Iterator[slice]:
    """Cut into chunks of nearly equal size: a short last one would waste its weight traffic."""
    count = -(-num_rows // work.max_rows)
    size = -(-num_rows // max(count, 1) // work.row_multiple) * work.row_multiple
    for first in range(0, num_rows, max(size, 1)):
        yield slice(first, min(first + size, num_rows))


def _wants(ctx: Any) -> Gradients:
    hidden, weight, bias = ctx.needs_input_grad[:3]
    return Gradients(hidden=hidden, weight=weight, bias=bias)


def without_gradient(problem: Problem) -> Statistics:
    """Return the statistics of every token."""
    work = problem.open(Gradients(hidden=False, weight=False, bias=False))
    parts = [work.forward(rows, keep=False) for rows in _chunks(len(problem.targets), work)]
    if not parts:
        nothing = problem.hidden.new_zeros(0, dtype=torch.float32)
        return Statistics(
            maximum=nothing, sum_exp=nothing, sum_exp_shifted=nothing, target_logit=nothing
        )
    return Statistics.concatenated(parts)


class _OnePass(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        _weight: Tensor,
        _bias: Tensor | None,
        problem: Problem,
        objective: Objective,
    ) -> tuple[Tensor, Tensor, Tensor]:
        wants = _wants(ctx)
        if not wants:
            statistics = without_gradient(problem)
        else:
            work = problem.open(wants)
            parts: list[Statistics] = []
            for rows in _chunks(hidden.shape[0], work):
                part = work.forward(rows, keep=True)
                a, b = objective[rows].coefficients(part.logprobs(), part.entropy())
                work.backward(rows, part, a, b)
                parts.append(part)
            statistics = Statistics.concatenated(parts)
            ctx.gradients = problem.gradients(work)
        logprobs, entropy = statistics.logprobs(), statistics.entropy()
        ctx.mark_non_differentiable(logprobs, entropy)
        ctx.set_materialize_grads(False)
        return objective.loss(logprobs, entropy), logprobs, entropy

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        if ctx.gradients is None:
            raise RuntimeError("policy_loss keeps its gradients for one backward: call it again")
        # Let go of them, so that autograd may adopt the buffers instead of copying [V, H].
        gradients, ctx.gradients = ctx.gradients, None
        grad_loss: Tensor | None = grad_outputs[0]
        if grad_loss is None:
            return (None,) * 5
        if grad_loss.item() != 1:
            gradients = [None if grad is None else grad.mul_(grad_loss) for grad in gradients]
        return (*gradients, None, None)


class _TwoPass(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor | None, problem: Problem
    ) -> tuple[Tensor, Tensor]:
        statistics = without_gradient(problem)
        ctx.save_for_backward(hidden, weight, bias)
        ctx.problem = problem
        return statistics.logprobs(), statistics.entropy()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        a, b = grad_outputs
        _ = ctx.saved_tensors  # raises if one of them was changed in place since the forward
        problem: Problem = ctx.problem
        work = problem.open(_wants(ctx))
        entropy_matters = bool(b.any())
        for rows in _chunks(len(problem.targets), work):
            part = work.forward(rows, keep=True)
            work.backward(rows, part, a[rows], b[rows] if entropy_matters else None)
        return (*problem.gradients(work), None)


def one_pass(problem: Problem, objective: Objective) -> tuple[Tensor, Tensor, Tensor]:
    """Return (loss, logprobs [T], entropy [T]); only the loss is differentiable."""
    head = problem.head
    return cast(Any, _OnePass).apply(problem.hidden, head.weight, head.bias, problem, objective)


def two_pass(problem: Problem) -> tuple[Tensor, Tensor]:
    """Return (logprobs [T], entropy [T]), both differentiable."""
    head = problem.head
    return cast(Any, _TwoPass).apply(problem.hidden, head.weight, head.bias, problem)
