"""Python literals as text and as values, without evaluating anything.

The parser is native (native/executor/literal.h): total, linear, depth and size capped. It is the
one that reads the arguments of `Job.calls`.
"""

import marshal
from typing import Any, Final, cast

from sandbox_wasm import _pool
from sandbox_wasm._pool import LiteralError

__all__ = ["LiteralError", "canonical", "canonical_arguments", "parse_arguments", "parse_literal"]

MAX_TEXT_BYTES: Final = 64 * 1024 * 1024
_SCALARS: Final = frozenset({int, float, complex, bool, str, bytes, type(None)})
_SEQUENCES: Final = frozenset({list, tuple, set, frozenset})


def parse_literal(text: str) -> Any:
    """Return the value of a literal such as `[1, {'a': (nan, None)}]`.

    Accepts what repr() writes for plain values (also `inf`, `nan`, `set()`, `frozenset({1})`)
    and Python's other spellings of them; refuses names, calls, f-strings and operators.

    Raises:
        LiteralError: The text is anything else.
    """
    # Marshal data that our own parser has just written, never foreign bytes.
    return marshal.loads(_pool.encode_literal(text))  # noqa: S302


def parse_arguments(text: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return (args, kwargs) of what stands between a call's parentheses: `1, 'a', key=2`.

    Raises:
        LiteralError: The text is not a list of literals.
    """
    return marshal.loads(_pool.encode_arguments(text))  # noqa: S302 - as above


def canonical(value: Any, *, max_bytes: int = MAX_TEXT_BYTES) -> str:
    """Return the canonical literal of a plain value: repr(), with set elements sorted.

    Raises:
        LiteralError: The value has no literal (another type, a subclass, a cycle, too deep).
    """
    _check_exact(value)
    try:
        data = marshal.dumps(value, 4)
    except ValueError as exc:
        raise LiteralError(f"no literal for a {type(value).__name__}: {exc}") from exc
    text = _pool.value_text(data, max_bytes, False)
    if isinstance(text, int):
        raise LiteralError(f"no literal for this {type(value).__name__}: too large or too deep")
    return text


def canonical_arguments(text: str) -> str:
    """Rewrite an argument list so that equal arguments have equal texts.

    Raises:
        LiteralError: The text is not a list of literals.
    """
    args, kwargs = parse_arguments(text)
    parts = [canonical(value) for value in args]
    parts += [f"{name}={canonical(value)}" for name, value in kwargs.items()]
    return ", ".join(parts)


def _check_exact(value: object) -> None:
    """Marshal writes any object with a buffer as bytes: let only exact types through."""
    stack: list[Any] = [value]
    seen: set[int] = set()
    while stack:
        item = stack.pop()
        kind = cast("type[Any]", type(item))
        if kind in _SCALARS or id(item) in seen:
            continue
        seen.add(id(item))
        if kind is dict:
            stack.extend(item)
            stack.extend(item.values())
        elif kind in _SEQUENCES:
            stack.extend(item)
        else:
            raise LiteralError(f"no literal for a {kind.__name__}")
