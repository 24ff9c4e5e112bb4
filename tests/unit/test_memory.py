"""The memory over a whole run: exact small cases, bounded work, the price in self-play."""

import asyncio
import random
from collections.abc import Sequence
from typing import Any

import pytest

from azr.config.run import NoveltyConfig, RunConfig
from azr.game.rewards import memory as module
from azr.game.rewards.memory import BANDS, CANDIDATES, SAMPLE, Memory, buckets_of
from azr.game.selfplay import play_step
from azr.records.metrics import step_metrics
from azr.types import Likeness, Mode, Profile, Role
from tests.fakes import ScriptedPolicy, make_table
from tests.unit.test_novelty import DEDUCTION
from tests.unit.test_novelty_in_play import alternating, various, writes


def tree(sequence: str) -> Profile:
    """A program of which only the tree matters."""
    return Profile(
        nodes=len(sequence), lines=1, cognitive=0, cyclomatic=1, volume=0.0, effort=0.0,
        uses_input=True, structure=sequence, sequence=sequence,
    )  # fmt: skip


def remembering(sequences: Sequence[str]) -> Memory:
    memory = Memory()
    for sequence in sequences:
        memory.add(tree(sequence))
    return memory


def many(number: int) -> list[str]:
    draw = random.Random(0)
    return ["".join(draw.choices("ABCDEFGHIJ", k=draw.randint(4, 30))) for _ in range(number)]


def test_likeness_is_to_the_nearest_and_on_average_to_all():
    memory = remembering(["abcd", "abcx", "abcd"])
    # 2 LCS / (n + m): 1, 3/4, 1
    assert memory.likeness(tree("abcd")) == Likeness(nearest=1.0, mean=pytest.approx(2.75 / 3))
    assert memory.likeness(tree("zzzz")) == Likeness(nearest=0.0, mean=0.0)
    assert Memory().likeness(tree("abcd")) is None


def test_the_price_is_what_the_formula_says():
    config = RunConfig(selfplay=DEDUCTION, novelty=NoveltyConfig(memory_nearest=0.5))
    proposer = ScriptedPolicy(writes(lambda _: "def f(x):\n    return x"))
    table = make_table(config, proposer, alternating())
    step = asyncio.run(play_step(table, 1))
    found = [e for e in step if e.stream == (Role.PROPOSER, Mode.DEDUCTION)]
    assert {e.solve_rate for e in found} == {0.5}
    assert {e.reward for e in found} == {0.0}  # the zero task's program: 1 - 0.5 - 0.5 * 1
    metrics = step_metrics(step, [0.0] * len(step), {})
    assert metrics["likeness/deduction/nearest"] == 1.0


def test_a_program_that_was_stored_long_ago_is_found():
    """Beyond every window, and out of the sample for certain."""
    memory = remembering(["a very old program", *many(3_000)])
    found = memory.likeness(tree("a very old program"))
    assert found is not None
    assert found.nearest == 1.0
    near = memory.likeness(tree("a very odd program"))
    assert near is not None
    assert near.nearest == pytest.approx(34 / 36)


def test_work_does_not_grow_with_what_is_stored(monkeypatch: pytest.MonkeyPatch):
    compared: list[int] = []
    nearest = module.extractOne

    def counted(one: str, others: Sequence[str], **options: Any) -> Any:
        compared.append(len(others))
        return nearest(one, others, **options)

    monkeypatch.setattr(module, "extractOne", counted)
    memory = remembering(many(5_000))
    for sequence in many(5_050)[5_000:]:
        memory.likeness(tree(sequence))
    assert len(compared) == 50
    assert max(compared) <= CANDIDATES
    assert len(memory._sample) == SAMPLE
    assert max(map(len, memory._buckets.values())) <= module.BUCKET


def test_the_mean_over_the_sample_is_near_that_over_all():
    sequences = many(4_000)
    found = remembering(sequences).likeness(tree("ABCDEFGHIJ"))
    whole = remembering(sequences[:SAMPLE])  # as large as the sample: exact
    assert found is not None
    exact = [
        likeness.mean
        for start in range(0, len(sequences), SAMPLE)
        if (likeness := remembering(sequences[start : start + SAMPLE]).likeness(tree("ABCDEFGHIJ")))
    ]
    assert whole.num_programs == SAMPLE
    assert found.mean == pytest.approx(sum(exact) / len(exact), abs=0.05)


def test_short_programs_have_buckets_too():
    assert len(buckets_of("")) == len(buckets_of("a")) == len(buckets_of("abc")) == BANDS
    assert buckets_of("abc") == buckets_of("abc")
    assert not set(buckets_of("abc")) & set(buckets_of("xyz"))


def test_without_the_option_nothing_is_remembered_and_rewards_stay():
    plain = RunConfig(selfplay=DEDUCTION)
    table = make_table(plain, ScriptedPolicy(writes(various)), alternating())
    step = asyncio.run(play_step(table, 1))
    assert all(e.appraisal is None or e.appraisal.likeness is None for e in step)
    assert not any(
        name.startswith("likeness/") for name in step_metrics(step, [0.0] * len(step), {})
    )
