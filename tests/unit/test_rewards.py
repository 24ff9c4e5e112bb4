"""azr.game.rewards.rewards: the table of METHOD section 6, row by row."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azr.config.run import RewardConfig
from azr.game.rewards.rewards import answer_reward, learnability, proposal_reward
from azr.types import Grade, Verdict

DEFAULT = RewardConfig()


@pytest.mark.parametrize(
    ("kind", "solve_rate", "expected"),
    [
        ("one_minus", 0.0, 0.0),
        ("one_minus", 1 / 8, 7 / 8),
        ("one_minus", 7 / 8, 1 / 8),
        ("one_minus", 1.0, 0.0),
        ("inverse", 0.0, 1.0),
        ("inverse", 0.25, 0.75),
        ("inverse", 1.0, 0.0),
        ("variance", 0.0, 0.0),
        ("variance", 0.5, 1.0),
        ("variance", 0.25, 0.75),
        ("variance", 1.0, 0.0),
    ],
)
def test_learnability_follows_its_formula(kind: str, solve_rate: float, expected: float):
    """Features 43 and 44."""
    assert learnability(solve_rate, kind) == expected


@given(st.floats(0, 1), st.sampled_from(["one_minus", "inverse", "variance"]))
def test_learnability_is_a_number_between_0_and_1(solve_rate: float, kind: str):
    assert 0.0 <= learnability(solve_rate, kind) <= 1.0


@pytest.mark.parametrize("solve_rate", [0.0, 1.0])
def test_a_valid_proposal_that_teaches_nothing_is_paid_0_not_the_penalty(solve_rate: float):
    """A5: the reference's code pays -0.5 where the paper's eq. 4 gives 0."""
    assert proposal_reward(Verdict.PASSED, solve_rate, DEFAULT) == 0.0


@pytest.mark.parametrize("solve_rate", [0.0, 1.0])
def test_the_reference_code_s_payment_is_an_option(solve_rate: float):
    """A5, feature 45: rewards.unlearnable = -0.5 is the reference's table."""
    config = RewardConfig(unlearnable=-0.5)
    assert proposal_reward(Verdict.PASSED, solve_rate, config) == -0.5
    assert proposal_reward(Verdict.PASSED, 0.5, config) == 0.5


def test_an_invalid_proposal_and_an_unreadable_one_are_paid_apart():
    """A5: both are -1 by default, and each has its own number."""
    assert proposal_reward(Verdict.FAILED, None, DEFAULT) == -1.0
    assert proposal_reward(Verdict.ILL_FORMED, None, DEFAULT) == -1.0
    assert proposal_reward(Verdict.FAILED, None, RewardConfig(invalid_proposal=-0.5)) == -0.5


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [(Verdict.PASSED, 1.0), (Verdict.FAILED, -0.5), (Verdict.ILL_FORMED, -1.0)],
)
def test_an_answer_is_paid_by_its_verdict(verdict: Verdict, expected: float):
    """Feature 45."""
    assert answer_reward(Grade(verdict=verdict), DEFAULT) == expected


@pytest.mark.parametrize(
    ("kind", "score", "expected"),
    [
        ("binary", 0.8, -0.5),
        ("accuracy", 0.8, 0.8),
        ("accuracy", 0.0, -0.5),
        ("any", 0.2, 1.0),
        ("any", 0.0, -0.5),
    ],
)
def test_partly_right_programs_are_paid_as_the_run_says(kind: str, score: float, expected: float):
    """Feature 42."""
    grade = Grade(verdict=Verdict.FAILED, score=score)
    assert answer_reward(grade, RewardConfig(induction=kind)) == expected


@pytest.mark.parametrize("kind", ["binary", "accuracy", "any"])
def test_a_right_answer_is_paid_1_whatever_the_option(kind: str):
    grade = Grade(verdict=Verdict.PASSED, score=1.0)
    assert answer_reward(grade, RewardConfig(induction=kind)) == 1.0
