"""The definition of when two values are equal, on the text of their literals.

The comparison is native (native/executor/values/literal_value.h). It makes no Python object of a
value and builds no hash table of it, so it takes n log n steps for any text, whoever wrote it.
"""

from typing import Final, Literal

from sandbox_wasm import _pool

__all__ = ["Tuples", "equal", "equal_in_python"]

Tuples = Literal["themselves", "outermost lists", "lists"]
"""What a tuple outside of keys and sets counts as: itself; a list if it is the whole value, as
LiveCodeBench has it for calls; or a list wherever it is, as in JSON."""

_TUPLES: Final = {
    "themselves": _pool.Tuples.THEMSELVES,
    "outermost lists": _pool.Tuples.LISTS_OUTERMOST,
    "lists": _pool.Tuples.LISTS,
}
_ALL_BITS: Final = 2**64 - 1


def equal(
    a_literal: str,
    b_literal: str,
    *,
    float_tolerance: float = 0.0,
    tuples: Tuples = "themselves",
) -> bool:
    """Tell whether two literals have the same value.

    Types count: `True` is not `1`, `1` is not `1.0`, a list is not a tuple. The order of dicts and
    sets does not count. nan equals nan, and 0.0 equals -0.0. Keys and set elements that are equal
    in Python are one, as in Python: `{1: 'a', True: 'b'}` is `{1: 'b'}`. Only keys that hold a nan
    can repeat; those of a dict are compared in their order.

    Args:
        a_literal: A Python literal, such as `CallResult.value`.
        b_literal: Another.
        float_tolerance: Floats may differ by this much, relative to the larger one or, below
            1.0, absolutely. Set elements and dict keys are always compared exactly.
        tuples: What tuples count as.

    Raises:
        LiteralError: One of them is not a literal.
    """
    return _pool.same_literals(
        a_literal, b_literal, float_tolerance, False, _TUPLES[tuples], False, _ALL_BITS
    )


def equal_in_python(
    a_literal: str,
    b_literal: str,
    *,
    float_tolerance: float = 0.0,
    tuples: Tuples = "themselves",
    numbered_keys: bool = False,
) -> bool:
    """Tell whether Python's == holds between two literals: `1 == 1.0 == True`; nan equals nothing.

    A set equals the frozenset of its elements. The tolerance applies if one of two numbers is a
    float or a complex. With `numbered_keys`, a dict's key that is the text of an integer of fewer
    than 20 characters counts as that integer, because JSON has no other keys. The rest is as in
    `equal`.

    Raises:
        LiteralError: One of them is not a literal.
    """
    return _pool.same_literals(
        a_literal, b_literal, float_tolerance, True, _TUPLES[tuples], numbered_keys, _ALL_BITS
    )
