"""Packing loses nothing, pads nothing and lets no sequence see another."""

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM

from azr.batch import PACKED_ATTENTION, Sequence1, pack, packed_attention, unpack
from azr.types import Mode, Prompt, Role, Rollout
from tests.tiny import make_tiny_model

TOKENS = st.integers(0, 258)
PROMPT = Prompt(role=Role.SOLVER, mode=Mode.DEDUCTION, text="")


def sequence(prompt_ids: list[int], completion_ids: list[int], advantage: float = 1.0) -> Sequence1:
    rollout = Rollout(
        prompt=PROMPT,
        prompt_ids=tuple(prompt_ids),
        completion_ids=tuple(completion_ids),
        rollout_logprobs=tuple(-float(i) for i in range(len(completion_ids))),
        completion="",
        policy_version=0,
    )
    return Sequence1(rollout, advantage)


SEQUENCES = st.lists(
    st.builds(
        sequence,
        st.lists(TOKENS, min_size=1, max_size=9),
        st.lists(TOKENS, min_size=1, max_size=9),
        st.floats(-2, 2, width=32),
    ),
    max_size=8,
)


@settings(deadline=None)  # a busy machine
@given(SEQUENCES, st.integers(1, 40))
def test_unpacking_gives_back_what_was_packed(sequences: list[Sequence1], budget: int) -> None:
    batches = pack(sequences, budget)
    back = [pair for batch in batches for pair in unpack(batch)]
    assert back == [(list(s.rollout.prompt_ids), list(s.rollout.completion_ids)) for s in sequences]
    advantages = [a for batch in batches for a in batch.advantages.tolist()]
    assert advantages == [s.advantage for s in sequences for _ in s.rollout.completion_ids]


@settings(deadline=None)  # a busy machine
@given(SEQUENCES, st.integers(1, 40))
def test_a_micro_batch_keeps_its_budget_unless_it_is_one_sequence(
    sequences: list[Sequence1], budget: int
) -> None:
    for batch in pack(sequences, budget):
        assert batch.num_tokens <= budget or len(batch.lengths) == 1
        assert sum(batch.lengths) == batch.num_tokens


def test_a_rollout_without_a_token_is_left_out() -> None:
    assert pack([sequence([1, 2], [])], 100) == []
    assert len(pack([sequence([1], []), sequence([1], [2])], 100)[0].lengths) == 1


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("tiny"))


@settings(max_examples=20, deadline=None)
@given(sequences=SEQUENCES.filter(bool))
def test_packed_logprobs_equal_those_of_each_sequence_alone(
    folder: Path, sequences: list[Sequence1]
) -> None:
    packed = AutoModelForCausalLM.from_pretrained(folder, attn_implementation=PACKED_ATTENTION)
    eager = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager")
    (batch,) = pack(sequences, 10**6)
    with torch.no_grad():
        logits = packed(
            input_ids=batch.input_ids[None],
            position_ids=batch.positions[None],
            sequence_lengths=batch.lengths,
        ).logits[0, batch.rows]
        found = logits.log_softmax(-1).gather(1, batch.targets[:, None])[:, 0]
        expected = []
        for prompt, completion in unpack(batch):
            alone = eager(input_ids=torch.tensor([prompt + completion])).logits[0, :-1]
            logprobs = alone.log_softmax(-1)[len(prompt) - 1 :]
            expected.append(logprobs.gather(1, torch.tensor(completion)[:, None])[:, 0])
    torch.testing.assert_close(found, torch.cat(expected), atol=3e-5, rtol=1e-5)


def test_a_sliding_window_hides_what_lies_further_back() -> None:
    torch.manual_seed(0)
    query, key, value = (torch.randn(1, 1, 6, 4) for _ in range(3))
    narrow, _ = packed_attention(None, query, key, value, None, sliding_window=2)
    value[0, 0, 0] += 100  # seen by positions 0 and 1 alone
    changed, _ = packed_attention(None, query, key, value, None, sliding_window=2)
    is_same = (narrow == changed).all(-1)[0, :, 0].tolist()
    assert is_same == [False, False, True, True, True, True]


def test_what_the_attention_does_not_know_is_refused() -> None:
    tensor = torch.zeros(1, 1, 2, 4)
    with pytest.raises(NotImplementedError, match="softcap"):
        packed_attention(None, tensor, tensor, tensor, None, softcap=30.0)
