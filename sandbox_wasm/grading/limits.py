"""How much a graded program may use, where its trainer does not say.

Fuel, not clocks: the verdict is the same on any machine, under any load. CPython natively burns
what the guest does two to six times as fast, so that a case has about what LiveCodeBench's six
seconds are. Of the 1,414 solutions that azr's suites of code bring, two need more
(docs/evaluation.md).
"""

from dataclasses import replace

from sandbox_wasm.grading.checks import Check, Tests
from sandbox_wasm.types import Limits, fuel_of_seconds

__all__ = ["CASE_LIMITS", "TESTS_LIMITS", "limits_of"]

CASE_LIMITS = Limits(seconds=12.5, memory_bytes=1024**3, output_bytes=1024**2)
"""Of one call, or of one run of a program."""
TESTS_LIMITS = replace(CASE_LIMITS, fuel=fuel_of_seconds(50))
"""Of tests that are run together: a file of them makes a hundred calls and more."""

SLACK_BYTES = 64 * 1024
MOST_OUTPUT_BYTES = 64 * 1024**2
"""The most that `Limits` take."""
ESCAPE = 4
"""A character may take four in a literal: backslash, x and two digits."""


def limits_of(check: Check, given: Limits | None = None) -> Limits:
    """The limits of one check: its own output always fits.

    Args:
        check: What is run.
        given: What the trainer said; its output limit is raised where the check needs more.
    """
    base = given or (TESTS_LIMITS if isinstance(check, Tests) else CASE_LIMITS)
    if isinstance(check, Tests):
        return base
    longest = max(len(expected.encode("utf-8", "replace")) for _, expected in check.cases)
    needed = min(ESCAPE * longest + SLACK_BYTES, MOST_OUTPUT_BYTES)
    return replace(base, output_bytes=max(base.output_bytes, needed))
