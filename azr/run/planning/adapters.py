"""A run's adapters ([lora]), before a model is loaded: which there will be, and if they can be."""

from functools import cache

from azr.config.run import LoraConfig, RunConfig
from azr.run.planning.shape import FAMILIES, ModelShape, layer_matrices

__all__ = ["adapter_tensors", "check_adapters"]


def check_adapters(config: RunConfig, shape: ModelShape) -> None:
    """Refuse what the model cannot have; of an unknown family this is told when it is loaded.

    Raises:
        ConfigError: A target names no layer, or the rank is too large.
    """
    if config.lora.rank and shape.family in FAMILIES:
        config.lora.check(config.model.name, linear_layers(shape))


def adapter_tensors(lora: LoraConfig, shape: ModelShape) -> tuple[tuple[int, int], ...]:
    """Rows and row length of A and B of every adapted layer; none without adapters."""
    return _tensors(lora.rank, lora.targets, shape) if lora.rank else ()


@cache  # it is asked thousands of times by who looks for the least GPU
def _tensors(rank: int, targets: tuple[str, ...], shape: ModelShape) -> tuple[tuple[int, int], ...]:
    lora, tensors = LoraConfig(rank=rank, targets=targets), list[tuple[int, int]]()
    for name, (inputs, outputs) in linear_layers(shape).items():
        if lora.adapts(name):
            tensors += [(rank, inputs), (outputs, rank)]
    return tuple(tensors)


def linear_layers(shape: ModelShape) -> dict[str, tuple[int, int]]:
    """Inputs and outputs of all linear layers but the head, by the names in transformers."""
    return {
        f"model.layers.{place}.{name}": (inputs, outputs)
        for place in range(shape.layers)
        for name, (outputs, inputs) in layer_matrices(shape).items()
    }
