"""azr.game.schedule: who plays in which step, and how long programs may be."""

import pytest

from azr.config.run import BuffersConfig, CurriculumConfig, SelfPlayConfig
from azr.errors import ConfigError
from azr.game.schedule import block_start, line_limit, over_the_curriculum, proposes, slots_in


def test_blocks_start_with_the_first_step():
    """AZR's code: loaders are made before step 1, and every update_iteration steps again."""
    config = SelfPlayConfig(update_iteration=3)
    assert [block_start(config, step) for step in range(1, 8)] == [1, 1, 1, 4, 4, 4, 7]
    assert [block_start(SelfPlayConfig(), step) for step in (1, 2, 3)] == [1, 2, 3]


def test_pretraining_comes_first_and_ends():
    config = SelfPlayConfig(pretrain_solver_steps=2)
    assert [proposes(config, step) for step in (1, 2, 3, 4)] == [False, False, True, True]
    untrained = SelfPlayConfig(train_proposer=False)
    assert not proposes(untrained, 9)
    growing = SelfPlayConfig(train_proposer=False, propose_untrained=True, pretrain_solver_steps=1)
    assert [proposes(growing, step) for step in (1, 2)] == [False, True]


def test_a_step_has_the_slots_of_those_who_play():
    """What the live display counts up to: also where proposals are made and not learned from."""
    config = SelfPlayConfig(batch_size=4, pretrain_solver_steps=1)
    assert [slots_in(config, step) for step in (1, 2)] == [12, 24]
    assert slots_in(SelfPlayConfig(batch_size=4, train_proposer=False), 1) == 12
    untrained = SelfPlayConfig(batch_size=4, train_proposer=False, propose_untrained=True)
    assert slots_in(untrained, 1) == 24


def test_the_line_limit_grows_linearly():
    config = CurriculumConfig(lines_from=4, lines_to=24, steps=10)
    assert [line_limit(config, step) for step in (0, 1, 5, 10, 99)] == [4, 6, 14, 24, 24]
    assert line_limit(CurriculumConfig(), 1) is None


def test_blank_lines_count_for_nothing():
    config = CurriculumConfig(lines_from=2, lines_to=2)
    assert over_the_curriculum(config, "def f(x):\n\n\n    return x\n", 1) is None
    refusal = over_the_curriculum(config, "def f(x):\n    x += 1\n    return x", 1)
    assert refusal is not None
    assert refusal.reason == "over the curriculum"


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: SelfPlayConfig(solver_tasks="newest"), "selfplay.solver_tasks must be one of"),
        (lambda: SelfPlayConfig(update_iteration=0), "selfplay.update_iteration"),
        (lambda: SelfPlayConfig(pretrain_solver_steps=-1), "selfplay.pretrain_solver_steps"),
        (lambda: BuffersConfig(store="some"), "buffers.store must be one of"),
        (lambda: BuffersConfig(reference_sampling="step"), "buffers.reference_sampling"),
        (lambda: CurriculumConfig(lines_from=1), "curriculum.lines_from"),
        (lambda: CurriculumConfig(lines_from=9, lines_to=8), "curriculum.lines_to"),
        (lambda: CurriculumConfig(steps=0), "curriculum.steps"),
    ],
)
def test_what_is_impossible_is_refused_by_its_key(make, complaint: str):
    with pytest.raises(ConfigError, match=complaint):
        make()
