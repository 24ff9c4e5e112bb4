"""What is one process's part of a model that R processes share (torch's FSDP2, `fully_shard`).

Each weight is cut into R parts along its rows; where R does not divide them the last parts are
padded, so every process holds ceil(rows / R) rows of each. A layer is put together from all parts
when it is computed and taken apart again; embedding, head and last norm (FSDP's root) stay whole
from a forward to the end of its backward.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from azr.run.planning.shape import ModelShape, count_parameters, layer_tensors, root_tensors

__all__ = ["Shards", "shards_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shards:
    """In numbers, not bytes; padding included."""

    part: int
    """Of all weights: what one process holds all the time."""
    layer: int
    """One decoder layer, whole."""
    root: int
    """Embedding, head and last norm, whole."""


def shards_of(shape: ModelShape, processes: int) -> Shards:
    """Exact for families whose weights are known one by one; others are cut as if evenly."""
    layer = _part(layer_tensors(shape), processes)
    root = _part(root_tensors(shape), processes)
    if count_parameters(shape) == shape.parameters:
        part = shape.layers * layer + root
    else:
        part = math.ceil(shape.parameters / processes)
        layer = max(0, part - root) // shape.layers
    return Shards(part=part, layer=processes * layer, root=processes * root)


def _part(tensors: Iterable[tuple[int, int]], processes: int) -> int:
    return sum(math.ceil(rows / processes) * length for rows, length in tensors)
