"""What a configuration can name has its implementation, and nothing is implemented twice."""

from typing import get_args

from azr.config.loss import LossKind
from azr.config.run import LearnerConfig
from azr.game.modes import rules_of
from azr.game.rewards.advantages import ESTIMATORS
from azr.learner.loss.formulas import TERMS
from azr.types import Mode


def test_every_advantage_that_can_be_named_has_its_estimator() -> None:
    named = get_args(LearnerConfig.model_fields["advantage"].annotation)
    assert tuple(ESTIMATORS) == named


def test_every_loss_that_can_be_named_has_its_term() -> None:
    assert tuple(TERMS) == tuple(LossKind)


def test_every_mode_has_its_rules() -> None:
    for mode in Mode:
        rules = rules_of(mode)
        assert rules.mode is mode
        assert mode in rules.seeds_for
        assert all(rules_of(shared).seeds_for == rules.seeds_for for shared in rules.seeds_for)
        assert rules.writes_program is not bool(rules.programs_from)
        assert all(rules_of(source).writes_program for source in rules.programs_from)
