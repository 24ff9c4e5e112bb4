"""What became of a program: more than a score, for logs and for people."""

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
"""What a graded program can come to: it has passed, or how the first test ended that it did not
pass; unreadable is a source that the sandbox does not take (no UTF-8, or too long)."""


@dataclass(frozen=True, slots=True)
class Graded:
    """The score of one program, and where it is from."""

    score: float
    cases: tuple[CaseResult, ...]
    """Of the tests that were run, in their order. Where no share is counted, a program whose first
    test fails has run no other."""
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
        """Why the first test that did not pass did not; None if all have."""
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
    """What share of the programs came to each of `ENDINGS`; all of them are keys, every time."""
    counts = Counter(one.ending for one in graded)
    return {ending: counts[ending] / max(1, len(graded)) for ending in ENDINGS}
