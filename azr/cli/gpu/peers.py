"""The policy loss and what one would use instead of it: the same PPO, forward and both gradients.

`bench/bench_policy_loss.py` measures these on a CPU, `azr doctor --gpu` on a GPU.
T tokens, H features, V words.
"""

# pyright: basic
# Half of torch.Tensor's methods have no types.

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from azr.config.loss import LossConfig
from azr.learner.loss import policy_loss

__all__ = [
    "CHUNK",
    "Batch",
    "Peer",
    "checkpointed",
    "eager",
    "exact",
    "exact_logprobs",
    "liger",
    "liger_scaled",
    "ours",
    "products",
]

CLIP = (0.2, 0.28)
CHUNK = 512
SEQUENCE = 128
"""Tokens of a sequence, which share an advantage: Liger takes one for each sequence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One call's inputs; hidden and weight are leaves."""

    hidden: Tensor
    weight: Tensor
    targets: Tensor
    old_logprobs: Tensor
    advantages: Tensor

    @classmethod
    def random(
        cls, T: int, H: int, V: int, dtype: torch.dtype, device: str | torch.device = "cpu"
    ) -> "Batch":
        """Draw logits of standard deviation 4, and old log-probabilities near the true ones."""
        torch.manual_seed(0)
        hidden = torch.randn(T, H, device=device).to(dtype)
        weight = (torch.randn(V, H, device=device) * 4 / H**0.5).to(dtype)
        targets = torch.randint(0, V, (T,), device=device)
        with torch.no_grad():  # in chunks: all logits at once may be more than a GPU holds
            pieces = zip(hidden.split(CHUNK), targets.split(CHUNK), strict=True)
            old = torch.cat([logprobs(states, weight, words) for states, words in pieces])
            old += 0.1 * torch.randn(T, device=device)
        advantages = torch.randn(-(-T // SEQUENCE), device=device)
        return cls(
            hidden=hidden.requires_grad_(),
            weight=weight.requires_grad_(),
            targets=targets,
            old_logprobs=old,
            advantages=advantages.repeat_interleave(SEQUENCE)[:T],
        )


Peer = Callable[[Batch], Tensor]
"""Computes the loss; its backward gives both gradients."""


def logprobs(hidden: Tensor, weight: Tensor, targets: Tensor) -> Tensor:
    """Of bfloat16 inputs the logits are rounded to it."""
    logits = (hidden @ weight.T).float()
    return logits.log_softmax(-1).gather(1, targets[:, None])[:, 0]


def exact_logprobs(hidden: Tensor, weight: Tensor, targets: Tensor) -> Tensor:
    """With float32 logits."""
    return logprobs(hidden.float(), weight.float(), targets)


def _ppo(logprobs: Tensor, old: Tensor, advantages: Tensor) -> Tensor:
    ratio = (logprobs - old).exp()
    held = ratio.clamp(1 - CLIP[0], 1 + CLIP[1])
    return -torch.minimum(ratio * advantages, held * advantages)


def ours(batch: Batch) -> Tensor:
    """azr.learner.loss.policy_loss."""
    mask = torch.ones_like(batch.targets, dtype=torch.bool)
    config = LossConfig(clip_low=CLIP[0], clip_high=CLIP[1])
    return policy_loss(
        batch.hidden,
        batch.weight,
        batch.targets,
        batch.old_logprobs,
        batch.advantages,
        mask,
        config=config,
    )[0]


def eager(batch: Batch) -> Tensor:
    """Plain torch with all logits in memory; of bfloat16 inputs the logits are rounded to it."""
    found = logprobs(batch.hidden, batch.weight, batch.targets)
    return _ppo(found, batch.old_logprobs, batch.advantages).mean()


def exact(batch: Batch) -> Tensor:
    """Plain torch with float32 logits, which is what azr.learner.loss computes."""
    found = exact_logprobs(batch.hidden, batch.weight, batch.targets)
    return _ppo(found, batch.old_logprobs, batch.advantages).mean()


def checkpointed(batch: Batch, logprobs_of: Any = logprobs) -> Tensor:
    """Chunks of tokens whose logits the backward makes anew, as TRL and others do."""
    parts: list[Tensor] = []
    for rows in torch.arange(len(batch.targets)).split(CHUNK):
        chunk: Any = checkpoint(
            logprobs_of, batch.hidden[rows], batch.weight, batch.targets[rows], use_reentrant=False
        )
        parts.append(chunk)
    return _ppo(torch.cat(parts), batch.old_logprobs, batch.advantages).mean()


def liger(*, compiled: bool) -> Peer:
    """Liger's fused linear GRPO; its compilation fails on some CPUs.

    Raises:
        ImportError: It is not installed.
    """
    module: Any = importlib.import_module("liger_kernel.chunked_loss")
    function = module.LigerFusedLinearGRPOLoss(
        beta=0.0, compiled=compiled, use_ref_model=False, epsilon_low=CLIP[0], epsilon_high=CLIP[1]
    )

    def run(batch: Batch) -> Tensor:
        shape = (-1, SEQUENCE)
        targets = batch.targets.view(shape)
        return function(
            batch.hidden.view(*shape, batch.hidden.shape[1]),
            batch.weight,
            targets,
            torch.ones_like(targets),
            batch.advantages[::SEQUENCE],
            old_per_token_logps=batch.old_logprobs.view(shape),
        )[0]

    return run


def liger_scaled() -> Peer:
    """Liger's fused linear scaled cross entropy, which gives log-probability and entropy by token.

    Raises:
        ImportError: It is not installed, or older than 0.8.2.
    """
    module: Any = importlib.import_module("liger_kernel.ops.fused_linear_scaled_cross_entropy")
    try:
        function = module.LigerFusedLinearScaledCrossEntropyFunction.apply
    except AttributeError as error:
        raise ImportError("this Liger has no fused linear scaled cross entropy") from error

    def run(batch: Batch) -> Tensor:
        nll, _ = function(batch.hidden, batch.weight, batch.targets, 1.0, -100, 1, True)
        return _ppo(-nll, batch.old_logprobs, batch.advantages).mean()

    return run


def products(batch: Batch, chunk: int = CHUNK) -> None:
    """Only the three matrix products, by torch, in chunks; results rounded to the inputs' dtype."""
    hidden, weight = batch.hidden.detach(), batch.weight.detach()
    for states in hidden.split(chunk):
        logits = states @ weight.T
        torch.mm(logits, weight)
        torch.mm(logits.T, states)
