"""Python literals as text and as values, without evaluating anything.

The parser is native (native/executor/values/literal.h). It works in linear time on any text, with
caps on depth and size. The arguments of `Job.calls` are read by the same parser.

What a model or its program wrote stays text. Python builds a set or a dict of chosen integers in
quadratic time, because their hashes are known. So `canonical_literal`, `literal_type` and the like
work on the text (native/executor/values/literal_value.h). Only `parse_literal` and
`parse_arguments` build objects; they are for texts of our own.
"""

import marshal
from typing import Any, Final, cast

from sandbox_wasm import _pool
from sandbox_wasm._pool import LiteralError

__all__ = [
    "LiteralError",
    "argument_types",
    "canonical",
    "canonical_arguments",
    "canonical_literal",
    "literal_type",
    "parse_arguments",
    "parse_literal",
    "parse_sequences",
    "require_literal",
]

MAX_TEXT_BYTES: Final = 64 * 1024 * 1024
_SCALARS: Final = frozenset({int, float, complex, bool, str, bytes, type(None)})
_MARSHAL_CODES: Final = {tuple: b"(", list: b"[", set: b"<", frozenset: b">"}
_SEQUENCES: Final = frozenset(_MARSHAL_CODES)
_MAX_DEPTH: Final = 100
"""kMaxLiteralDepth of native/executor/values/literal.h."""


def parse_literal(text: str) -> Any:
    """Return the value of a literal such as `[1, {'a': (nan, None)}]`; for texts of our own.

    Accepts what repr() writes for plain values (also `inf`, `nan`, `set()`, `frozenset({1})`)
    and Python's other spellings of them; refuses names, calls, f-strings and operators.

    Raises:
        LiteralError: The text is anything else.
    """
    # Marshal data that our own parser has just written, never foreign bytes.
    return marshal.loads(_pool.encode_literal(text))  # noqa: S302


def parse_sequences(text: str) -> Any:
    """Return the value of a literal that holds no set and no dict: linear for any text.

    Raises:
        LiteralError: The text is anything else.
    """
    if _pool.has_tables(text):
        raise LiteralError("a set or a dict where none is allowed")
    return parse_literal(text)


def parse_arguments(text: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return (args, kwargs) of the text between a call's parentheses: `1, 'a', key=2`.

    For texts of our own, like `parse_literal`.

    Raises:
        LiteralError: The text is not a list of literals.
    """
    return marshal.loads(_pool.encode_arguments(text))  # noqa: S302 - as above


def canonical(value: Any, *, max_bytes: int = MAX_TEXT_BYTES) -> str:
    """Return the canonical literal of a plain value: repr(), with set elements sorted.

    Raises:
        LiteralError: The value has no literal (another type, a subclass, a cycle, too deep).
    """
    has_nested_sets = _check_exact(value)
    try:
        # Before it writes a set, marshal writes each element once more, to sort them: 2 ** depth
        # steps for sets in sets, of which a model's answer may hold a hundred.
        data = _dumps(value, 6 * max_bytes + 16384) if has_nested_sets else marshal.dumps(value, 4)
    except ValueError as exc:
        raise LiteralError(f"no literal for a {type(value).__name__}: {exc}") from exc
    text = _pool.value_text(data, max_bytes, False)
    if isinstance(text, int):
        raise LiteralError(f"no literal for this {type(value).__name__}: too large or too deep")
    return text


def canonical_literal(text: str, *, max_bytes: int = MAX_TEXT_BYTES) -> str:
    """Rewrite a literal in the one spelling that `canonical` gives its value.

    Raises:
        LiteralError: The text is not a literal, or the canonical literal is too long.
    """
    return _pool.canonical_literal(text, max_bytes)


def canonical_arguments(text: str, *, max_bytes: int = MAX_TEXT_BYTES) -> str:
    """Rewrite an argument list so that equal arguments have equal texts.

    Raises:
        LiteralError: The text is not a list of literals.
    """
    return _pool.canonical_arguments(text, max_bytes)


def require_literal(text: str) -> None:
    """Raise LiteralError unless the text is a literal."""
    _pool.encode_literal(text)


def literal_type(text: str) -> str:
    """Return the name of the type of a literal's value; "None" for None.

    Raises:
        LiteralError: The text is not a literal.
    """
    return _pool.literal_type(text)


def argument_types(text: str) -> list[tuple[str, str]]:
    """Return each argument's name (empty if it has none) and the name of its type.

    Raises:
        LiteralError: The text is not a list of literals.
    """
    return _pool.argument_types(text)


def _check_exact(value: object) -> bool:
    """Let only exact types through: marshal writes any object with a buffer as bytes.

    Returns:
        Whether there is a frozenset, the only set that another one can hold.
    """
    stack: list[Any] = [value]
    seen: set[int] = set()
    has_frozenset = False
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
            has_frozenset = has_frozenset or kind is frozenset
            stack.extend(item)
        else:
            raise LiteralError(f"no literal for a {kind.__name__}")
    return has_frozenset


def _dumps(value: Any, max_bytes: int) -> bytes:
    """Return marshal data of a plain value, its sets unsorted: linear in its length."""
    out = bytearray()

    def write(item: Any, depth: int) -> None:
        kind = cast("type[Any]", type(item))
        if kind in _SCALARS:
            out.extend(marshal.dumps(item, 2))
            return
        if depth > _MAX_DEPTH or len(out) > max_bytes:
            raise ValueError("too large or too deep")
        if kind is dict:
            out.extend(b"{")
            for pair in item.items():
                write(pair[0], depth + 1)
                write(pair[1], depth + 1)
            out.extend(b"0")
            return
        out.extend(_MARSHAL_CODES[kind] + len(item).to_bytes(4, "little"))
        for element in item:
            write(element, depth + 1)

    write(value, 0)
    return bytes(out)
