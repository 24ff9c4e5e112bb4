"""azr.learner.entropy_control: Skywork-OR1's rule, bounded."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from azr.config.run import LearnerConfig, LossConfig, RunConfig
from azr.errors import ConfigError
from azr.learner.entropy_control import EntropyControl

CONFIG = LearnerConfig(entropy_target=0.5, entropy_step=0.01, entropy_limit=0.03)


def control(start: float = 0.0) -> EntropyControl:
    made = EntropyControl.of(CONFIG, start)
    assert made is not None
    return made


def test_without_a_target_there_is_none() -> None:
    assert EntropyControl.of(LearnerConfig(), 0.0) is None


def test_the_bonus_grows_while_the_entropy_is_low_up_to_its_limit() -> None:
    steering = control()
    seen = []
    for _ in range(5):
        steering.observe(0.2)
        seen.append(steering.coefficient)
    assert seen == pytest.approx([0.01, 0.02, 0.03, 0.03, 0.03])


def test_above_the_target_the_bonus_is_off_and_its_memory_fades() -> None:
    """arXiv 2505.22312: the bonus is c times [entropy <= target], c an integrator."""
    steering = control(0.02)
    assert steering.coefficient == 0.02  # the run's own, before anything is known
    steering.observe(0.9)
    assert steering.coefficient == 0.0
    steering.observe(0.4)
    assert steering.coefficient == pytest.approx(0.02)
    for _ in range(9):
        steering.observe(0.9)
    steering.observe(0.4)
    assert steering.coefficient == pytest.approx(0.01)
    steering.observe(0.5)
    assert steering.coefficient == pytest.approx(0.01)


@settings(deadline=None)  # a busy machine
@given(st.lists(st.floats(0, 2)), st.lists(st.floats(0, 2)))
def test_restored_it_goes_on_and_stays_in_its_bounds(
    before: list[float], after: list[float]
) -> None:
    straight, again = control(), control(0.03)
    for entropy in before:
        straight.observe(entropy)
    again.restore(straight.state())
    for entropy in after:
        straight.observe(entropy)
        again.observe(entropy)
        assert 0 <= straight.coefficient <= CONFIG.entropy_limit
    assert straight == again


@pytest.mark.parametrize("start", [-0.1, 0.2])
def test_a_start_outside_the_bounds_is_refused(start: float) -> None:
    with pytest.raises(ConfigError, match="entropy_coef must be in"):
        RunConfig(learner=CONFIG, loss=LossConfig(entropy_coef=start))
