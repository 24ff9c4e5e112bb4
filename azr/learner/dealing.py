"""Deals one update's rollouts to ranks, and combines the ranks' statistics.

Ranks wait for each other in every layer of every micro-batch. So all must compute equally many
micro-batches, and those computed at the same time should be about equally long.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch

from azr.learner.packing import MicroBatch, Row, Sequence1, fill, pack, packed, row_tokens
from azr.models.process_group import Ranks

__all__ = ["deal", "over_ranks"]


def deal(
    sequences: Sequence[Sequence1], max_tokens: int, ranks: Ranks, *, share_prompts: bool
) -> list[MicroBatch]:
    """Return the micro-batches that this rank computes; all ranks pass the same arguments.

    A rank that is alone gets what `pack` makes. Several ranks get equally many micro-batches, each
    of at most `max_tokens` tokens or one longer rollout, and a filler if there are not enough.
    """
    if ranks.is_alone:
        return pack(sequences, max_tokens, share_prompts=share_prompts)
    rows = balanced(sequences, max_tokens, ranks.size, share_prompts=share_prompts)
    # rows of about the same length are neighbours, and neighbours are computed at the same time
    rows.sort(key=row_tokens, reverse=True)
    own = [packed(row) for row in rows[ranks.rank :: ranks.size]]
    num_rounds = -(-len(rows) // ranks.size)
    return own if len(own) == num_rounds else [*own, filler(rows[0])]


def balanced(
    sequences: Sequence[Sequence1], max_tokens: int, size: int, *, share_prompts: bool
) -> list[Row]:
    """Return rows filled so little that their number is nearly the next multiple of `size`."""
    rows = fill(sequences, max_tokens, share_prompts=share_prompts)
    limit = -(-len(rows) // size) * size
    low, high = 1, max_tokens  # `high` tokens are always enough for `limit` rows
    while low < high:
        middle = (low + high) // 2
        tried = fill(sequences, middle, share_prompts=share_prompts)
        if len(tried) <= limit:
            high, rows = middle, tried
        else:
            low = middle + 1
    return rows


def filler(row: Row) -> MicroBatch:
    """Return the smallest thing with a forward and a backward: one token, which does not count."""
    rollout = row[0][0].rollout
    least = replace(
        rollout,
        prompt_ids=rollout.prompt_ids[:1],
        completion_ids=rollout.completion_ids[:1],
        rollout_logprobs=rollout.rollout_logprobs[:1],
    )
    return replace(packed([[Sequence1(least, 0.0)]]), is_filler=True)


def over_ranks(totals: Mapping[str, float], ranks: Ranks) -> dict[str, float]:
    """Sum over all ranks; of a `*_max` take the largest. All ranks pass the same names."""
    if ranks.is_alone:
        return dict(totals)
    values = torch.tensor([totals[name] for name in sorted(totals)], dtype=torch.float64)
    sums, largest = ranks.sum(values), ranks.max(values)
    return {
        name: (largest if name.endswith("_max") else sums)[place].item()
        for place, name in enumerate(sorted(totals))
    }
