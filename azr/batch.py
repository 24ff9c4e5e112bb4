"""From rollouts to packed micro-batches: no padding, nothing shared across sequences.

The sequences of a micro-batch lie one behind the other in one row; positions restart with each,
and attention is computed sequence by sequence (`packed_attention`). Only states that predict a
completion token reach the head, so prompt tokens cost no logits.

T tokens of a micro-batch that the model reads, C of its completion tokens, B sequences.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# (torch, transformers and vllm are typed in part)

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface

from azr.types import Rollout

__all__ = ["PACKED_ATTENTION", "MicroBatch", "Sequence1", "pack", "packed_attention", "unpack"]

PACKED_ATTENTION = "azr_packed"
"""The attention's name in transformers' registry (attn_implementation)."""


@dataclass(frozen=True, slots=True)
class Sequence1:
    """A rollout with its advantage, before packing."""

    rollout: Rollout
    advantage: float

    @property
    def num_tokens(self) -> int:
        """Tokens the model reads: all but the last, which predicts nothing."""
        return len(self.rollout.prompt_ids) + len(self.rollout.completion_ids) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class MicroBatch:
    """What one forward-backward takes."""

    input_ids: Tensor  # [T] int64
    positions: Tensor  # [T] int64, from 0 in each sequence
    lengths: tuple[int, ...]  # B numbers, their sum is T
    rows: Tensor  # [C] int64, which of the T states predict completion tokens
    targets: Tensor  # [C] int64, the tokens they predict
    advantages: Tensor  # [C]
    rollout_logprobs: Tensor  # [C]
    sequence_ids: Tensor  # [C] int64, in [0, B)

    def to(self, device: torch.device) -> "MicroBatch":
        """The same on another device."""
        tensors = {
            name: value.to(device)
            for name in self.__slots__
            if isinstance(value := getattr(self, name), Tensor)
        }
        return MicroBatch(lengths=self.lengths, **tensors)

    @property
    def num_tokens(self) -> int:
        """Tokens the model reads."""
        return self.input_ids.shape[0]

    @property
    def num_targets(self) -> int:
        """Completion tokens."""
        return self.targets.shape[0]


def pack(sequences: Iterable[Sequence1], max_tokens: int) -> list[MicroBatch]:
    """Fill micro-batches in order, each with at most `max_tokens` tokens or one longer sequence.

    Rollouts without a completion token have nothing to learn from and are left out.
    """
    batches: list[MicroBatch] = []
    taken: list[Sequence1] = []
    num_tokens = 0
    for sequence in sequences:
        if not sequence.rollout.completion_ids:
            continue
        if taken and num_tokens + sequence.num_tokens > max_tokens:
            batches.append(_packed(taken))
            taken, num_tokens = [], 0
        taken.append(sequence)
        num_tokens += sequence.num_tokens
    return [*batches, _packed(taken)] if taken else batches


def _packed(sequences: Sequence[Sequence1]) -> MicroBatch:
    input_ids: list[int] = []
    positions: list[int] = []
    rows: list[int] = []
    for sequence in sequences:
        start, prompt = len(input_ids), sequence.rollout.prompt_ids
        input_ids += prompt
        input_ids += sequence.rollout.completion_ids[:-1]
        positions += range(sequence.num_tokens)
        rows += range(start + len(prompt) - 1, start + sequence.num_tokens)
    rollouts = [sequence.rollout for sequence in sequences]
    num_targets = [len(rollout.completion_ids) for rollout in rollouts]
    repeats = torch.tensor(num_targets)
    advantages = torch.tensor([sequence.advantage for sequence in sequences], dtype=torch.float32)
    return MicroBatch(
        input_ids=torch.tensor(input_ids),
        positions=torch.tensor(positions),
        lengths=tuple(sequence.num_tokens for sequence in sequences),
        rows=torch.tensor(rows),
        targets=torch.tensor([token for r in rollouts for token in r.completion_ids]),
        advantages=advantages.repeat_interleave(repeats),
        rollout_logprobs=torch.tensor([lp for r in rollouts for lp in r.rollout_logprobs]),
        sequence_ids=torch.arange(len(rollouts)).repeat_interleave(repeats),
    )


def unpack(batch: MicroBatch) -> Iterator[tuple[list[int], list[int]]]:
    """Prompt and completion ids of each sequence; the inverse of `pack`, for checks and tests."""
    ids = batch.input_ids.split(list(batch.lengths))
    for index, sequence in enumerate(ids):
        completion = batch.targets[batch.sequence_ids == index].tolist()
        num_prompt = len(sequence) + 1 - len(completion)
        yield sequence[:num_prompt].tolist(), completion


def packed_attention(  # noqa: PLR0913 - transformers' signature
    module: Any,  # noqa: ARG001
    query: Tensor,  # [1, heads, T, D]
    key: Tensor,  # [1, key heads, T, D]
    value: Tensor,  # [1, key heads, T, D]
    attention_mask: Tensor | None,  # noqa: ARG001 - always None here
    *,
    sequence_lengths: tuple[int, ...] | None = None,
    scaling: float | None = None,
    sliding_window: int | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:  # [1, T, heads, D]
    """Causal attention within each sequence of a packed row, and none across.

    A loop of exact attentions: the cost grows with the sum of squared lengths, not with the
    square of their sum, and no mask is made.
    """
    for name in ("softcap", "s_aux"):
        if kwargs.get(name) is not None:
            raise NotImplementedError(f"{PACKED_ATTENTION} does not know {name}")
    groups = query.shape[1] // key.shape[1]
    if groups > 1:
        key, value = (tensor.repeat_interleave(groups, dim=1) for tensor in (key, value))
    lengths = list(sequence_lengths or (query.shape[2],))
    parts = [
        scaled_dot_product_attention(
            q, k, v, scale=scaling, **_causal(q.shape[2], sliding_window, query.device)
        )
        for q, k, v in zip(
            query.split(lengths, 2), key.split(lengths, 2), value.split(lengths, 2), strict=True
        )
    ]
    return torch.cat(parts, dim=2).transpose(1, 2).contiguous(), None


def _causal(length: int, window: int | None, device: torch.device) -> dict[str, Any]:
    if window is None or length <= window:
        return {"is_causal": True}
    ones = torch.ones(length, length, dtype=torch.bool, device=device)
    return {"attn_mask": ones.tril() & ~ones.tril(-window)}


def _no_mask(*_: Any, **__: Any) -> None:
    """Every sequence is attended to by itself: there is nothing to mask."""
    return


AttentionInterface.register(PACKED_ATTENTION, packed_attention)
AttentionMaskInterface.register(PACKED_ATTENTION, _no_mask)
