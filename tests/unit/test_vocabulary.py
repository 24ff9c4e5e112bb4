"""Vocabulary dropout: which words a proposer must do without, and when."""

import asyncio
from pathlib import Path
from typing import Any

from azr.config.run import ModelConfig, RolloutConfig, RunConfig, SelfPlayConfig
from azr.game.selfplay import play_step
from azr.rollout.opening import open_policy
from azr.rollout.vocabulary import Vocabulary
from azr.types import Dropout, Mode, Prompt, Role
from tests.fakes import ScriptedPolicy, make_table
from tests.tiny import make_tiny_model, make_tiny_tokenizer

TOKENS = [
    "<|end|>", " def", "return", " numbers", "ab", " x1", "))", "Input", "\n    ", "reverse",
    "Zahl", "123", "_swap", "while", "sorted",
]  # fmt: skip


class Tokens:
    """FAKE tokenizer: a list of texts, the first of them special."""

    all_special_ids = (0,)

    def __len__(self) -> int:
        return len(TOKENS)

    def batch_decode(self, ids: list[list[int]]) -> list[str]:
        return [TOKENS[token] for (token,) in ids]


def words(share: float, seed: int) -> set[str]:
    return {TOKENS[token] for token in Vocabulary(Tokens()).without(Dropout(share, seed))}


def test_what_holds_a_program_together_is_never_dropped() -> None:
    all_words = {" numbers", "reverse", "Zahl", "_swap", "sorted"}
    assert words(0.999, 0) == all_words
    drawn = [words(0.4, seed) for seed in range(40)]
    assert {len(some) for some in drawn} == {2}
    assert set().union(*drawn) == all_words, "each is dropped now and then"
    assert drawn == [words(0.4, seed) for seed in range(40)]


def test_words_that_a_tokenizer_has_beyond_the_model_s_head_are_not_dropped(
    tmp_path: Path,
) -> None:
    """There is nothing to drop: the model has no logits for them."""
    folder = make_tiny_model(tmp_path / "tiny")
    tokenizer: Any = make_tiny_tokenizer()
    tokenizer.add_tokens(["numbers", "reverse"])
    tokenizer.save_pretrained(folder)
    config = RunConfig(
        model=ModelConfig(name=str(folder)),
        rollout=RolloutConfig(engine="transformers", max_prompt_tokens=64, max_completion_tokens=4),
    )
    asked = Prompt(
        role=Role.PROPOSER, mode=Mode.DEDUCTION, text="f", seed=0, dropout=Dropout(0.9, 0)
    )
    policy = open_policy(config, folder)
    try:
        rollout = asyncio.run(policy.sample(asked))
    finally:
        policy.close()
    assert rollout.dropped == ()
    assert rollout.completion_ids


def test_proposers_of_a_step_do_without_the_same_words_and_solvers_have_all() -> None:
    config = RunConfig(
        selfplay=SelfPlayConfig(batch_size=2, trials_per_task=2, references=1, induction_inputs=4),
        rollout=RolloutConfig(vocabulary_dropout=0.1),
    )
    asked: list[Prompt] = []

    def script(prompt: Prompt) -> str:
        asked.append(prompt)
        return "nothing"

    table: Any = make_table(config, ScriptedPolicy(script))
    drops: list[Dropout | None] = []
    for step in (1, 2):
        asked.clear()
        asyncio.run(play_step(table, step))
        assert {p.dropout for p in asked if p.role is Role.SOLVER} == {None}
        (own,) = {p.dropout for p in asked if p.role is Role.PROPOSER}
        drops.append(own)
    assert drops[0] != drops[1]
    assert all(drop is not None and drop.share == 0.1 for drop in drops)
