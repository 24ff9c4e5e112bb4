"""LoRA adapters inside a Hugging Face model (PEFT's layers): attached, read around, saved, merged.

The model keeps its class and its own names. An adapted linear layer `X` holds the frozen weight as
`X.base_layer.weight`, and A and B as `X.lora_A.default.weight` and `X.lora_B.default.weight`.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# (torch, transformers and peft are typed in part)

from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from azr.config.loss import ALL_LINEAR, LoraConfig
from azr.errors import CheckpointError, ConfigError, one_line
from azr.models.checkpoint import ADAPTER
from azr.models.sharding import whole

__all__ = [
    "attach_adapters",
    "fill_adapters",
    "has_adapters",
    "load_peft",
    "merged_weight",
    "plain_parameters",
    "save_adapters",
    "without_adapters",
]

WEIGHTS = "adapter_model.safetensors"
"""PEFT's name of the file."""
NAME = "default"
"""PEFT's name for an adapter that is alone."""
PREFIX = "base_model.model."
"""What PEFT's own model adds to the names of the model within."""


def load_peft(why: str) -> Any:
    """Return the library.

    Raises:
        ConfigError: It is not installed; `why` is what wants it.
    """
    try:
        import peft  # noqa: PLC0415 - an extra's, and slow to load
    except ImportError as error:
        raise ConfigError(
            f"{why} wants PEFT, which is not installed: pip install 'azr[lora]' ({error})"
        ) from error
    return peft


def attach_adapters(model: Any, lora: LoraConfig, seed: int, name: str) -> None:
    """Give a model new adapters, which change nothing yet (B is 0), and freeze all other weights.

    Args:
        model: A Hugging Face language model in float32, with values or without (meta device).
        lora: Which adapters.
        seed: Of A's values.
        name: What the model is called in errors and in the adapter's own configuration.

    Raises:
        ConfigError: The model cannot have these adapters.
    """
    peft = load_peft(f"lora.rank = {lora.rank}")
    head = model.get_output_embeddings()
    linears = {
        path: (module.in_features, module.out_features)
        for path, module in model.named_modules()
        if isinstance(module, nn.Linear) and module is not head
    }
    lora.check(name, linears)
    adapted = sorted(filter(lora.adapts, linears))
    wanted = peft.LoraConfig(
        r=lora.rank, lora_alpha=lora.alpha, target_modules=adapted, task_type="CAUSAL_LM"
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        peft.inject_adapter_in_model(wanted, model, NAME)
    wanted.base_model_name_or_path = name
    last = {path.rpartition(".")[2] for path in adapted}
    wanted.target_modules = sorted(last if ALL_LINEAR in lora.targets else set(lora.targets))


def has_adapters(model: Any) -> bool:
    """Whether adapters were attached to the model."""
    return hasattr(model, "peft_config")


def plain_parameters(model: nn.Module) -> Iterator[tuple[str, Tensor, Any]]:
    """Yield the parameters that the model has without adapters, by their names there.

    The third value is the layer that adapts the parameter; None for most.
    """
    for name, parameter in model.named_parameters():
        if ".lora_" in name:
            continue
        owner, base, kind = name.rpartition(".base_layer.")
        layer = model.get_submodule(owner) if base and kind == "weight" else None
        yield name.replace(".base_layer.", "."), parameter, layer


def merged_weight(weight: Tensor, layer: Any) -> Tensor:  # [outputs, inputs]
    """Return W + (alpha / rank) B A in float32; a collective if the model is sharded."""
    a, b = (whole(part[NAME].weight.detach()) for part in (layer.lora_A, layer.lora_B))
    added = (b @ a).mul_(layer.scaling[NAME])
    return added.add_(whole(weight.detach()))


@contextmanager
def without_adapters(model: nn.Module) -> Generator[None]:
    """Let the model compute as if it had no adapters; not for a forward with a backward.

    PEFT's own switch also changes which parameters want a gradient, and a sharded model keeps what
    it saw at its first forward (FSDP2). So only the flag is set that the layers themselves read.
    """
    layers: list[Any] = [module for module in model.modules() if hasattr(module, "lora_A")]
    for layer in layers:
        layer._disable_adapters = True
    try:
        yield
    finally:
        for layer in layers:
            layer._disable_adapters = False


def save_adapters(model: Any, folder: Path, weights: Mapping[str, Tensor]) -> None:
    """Write the adapters as PEFT does; `weights` are A and B of all layers, whole, on the host.

    Raises:
        OSError, SafetensorError: They cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    kept = {PREFIX + spell(name): value.contiguous() for name, value in weights.items()}
    save_file(kept, folder / WEIGHTS, {"format": "pt"})
    model.peft_config[NAME].save_pretrained(folder)


@torch.no_grad()
def fill_adapters(model: Any, folder: Path) -> None:
    """Give a model's adapters the values that `save_adapters` wrote.

    Raises:
        CheckpointError: They cannot be read, or are other adapters.
    """
    file = folder / WEIGHTS
    try:
        found = load_file(file)
    except Exception as error:  # safetensors raises anything on damaged files
        raise CheckpointError(f"{file} cannot be read ({one_line(error)})") from error
    mine = {PREFIX + spell(n): p for n, p in model.named_parameters() if p.requires_grad}
    shapes = {name: value.shape for name, value in found.items()}
    if shapes != {name: parameter.shape for name, parameter in mine.items()}:
        raise CheckpointError(
            f"{file} holds other adapters than [lora] and the model ask for: take the rank, targets"
            f" and model that {folder / ADAPTER} names"
        )
    for name, parameter in mine.items():
        parameter.copy_(found[name])


def spell(name: str) -> str:
    """Return a parameter's name without the adapter's, as PEFT writes it."""
    return name.replace(f".{NAME}.", ".")
