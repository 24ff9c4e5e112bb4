"""The modes. All differences between them are in this package; nowhere is there an `if mode ==`."""

from azr.game.modes.abduction import ABDUCTION
from azr.game.modes.deduction import DEDUCTION
from azr.game.modes.error import ERROR
from azr.game.modes.induction import INDUCTION
from azr.game.modes.rules import ModeRules, Pattern, PromptSetting, Rarity
from azr.types import Mode

__all__ = ["ModeRules", "Pattern", "PromptSetting", "Rarity", "rules_of"]

_RULES: dict[Mode, ModeRules] = {
    rules.mode: rules for rules in (DEDUCTION, ABDUCTION, INDUCTION, ERROR)
}


def rules_of(mode: Mode) -> ModeRules:
    """Return the rules of a mode."""
    return _RULES[mode]
