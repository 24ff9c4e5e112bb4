"""Four rules by which an output or a value equals the expected one. They run on the host.

    TYPED           values of equal types; lines equal but for blanks at their ends
    LIVECODEBENCH   Python's ==, an outer tuple is a list; equal lines, or lines of equal decimals
    APPS            Python's ==, tuples are lists, keys may be texts of numbers; lines of equal
                    words, or of nearly equal floats (numpy.allclose)
    FUSION          Python's ==, as in an assert; lines equal in any case, or each one number that
                    is nearly the other

Sources: LiveCodeBench, lcb_runner/evaluation/testing_util.py at 15808c7, grade_stdio and
grade_call_based; APPS, eval/testing_util.py at 5dcfdf2, run_test; SandboxFusion,
sandbox/utils/testing.py, check_stdio_test_case. APPS also accepts lines and words in any order,
which would pay wrong programs, so this module does not.
"""

import math
import re
from decimal import Decimal, InvalidOperation

from sandbox_wasm import values
from sandbox_wasm.grading.checks import Calls, Comparison
from sandbox_wasm.literals import LiteralError, require_literal

__all__ = ["same_output", "same_value"]

RELATIVE, ABSOLUTE = 1e-5, 1e-8
"""numpy.allclose's tolerances."""
INTEGER = re.compile(r"[+-]?[0-9]+")


def same_output(given: str, expected: str, comparison: Comparison) -> bool:
    """Tell whether a program printed the expected output."""
    if comparison is Comparison.TYPED:
        return lines(given.rstrip()) == lines(expected.rstrip())
    if comparison is Comparison.FUSION:
        given, expected = given.lower(), expected.lower()
    same = SAME_LINE[comparison]
    given_lines, expected_lines = (
        [line.strip() for line in text.strip().split("\n")] for text in (given, expected)
    )
    return len(given_lines) == len(expected_lines) and all(
        a == b or same(a, b) for a, b in zip(given_lines, expected_lines, strict=True)
    )


def lines(text: str) -> list[str]:
    """Split into lines without blanks at their ends. Only a newline ends a line."""
    return [line.rstrip() for line in text.split("\n")]


def same_decimals(given: str, expected: str) -> bool:
    """Tell whether both lines are the same decimal numbers, however they are written."""
    try:
        return [Decimal(word) for word in given.split()] == [
            Decimal(word) for word in expected.split()
        ]
    except InvalidOperation:
        return False


def same_words(given: str, expected: str) -> bool:
    """Tell whether both lines have the same words; floats may differ a little, integers may not."""
    a, b = given.split(), expected.split()
    return len(a) == len(b) and all(
        x == y or nearly(x, y) for x, y in zip(a, b, strict=True)
    )  # fmt: skip


def nearly(given: str, expected: str) -> bool:
    """Tell whether both are numbers, not both integers, and nearly equal."""
    if is_integer(given) and is_integer(expected):
        return False
    try:
        a, b = float(given), float(expected)
    except ValueError:
        return False
    return math.isfinite(a - b) and abs(a - b) <= ABSOLUTE + RELATIVE * abs(b)


def nearly_as_fusion(given: str, expected: str) -> bool:
    """Tell whether both lines are one number each, and nearly equal."""
    try:
        a, b = float(given), float(expected)
    except ValueError:
        return False
    return abs(a - b) / max(abs(b), 1e-10) < RELATIVE


SAME_LINE = {
    Comparison.LIVECODEBENCH: same_decimals,
    Comparison.APPS: same_words,
    Comparison.FUSION: nearly_as_fusion,
}


def is_integer(word: str) -> bool:
    """Tell whether a number is written without a point or an exponent."""
    return INTEGER.fullmatch(word) is not None


def same_value(given: str, expected: str, check: Calls) -> bool:
    """Tell whether a call returned the expected value, both as literals.

    Raises:
        LiteralError: The expected text is not a literal.
    """
    if check.comparison is Comparison.TYPED:
        return values.equal(given, expected)
    require_literal(expected)
    try:
        if check.comparison is Comparison.FUSION:
            return values.equal_in_python(given, expected)
        if check.comparison is Comparison.LIVECODEBENCH:
            return values.equal_in_python(given, expected, tuples="outermost lists")
        return equal_as_json(given, expected) or (
            check.may_be_wrapped and equal_as_json(given, f"[{expected}]")
        )
    except LiteralError:
        return False


def equal_as_json(given: str, expected: str) -> bool:
    """Compare with Python's ==, where tuples are lists and keys may be texts of integers."""
    return values.equal_in_python(given, expected, tuples="lists", numbered_keys=True)
