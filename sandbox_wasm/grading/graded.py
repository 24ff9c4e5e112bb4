"""The result of grading one program: more than a score, for logs and for people."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sandbox_wasm.grading.grader import WRONG, CaseResult
from sandbox_wasm.types import Outcome

__all__ = ["ENDINGS", "Graded", "shares_of"]

PASSED, WRONG_ANSWER, UNREADABLE = "passed", "wrong_answer", "unreadable"
ENDINGS = (
    PASSED, WRONG_ANSWER, UNREADABLE,
    *(outcome.value for outcome in Outcome if outcome is not Outcome.RETURNED),
)  # fmt: skip
"""How a graded program can end. It has passed, or this is the ending of the first test that it did
not pass. `unreadable` is a source that the sandbox does not take (not UTF-8, or too long)."""


@dataclass(frozen=True, slots=True)
class Graded:
    """The score of one program, and the tests behind it."""

    score: float
    cases: tuple[CaseResult, ...]
    """The tests that were run, in order. Unless a share is counted, a program whose first test
    fails ran no other."""
    num_tests: int
    """How many tests there are."""

    @property
    def passed(self) -> tuple[bool, ...]:
        """Which of the tests that were run have passed."""
        return tuple(case.passed for case in self.cases)

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        """How the tests that were run have ended; a wrong answer has RETURNED."""
        return tuple(case.outcome for case in self.cases)

    @property
    def first_error(self) -> str | None:
        """Why the first failed test failed; None if all passed."""
        return next((case.reason for case in self.cases if not case.passed), None)

    @property
    def ending(self) -> str:
        """One of `ENDINGS`."""
        if not self.cases:
            return UNREADABLE
        failed = next((case for case in self.cases if not case.passed), None)
        if failed is None:
            return PASSED
        return WRONG_ANSWER if failed.reason == WRONG else failed.outcome.value


def shares_of(graded: Sequence[Graded]) -> dict[str, float]:
    """Return the share of programs for each of `ENDINGS`; every ending is always a key."""
    counts = Counter(one.ending for one in graded)
    return {ending: counts[ending] / max(1, len(graded)) for ending in ENDINGS}
