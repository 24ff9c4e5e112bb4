"""Loads the models of a learner: the trained one with float32 weights, and the frozen reference.

In a run of several ranks both are sharded (azr.models.sharding).
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# (torch, transformers and vllm are typed in part)

from pathlib import Path
from typing import Any, NamedTuple, cast

import torch
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.utils.logging import disable_progress_bar

from azr.config.run import RunConfig
from azr.errors import ModelError, one_line
from azr.learner.packed_model import PackedModel, loss_config_of
from azr.learner.packing import PACKED_ATTENTION
from azr.learner.working_model import WorkingModel, copy_in
from azr.models.process_group import Ranks
from azr.models.sharding import broadcast_into, shard

__all__ = ["load_model", "load_pupil", "load_reference", "read_model"]

ATTENTIONS = ("full_attention", "sliding_attention")
"""Kinds of layers for which packed rows are exact. States that run on would cross rollouts."""


class Precisions(NamedTuple):
    """Precisions of a sharded model."""

    stored: torch.dtype
    """The precision in which each rank keeps its rows."""
    computed: torch.dtype
    """The precision in which they are gathered for forward and backward."""


def load_model(folder: Path, gradient_checkpointing: bool) -> Any:
    """Load the model with float32 weights and no dropout, ready for packed sequences.

    Raises:
        ModelError: It cannot be read, or has layers for which packing is not exact.
    """
    return made_packable(read_model(folder), folder, gradient_checkpointing)


def load_sharded(
    folder: Path, gradient_checkpointing: bool, ranks: Ranks, precisions: Precisions
) -> Any:
    """Do as `load_model` and shard the model over ranks; only the leader reads the weights.

    Raises:
        ModelError: As `load_model`, on every rank.
    """
    source = None
    with ranks.together(ModelError):
        model = made_packable(empty_model(folder), folder, gradient_checkpointing)
        if ranks.is_leader:
            source = read_model(folder)
            model.generation_config = source.generation_config
    model.to(precisions.stored)
    shard(model, ranks, precisions.computed)
    broadcast_into(model, source, ranks)
    return model


def read_model(folder: Path) -> Any:
    """Read the model on the host, in float32."""
    disable_progress_bar()  # the run has its own display
    try:
        return AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32, attn_implementation=PACKED_ATTENTION
        )
    except Exception as error:  # transformers and safetensors raise anything on damaged files
        raise ModelError(
            f"{folder} cannot be read as a language model: {one_line(error)}"
        ) from error


def empty_model(folder: Path) -> Any:
    """Make the model without values, on the meta device; its weights are not read."""
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


def made_packable(model: Any, folder: Path, gradient_checkpointing: bool) -> Any:
    """Switch dropout off; refuse a model in which packed rollouts would not stay apart."""
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


def load_pupil(config: RunConfig, folder: Path, ranks: Ranks) -> WorkingModel:
    """Load the model in `folder` with float32 weights, and what computes forward and backward.

    In bfloat16, a rank that is alone computes with a copy; several ranks gather their rows in it.
    """
    checkpointing = config.model.gradient_checkpointing
    dtype = dtype_of(config)
    if not ranks.is_alone:
        model = load_sharded(folder, checkpointing, ranks, Precisions(torch.float32, dtype))
        return WorkingModel(model, model)
    model = load_model(folder, checkpointing).to(ranks.device())
    return WorkingModel(model, model if dtype is torch.float32 else copy_in(model, dtype))


def load_reference(config: RunConfig, folder: Path, ranks: Ranks) -> PackedModel:
    """Load the frozen model in `folder`, in the precision of forward and backward (model.dtype)."""
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
    """Return the precision of forward and backward."""
    return torch.bfloat16 if config.model.dtype == "bfloat16" else torch.float32
