"""Checksums of weights: a number for all bits of each tensor, which proves that they arrived.

In 16 bits, log-probabilities cannot prove it: an engine that is one update behind differs from the
learner by as much as rounding does (docs/cluster.md). A checksum of the bits is exact. Sender and
receiver each compute their own.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# (torch, transformers and vllm are typed in part)

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

__all__ = ["Receipt", "checksum", "noting"]

GOLDEN = -7046029254386353131
"""2**64 / the golden ratio, as a signed number; consecutive multiples of it look random."""
STEP = 6364136223846793005
"""Multiplies a block's sum when the next block comes. It is odd, so no information is lost."""
WORDS = 2**16
"""Words of a block. Their weights and one block's products fit into a processor's cache."""
WORD_BYTES = 8


@dataclass(frozen=True, slots=True)
class Receipt:
    """What one engine received in the last complete push."""

    version: int
    """The policy's version: the step whose update made the weights."""
    checksums: Mapping[str, int]
    """By the parameter's Hugging Face name, in the precision that the engine received."""


def checksum(tensor: Tensor) -> int:
    """Return a number in [-2**63, 2**63) that depends on all bits of a tensor and their places.

    The bits are read as words of eight bytes, in the order of the tensor's elements. Each word is
    multiplied by an odd number that depends on its place, and all are added modulo 2**64. One
    changed word always changes the sum; several do unless they cancel out by chance. The result is
    the same on every device. It does not protect against somebody who wants two tensors to agree.
    """
    octets = tensor.detach().contiguous().view(-1).view(torch.uint8)
    num_whole = octets.numel() // WORD_BYTES * WORD_BYTES
    if octets.data_ptr() % WORD_BYTES:  # a view into another tensor: words must be aligned
        octets = octets.clone()
    words = octets[:num_whole].view(torch.int64)
    total = torch.full((), octets.numel(), dtype=torch.int64, device=octets.device)
    for block in (*words.split(WORDS), octets[num_whole:].to(torch.int64)):
        total = total * STEP + (block * places(octets.device)[: block.numel()]).sum()
    return int(total)


def noting(
    parameters: Iterable[tuple[str, Tensor]], checksums: dict[str, int]
) -> Iterator[tuple[str, Tensor]]:
    """Yield the parameters unchanged; write down each one's checksum before it is handed on."""
    for name, value in parameters:
        checksums[name] = checksum(value)
        yield name, value


@cache
def places(device: torch.device) -> Tensor:  # [WORDS]
    """Return odd numbers, one for each place of a block."""
    return (torch.arange(1, WORDS + 1, device=device) * GOLDEN) | 1
