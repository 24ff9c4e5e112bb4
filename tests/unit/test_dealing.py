"""Micro-batches for ranks: every rollout once, as many for each, and about as long."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azr.learner.dealing import deal, over_ranks
from azr.learner.packing import MicroBatch, Sequence1, pack
from azr.models.process_group import ALONE, Ranks
from azr.types import Mode, Prompt, Role, Rollout
from tests.packed_rows import unpack


def sequence(prompt: int, num_prompt: int, num_completion: int) -> Sequence1:
    rollout = Rollout(
        prompt=Prompt(role=Role.SOLVER, mode=Mode.DEDUCTION, text=""),
        prompt_ids=tuple(range(prompt, prompt + num_prompt)),
        completion_ids=tuple(range(500, 500 + num_completion)),
        rollout_logprobs=(-1.0,) * num_completion,
        completion="",
        policy_version=0,
    )
    return Sequence1(rollout, 1.0)


SEQUENCES = st.lists(
    st.builds(sequence, st.sampled_from([0, 50, 100]), st.integers(1, 9), st.integers(0, 9)),
    max_size=20,
)


def dealt(sequences: list[Sequence1], budget: int, size: int) -> list[list[MicroBatch]]:
    return [
        deal(sequences, budget, Ranks(rank, size, rank), share_prompts=True) for rank in range(size)
    ]


@given(sequences=SEQUENCES, budget=st.integers(1, 60), size=st.integers(2, 5))
def test_every_rollout_is_computed_once_and_every_rank_as_often(
    sequences: list[Sequence1], budget: int, size: int
) -> None:
    ranks = dealt(sequences, budget, size)
    assert len({len(batches) for batches in ranks}) == 1
    real = [batch for batches in ranks for batch in batches if not batch.is_filler]
    found = sorted(pair for batch in real for pair in unpack(batch))
    rollouts = [s.rollout for s in sequences if s.rollout.completion_ids]
    assert found == sorted((list(r.prompt_ids), list(r.completion_ids)) for r in rollouts)
    assert all(b.num_tokens <= budget or int(b.sequence_ids.max()) == 0 for b in real)


@given(sequences=SEQUENCES, budget=st.integers(1, 60), size=st.integers(2, 5))
def test_no_more_rounds_than_the_budget_needs(
    sequences: list[Sequence1], budget: int, size: int
) -> None:
    needed = -(-len(pack(sequences, budget)) // size)
    assert len(dealt(sequences, budget, size)[0]) <= needed


def test_the_last_micro_batch_is_not_left_for_one_rank() -> None:
    sequences = [sequence(10 * place, 4, 7) for place in range(6)]  # 10 tokens each
    assert [len(pack(sequences, 50)), pack(sequences, 50)[1].num_tokens] == [2, 10]
    assert [batch.num_tokens for (batch,) in dealt(sequences, 50, 2)] == [30, 30]


def test_what_is_computed_at_the_same_time_is_about_as_long() -> None:
    sequences = [sequence(10 * place, 4, n) for place, n in enumerate([30, 3, 29, 4])]
    first, second = dealt(sequences, 1, 2)
    pairs = [(a.num_tokens, b.num_tokens) for a, b in zip(first, second, strict=True)]
    assert pairs == [(33, 32), (7, 6)]


def test_ranks_without_a_rollout_get_a_filler() -> None:
    batches = [batch for (batch,) in dealt([sequence(0, 5, 9)], 100, 3)]
    assert [batch.is_filler for batch in batches] == [False, True, True]
    assert [batch.num_tokens for batch in batches] == [13, 1, 1]


def test_nothing_to_learn_is_nothing_for_every_rank() -> None:
    assert dealt([sequence(0, 5, 0)], 100, 3) == [[], [], []]


def test_alone_everything_is_as_it_was() -> None:
    assert over_ranks({"loss": 0.1, "mismatch_max": 2.0}, ALONE) == {
        "loss": 0.1,
        "mismatch_max": 2.0,
    }
    sequences = [sequence(10 * place, 4, 7) for place in range(6)]
    found = deal(sequences, 50, ALONE, share_prompts=True)
    assert [b.num_tokens for b in found] == [b.num_tokens for b in pack(sequences, 50)]


@pytest.mark.parametrize("size", [2, 3])
def test_prompts_that_are_not_to_be_shared_are_not(size: int) -> None:
    sequences = [sequence(0, 4, 7)] * 6
    for rank in range(size):
        for batch in deal(sequences, 20, Ranks(rank, size, rank), share_prompts=False):
            assert all(not tree.branches for tree in batch.trees)
