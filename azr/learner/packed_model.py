"""A Hugging Face causal language model over packed micro-batches: states, head, log-probabilities.

The trained model and its frozen reference are both read this way, so that their log-probabilities
can be compared.
C completion tokens of a micro-batch, H features, V words.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# (torch, transformers and vllm are typed in part)

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from azr.config.loss import LossConfig
from azr.config.run import RunConfig
from azr.learner.loss import head_tensors, token_logprobs
from azr.learner.packing import MicroBatch
from azr.models.sharding import last_states, reshard

__all__ = ["PackedModel", "loss_config_of"]


@dataclass(frozen=True, slots=True)
class PackedModel:
    """Forward passes of one model; its owner decides about the weights."""

    model: Any
    config: LossConfig
    """What happens to the logits: temperature, scale, softcap."""

    def config_of(self, batch: MicroBatch) -> LossConfig:
        """Return what happens to the logits of these rollouts, as it did in the sampler."""
        wanted = batch.temperature
        return self.config if wanted is None else self.config.changed(temperature=wanted)

    def hidden(self, batch: MicroBatch) -> Tensor:  # [C, H]
        """Return the states that predict completion tokens; the loss applies the head."""
        states = last_states(
            self.model,
            input_ids=batch.input_ids[None],
            position_ids=batch.positions[None],
            use_cache=False,
            trees=batch.trees,
        )
        return states[0, batch.rows]

    def head(self) -> tuple[Tensor, Tensor | None]:  # [V, H], [V]
        """Return the head's weight and bias, in the precision of the hidden states."""
        return head_tensors(self.model.get_output_embeddings())

    @torch.no_grad()
    def logprobs(self, batch: MicroBatch, hidden: Tensor | None = None) -> Tensor:  # [C]
        """Return each completion token's natural-log probability; compute `hidden` if not given."""
        is_over = hidden is None  # no backward follows that needs what is whole now
        hidden = self.hidden(batch) if hidden is None else hidden.detach()
        weight, bias = self.head()
        logprobs, _ = token_logprobs(
            hidden,
            weight.detach(),
            batch.targets,
            bias=None if bias is None else bias.detach(),
            config=self.config_of(batch),
        )
        if is_over:
            reshard(self.model)
        return logprobs


def loss_config_of(config: RunConfig, model: Any) -> LossConfig:
    """Return the run's loss, with the sampler's temperature and this model's scale and cap."""
    text = model.config.get_text_config()
    scale = getattr(text, "logit_scale", None) or 1.0
    divisor = getattr(text, "logits_scaling", None) or 1.0
    return LossConfig(**dict(config.loss)).changed(
        temperature=config.rollout.temperature,
        logit_scale=scale / divisor,
        softcap=getattr(text, "final_logit_softcapping", None) or 0.0,
    )
