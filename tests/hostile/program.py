"""One abusive program and the outcomes that are right for it."""

from typing import NamedTuple

from sandbox_wasm import Outcome

RETURNED, RAISED = Outcome.RETURNED, Outcome.RAISED
FUEL, MEMORY = Outcome.OUT_OF_FUEL, Outcome.OUT_OF_MEMORY
OUTPUT, NO_VALUE = Outcome.OUTPUT_TOO_LARGE, Outcome.NOT_A_VALUE
EXITED, TRAPPED = Outcome.EXITED, Outcome.TRAPPED
SYNTAX = Outcome.SYNTAX_ERROR
REPLY_FD = 1000003
"""The runner's reply descriptor: known to an attacker who has read the source."""


class Program(NamedTuple):
    """Run as `f()`."""

    name: str
    source: str
    outcomes: set[Outcome]
    """RETURNED is right where the abuse is undone by the restore or finds nothing to reach."""
