"""A Hugging Face causal language model over packed micro-batches: states, head, log-probabilities.

The pupil and its frozen reference are both read this way, so their log-probabilities compare.
C completion tokens of a micro-batch, H features, V words.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# (torch, transformers and vllm are typed in part)

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.utils.logging import disable_progress_bar

from azr.config.loss import LossConfig
from azr.config.run import RunConfig
from azr.errors import ModelError, one_line
from azr.learner.loss import Normalizer, head_tensors, policy_loss, token_logprobs
from azr.learner.packing import PACKED_ATTENTION, MicroBatch
from azr.models.process_group import Ranks
from azr.models.sharding import broadcast_into, last_states, reshard, shard

__all__ = [
    "MiniBatch",
    "PackedModel",
    "Passage",
    "collect_gradients",
    "load_model",
    "load_pupil",
    "load_reference",
    "loss_config_of",
    "passage_loss",
    "refresh",
]

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
        states = last_states(
            self.model,
            input_ids=batch.input_ids[None],
            position_ids=batch.positions[None],
            use_cache=False,
            trees=batch.trees,
        )
        return states[0, batch.rows]

    def head(self) -> tuple[Tensor, Tensor | None]:  # [V, H], [V]
        """The head's weight and bias, in the precision of the hidden states."""
        return head_tensors(self.model.get_output_embeddings())

    @torch.no_grad()
    def logprobs(self, batch: MicroBatch, hidden: Tensor | None = None) -> Tensor:  # [C]
        """Natural-log probability of each completion token; computes `hidden` if not given."""
        is_over = hidden is None  # no backward follows that needs what is whole now
        hidden = self.hidden(batch) if hidden is None else hidden.detach()
        weight, bias = self.head()
        logprobs, _ = token_logprobs(
            hidden,
            weight.detach(),
            batch.targets,
            bias=None if bias is None else bias.detach(),
            config=self.config,
        )
        if is_over:
            reshard(self.model)
        return logprobs


@dataclass(frozen=True, slots=True)
class Passage:
    """A micro-batch with what is known of it before the first optimizer step."""

    batch: MicroBatch
    old: Tensor | None  # [C]
    """Log-probabilities under those weights; None: take the current ones, which are the same."""
    ref: Tensor | None  # [C]
    """Under the frozen reference; None without one."""


@dataclass(frozen=True, slots=True)
class MiniBatch:
    """What one optimizer step is computed from."""

    passages: Sequence[Passage]
    whole: Normalizer
    """Counts of all its rollouts, those that are not computed included."""


def passage_loss(
    pupil: PackedModel, passage: Passage, normalizer: Normalizer, config: LossConfig
) -> tuple[Tensor, dict[str, Tensor]]:
    """One micro-batch's part of the loss, to be added up, and its metrics' sums."""
    batch = passage.batch
    hidden = pupil.hidden(batch)
    weight, bias = pupil.head()
    # before the first step the weights are the old ones: the ratio is exactly 1
    old = pupil.logprobs(batch, hidden) if passage.old is None else passage.old
    mask = torch.full_like(batch.targets, not batch.is_filler, dtype=torch.bool)
    loss, metrics = policy_loss(
        hidden,
        weight,
        batch.targets,
        old,
        batch.advantages,
        mask,
        ref_logprobs=passage.ref,
        rollout_logprobs=batch.rollout_logprobs,
        sequence_ids=batch.sequence_ids,
        bias=bias,
        normalizer=normalizer,
        config=config,
    )
    difference = (old - batch.rollout_logprobs)[mask]
    metrics["mismatch_kl_sum"] = (difference.exp() - 1 - difference).sum()
    return loss, metrics


class Precisions(NamedTuple):
    """Of a sharded model."""

    stored: torch.dtype
    """What each rank keeps its rows in."""
    computed: torch.dtype
    """What they are gathered in for forward and backward."""


def load_model(folder: Path, gradient_checkpointing: bool) -> Any:
    """The model with float32 weights and no dropout, ready for packed sequences.

    Raises:
        ModelError: It cannot be read, or has layers that packing is not exact for.
    """
    return prepared(read_model(folder), folder, gradient_checkpointing)


def load_sharded(
    folder: Path, gradient_checkpointing: bool, ranks: Ranks, precisions: Precisions
) -> Any:
    """`load_model`, cut over ranks (azr.models.sharding): the leader alone reads the weights.

    Raises:
        ModelError: As `load_model`, on every rank.
    """
    source = None
    with ranks.together(ModelError):
        model = prepared(outline(folder), folder, gradient_checkpointing)
        if ranks.is_leader:
            source = read_model(folder)
            model.generation_config = source.generation_config
    model.to(precisions.stored)
    shard(model, ranks, precisions.computed)
    broadcast_into(model, source, ranks)
    return model


def read_model(folder: Path) -> Any:
    """The model on the host, in float32."""
    disable_progress_bar()  # the run has its own display
    try:
        return AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32, attn_implementation=PACKED_ATTENTION
        )
    except Exception as error:  # transformers and safetensors raise anything on damaged files
        raise ModelError(
            f"{folder} cannot be read as a language model: {one_line(error)}"
        ) from error


def outline(folder: Path) -> Any:
    """The model without values, on the meta device: its weights are not read."""
    try:
        config = AutoConfig.from_pretrained(folder)
        with torch.device("meta"):
            return AutoModelForCausalLM.from_config(
                config, dtype=torch.float32, attn_implementation=PACKED_ATTENTION
            )
    except Exception as error:  # transformers and safetensors raise anything on damaged files
        raise ModelError(
            f"{folder} cannot be read as a language model: {one_line(error)}"
        ) from error


def prepared(model: Any, folder: Path, gradient_checkpointing: bool) -> Any:
    """Without dropout; refused if packed rollouts would not stay apart in it."""
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


def load_pupil(config: RunConfig, folder: Path, ranks: Ranks) -> tuple[Any, Any]:
    """The model in `folder` with float32 weights, and what computes forward and backward.

    In bfloat16 a rank by itself computes with a copy; several gather their rows in it.
    """
    checkpointing = config.model.gradient_checkpointing
    dtype = dtype_of(config)
    if not ranks.is_alone:
        model = load_sharded(folder, checkpointing, ranks, Precisions(torch.float32, dtype))
        return model, model
    model = load_model(folder, checkpointing).to(ranks.device())
    return model, model if dtype is torch.float32 else copy_in(model, dtype)


def copy_in(model: Any, dtype: torch.dtype) -> Any:
    """A deep copy with parameters in `dtype`, made one by one: no float32 twin in between.

    Buffers stay as they are, as when a model is loaded in `dtype`: rotary frequencies rounded to
    bfloat16 turn a token at place 1500 by up to 2 radians too much or too little.
    """
    made: dict[int, Any] = {
        id(value): nn.Parameter(value.detach().to(dtype), value.requires_grad)
        for value in model.parameters()
    }
    return copy.deepcopy(model, made)


@torch.no_grad()
def refresh(copied: nn.Module, master: nn.Module) -> None:
    """Give a copy the master's weights."""
    for mine, value in zip(copied.parameters(), master.parameters(), strict=True):
        mine.copy_(value)


@torch.no_grad()
def collect_gradients(copied: nn.Module, master: nn.Module) -> None:
    """Add a copy's gradients to the master's, in float32, and clear them.

    Adding them up in bfloat16 would lose small ones beside large sums.
    """
    for mine, value in zip(copied.parameters(), master.parameters(), strict=True):
        if mine.grad is None:
            continue
        if value.grad is None:
            value.grad = mine.grad.float()
        else:
            value.grad += mine.grad
        mine.grad = None


def load_reference(config: RunConfig, folder: Path, ranks: Ranks) -> PackedModel:
    """The frozen model in `folder`, in the precision the pupil computes in (model.dtype)."""
    dtype = dtype_of(config)
    if ranks.is_alone:
        model = load_model(folder, gradient_checkpointing=False).requires_grad_(False)
        for parameter in model.parameters():
            parameter.data = parameter.data.to(dtype)
        model = model.to(ranks.device())
    else:
        model = load_sharded(folder, False, ranks, Precisions(dtype, dtype)).requires_grad_(False)
    return PackedModel(model, loss_config_of(config, model))


def dtype_of(config: RunConfig) -> torch.dtype:
    """What forward and backward compute in."""
    return torch.bfloat16 if config.model.dtype == "bfloat16" else torch.float32


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
