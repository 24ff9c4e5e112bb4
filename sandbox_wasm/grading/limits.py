"""How much a graded program may use if its trainer does not say.

Fuel limits it, not a clock, so the verdict is the same on any machine, under any load. Native
CPython does the guest's work two to six times as fast, so a case gets about as much as in
LiveCodeBench's six seconds. Of the 1,414 solutions in azr's suites of code, two need more
(docs/evaluation.md).
"""

from dataclasses import replace

from sandbox_wasm.grading.checks import Check, Tests
from sandbox_wasm.types import Limits, fuel_of_seconds

__all__ = ["CASE_LIMITS", "TESTS_LIMITS", "limits_of"]

CASE_LIMITS = Limits(seconds=12.5, memory_bytes=1024**3, output_bytes=1024**2)
"""Limits of one call, or of one run of a program."""
TESTS_LIMITS = replace(CASE_LIMITS, fuel=fuel_of_seconds(50))
"""Limits of tests that run together: a file of tests makes a hundred calls and more."""

SLACK_BYTES = 64 * 1024
MOST_OUTPUT_BYTES = 64 * 1024**2
"""The most that `Limits` accept."""
ESCAPE = 4
"""Characters that one character may take in a literal: backslash, x and two digits."""


def limits_of(check: Check, given: Limits | None = None) -> Limits:
    """Return the limits of one check; its own expected output always fits.

    Args:
        check: What is run.
        given: The trainer's limits; the output limit is raised if the check needs more.
    """
    base = given or (TESTS_LIMITS if isinstance(check, Tests) else CASE_LIMITS)
    if isinstance(check, Tests):
        return base
    longest = max(len(expected.encode("utf-8", "replace")) for _, expected in check.cases)
    needed = min(ESCAPE * longest + SLACK_BYTES, MOST_OUTPUT_BYTES)
    return replace(base, output_bytes=max(base.output_bytes, needed))
