"""The modes. Whatever differs between them is here, and nowhere is there an `if mode ==`."""

from azr.modes.abduction import ABDUCTION
from azr.modes.deduction import DEDUCTION
from azr.modes.error import ERROR
from azr.modes.induction import INDUCTION
from azr.modes.rules import ModeRules, Pattern, Setting
from azr.types import Mode

__all__ = ["ModeRules", "Pattern", "Setting", "rules_of"]

_RULES: dict[Mode, ModeRules] = {
    rules.mode: rules for rules in (DEDUCTION, ABDUCTION, INDUCTION, ERROR)
}


def rules_of(mode: Mode) -> ModeRules:
    """The rules of a mode."""
    return _RULES[mode]
