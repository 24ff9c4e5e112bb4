"""When two values are the same: defined once, here, on typed canonical values.

Types count (`True` is not `1`, `1` is not `1.0`, a list is not a tuple), the order of dicts and
sets does not, nan equals nan, and 0.0 equals -0.0.
"""

import math
from collections.abc import Callable, Iterable
from typing import Any, Final, cast

from sandbox_wasm.literals import canonical, parse_literal

__all__ = ["equal"]


def equal(a_literal: str, b_literal: str, *, float_tolerance: float = 0.0) -> bool:
    """Whether two literals have the same value.

    Args:
        a_literal: A Python literal, such as `CallResult.value`.
        b_literal: Another.
        float_tolerance: Floats may differ by this much, relative to the larger one or, below
            1.0, absolutely. Set elements and dict keys are always compared exactly.

    Raises:
        LiteralError: One of them is not a literal.
    """
    if a_literal == b_literal:
        # Still parsed once: text that is no literal is an error, not equal to itself.
        parse_literal(a_literal)
        return True
    return _same(parse_literal(a_literal), parse_literal(b_literal), float_tolerance)


def _same(a: Any, b: Any, tolerance: float) -> bool:
    kind = cast("type[Any]", type(a))
    if kind is not type(b):
        return False
    compare = _COMPARISONS.get(kind)
    return bool(a == b) if compare is None else compare(a, b, tolerance)


def _same_items(a: Any, b: Any, tolerance: float) -> bool:
    return len(a) == len(b) and all(_same(x, y, tolerance) for x, y in zip(a, b, strict=True))


def _same_complex(a: complex, b: complex, tolerance: float) -> bool:
    return _same_float(a.real, b.real, tolerance) and _same_float(a.imag, b.imag, tolerance)


def _same_set(a: Any, b: Any, _tolerance: float) -> bool:
    return len(a) == len(b) and sorted(map(_key, a)) == sorted(map(_key, b))


def _same_float(a: float, b: float, tolerance: float) -> bool:
    if a == b or (math.isnan(a) and math.isnan(b)):
        return True
    if math.isinf(a) or math.isinf(b):
        return False
    return abs(a - b) <= tolerance * max(1.0, abs(a), abs(b))


def _same_dict(a: dict[Any, Any], b: dict[Any, Any], tolerance: float) -> bool:
    if len(a) != len(b):
        return False
    # By canonical key text: Python's own lookup would take True for 1.
    items = {_key(key): value for key, value in b.items()}
    if len(items) != len(b):  # several nan keys: fall back to a comparison of everything
        return sorted(f"{_key(k)}: {canonical(v)}" for k, v in a.items()) == sorted(
            f"{_key(k)}: {canonical(v)}" for k, v in b.items()
        )
    return all(
        (key := _key(k)) in items and _same(value, items[key], tolerance) for k, value in a.items()
    )


def _key(value: Any) -> str:
    """Return a text that is equal exactly for equal hashable values."""
    return canonical(_without_negative_zero(value))


def _without_negative_zero(value: Any) -> Any:
    if type(value) is float:
        return value + 0.0
    if type(value) is complex:
        return complex(value.real + 0.0, value.imag + 0.0)
    items: Iterable[Any] = value
    if type(value) is tuple:
        return tuple(_without_negative_zero(item) for item in items)
    if type(value) is frozenset:
        return frozenset(_without_negative_zero(item) for item in items)
    return value


_COMPARISONS: Final[dict[type, Callable[[Any, Any, float], bool]]] = {
    float: _same_float,
    complex: _same_complex,
    list: _same_items,
    tuple: _same_items,
    dict: _same_dict,
    set: _same_set,
    frozenset: _same_set,
}
