"""The literal parser: total, and equal to Python's own reading."""

import ast
import contextlib
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox_wasm import _pool
from sandbox_wasm.literals import (
    LiteralError,
    canonical,
    canonical_arguments,
    parse_arguments,
    parse_literal,
)

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(10**40), 10**40)
    | st.floats()
    | st.complex_numbers()
    | st.text(st.characters(), max_size=20)
    | st.binary(max_size=20)
)
hashables = st.recursive(
    scalars, lambda s: st.tuples(s, s) | st.frozensets(s, max_size=3), max_leaves=6
)
values = st.recursive(
    scalars,
    lambda s: (
        st.lists(s, max_size=4)
        | st.tuples(s)
        | st.tuples(s, s)
        | st.dictionaries(hashables, s, max_size=4)
        | st.sets(hashables, max_size=4)
    ),
    max_leaves=20,
)
# Python's repr of a set has no fixed order, and eval reads neither inf nor nan.
plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.binary(max_size=20),
    lambda s: st.lists(s, max_size=4) | st.tuples(s, s) | st.dictionaries(st.text(), s, max_size=3),
    max_leaves=20,
)


@given(plain)
def test_canonical_is_repr_for_plain_values(value: Any) -> None:
    assert canonical(value) == repr(value)


@given(plain)
def test_parsing_reads_what_python_reads(value: Any) -> None:
    assert repr(parse_literal(repr(value))) == repr(ast.literal_eval(repr(value)))


@given(values)
def test_canonical_text_round_trips_to_itself(value: Any) -> None:
    text = canonical(value)
    assert canonical(parse_literal(text)) == text


@given(st.text(st.sampled_from("[](){}<>,:'\"\\0123456789.eEjJxob_+-# \n\trRbBuUfnaisetTrueN*="),
               max_size=40))  # fmt: skip
def test_any_text_is_a_value_or_a_literal_error(text: str) -> None:
    try:
        ours = canonical(parse_literal(text))
    except LiteralError:
        return
    try:
        theirs = ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, MemoryError, TypeError):
        return  # we also read inf, frozenset(), newlines outside brackets, ...
    assert ours == canonical(theirs) or "j" in text.lower()  # the zero's sign in -1j


@given(st.text())
def test_any_unicode_text_is_a_value_or_a_literal_error(text: str) -> None:
    try:
        parse_literal(text)
        parse_arguments(text)
    except LiteralError:
        pass


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[1,\n 2, # two\n 3,]", [1, 2, 3]),
        ("'a' \"b\"\n'''c\nd'''", "abc\nd"),
        ("1_000", 1000),
        ("0xFF_ff", 65535),
        ("0b1_01", 5),
        ("0o17", 15),
        ("-0x10", -16),
        ("1e400", float("inf")),
        ("1e-400", 0.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("- 1", -1),
        ("1+2j", 1 + 2j),
        ("(1-2.5j)", 1 - 2.5j),
        ("set()", set()),
        ("frozenset({1, 2})", frozenset({1, 2})),
        ("frozenset([1])", frozenset({1})),
        ("{1: 2, 1: 3}", {1: 3}),
        ("(1)", 1),
        ("(1,)", (1,)),
        ("1, 2", (1, 2)),
        (r"'\x41\u00e9\U0001F600\101\n\q'", "A\u00e9\U0001f600A\n\\q"),
        (r"r'\n'", r"\n"),
        (r"Rb'\n'", b"\\n"),
        (r"b'\xff\0'", b"\xff\0"),
        (r"'\ud800'", "\ud800"),
        ("9" * 4300, int("9" * 4300)),
    ],
)
def test_every_spelling_of_a_literal_is_read(text: str, value: Any) -> None:
    parsed = parse_literal(text)
    assert type(parsed) is type(value)
    assert parsed == value


@pytest.mark.parametrize(
    "text",
    ["", "x", "f()", "f'{1}'", "1 + 1", "[x for x in y]", "*a", "**a", "lambda: 1", "...",
     "__import__('os')", "{[]: 1}", "{{}}", "{(1, []): 2}", "'", "'''", "'a\nb'", "b'\u00e9'",
     "'a' b'b'", "01", "1__0", "1_", "0x", "1.2.3", "[1 2]", "[1", "1]", "(1, 2", "{1: }", "{1:2",
     "{**a}", "9" * 4301, "[" * 200 + "]" * 200, "--1", "not 1", "None1", "Truex", r"'\x4'",
     r"'\N{BULLET}'", "set([[1]])", "frozenset(1)", "int('1')", "1if 1else 2", "\0", "u'a' f'b'"],
)  # fmt: skip
def test_what_is_not_a_literal_is_refused(text: str) -> None:
    with pytest.raises(LiteralError):
        parse_literal(text)


def test_hexadecimal_integers_have_no_digit_limit() -> None:
    assert parse_literal("-0x" + "f" * 5000) == -int("f" * 5000, 16)


def test_arguments_are_positions_then_names() -> None:
    assert parse_arguments("1, 'a', key=[2], other = None,") == (
        (1, "a"),
        {"key": [2], "other": None},
    )
    assert parse_arguments("  # nothing\n") == ((), {})
    assert canonical_arguments("1,k = {2,1}") == "1, k={1, 2}"


@pytest.mark.parametrize("text", ["a=1, 2", "a=1, a=2", "*a", "**a", "1 2", ",", "1,,2", "if=1",
                                  "(a)=1", "a==1"])  # fmt: skip
def test_what_is_not_an_argument_list_is_refused(text: str) -> None:
    with pytest.raises(LiteralError):
        parse_arguments(text)


@pytest.mark.parametrize(
    "unit",
    ["(", "[1,", "1,", "'a' ", "{1:", "-", "((1),", "{(1,):", "9" * 4000 + ",", "#\n", "\\\n"],
)
def test_parsing_takes_linear_time(unit: str) -> None:
    text = unit * (2_000_000 // len(unit))
    started = time.process_time()
    with contextlib.suppress(LiteralError):
        parse_literal("[" + text)
    assert time.process_time() - started < 5.0


@pytest.mark.parametrize("value", [object(), [bytearray(b"x")], memoryview(b"x"), int, ...,
                                   type("S", (str,), {})("a")])  # fmt: skip
def test_other_types_have_no_literal(value: object) -> None:
    with pytest.raises(LiteralError):
        canonical(value)


def test_cycles_and_blown_up_sharing_have_no_literal() -> None:
    cycle: list[Any] = []
    cycle.append(cycle)
    doubled: list[Any] = [1]
    for _ in range(60):
        doubled = [doubled, doubled]
    for value in (cycle, doubled):
        with pytest.raises(LiteralError):
            canonical(value, max_bytes=100_000)


def nested_sets(depth: int) -> str:
    return "frozenset({" * depth + "1" + "})" * depth


@pytest.mark.parametrize("depth", [23, 60, 99])
def test_sets_in_sets_cost_no_more_than_other_values(depth: int) -> None:
    text = nested_sets(depth)
    started = time.process_time()
    assert canonical(parse_literal(text)) == canonical_arguments(text) == text
    assert time.process_time() - started < 0.5


def test_sets_in_sets_keep_their_caps() -> None:
    wide = {frozenset({i}) for i in range(1000)}
    assert parse_literal(canonical(wide)) == wide
    with pytest.raises(LiteralError):
        canonical(wide, max_bytes=100)
    with pytest.raises(LiteralError):
        canonical([parse_literal(nested_sets(100)), [parse_literal(nested_sets(99))] * 3])
    cycle: list[Any] = [frozenset({1})]
    cycle.append(cycle)
    with pytest.raises(LiteralError):
        canonical(cycle)


@pytest.mark.parametrize(
    "text", ["set(" * 300, "frozenset(" * 100_000, "set((" * 100_000, nested_sets(102)]
)
def test_set_calls_are_bounded_in_depth(text: str) -> None:
    with pytest.raises(LiteralError):
        parse_literal(text)


def test_a_forged_long_zero_is_refused_and_costs_nothing() -> None:
    limbs, references = 400_000, 200_000
    number = b"\xec" + limbs.to_bytes(4, "little") + bytes(2 * limbs)
    frame = b"(" + (references + 1).to_bytes(4, "little") + number
    started = time.process_time()
    assert isinstance(_pool.value_text(frame + b"r\0\0\0\0" * references, 10**7, False), int)
    assert time.process_time() - started < 0.5
