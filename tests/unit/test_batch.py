"""Packing loses nothing, pads nothing and lets no sequence see another."""

import copy
from collections.abc import Generator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import torch
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from transformers import (
    AutoModelForCausalLM,
    Gemma3TextConfig,
    GPT2Config,
    LlamaConfig,
    MistralConfig,
    Qwen3Config,
)

from azr.learner import packing
from azr.learner.packing import (
    PACKED_ATTENTION,
    MicroBatch,
    Sequence1,
    mini_batches,
    pack,
    packed_attention,
)
from azr.types import Mode, Prompt, Role, Rollout
from tests.packed_rows import unpack
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
SHARED = st.lists(  # few different prompts, so that many are equal
    st.builds(
        sequence,
        st.sampled_from([[1], [7, 8], [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9], [7, 9]]),
        st.lists(TOKENS, min_size=1, max_size=9),
        st.floats(-2, 2, width=32),
    ),
    max_size=12,
)


def pair(s: Sequence1) -> tuple[list[int], list[int]]:
    return list(s.rollout.prompt_ids), list(s.rollout.completion_ids)


@settings(deadline=None)  # a busy machine
@given(SEQUENCES, st.integers(1, 40))
def test_unpacking_gives_back_what_was_packed(sequences: list[Sequence1], budget: int) -> None:
    batches = pack(sequences, budget, share_prompts=False)
    back = [pair for batch in batches for pair in unpack(batch)]
    assert back == [pair(s) for s in sequences]
    advantages = [a for batch in batches for a in batch.advantages.tolist()]
    assert advantages == [s.advantage for s in sequences for _ in s.rollout.completion_ids]


@settings(deadline=None)  # a busy machine
@given(SHARED, st.integers(1, 40))
def test_shared_prompts_lose_nothing(sequences: list[Sequence1], budget: int) -> None:
    """The same rollouts, those of a prompt behind its first; each token keeps its numbers."""
    batches = pack(sequences, budget)
    first = {s.rollout.prompt_ids: place for place, s in reversed([*enumerate(sequences)])}
    expected = sorted(sequences, key=lambda s: first[s.rollout.prompt_ids])
    assert [pair for batch in batches for pair in unpack(batch)] == [pair(s) for s in expected]
    advantages = [a for batch in batches for a in batch.advantages.tolist()]
    assert advantages == [s.advantage for s in expected for _ in s.rollout.completion_ids]
    logprobs = [p for batch in batches for p in batch.rollout_logprobs.tolist()]
    assert logprobs == [p for s in expected for p in s.rollout.rollout_logprobs]


@settings(deadline=None)  # a busy machine
@given(SHARED, st.integers(1, 40))
def test_a_state_is_read_where_it_predicts_its_target(
    sequences: list[Sequence1], budget: int
) -> None:
    """Row and position of every target are those of the token before it in its own rollout."""
    for batch in pack(sequences, budget):
        rollouts = list(unpack(batch))
        for index, (prompt, completion) in enumerate(rollouts):
            mine = batch.rows[batch.sequence_ids == index]
            before = [prompt[-1], *completion[:-1]]
            assert batch.input_ids[mine].tolist() == before
            places = range(len(prompt) - 1, len(prompt) + len(completion) - 1)
            assert batch.positions[mine].tolist() == list(places)


@settings(deadline=None)  # a busy machine
@given(SHARED, st.integers(1, 40), st.booleans())
def test_a_micro_batch_keeps_its_budget_unless_it_is_one_sequence(
    sequences: list[Sequence1], budget: int, share: bool
) -> None:
    """The budget is of tokens that are read: a shared prompt counts once."""
    for batch in pack(sequences, budget, share_prompts=share):
        assert batch.num_tokens <= budget or len(list(unpack(batch))) == 1
        assert sum(tree.num_tokens for tree in batch.trees) == batch.num_tokens


def test_a_prompt_is_read_once_in_each_micro_batch() -> None:
    group = [sequence([1, 2, 3], [4, 5]) for _ in range(4)]
    assert [batch.num_tokens for batch in pack(group, 100)] == [3 + 4]
    assert [batch.num_tokens for batch in pack(group, 5)] == [3 + 2, 3 + 2]
    assert [batch.num_tokens for batch in pack(group, 100, share_prompts=False)] == [4 * 4]


@settings(deadline=None)  # a busy machine
@given(SHARED, st.integers(1, 5), st.integers(0, 9))
def test_mini_batches_are_a_partition_that_keeps_prompts_together(
    sequences: list[Sequence1], number: int, seed: int
) -> None:
    parts = mini_batches(sequences, number, seed)
    assert parts == mini_batches(sequences, number, seed)
    assert sorted(id(s) for part in parts for s in part) == sorted(map(id, sequences))
    assert len(parts) <= number
    homes = {(s.rollout.prompt_ids, i) for i, part in enumerate(parts) for s in part}
    if number > 1:
        assert len(homes) == len({prompt for prompt, _ in homes})
    else:
        assert parts == [sequences]


def test_mini_batches_are_shuffled_and_of_a_size() -> None:
    sequences = [sequence([place], [1]) for place in range(12)]
    dealt = [mini_batches(sequences, 3, seed) for seed in (0, 1)]
    assert [len(part) for part in dealt[0]] == [4, 4, 4]
    assert dealt[0] != dealt[1]
    assert dealt[0][0] != sequences[:4]


def test_a_rollout_without_a_token_is_left_out() -> None:
    assert pack([sequence([1, 2], [])], 100) == []
    assert len(pack([sequence([1], []), sequence([1], [2])], 100)[0].trees) == 1


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("tiny"))


SMALL = {
    "vocab_size": 259,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 64,
    "initializer_range": 0.3,
}
ARCHITECTURES = {
    "llama": LlamaConfig(**SMALL),
    "qwen3": Qwen3Config(**SMALL),
    "mistral, a window of 3": MistralConfig(**SMALL, sliding_window=3),
    "mistral, a window of 12": MistralConfig(**SMALL, sliding_window=12),
    "gemma3, a window in every other layer": Gemma3TextConfig(
        **SMALL, sliding_window=5, layer_types=["sliding_attention", "full_attention"]
    ),
    "gpt2, learned positions": GPT2Config(
        vocab_size=259, n_embd=32, n_layer=2, n_head=4, n_positions=64,
        initializer_range=0.3, bos_token_id=1, eos_token_id=2,
    ),
}  # fmt: skip


@pytest.fixture(scope="module", params=ARCHITECTURES)
def models(request: pytest.FixtureRequest) -> Generator[tuple[Any, Any]]:
    """The same weights twice: with the packed attention, and with transformers' own."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # many tiny products: on a busy machine threads wait for each other
    with torch.random.fork_rng():
        torch.manual_seed(0)
        packed, eager = (
            AutoModelForCausalLM.from_config(
                copy.deepcopy(ARCHITECTURES[request.param]), attn_implementation=name
            )
            for name in (PACKED_ATTENTION, "eager")
        )
        eager.load_state_dict(packed.state_dict())
    yield packed.eval(), eager.eval()
    torch.set_num_threads(threads)


def packed_logprobs(model: Any, batch: MicroBatch) -> torch.Tensor:
    logits = model(
        input_ids=batch.input_ids[None], position_ids=batch.positions[None], trees=batch.trees
    ).logits[0, batch.rows]
    return logits.log_softmax(-1).gather(1, batch.targets[:, None])[:, 0]


def gradients(model: Any, loss: torch.Tensor) -> dict[str, torch.Tensor]:
    model.zero_grad(set_to_none=True)
    loss.backward()
    return {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("joint_tokens", [512, 0])
@pytest.mark.parametrize("share", [True, False])
@settings(
    max_examples=5,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(sequences=SHARED.filter(bool))
@example(sequences=[sequence([7, 8] * 8, [5] * n) for n in (1, 4, 6)])  # one call for all branches
def test_packed_logprobs_and_gradients_equal_those_of_each_rollout_alone(
    models: tuple[Any, Any],
    monkeypatch: pytest.MonkeyPatch,
    joint_tokens: int,
    share: bool,
    sequences: list[Sequence1],
) -> None:
    """Against transformers' own attention: windows, grouped heads, both kinds of positions."""
    monkeypatch.setattr("azr.learner.packing.JOINT_TOKENS", joint_tokens)
    packed, eager = models
    (batch,) = pack(sequences, 10**6, share_prompts=share)
    found = packed_logprobs(packed, batch)
    expected = []
    for prompt, completion in unpack(batch):
        alone = eager(input_ids=torch.tensor([prompt + completion])).logits[0, :-1]
        logprobs = alone.log_softmax(-1)[len(prompt) - 1 :]
        expected.append(logprobs.gather(1, torch.tensor(completion)[:, None])[:, 0])
    torch.testing.assert_close(found, torch.cat(expected), atol=5e-5, rtol=1e-5)
    mine = gradients(packed, found @ batch.advantages)
    theirs = gradients(eager, torch.cat(expected) @ batch.advantages)
    scale = max(float(gradient.abs().max()) for gradient in theirs.values())
    assert mine.keys() == theirs.keys()
    for name, gradient in theirs.items():
        torch.testing.assert_close(mine[name], gradient, atol=2e-5 * (1 + scale), rtol=1e-3)


def test_the_branches_of_a_tree_do_not_see_each_other(folder: Path) -> None:
    """What another completion of the prompt says changes nothing, not even a last digit."""
    model = AutoModelForCausalLM.from_pretrained(folder, attn_implementation=PACKED_ATTENTION)
    found = []
    for other in ([9, 9, 9, 9], [200, 3, 77, 1]):
        (batch,) = pack([sequence([5] * 9, other), sequence([5] * 9, [8, 9, 10])], 100)
        found.append(packed_logprobs(model, batch)[-3:])
    assert torch.equal(*found)


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


@pytest.mark.parametrize("branches", [(), (30, 50)])
def test_attention_in_16_bits_is_at_least_as_exact_as_torch_s(branches: tuple[int, ...]) -> None:
    tree = packing.Tree(100, branches)
    torch.manual_seed(3)
    exact = [torch.randn(1, 2, tree.num_tokens, 16, dtype=torch.float64) for _ in range(3)]
    rounded = [tensor.bfloat16() for tensor in exact]

    def gradients(tensors: list[torch.Tensor], few: int) -> list[torch.Tensor]:
        with patch.object(packing, "FLOAT32_TOKENS", few):
            leaves = [tensor.clone().requires_grad_() for tensor in tensors]
            attended, _ = packed_attention(None, *leaves, None, trees=(tree,))
            attended.sin().sum().backward()
            return [attended, *(leaf.grad for leaf in leaves)]

    truth = gradients([tensor.double() for tensor in rounded], 0)
    ours, theirs = gradients(rounded, packing.FLOAT32_TOKENS), gradients(rounded, 0)
    for right, mine, other in zip(truth, ours, theirs, strict=True):
        assert mine.dtype == torch.bfloat16
        assert (mine - right).norm() <= 1.01 * (other - right).norm()
