"""A Hugging Face causal language model over packed micro-batches: states, head, log-probabilities.

The pupil and its frozen reference are both read this way, so their log-probabilities compare.
C completion tokens of a micro-batch, H features, V words.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# (torch, transformers and vllm are typed in part)

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM
from transformers.utils.logging import disable_progress_bar

from azr.batch import PACKED_ATTENTION, MicroBatch
from azr.config import RunConfig
from azr.errors import ModelError
from azr.loss import head_tensors, token_logprobs
from azr.loss_config import LossConfig

__all__ = ["PackedModel", "load_model", "load_reference", "loss_config_of"]

ATTENTIONS = ("full_attention", "sliding_attention")
"""Kinds of layers that packed rows are exact for: states that run on would cross rollouts."""


@dataclass(frozen=True, slots=True)
class PackedModel:
    """Forward passes of one model; whose weights they are is its owner's business."""

    model: Any
    config: LossConfig
    """What is done to the logits: temperature, scale, softcap."""

    def hidden(self, batch: MicroBatch) -> Tensor:  # [C, H]
        """The states that predict completion tokens; the head is left to the loss."""
        output = self.model.base_model(
            input_ids=batch.input_ids[None],
            position_ids=batch.positions[None],
            use_cache=False,
            trees=batch.trees,
        )
        return output.last_hidden_state[0, batch.rows]

    def head(self) -> tuple[Tensor, Tensor | None]:  # [V, H], [V]
        """The head's weight and bias, in the precision of the hidden states."""
        return head_tensors(self.model.get_output_embeddings())

    @torch.no_grad()
    def logprobs(self, batch: MicroBatch, hidden: Tensor | None = None) -> Tensor:  # [C]
        """Natural-log probability of each completion token; computes `hidden` if not given."""
        hidden = self.hidden(batch) if hidden is None else hidden.detach()
        weight, bias = self.head()
        logprobs, _ = token_logprobs(
            hidden,
            weight.detach(),
            batch.targets,
            bias=None if bias is None else bias.detach(),
            config=self.config,
        )
        return logprobs


def load_model(folder: Path, gradient_checkpointing: bool) -> Any:
    """The model with float32 weights and no dropout, ready for packed sequences.

    Raises:
        ModelError: It cannot be read, or has layers that packing is not exact for.
    """
    disable_progress_bar()  # the run has its own display
    try:
        model: Any = AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32, attn_implementation=PACKED_ATTENTION
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise ModelError(f"{folder} cannot be read as a language model: {error}") from error
    kinds = set(getattr(model.config.get_text_config(), "layer_types", None) or ())
    if unknown := sorted(kinds - set(ATTENTIONS)):
        raise ModelError(
            f"{folder} has layers of the kind {', '.join(unknown)}: packed rollouts would not"
            f" stay apart; the learner knows {', '.join(ATTENTIONS)}"
        )
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        if hasattr(module, "attention_dropout"):
            cast(Any, module).attention_dropout = 0.0
    if gradient_checkpointing:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    return model.train()


def load_reference(config: RunConfig, folder: Path, device: torch.device) -> PackedModel:
    """The frozen model in `folder`, in the precision the pupil computes in (model.dtype)."""
    model = load_model(folder, gradient_checkpointing=False).requires_grad_(False)
    dtype = torch.bfloat16 if config.model.dtype == "bfloat16" else torch.float32
    return PackedModel(model.to(device, dtype), loss_config_of(config, model))


def loss_config_of(config: RunConfig, model: Any) -> LossConfig:
    """The run's loss with the sampler's temperature and what this model does to its logits."""
    text = model.config.get_text_config()
    scale = getattr(text, "logit_scale", None) or 1.0
    divisor = getattr(text, "logits_scaling", None) or 1.0
    return replace(
        config.loss,
        temperature=config.rollout.temperature,
        logit_scale=scale / divisor,
        softcap=getattr(text, "final_logit_softcapping", None) or 0.0,
    )
