"""How hard a task is for the model: its solve rate, a band of rates, learnability.

A solver learns from tasks that it solves now and then. R-Zero (arXiv 2508.05004) and Agent0 (arXiv
2511.16043) train on rates in [0.3, 0.8]; the policy gradient of a binary reward grows with its
variance p (1 - p). The rate that was measured when a task was born says less and less, so each
later attempt can move it: the rate becomes an exponential mean.
"""

from dataclasses import dataclass

__all__ = ["EVERYTHING", "EXPLORED", "Band", "learnability_weight", "moved_rate"]

UNKNOWN = 0.5
"""The rate of a task that nobody tried."""
EXPLORED = 1 / 8
"""Share of a solver's draws that go to all tasks, so that those outside of the band are tried
again."""
LEAST_WEIGHT = 0.01
"""Weight of a task at rate 0 or 1, where p (1 - p) is 0, so that it returns now and then. The
largest weight is 1/4."""


@dataclass(frozen=True, slots=True)
class Band:
    """The solve rates in [low, high]."""

    low: float = 0.0
    high: float = 1.0

    def holds(self, rate: float | None) -> bool:
        """Tell whether a task with this rate, or with none yet, is in the band."""
        return self.low <= (UNKNOWN if rate is None else rate) <= self.high

    @property
    def is_everything(self) -> bool:
        """Whether every task is in the band, so that it is off."""
        return self.low <= 0.0 and self.high >= 1.0


EVERYTHING = Band()


def moved_rate(rate: float | None, weight: float, *, passed: bool) -> float:
    """Return the rate after one more attempt: rate + weight * (passed - rate)."""
    before = UNKNOWN if rate is None else rate
    return before + weight * (passed - before)


def learnability_weight(rate: float | None) -> float:
    """Return expected learnability p (1 - p), with a minimum for tasks always or never solved."""
    p = UNKNOWN if rate is None else rate
    return max(p * (1 - p), LEAST_WEIGHT)
