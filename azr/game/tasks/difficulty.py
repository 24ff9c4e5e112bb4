"""How hard a task is for the model as it is now: its solve rate, a band of rates, learnability.

A solver learns from tasks that it solves now and then. R-Zero (arXiv 2508.05004) and Agent0 (arXiv
2511.16043) train on rates in [0.3, 0.8]; the policy gradient of a binary reward grows with its
variance p (1 - p). A rate that was measured when the task was born says less and less, so each
later attempt can move it: an exponential mean.
"""

from dataclasses import dataclass

__all__ = ["EVERYTHING", "EXPLORED", "Band", "learnability_weight", "moved_rate"]

UNKNOWN = 0.5
"""What a task that nobody tried is taken to be solved at: it is worth a try."""
EXPLORED = 1 / 8
"""Share of a solver's draws that go to all tasks: those outside of the band are measured again."""
LEAST_WEIGHT = 0.01
"""Of a task at rate 0 or 1, where p (1 - p) is 0: it comes back now and then. The most is 1/4."""


@dataclass(frozen=True, slots=True)
class Band:
    """The solve rates in [low, high]."""

    low: float = 0.0
    high: float = 1.0

    def holds(self, rate: float | None) -> bool:
        """Whether a task with this rate, or with none yet, is in the band."""
        return self.low <= (UNKNOWN if rate is None else rate) <= self.high

    @property
    def is_everything(self) -> bool:
        """Whether every task is in it: then it is off."""
        return self.low <= 0.0 and self.high >= 1.0


EVERYTHING = Band()


def moved_rate(rate: float | None, weight: float, *, passed: bool) -> float:
    """The rate after one attempt more: rate + weight * (passed - rate)."""
    before = UNKNOWN if rate is None else rate
    return before + weight * (passed - before)


def learnability_weight(rate: float | None) -> float:
    """Expected learnability p (1 - p), and a little for what is always or never solved."""
    p = UNKNOWN if rate is None else rate
    return max(p * (1 - p), LEAST_WEIGHT)
