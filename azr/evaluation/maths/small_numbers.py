"""Small numbers, which math-verify takes for equal because it looks at six decimals.

Runs in the worker alone (azr.evaluation.maths.worker), under its deadline and memory limit.
"""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# (sympy has no types)

from collections.abc import Sequence
from typing import Any

import sympy

__all__ = ["differ"]

TOLERANCE = sympy.Rational(1, 10**6)
"""Relative. From one on, six decimals are at least as sharp."""
DIGITS = 30


def differ(gold: Sequence[Any], given: Sequence[Any]) -> bool:
    """Whether both are numbers, the gold one below 1, and not the same within the tolerance.

    Args:
        gold: What math_verify.parse made of it.
        given: Likewise, of what math-verify takes for equal to it.
    """
    right, answer = number_in(gold), number_in(given)
    if right is None or answer is None or abs(right) >= 1:
        return False
    if right == 0:  # of what is computed the last digits may be noise
        return bool(is_written(given) and answer != 0)
    return bool(abs(answer - right) > TOLERANCE * abs(right))


def number_in(parsed: Sequence[Any]) -> Any:
    """The real number that was read, also after a name (`x = 5`) or alone in braces."""
    found = parsed[0] if parsed else None
    if isinstance(found, sympy.Equality):
        found = found.rhs
    elements = getattr(found, "args", ())
    if not isinstance(found, sympy.Expr) and isinstance(found, sympy.Set) and len(elements) == 1:
        found = elements[0]
    if not isinstance(found, sympy.Expr) or not found.is_number:
        return None
    value = found.evalf(DIGITS)
    return value if value.is_real and value.is_finite else None


def is_written(parsed: Sequence[Any]) -> bool:
    """Whether it is a number as it stands, a product or a quotient of numbers."""
    return not parsed[0].has(sympy.Add, sympy.Function)
