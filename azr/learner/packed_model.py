"""A Hugging Face causal language model over packed micro-batches: states, head, log-probabilities.

The trained model and its frozen reference are both read this way, so that their log-probabilities
can be compared.
C completion tokens of a micro-batch, H features, V words.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# (torch, transformers and vllm are typed in part)

from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from azr.config.loss import LossConfig
from azr.config.run import RunConfig
from azr.errors import ConfigError
from azr.learner.loss import head_tensors, token_logprobs
from azr.learner.loss.head import gathered
from azr.learner.packing import MicroBatch
from azr.models.lora.adapters import without_adapters
from azr.models.sharding import last_states, reshard

__all__ = ["PackedModel", "loss_config_of"]

NEVER = -1e4
"""A logit whose probability is 0 in float32 and float64; of -inf engines would make 0 * inf."""


@dataclass(frozen=True, slots=True)
class PackedModel:
    """Forward passes of one model; its owner decides about the weights."""

    model: Any
    config: LossConfig
    """What happens to the logits: temperature, scale, softcap."""
    is_base: bool = False
    """Read the model as it is without its adapters; it is then only read, and never trained."""

    def config_of(self, batch: MicroBatch) -> LossConfig:
        """Return what happens to the logits of these rollouts, as it did in the sampler."""
        wanted = batch.sampling.temperature
        return self.config if wanted is None else self.config.changed(temperature=wanted)

    def hidden(self, batch: MicroBatch) -> Tensor:  # [C, H]
        """Return the states that predict completion tokens; the loss applies the head."""
        with without_adapters(self.model) if self.is_base else nullcontext():
            states = last_states(
                self.model,
                input_ids=batch.input_ids[None],
                position_ids=batch.positions[None],
                use_cache=False,
                trees=batch.trees,
            )
        return states[0, batch.rows]

    def head(self, batch: MicroBatch) -> tuple[Tensor, Tensor | None]:  # [V, H], [V]
        """Return the head's weight and bias; the bias rules out what the sampler dropped."""
        weight, bias = head_tensors(self.model.get_output_embeddings())
        dropped = batch.sampling.dropped
        if not dropped:
            return weight, bias
        ruled_out = torch.zeros(weight.shape[0], device=batch.targets.device)
        ruled_out[list(dropped)] = NEVER
        return weight, ruled_out if bias is None else gathered(bias) + ruled_out

    @torch.no_grad()
    def logprobs(self, batch: MicroBatch, hidden: Tensor | None = None) -> Tensor:  # [C]
        """Return each completion token's natural-log probability; compute `hidden` if not given."""
        is_over = hidden is None  # no backward follows that needs what is whole now
        hidden = self.hidden(batch) if hidden is None else hidden.detach()
        weight, bias = self.head(batch)
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
    """Return the run's loss, with the sampler's temperature and this model's scale and cap.

    Raises:
        ConfigError: Words are to be dropped, and the cap would bring them back.
    """
    text = model.config.get_text_config()
    softcap = getattr(text, "final_logit_softcapping", None) or 0.0
    if softcap and config.rollout.vocabulary_dropout:
        raise ConfigError(
            "rollout.vocabulary_dropout must be 0 with a model whose logits are capped, got"
            f" {config.rollout.vocabulary_dropout}: {config.model.name} caps them at {softcap}"
        )
    scale = getattr(text, "logit_scale", None) or 1.0
    divisor = getattr(text, "logits_scaling", None) or 1.0
    return LossConfig(**dict(config.loss)).changed(
        temperature=config.rollout.temperature,
        logit_scale=scale / divisor,
        softcap=softcap,
    )
