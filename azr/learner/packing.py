"""From rollouts to packed micro-batches: no padding, and a prompt is read once.

Rollouts of equal prompts form a tree. The prompt is its stem, which is in the row once, and each
completion is a branch. The trees of a micro-batch follow each other. Positions restart with each
tree, and continue from the stem in each branch. A branch attends only to its stem and itself
(`packed_attention`), so every state is the same as for the rollout alone. Only states that predict
a completion token reach the head, so prompt tokens cost no logits.

T tokens of a micro-batch that the model reads, C of its completion tokens, B rollouts.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# (torch, transformers and vllm are typed in part)

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface

from azr.seeds import derive_seed
from azr.types import Experience, Rollout, stream_name

__all__ = [
    "PACKED_ATTENTION",
    "MicroBatch",
    "Row",
    "Sampling",
    "Sequence1",
    "Tree",
    "fill",
    "mini_batches",
    "pack",
    "packed",
    "packed_attention",
    "row_tokens",
    "sequences_of",
]

PACKED_ATTENTION = "azr_packed"
"""The attention's name in transformers' registry (attn_implementation)."""

JOINT_TOKENS = 512
"""Branches with at most so many tokens together, and no more than their stem, take one call of
attention with a mask. For longer ones, the masked part would cost more than it saves."""

FLOAT32_TOKENS = 256
"""A CPU attends to at most so many tokens in float32."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """What the sampler does to logits, and so the loss."""

    temperature: float | None
    """None is the run's own."""
    dropped: tuple[int, ...]
    """Tokens of probability 0."""


@dataclass(frozen=True, slots=True)
class Sequence1:
    """A rollout with its advantage, before packing."""

    rollout: Rollout
    advantage: float
    stream: str = ""
    """Its name: which entropy the tokens count in."""

    @property
    def num_tokens(self) -> int:
        """Tokens that the model reads: all but the last, which predicts nothing."""
        return len(self.rollout.prompt_ids) + len(self.rollout.completion_ids) - 1

    @property
    def sampling(self) -> Sampling:
        """What was done to the logits it was sampled from."""
        return Sampling(self.rollout.prompt.temperature, self.rollout.dropped)


def sequences_of(
    experiences_N: Sequence[Experience], advantages_N: Sequence[float]
) -> list[Sequence1]:
    """Pair one step's rollouts with their advantages, in order."""
    pairs = zip(experiences_N, advantages_N, strict=True)
    return [Sequence1(e.rollout, advantage, stream_name(e.stream)) for e, advantage in pairs]


Row = Sequence[Sequence[Sequence1]]
"""The content of one micro-batch: rollouts in order, those of an equal prompt together."""


@dataclass(frozen=True, slots=True)
class Tree:
    """How the tokens of some rollouts of one prompt are placed in the row."""

    stem: int
    """Tokens of the prompt; for a rollout alone, all that the model reads."""
    branches: tuple[int, ...] = ()
    """Tokens that the model reads of each completion: all but the last, so there may be none."""

    @property
    def num_tokens(self) -> int:
        """Tokens that the model reads."""
        return self.stem + sum(self.branches)


@dataclass(frozen=True, slots=True, kw_only=True)
class MicroBatch:
    """The input of one forward and backward."""

    input_ids: Tensor  # [T] int64
    positions: Tensor  # [T] int64, each token's place in its rollout
    trees: tuple[Tree, ...]  # in the row's order; their tokens sum to T
    rows: Tensor  # [C] int64, which of the T states predict completion tokens
    targets: Tensor  # [C] int64, the tokens they predict
    advantages: Tensor  # [C]
    rollout_logprobs: Tensor  # [C]
    sequence_ids: Tensor  # [C] int64, in [0, B)
    sequences: tuple[Sequence1, ...]  # [B], as they were given
    is_filler: bool = False
    """Computed only so that a rank takes part in collectives; none of its tokens counts."""

    def to(self, device: torch.device) -> "MicroBatch":
        """Return the same on another device."""
        tensors = {
            name: value.to(device)
            for name in self.__slots__
            if isinstance(value := getattr(self, name), Tensor)
        }
        return replace(self, **tensors)

    @property
    def num_tokens(self) -> int:
        """Tokens that the model reads."""
        return self.input_ids.shape[0]

    @property
    def sampling(self) -> Sampling:
        """What was done to the logits of all its rollouts."""
        return self.sequences[0].sampling


def pack(
    sequences: Iterable[Sequence1], max_tokens: int, *, share_prompts: bool = True
) -> list[MicroBatch]:
    """Fill micro-batches, each with at most `max_tokens` tokens or one longer rollout.

    Rollouts without a completion token have nothing to teach and are left out. The others stay in
    order, except that those of an equal prompt follow its first.

    Args:
        sequences: The rollouts of one update.
        max_tokens: Tokens that the model reads at once; a prompt counts once in each micro-batch.
        share_prompts: If off, every rollout has a prompt of its own.
    """
    return [packed(row) for row in fill(sequences, max_tokens, share_prompts=share_prompts)]


def fill(sequences: Iterable[Sequence1], max_tokens: int, *, share_prompts: bool) -> list[Row]:
    """Return the rows from which `pack` makes micro-batches."""
    rows: list[Row] = []
    taken: list[list[Sequence1]] = []
    num_tokens = 0
    for family in _families(sequences, share_prompts):
        is_open = False
        for sequence in family:
            added = len(sequence.rollout.completion_ids) - 1 if is_open else sequence.num_tokens
            if taken and num_tokens + added > max_tokens:
                rows.append(taken)
                taken, num_tokens, is_open, added = [], 0, False, sequence.num_tokens
            if is_open:
                taken[-1].append(sequence)
            else:
                taken.append([sequence])
            is_open = True
            num_tokens += added
    return [*rows, taken] if taken else rows


def row_tokens(row: Row) -> int:
    """Count the tokens of a row that the model reads."""
    return sum(_tree(family).num_tokens for family in row)


def mini_batches(sequences: Sequence[Sequence1], number: int, seed: int) -> list[list[Sequence1]]:
    """Deal an update's rollouts to optimizer steps, about equally many to each.

    A single step gets all, in order. Otherwise rollouts of an equal prompt stay together, so that
    it is read once, and prompts are shuffled, so that every mini-batch has all streams. A function
    of its arguments.
    """
    if number == 1:
        return [list(sequences)]
    families: dict[object, list[Sequence1]] = {}
    for sequence in sequences:
        families.setdefault(sequence.rollout.prompt_ids, []).append(sequence)
    shuffled = sorted(enumerate(families.values()), key=lambda placed: derive_seed(seed, placed[0]))
    dealt: list[list[Sequence1]] = [[] for _ in range(number)]
    for _, family in shuffled:
        min(dealt, key=len).extend(family)
    return [part for part in dealt if part]


def _families(sequences: Iterable[Sequence1], share_prompts: bool) -> Iterable[list[Sequence1]]:
    """Rollouts of one prompt, in the order in which the prompts come."""
    families: dict[object, list[Sequence1]] = {}
    for place, sequence in enumerate(sequences):
        if sequence.rollout.completion_ids:
            key = sequence.rollout.prompt_ids if share_prompts else place
            families.setdefault(key, []).append(sequence)
    return families.values()


def packed(families: Row) -> MicroBatch:
    """Place the rollouts of one row one after the other."""
    input_ids: list[int] = []
    positions: list[int] = []
    rows: list[int] = []
    for family in families:
        start, prompt = len(input_ids), family[0].rollout.prompt_ids
        input_ids += prompt
        positions += range(len(prompt))
        for sequence in family:
            read = sequence.rollout.completion_ids[:-1]
            rows += [start + len(prompt) - 1, *range(len(input_ids), len(input_ids) + len(read))]
            input_ids += read
            positions += range(len(prompt), len(prompt) + len(read))
    sequences = [sequence for family in families for sequence in family]
    rollouts = [sequence.rollout for sequence in sequences]
    repeats = torch.tensor([len(rollout.completion_ids) for rollout in rollouts])
    advantages = torch.tensor([sequence.advantage for sequence in sequences], dtype=torch.float32)
    return MicroBatch(
        input_ids=torch.tensor(input_ids),
        positions=torch.tensor(positions),
        trees=tuple(_tree(family) for family in families),
        rows=torch.tensor(rows),
        targets=torch.tensor([token for r in rollouts for token in r.completion_ids]),
        advantages=advantages.repeat_interleave(repeats),
        rollout_logprobs=torch.tensor([lp for r in rollouts for lp in r.rollout_logprobs]),
        sequence_ids=torch.arange(len(rollouts)).repeat_interleave(repeats),
        sequences=tuple(sequences),
    )


def _tree(family: Sequence[Sequence1]) -> Tree:
    """A rollout by itself is a stem: one causal attention and no mask."""
    if len(family) == 1:
        return Tree(family[0].num_tokens)
    lengths = (len(sequence.rollout.completion_ids) - 1 for sequence in family)
    return Tree(len(family[0].rollout.prompt_ids), tuple(lengths))


def packed_attention(  # noqa: PLR0913 - transformers' signature
    module: Any,  # noqa: ARG001
    query: Tensor,  # [1, heads, T, D]
    key: Tensor,  # [1, key heads, T, D]
    value: Tensor,  # [1, key heads, T, D]
    attention_mask: Tensor | None,  # noqa: ARG001 - always None here
    *,
    trees: tuple[Tree, ...] | None = None,
    scaling: float | None = None,
    sliding_window: int | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:  # [1, T, heads, D]
    """Causal attention within each rollout of a packed row, and none across.

    It loops over the trees with exact attention, so the cost grows with the sum of squared lengths,
    not with the square of their sum. Without `trees` the row is one rollout.
    """
    for name in ("softcap", "s_aux"):
        if kwargs.get(name) is not None:
            raise NotImplementedError(f"{PACKED_ATTENTION} does not know {name}")
    groups = query.shape[1] // key.shape[1]
    if groups > 1:
        key, value = (tensor.repeat_interleave(groups, dim=1) for tensor in (key, value))
    trees = trees or (Tree(query.shape[2]),)
    lengths = [tree.num_tokens for tree in trees]
    parts = [
        part
        for tree, q, k, v in zip(
            trees, query.split(lengths, 2), key.split(lengths, 2), value.split(lengths, 2),
            strict=True,
        )
        for part in _tree_attention(tree, (q, k, v), scaling, sliding_window)
    ]  # fmt: skip
    return torch.cat(parts, dim=2).transpose(1, 2).contiguous(), None


Projections = tuple[Tensor, Tensor, Tensor]
"""Query, key and value, each [1, heads, tokens, D]."""


def _tree_attention(
    tree: Tree, qkv: Projections, scaling: float | None, window: int | None
) -> list[Tensor]:
    """What the tree's tokens attend to, in parts along the tokens."""
    num_branch_tokens = sum(tree.branches)
    if num_branch_tokens == 0:
        return [_rollout_attention(qkv, scaling, window)]
    if num_branch_tokens <= min(JOINT_TOKENS, tree.stem):
        return _joint_attention(tree, qkv, scaling, window)
    # One exact causal attention a rollout: the stem's own are computed again and left out, which
    # needs no mask and, with long branches, is little.
    query, key, value = (tensor.split([tree.stem, *tree.branches], 2) for tensor in qkv)
    parts: list[Tensor] = []
    for branch in range(1, len(query)):
        q, k, v = (torch.cat([part[0], part[branch]], dim=2) for part in (query, key, value))
        whole = _rollout_attention((q, k, v), scaling, window)
        parts.append(whole[:, :, tree.stem :] if parts else whole)
    return parts


def _rollout_attention(qkv: Projections, scaling: float | None, window: int | None) -> Tensor:
    query = qkv[0]
    return _attention(qkv, scaling, **_causal(query.shape[2], window, query.device))


def _attention(qkv: Projections, scaling: float | None, **masking: Any) -> Tensor:
    """Attention proper; of few tokens on a CPU in float32, whatever they come in.

    There the backward of torch's 16-bit kernel takes two to five times as long as the float32 one
    with the casts, up to about 256 tokens.
    """
    dtype, num_keys = qkv[0].dtype, qkv[1].shape[2]
    if qkv[0].device.type == "cpu" and num_keys <= FLOAT32_TOKENS and dtype.itemsize == 2:
        query, key, value = (tensor.float() for tensor in qkv)
    else:
        query, key, value = qkv
    return scaled_dot_product_attention(query, key, value, scale=scaling, **masking).to(dtype)


def _joint_attention(
    tree: Tree, qkv: Projections, scaling: float | None, window: int | None
) -> list[Tensor]:
    """The stem causally; all branches in one call, each blind to the others."""
    stem, branches = zip(
        *(tensor.split([tree.stem, sum(tree.branches)], 2) for tensor in qkv), strict=True
    )
    mask = _branch_mask(tree, window, qkv[1].device)
    together = _attention((branches[0], *qkv[1:]), scaling, attn_mask=mask)
    return [_rollout_attention(stem, scaling, window), together]


@lru_cache(maxsize=64)  # the same in every layer of a kind; each has at most JOINT_TOKENS rows
def _branch_mask(tree: Tree, window: int | None, device: torch.device) -> Tensor:
    """Which tokens of the tree each token of its branches attends to, [branch tokens, T] bool."""
    lengths = torch.tensor([tree.stem, *tree.branches], device=device)
    part = torch.arange(len(lengths), device=device).repeat_interleave(lengths)
    place = torch.arange(tree.num_tokens, device=device)
    start = (lengths.cumsum(0) - lengths)[part]
    position = torch.where(part == 0, place, place - start + tree.stem)
    row_part, row_position = part[tree.stem :, None], position[tree.stem :, None]
    mask = ((part == 0) | (part == row_part)) & (position <= row_position)
    return mask if window is None else mask & (row_position - position < window)


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
