"""From hidden states to log-probabilities: the definition to which every engine is held.

T tokens of a packed batch, H features, V words of the vocabulary.
"""

import importlib
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from azr.config.loss import LossConfig

__all__ = ["Head", "gathered", "head_tensors", "log_softmax_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The last layer of a language model, and what is done to its logits."""

    weight: Tensor
    """[V, H], possibly shared with the embedding."""
    bias: Tensor | None = None
    """[V]; None without one."""
    temperature: float = 1.0
    """Divides the logits, last."""
    logit_scale: float = 1.0
    """Multiplies hidden @ weight.T + bias."""
    softcap: float = 0.0
    """Logits become softcap tanh(logit / softcap) before the temperature; 0: no cap."""

    @classmethod
    def of(cls, weight: Tensor, bias: Tensor | None, config: LossConfig) -> "Head":
        """Return the head that a configuration describes."""
        return cls(
            weight=weight,
            bias=bias,
            temperature=config.temperature,
            logit_scale=config.logit_scale,
            softcap=config.softcap,
        )

    def logits(
        self,
        hidden: Tensor,  # [T, H]
    ) -> Tensor:  # [T, V], float32 (float64 if hidden or weight is)
        """Return the logits, computed and kept in at least float32.

        In bfloat16 a log-probability would be off by up to 5e-2, and the ratio by 5 %.
        """
        exact = torch.promote_types(
            torch.promote_types(hidden.dtype, self.weight.dtype), torch.float32
        )
        logits = hidden.to(exact) @ self.weight.to(exact).T
        if self.bias is not None:
            logits = logits + self.bias.to(exact)
        if self.logit_scale != 1:
            logits = logits * self.logit_scale
        if self.softcap > 0:
            logits = self.softcap * torch.tanh(logits / self.softcap)
        return logits / self.temperature if self.temperature != 1 else logits

    def logprobs_and_entropy(
        self,
        hidden: Tensor,  # [T, H]
        targets: Tensor,  # [T] int64
    ) -> tuple[Tensor, Tensor]:  # [T], [T]
        """Return each target's log-probability and each distribution's entropy, in nats."""
        log_p = log_softmax_of(self.logits(hidden))
        logprobs = log_p.gather(1, targets[:, None])[:, 0]
        # A word of probability 0 (a bias of -inf) adds 0 to the entropy, not 0 * -inf.
        entropy = -(log_p.exp() * log_p.clamp(min=-1e4)).sum(-1)
        return logprobs, entropy


def log_softmax_of(logits: Tensor) -> Tensor:
    """Return log softmax over the vocabulary."""
    return torch.log_softmax(logits, dim=-1)


def head_tensors(module: nn.Module) -> tuple[Tensor, Tensor | None]:
    """Return (weight, bias) of a language-model head, ready for the fused loss.

    Raises:
        TypeError: If the module computes more than hidden @ weight.T + bias, for instance under
            an adapter (LoRA), whose own weights would silently get no gradient.
    """
    if any(hasattr(module, name) for name in ("base_layer", "lora_A", "lora_embedding_A")):
        raise TypeError(
            f"the head is a {type(module).__name__} with an adapter, whose weights the fused loss "
            "would not train: merge the adapter, or leave the head out of its target_modules"
        )
    weight = getattr(module, "weight", None)
    if not isinstance(weight, Tensor) or weight.ndim != 2:
        raise TypeError(
            f"the head must have a weight of shape [V, H], which {type(module).__name__} has not"
        )
    bias = getattr(module, "bias", None)
    return weight, bias if isinstance(bias, Tensor) else None


def gathered(tensor: Tensor) -> Tensor:
    """Return a parameter of FSDP2 (a DTensor) whole, and any other tensor as it is.

    This is a collective: every rank must call, in forward and backward. The ranks' gradients, each
    from its own tokens, are summed and cut into the parameter's parts.
    """
    if not hasattr(tensor, "full_tensor"):
        return tensor
    distributed: Any = importlib.import_module("torch.distributed.tensor")  # slow, and here loaded
    whole: Any = tensor
    return whole.full_tensor(grad_placements=[distributed.Partial()] * whole.device_mesh.ndim)
