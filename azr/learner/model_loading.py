"""Loads the models of a learner: the trained one with float32 weights, and the frozen reference.

With adapters only these are float32, and the reference is the same model without them. In a run of
several ranks all are sharded (azr.models.sharding).
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# (torch, transformers and vllm are typed in part)

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.utils.logging import disable_progress_bar

from azr.config.loss import LoraConfig
from azr.config.run import RunConfig
from azr.errors import CheckpointError, ConfigError, ModelError, one_line
from azr.learner.packed_model import PackedModel, loss_config_of
from azr.learner.packing import PACKED_ATTENTION
from azr.learner.working_model import WorkingModel, copy_in
from azr.models.checkpoint import is_adapter
from azr.models.lora.adapters import attach_adapters, fill_adapters
from azr.models.process_group import Ranks
from azr.models.sharding import broadcast_into, shard
from azr.seeds import derive_seed

__all__ = ["load_model", "load_pupil", "load_reference", "read_model"]

ATTENTIONS = ("full_attention", "sliding_attention")
"""Kinds of layers for which packed rows are exact. States that run on would cross rollouts."""


class Precisions(NamedTuple):
    """Precisions of a sharded model."""

    stored: torch.dtype
    """The precision in which each rank keeps its rows of what is trained."""
    computed: torch.dtype
    """The precision in which all are gathered for forward and backward, and frozen ones kept."""


class Adapters(NamedTuple):
    """Adapters to attach."""

    lora: LoraConfig
    seed: int
    model: str
    """The base's name, as the run has it."""
    folder: Path | None
    """A checkpoint's, which has their values; None: they are new."""

    def attach(self, model: Any, *, has_values: bool) -> None:
        """Attach them to a model in float32.

        Raises:
            ConfigError: The model cannot have them.
            CheckpointError: The folder's cannot be read, or are other adapters.
        """
        attach_adapters(model, self.lora, derive_seed(self.seed, "adapters"), self.model)
        if has_values and self.folder is not None:
            fill_adapters(model, self.folder)


def load_model(folder: Path, gradient_checkpointing: bool) -> Any:
    """Load the model with float32 weights and no dropout, ready for packed sequences.

    Raises:
        ModelError: It cannot be read, or has layers for which packing is not exact.
    """
    return made_packable(read_model(folder), folder, gradient_checkpointing)


def load_sharded(
    folder: Path,
    gradient_checkpointing: bool,
    ranks: Ranks,
    precisions: Precisions,
    adapters: Adapters | None = None,
) -> Any:
    """Do as `load_model` and shard the model over ranks; only the leader reads the weights.

    Raises:
        ModelError: As `load_model`, or the adapters cannot be had; on every rank.
    """
    source = None
    with ranks.together(ModelError), adapters_told_of():
        model = made_packable(empty_model(folder), folder, gradient_checkpointing)
        if adapters is not None:
            adapters.attach(model, has_values=False)
        if ranks.is_leader:
            source = read_model(folder)
            model.generation_config = source.generation_config
            if adapters is not None:
                adapters.attach(source, has_values=True)
    rounded(model, precisions)
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


@contextmanager
def adapters_told_of() -> Generator[None]:
    """Raise what is wrong with adapters as a `ModelError`, which all ranks raise together."""
    try:
        yield
    except (ConfigError, CheckpointError) as error:
        raise ModelError(str(error)) from error


def rounded(model: Any, precisions: Precisions) -> None:
    """Give the parameters their precisions; buffers stay as they are (`copy_in` says why)."""
    for parameter in model.parameters():
        kept = precisions.stored if parameter.requires_grad else precisions.computed
        parameter.data = parameter.data.to(kept)


def load_pupil(config: RunConfig, folder: Path, initial: Path, ranks: Ranks) -> WorkingModel:
    """Load the model in `folder` with float32 weights, and what computes forward and backward.

    In bfloat16, a rank that is alone computes with a copy; several ranks gather their rows in it.

    Args:
        config: The run.
        folder: The model, or a checkpoint's adapters of `initial`.
        initial: The model that the run started from.
        ranks: All of them must call.

    Raises:
        ConfigError, CheckpointError, ModelError: Model and adapters cannot be had.
    """
    base, adapters = adapters_of(config, folder, initial)
    checkpointing = config.model.gradient_checkpointing
    precisions = Precisions(torch.float32, dtype_of(config))
    if not ranks.is_alone:
        model = load_sharded(base, checkpointing, ranks, precisions, adapters)
        return WorkingModel(model, model)
    model = load_model(base, checkpointing)
    if adapters is not None:
        adapters.attach(model, has_values=True)
    rounded(model, precisions)
    model = model.to(ranks.device())
    is_exact = precisions.computed is torch.float32
    return WorkingModel(model, model if is_exact else copy_in(model, precisions.computed))


def adapters_of(config: RunConfig, folder: Path, initial: Path) -> tuple[Path, Adapters | None]:
    """Return the folder of the base, and the adapters that the run trains on it; None without.

    Raises:
        CheckpointError: `folder` has adapters and the run has none, or the other way round.
    """
    lora, has_values = config.lora, is_adapter(folder)
    if not lora.rank and not has_values:
        return folder, None
    if not lora.rank or (not has_values and folder != initial):
        holds = "adapters" if has_values else "all weights"
        raise CheckpointError(f"{folder} holds {holds}, and the run has lora.rank = {lora.rank}")
    values = folder if has_values else None
    return initial, Adapters(lora, config.seed, config.model.name, values)


def load_reference(config: RunConfig, folder: Path, ranks: Ranks) -> PackedModel:
    """Load the frozen model in `folder`, in the precision of forward and backward (model.dtype)."""
    dtype = dtype_of(config)
    if ranks.is_alone:
        model = load_model(folder, gradient_checkpointing=False)
        rounded(model, Precisions(dtype, dtype))
        model = model.to(ranks.device()).requires_grad_(False)
    else:
        model = load_sharded(folder, False, ranks, Precisions(dtype, dtype)).requires_grad_(False)
    return PackedModel(model, loss_config_of(config, model))


def dtype_of(config: RunConfig) -> torch.dtype:
    """Return the precision of forward and backward."""
    return torch.bfloat16 if config.model.dtype == "bfloat16" else torch.float32
