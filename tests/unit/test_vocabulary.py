"""Vocabulary dropout: which words a proposer must do without, and when."""

import asyncio
from typing import Any

from azr.config.run import RolloutConfig, RunConfig, SelfPlayConfig
from azr.game.selfplay import play_step
from azr.rollout.vocabulary import Vocabulary
from azr.types import Dropout, Prompt, Role
from tests.fakes import ScriptedPolicy, make_table

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
