"""azr.game.rewards.baselines: the exponential mean of a stream's rewards."""

import pytest

from azr.config.run import LearnerConfig
from azr.game.rewards.baselines import advantages_over_baselines, moved
from azr.game.tasks.buffers import TaskBuffers
from azr.types import Mode, Role
from tests.fakes import make_experience

MOVING = LearnerConfig(advantage="moving", baseline_decay=0.75)


def step(solver: list[float], proposer: list[float]):
    return [make_experience(reward, role=Role.SOLVER) for reward in solver] + [
        make_experience(reward, role=Role.PROPOSER, mode=Mode.ABDUCTION) for reward in proposer
    ]


def test_a_baseline_moves_towards_the_mean_of_the_step():
    assert moved({"a": 1.0, "b": 0.5}, {"a": 0.0}, 0.75) == {"a": 0.75, "b": 0.5}


def test_a_step_is_compared_with_what_was_before_it(tmp_path):
    buffers = TaskBuffers(":memory:")
    first = advantages_over_baselines(step([1.0, 0.0], [0.25]), MOVING, buffers)
    assert first == [0.5, -0.5, 0.0]  # its own mean
    assert buffers.baselines() == {"solver/deduction": 0.5, "proposer/abduction": 0.25}
    second = advantages_over_baselines(step([1.0, 1.0], []), MOVING, buffers)
    assert second == [0.5, 0.5]  # a stream that rises is above 0 as a whole
    assert buffers.baselines() == {"solver/deduction": 0.625, "proposer/abduction": 0.25}
    buffers.backup(tmp_path / "cut")
    again = TaskBuffers(":memory:")
    again.restore(tmp_path / "cut")
    third = step([0.125], [1.0])
    assert advantages_over_baselines(third, MOVING, again) == [-0.5, 0.75]
    assert advantages_over_baselines(third, MOVING, buffers) == [-0.5, 0.75]


def test_the_other_estimators_keep_no_baseline():
    buffers = TaskBuffers(":memory:")
    assert advantages_over_baselines(step([1.0, 0.0], []), LearnerConfig(), buffers) == [
        pytest.approx(1.0, abs=1e-6), pytest.approx(-1.0, abs=1e-6)
    ]  # fmt: skip
    assert buffers.baselines() == {}


def test_the_roles_that_are_learned_from_hold_for_it_too():
    config = MOVING.changed(roles=("proposer",))
    found = advantages_over_baselines(
        step([1.0, 0.0], [0.25, 0.75]), config, TaskBuffers(":memory:")
    )
    assert found == [0.0, 0.0, -0.25, 0.25]
