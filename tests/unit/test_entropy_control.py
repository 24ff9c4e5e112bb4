"""azr.learner.entropy_control: Skywork-OR1's rule, bounded."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from azr.config.run import LearnerConfig, LossConfig, RunConfig
from azr.errors import ConfigError
from azr.learner.entropy_control import ALL, EntropyControl, EntropyControls

CONFIG = LearnerConfig(entropy_target=0.5, entropy_step=0.01, entropy_limit=0.03)


def control(start: float = 0.0) -> EntropyControl:
    return EntropyControl(CONFIG.entropy_target, CONFIG.entropy_step, CONFIG.entropy_limit, start)


def observed(controls: EntropyControls, entropies: dict[str, float]) -> dict[str, float]:
    """An update of ten tokens a scope."""
    sums = {f"entropy {scope}": 10 * entropy for scope, entropy in entropies.items()}
    return controls.observe({**sums, **{f"tokens {scope}": 10.0 for scope in entropies}})


def test_without_a_target_there_is_none_and_the_coefficient_stays() -> None:
    controls = EntropyControls(LearnerConfig(), 0.02)
    assert not controls.are_on
    assert observed(controls, {ALL: 0.1}) == {}
    assert controls.coefficient(ALL) == 0.02


def test_one_control_for_all_is_told_the_mean_of_all() -> None:
    controls = EntropyControls(CONFIG, 0.0)
    assert controls.scope_of("solver/deduction") == ALL
    assert observed(controls, {ALL: 0.2}) == {"entropy_coef": 0.0}
    assert controls.coefficient(ALL) == pytest.approx(0.01)


def test_each_stream_is_steered_by_its_own_entropy() -> None:
    """With one control the mean of both, 0.7, would leave the solver without a bonus."""
    config = CONFIG.changed(
        entropy_scope="stream", entropy_targets={"solver/abduction": 0.1, "solver/error": 0.0}
    )
    controls = EntropyControls(config, 0.0)
    solver, proposer = "solver/deduction", "proposer/deduction"
    entropies = {solver: 0.1, proposer: 1.3, "solver/abduction": 0.1, "solver/error": 0.0}
    first = observed(controls, entropies)
    assert first[f"entropy_coef/{solver}"] == 0.0
    assert first[f"exact_entropy/{proposer}"] == pytest.approx(1.3)
    assert "entropy_coef/solver/error" not in first
    assert controls.coefficient(controls.scope_of(solver)) == pytest.approx(0.01)
    assert controls.coefficient(proposer) == 0.0
    assert controls.coefficient("solver/abduction") == 0.0  # on its target
    again = EntropyControls(config, 0.0)
    again.restore(controls.state())
    assert again.state() == controls.state()
    again.observe({f"tokens {solver}": 0.0, f"entropy {solver}": 0.0})  # not played: nothing seen
    assert again.state() == controls.state()


def test_a_checkpoint_from_before_there_were_scopes_is_read() -> None:
    controls = EntropyControls(CONFIG, 0.0)
    controls.restore({"integrator": 0.02, "entropy": 0.3})
    assert controls.coefficient(ALL) == 0.02
    controls.restore(None)
    assert controls.coefficient(ALL) == 0.02


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({"entropy_targets": {"solver/deduction": 0.5}}, "entropy_targets must be left out"),
        ({"entropy_scope": "stream", "entropy_targets": {"solver": 0.5}}, "must name streams"),
    ],
)
def test_targets_that_mean_nothing_are_refused(values: dict[str, object], key: str) -> None:
    with pytest.raises(ConfigError, match=key):
        LearnerConfig(**values)  # type: ignore[arg-type]


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
