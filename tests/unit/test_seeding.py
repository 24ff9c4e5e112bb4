"""azr.game.seeding: the model makes its own first tasks, and no model can make it loop for ever."""

import asyncio
import logging
from dataclasses import replace

import pytest

from azr.config.run import BuffersConfig, RunConfig, SelfPlayConfig
from azr.errors import ExecutorUnavailable, ModelError
from azr.game.seeding import SeedingProgress, seed_buffers
from azr.game.tasks.buffers import TaskBuffers
from azr.types import Mode, Prompt, Role
from tests.fakes import ScriptedJudge, ScriptedPolicy, make_table, make_task
from tests.unit.test_selfplay import well_formed

CONFIG = RunConfig(
    selfplay=SelfPlayConfig(batch_size=8, envelope="none", induction_inputs=2, references=2),
    buffers=BuffersConfig(seed_tasks=20, max_seed_rounds=10),
)


def seed(
    script=well_formed,
    config: RunConfig = CONFIG,
    judge: ScriptedJudge | None = None,
    buffers: TaskBuffers | None = None,
) -> tuple[TaskBuffers, ScriptedPolicy, list[SeedingProgress]]:
    buffers = buffers or TaskBuffers(":memory:")
    policy = ScriptedPolicy(script)
    seen: list[SeedingProgress] = []
    table = make_table(config, policy, judge, buffers)
    asyncio.run(seed_buffers(table, buffers, seen.append))
    return buffers, policy, seen


def test_seeding_starts_from_the_identity_and_reaches_its_target_in_every_mode():
    """Features 21, 22 and 24."""
    buffers, policy, _ = seed()
    assert [buffers.count(mode) for mode in Mode] == [20, 20, 20, 0]
    assert "def f(a):\n    return a" in policy.prompts[0].text
    assert {task.born_step for mode in Mode for task in buffers.tasks(mode)} == {0}
    assert {p.role for p in policy.prompts} == {Role.PROPOSER}


def test_seed_triplets_serve_both_triplet_modes():
    """METHOD 4: both buffers start as the same seeds."""
    buffers, _, _ = seed()
    contents = [
        {(task.program, task.cases) for task in buffers.tasks(mode)}
        for mode in (Mode.DEDUCTION, Mode.ABDUCTION)
    ]
    assert contents[0] == contents[1]


def test_induction_seeds_use_the_programs_of_the_triplets():
    _, policy, _ = seed()
    shown = [p.task.program for p in policy.prompts if p.mode is Mode.INDUCTION and p.task]
    assert len(set(shown)) > 1


def test_no_seed_is_stored_twice():
    """A6, A9: exact duplicates in shipped seed files; induction seeds added twice."""

    def three_of_a_kind(prompt: Prompt) -> str:
        return well_formed(replace(prompt, seed=prompt.seed % 3))

    config = CONFIG.changed(buffers=BuffersConfig(seed_tasks=4, max_seed_rounds=50))
    buffers, _, _ = seed(three_of_a_kind, config)
    for mode in CONFIG.selfplay.modes:
        tasks = [(t.program, t.cases, t.message) for t in buffers.tasks(mode)]
        assert len(tasks) == len(set(tasks)) == 4


def test_all_proposals_of_a_round_are_under_way_at_once():
    _, policy, _ = seed()
    assert policy.most_under_way == 8


def test_progress_is_told_after_every_round():
    _, _, seen = seed()
    triplets = [p for p in seen if Mode.DEDUCTION in p.modes]
    assert [(p.round, p.tasks) for p in triplets] == [(1, 9), (2, 17), (3, 20)]
    assert all(p.proposals == p.valid == 8 and p.target == 20 for p in triplets)
    assert [p.tasks for p in seen if p.modes == (Mode.INDUCTION,)][-1] == 20


def test_a_model_that_makes_nothing_is_a_clear_error():
    """It must not loop for ever, and the message says what to try."""
    with pytest.raises(ModelError, match=r"no valid .* task in 8 rounds.*envelope = 'completion'"):
        seed(lambda _: "I would rather not.")


def test_a_weak_model_goes_on_with_fewer_seeds_and_a_warning(caplog: pytest.LogCaptureFixture):
    def weak(prompt: Prompt) -> str:
        return well_formed(replace(prompt, seed=prompt.seed % 3))

    with caplog.at_level(logging.WARNING, "azr.game.seeding"):
        buffers, _, seen = seed(weak)
    assert buffers.count(Mode.DEDUCTION) == 4
    assert "seeding stopped at 4 of 20" in caplog.text
    assert len(seen) <= 2 * CONFIG.buffers.max_seed_rounds


def test_the_number_of_rounds_is_bounded(caplog: pytest.LogCaptureFixture):
    config = CONFIG.changed(buffers=BuffersConfig(seed_tasks=1000, max_seed_rounds=3))
    _, _, seen = seed(config=config)
    assert max(p.round for p in seen) == 3
    assert "25 of 1000" in caplog.text


def test_a_full_seed_file_needs_no_proposals():
    """Feature 23."""
    buffers = TaskBuffers(":memory:")
    for mode in Mode:
        buffers.add([make_task(mode, n) for n in range(20)])
    _, policy, _ = seed(buffers=buffers)
    assert policy.prompts == []


def test_only_the_modes_in_play_are_seeded():
    """Induction alone still needs programs, so the triplets are made for it."""
    selfplay = CONFIG.selfplay.changed(modes=("deduction",))
    buffers, policy, _ = seed(config=CONFIG.changed(selfplay=selfplay))
    assert {p.mode for p in policy.prompts} == {Mode.DEDUCTION}
    assert buffers.count(Mode.INDUCTION) == 0
    selfplay = CONFIG.selfplay.changed(modes=("induction",))
    buffers, _, _ = seed(config=CONFIG.changed(selfplay=selfplay))
    assert buffers.count(Mode.INDUCTION) == 20


def test_error_mode_makes_seeds_of_its_own():
    """A triplet's value is no error name, so its seeds cannot be shared."""
    selfplay = CONFIG.selfplay.changed(modes=("deduction", "error"))
    buffers, policy, seen = seed(config=CONFIG.changed(selfplay=selfplay))
    assert [buffers.count(mode) for mode in Mode] == [20, 20, 0, 20]
    assert {p.mode for p in policy.prompts} == {Mode.DEDUCTION, Mode.ERROR}
    assert seen[-1].modes == (Mode.ERROR,)
    first = next(iter(buffers.tasks(Mode.ERROR)))
    assert first.cases[0].output == "'NoError'"


def test_error_mode_alone_needs_no_triplets():
    selfplay = CONFIG.selfplay.changed(modes=("error",))
    buffers, policy, _ = seed(config=CONFIG.changed(selfplay=selfplay))
    assert {p.mode for p in policy.prompts} == {Mode.ERROR}
    assert buffers.count(Mode.ERROR) == 20


def test_a_broken_executor_ends_the_seeding_as_what_it_is():
    with pytest.raises(ExecutorUnavailable):
        seed(judge=ScriptedJudge(is_broken=True))
