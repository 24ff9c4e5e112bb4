"""azr.game.rewards.advantages: TRR++, stream by stream."""

import math
from collections import defaultdict
from statistics import fmean, pvariance, variance

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from azr.config.run import LearnerConfig
from azr.game.rewards.advantages import advantages_of
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
        st.sampled_from(["", "a", "b", "c"]),
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


@settings(deadline=None)  # a busy machine
@given(EXPERIENCES)
def test_every_stream_has_mean_0_and_deviation_1(experiences: list[Experience]):
    """Feature 52, A12: per-sample whitening is the paper's eq. 8."""
    advantages = advantages_of(experiences, LearnerConfig())
    for pairs in by_stream(experiences, advantages).values():
        values = [advantage for _, advantage in pairs]
        assert fmean(values) == pytest.approx(0, abs=1e-9)
        if len({e.reward for e, _ in pairs}) > 1:
            rewards = [e.reward for e, _ in pairs]
            assert pvariance(values) == pytest.approx(shrunk(pvariance(rewards)))
        else:
            assert values == [0.0] * len(values)


@settings(deadline=None)  # a busy machine
@given(EXPERIENCES)
def test_token_whitening_weighs_by_length(experiences: list[Experience]):
    """A12: the reference's code, as a documented option; its token-weighted mean is 0."""
    advantages = advantages_of(experiences, LearnerConfig(whitening="token"))
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
    assert advantages_of(experiences, config) == pytest.approx(expected)


def test_a_stream_is_not_compared_with_another():
    """The same reward is good in a hard stream and bad in an easy one."""
    hard = [make_experience(r, Mode.ABDUCTION) for r in (-1.0, -1.0, 0.0)]
    easy = [make_experience(r, Mode.DEDUCTION) for r in (1.0, 1.0, 0.0)]
    advantages = advantages_of([*hard, *easy], LearnerConfig())
    assert advantages[2] > 0 > advantages[5]


@settings(deadline=None)  # a busy machine
@given(EXPERIENCES)
def test_the_global_baseline_is_over_all(experiences: list[Experience]):
    """Feature 53."""
    advantages = advantages_of(experiences, LearnerConfig(advantage="global"))
    assert sum(advantages) == pytest.approx(0, abs=1e-6)


@settings(deadline=None)  # a busy machine
@given(EXPERIENCES)
def test_without_baseline_the_advantage_is_the_reward(experiences: list[Experience]):
    advantages = advantages_of(experiences, LearnerConfig(advantage="none"))
    assert advantages == [e.reward for e in experiences]


@settings(deadline=None)  # a busy machine
@given(EXPERIENCES, st.randoms(use_true_random=False))
def test_advantages_stay_with_their_experiences(experiences: list[Experience], random):
    """STYLE 3.11: a result is aligned with its request, in whatever order they come."""
    order = list(range(len(experiences)))
    random.shuffle(order)
    straight = advantages_of(experiences, LearnerConfig())
    shuffled = advantages_of([experiences[i] for i in order], LearnerConfig())
    assert shuffled == pytest.approx([straight[i] for i in order])


def test_empty_completions_of_a_stream_give_no_gradient():
    """An engine that returned nothing: token weights sum to 0."""
    experiences = [make_experience(r, tokens=0) for r in (1.0, -1.0)]
    config = LearnerConfig(whitening="token")
    assert advantages_of(experiences, config) == [0.0, 0.0]


def estimated(advantage: str, experiences: list[Experience], **config: object) -> list[float]:
    return advantages_of(experiences, LearnerConfig(advantage=advantage, **config))


def answers(rewards: list[float], group: str, **kind: object) -> list[Experience]:
    return [make_experience(reward, group=group, **kind) for reward in rewards]


EASY, HARD = answers([1, 1, 1, 0], "deduction/0"), answers([0, 0, 1, 0], "deduction/1")
ROOT = math.sqrt(3 / 16)  # of the population variance of one in four


def test_grpo_compares_the_attempts_at_one_task():
    """arXiv 2402.03300: (r - mean) / std within the group, whatever other groups did."""
    expected = [0.25, 0.25, 0.25, -0.75, -0.25, -0.25, 0.75, -0.25]
    found = estimated("group", [*EASY, *HARD])
    assert found == pytest.approx([a / ROOT for a in expected], rel=1e-6)


def test_dr_grpo_only_centres():
    """arXiv 2503.20783: no division, so hard and easy groups weigh by their spread."""
    found = estimated("group", [*EASY, *HARD], group_std=False)
    assert found == pytest.approx([0.25, 0.25, 0.25, -0.75, -0.25, -0.25, 0.75, -0.25])


def test_rloo_leaves_the_own_reward_out():
    """arXiv 2402.14740: r - mean of the others; 4/3 of the centred reward for four."""
    found = estimated("rloo", [*EASY, *HARD])
    assert found == pytest.approx([1 / 3, 1 / 3, 1 / 3, -1, -1 / 3, -1 / 3, 1, -1 / 3])


def test_a_group_counts_by_tokens_if_whitening_does():
    group = [make_experience(1.0, tokens=3, group="g"), make_experience(0.0, tokens=1, group="g")]
    found = estimated("group", group, whitening="token", group_std=False)
    assert found == pytest.approx([0.25, -0.75])


def test_two_levels_are_streams_for_proposals_and_groups_for_answers():
    """ANCORA, arXiv 2604.27644: proposals across tasks, answers across attempts."""
    proposals = [
        make_experience(r, role=Role.PROPOSER, group="deduction/0") for r in (0.25, 0.25, 1.0, 1.0)
    ]
    found = estimated("two_level", [*proposals, *EASY, *HARD])
    assert found[:4] == pytest.approx([-1, -1, 1, 1], rel=1e-6)
    assert found[4:] == estimated("group", [*EASY, *HARD])


@pytest.mark.parametrize("kind", ["group", "rloo", "two_level"])
def test_who_is_alone_in_a_group_is_compared_with_the_stream(kind: str):
    """A proposal, or the answer to a past task: its baseline are all rewards of its stream."""
    alone = [make_experience(1.0, group="deduction/2"), make_experience(1.0)]
    found = estimated(kind, [*EASY, *HARD, *alone], group_std=False)
    rewards = [e.reward for e in [*EASY, *HARD, *alone]]
    others = (sum(rewards) - 1) / 9 if kind == "rloo" else fmean(rewards)
    assert found[8:] == pytest.approx([1 - others] * 2)
    assert found[:8] == estimated(kind, [*EASY, *HARD], group_std=False)


def test_streams_that_share_a_group_s_name_are_two_groups():
    """A slot's proposal and its trials carry one name."""
    mixed = [*EASY, *answers([-1.0, 0.0], "deduction/0", role=Role.PROPOSER)]
    assert estimated("group", mixed)[:4] == estimated("group", EASY)


@pytest.mark.parametrize("kind", ["group", "rloo", "two_level"])
@settings(deadline=None)  # a busy machine
@given(experiences=EXPERIENCES)
def test_groups_are_centred_and_equal_rewards_give_exactly_0(
    kind: str, experiences: list[Experience]
):
    found = estimated(kind, experiences)
    groups: dict[object, list[tuple[float, float]]] = defaultdict(list)
    for e, advantage in zip(experiences, found, strict=True):
        if e.group and (kind != "two_level" or e.stream[0] is Role.SOLVER):
            groups[e.stream, e.group].append((e.reward, advantage))
    for pairs in groups.values():
        if len(pairs) > 1:
            assert sum(a for _, a in pairs) == pytest.approx(0, abs=1e-6)
            if len({reward for reward, _ in pairs}) == 1:
                assert [a for _, a in pairs] == [0.0] * len(pairs)


def test_other_roles_than_those_that_learn_have_no_advantage():
    experiences = [
        make_experience(reward, Mode.DEDUCTION, role) for role in Role for reward in (0.0, 1.0)
    ]
    frozen = estimated("trr++", experiences, roles=("solver",))
    assert frozen[:2] == [0.0, 0.0]
    assert frozen[2:] == estimated("trr++", experiences)[2:]


@settings(deadline=None)  # a busy machine
@given(EXPERIENCES)
def test_shuffled_rewards_stay_in_their_stream_and_say_nothing(experiences: list[Experience]):
    plain = estimated("trr++", experiences)
    mixed = estimated("trr++", experiences, shuffle_rewards=True)
    assert mixed == estimated("trr++", experiences, shuffle_rewards=True)
    for stream, pairs in by_stream(experiences, mixed).items():
        before = sorted(advantage for _, advantage in by_stream(experiences, plain)[stream])
        assert sorted(advantage for _, advantage in pairs) == pytest.approx(before)


def test_shuffled_rewards_change_places():
    experiences = answers([float(i) for i in range(20)], "")
    plain = estimated("trr++", experiences)
    mixed = estimated("trr++", experiences, shuffle_rewards=True)
    assert sum(a != b for a, b in zip(plain, mixed, strict=True)) > 10
