"""azr.advantages: TRR++, stream by stream."""

import math
from collections import defaultdict
from statistics import fmean, pvariance, variance

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azr.advantages import task_relative_advantages
from azr.config import LearnerConfig
from azr.types import Experience, Mode, Role, Stream
from tests.fakes import make_experience

REWARDS = st.sampled_from([-1.0, -0.5, 0.0, 0.125, 0.5, 0.875, 1.0])
EXPERIENCES = st.lists(
    st.builds(
        make_experience,
        REWARDS,
        st.sampled_from(Mode),
        st.sampled_from(Role),
        st.integers(1, 50),
    ),
    max_size=60,
)


def by_stream(
    experiences: list[Experience], advantages: list[float]
) -> dict[Stream, list[tuple[Experience, float]]]:
    groups: dict[Stream, list[tuple[Experience, float]]] = defaultdict(list)
    for experience, advantage in zip(experiences, advantages, strict=True):
        groups[experience.stream].append((experience, advantage))
    return groups


def shrunk(spread: float) -> float:
    """The variance that whitening leaves: 1, but for the 1e-8 that keeps it finite."""
    return spread / (spread + 1e-8)


@given(EXPERIENCES)
def test_every_stream_has_mean_0_and_deviation_1(experiences: list[Experience]):
    """Feature 52, A12: per-sample whitening is the paper's eq. 8."""
    advantages = task_relative_advantages(experiences, LearnerConfig())
    for pairs in by_stream(experiences, advantages).values():
        values = [advantage for _, advantage in pairs]
        assert fmean(values) == pytest.approx(0, abs=1e-9)
        if len({e.reward for e, _ in pairs}) > 1:
            rewards = [e.reward for e, _ in pairs]
            assert pvariance(values) == pytest.approx(shrunk(pvariance(rewards)))
        else:
            assert values == [0.0] * len(values)


@given(EXPERIENCES)
def test_token_whitening_weighs_by_length(experiences: list[Experience]):
    """A12: the reference's code, as a documented option; its token-weighted mean is 0."""
    advantages = task_relative_advantages(experiences, LearnerConfig(whitening="token"))
    for pairs in by_stream(experiences, advantages).values():
        weights = [len(e.rollout.completion_ids) for e, _ in pairs]
        total = sum(w * a for w, (_, a) in zip(weights, pairs, strict=True))
        assert total == pytest.approx(0, abs=1e-6)
        if len({e.reward for e, _ in pairs}) > 1:
            spread = sum(w * a * a for w, (_, a) in zip(weights, pairs, strict=True))
            rewards = [e.reward for e, _ in pairs for _ in range(len(e.rollout.completion_ids))]
            assert spread / (sum(weights) - 1) == pytest.approx(shrunk(variance(rewards)))


def test_token_whitening_is_the_reference_s_masked_whitening():
    experiences = [make_experience(1.0, tokens=3), make_experience(0.0, tokens=1)]
    mean, variance = 0.75, 0.75 / 3  # over 4 tokens, Bessel's correction
    expected = [(reward - mean) / math.sqrt(variance + 1e-8) for reward in (1.0, 0.0)]
    config = LearnerConfig(whitening="token")
    assert task_relative_advantages(experiences, config) == pytest.approx(expected)


def test_a_stream_is_not_compared_with_another():
    """The same reward is good in a hard stream and bad in an easy one."""
    hard = [make_experience(r, Mode.ABDUCTION) for r in (-1.0, -1.0, 0.0)]
    easy = [make_experience(r, Mode.DEDUCTION) for r in (1.0, 1.0, 0.0)]
    advantages = task_relative_advantages([*hard, *easy], LearnerConfig())
    assert advantages[2] > 0 > advantages[5]


@given(EXPERIENCES)
def test_the_global_baseline_is_over_all(experiences: list[Experience]):
    """Feature 53."""
    advantages = task_relative_advantages(experiences, LearnerConfig(advantage="global"))
    assert sum(advantages) == pytest.approx(0, abs=1e-6)


@given(EXPERIENCES)
def test_without_baseline_the_advantage_is_the_reward(experiences: list[Experience]):
    advantages = task_relative_advantages(experiences, LearnerConfig(advantage="none"))
    assert advantages == [e.reward for e in experiences]


@given(EXPERIENCES, st.randoms(use_true_random=False))
def test_advantages_stay_with_their_experiences(experiences: list[Experience], random):
    """STYLE 3.11: a result is aligned with its request, in whatever order they come."""
    order = list(range(len(experiences)))
    random.shuffle(order)
    straight = task_relative_advantages(experiences, LearnerConfig())
    shuffled = task_relative_advantages([experiences[i] for i in order], LearnerConfig())
    assert shuffled == pytest.approx([straight[i] for i in order])


def test_empty_completions_of_a_stream_give_no_gradient():
    """An engine that returned nothing: token weights sum to 0."""
    experiences = [make_experience(r, tokens=0) for r in (1.0, -1.0)]
    config = LearnerConfig(whitening="token")
    assert task_relative_advantages(experiences, config) == [0.0, 0.0]
