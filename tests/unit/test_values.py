"""Equality of values: type-aware, order-blind where Python is, and bounded for any text."""

import math
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox_wasm import _pool
from sandbox_wasm.literals import (
    LiteralError,
    argument_types,
    canonical,
    canonical_arguments,
    canonical_literal,
    literal_type,
    parse_literal,
    parse_sequences,
    require_literal,
)
from sandbox_wasm.values import Tuples, equal, equal_in_python


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ("True", "1", False),
        ("1", "1.0", False),
        ("1", "1", True),
        ("[1, 2]", "(1, 2)", False),
        ("{'a': 1, 'b': 2}", "{'b': 2, 'a': 1}", True),
        ("{1: 2}", "{True: 2}", False),
        ("{1, 2}", "{2, 1}", True),
        ("{1}", "{True}", False),
        ("{1}", "frozenset({1})", False),
        ("nan", "nan", True),
        ("[nan]", "[nan]", True),
        ("{nan}", "{nan}", True),
        ("inf", "-inf", False),
        ("0.0", "-0.0", True),
        ("{0.0: 1}", "{-0.0: 1}", True),
        ("'1'", "1", False),
        ("'a'", "\"a\"", True),
        ("b'a'", "'a'", False),
        ("1+0j", "1.0", False),
        ("None", "False", False),
        ("(1)", "1", True),
        ("[[1, {2: (3,)}]]", "[ [1,{2:(3 ,)}] ]", True),
    ],
)  # fmt: skip
def test_equality_table(a: str, b: str, same: bool) -> None:
    assert equal(a, b) is same
    assert equal(b, a) is same


def test_tolerance_applies_to_floats_only() -> None:
    assert not equal("0.1", "0.10000001")
    assert equal("[0.1, {'x': 1e9}]", "[0.10000001, {'x': 1000000001.0}]", float_tolerance=1e-6)
    assert not equal("1", "2", float_tolerance=10.0)
    assert not equal("inf", "1e308", float_tolerance=1e-6)


def test_text_that_is_no_literal_is_an_error_even_when_equal() -> None:
    with pytest.raises(LiteralError):
        equal("f()", "f()")


keys = st.integers() | st.text(max_size=5) | st.booleans() | st.none()


@given(st.dictionaries(keys, st.integers(), max_size=6))
def test_the_order_of_a_dict_never_counts(value: dict[object, int]) -> None:
    backwards = dict(reversed(list(value.items())))
    assert equal(canonical(value), canonical(backwards))


@given(st.lists(st.integers() | st.floats() | st.text(max_size=5), max_size=5))
def test_equality_is_reflexive(value: list[object]) -> None:
    assert equal(canonical(value), canonical(list(value)))


@pytest.mark.parametrize("depth", [23, 90])
def test_comparing_sets_in_sets_is_linear_in_their_text(depth: int) -> None:
    ones = "{" + "frozenset({" * depth + "1" + "})" * depth + "}"
    started = time.process_time()
    assert not equal(ones, ones.replace("1", "2"))
    assert equal(ones, ones.replace("1", "+1"))
    assert time.process_time() - started < 0.5


# ---- against a definition on Python's own values

edges = st.sampled_from(
    [0, 1, -1, True, False, 0.0, -0.0, 1.0, 2, 2.0, 1 + 0j, 1j, 2**60, 2.0**60, -(2**60), 2**61 - 1,
     2**62 + 1, 2.0**62, 3 * 2**70, 3.0 * 2.0**70, 10**30, 1e30, int(1e30), math.inf, -math.inf,
     math.nan, complex(math.nan, 1), complex(0, math.nan), 0.5, "", "a", b"", b"a", None]
)  # fmt: skip
elements = st.recursive(
    edges | st.integers() | st.floats() | st.text(max_size=2),
    lambda inner: st.lists(inner, max_size=3).map(tuple) | st.frozensets(inner, max_size=3),
    max_leaves=5,
)
anything = st.recursive(
    elements,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(elements, inner, max_size=3)
        | st.sets(elements, max_size=3)
    ),
    max_leaves=8,
)


def typed_key(value: Any) -> str:
    """A text that is the same for the same typed hashable value."""
    kind = cast("type[Any]", type(value))
    if kind is float:
        return canonical(value + 0.0)
    if kind is complex:
        return canonical(complex(value.real + 0.0, value.imag + 0.0))
    if kind is tuple:
        return f"({','.join(map(typed_key, value))},)"
    if kind is frozenset:
        return f"frozenset({sorted(map(typed_key, value))})"
    return canonical(value)


def same(a: Any, b: Any) -> bool:
    """The definition: typed equality on values."""
    if type(a) is not type(b):
        return False
    if isinstance(a, list | tuple):
        left, right = cast("list[Any]", a), cast("list[Any]", b)
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(a, set | frozenset):
        return sorted(map(typed_key, cast("set[Any]", a))) == sorted(map(typed_key, b))
    if isinstance(a, dict):
        left_items = {typed_key(k): v for k, v in cast("dict[Any, Any]", a).items()}
        right_items = {typed_key(k): v for k, v in cast("dict[Any, Any]", b).items()}
        return left_items.keys() == right_items.keys() and all(
            same(value, right_items[key]) for key, value in left_items.items()
        )
    return typed_key(a) == typed_key(b)


def repeats_a_nan(value: Any) -> bool:
    """Whether a dict in it has two keys that only a nan keeps apart."""
    if isinstance(value, dict):
        items = cast("dict[Any, Any]", value)
        return len(set(map(typed_key, items))) < len(items) or any(
            map(repeats_a_nan, items.values())
        )
    return isinstance(value, list | tuple) and any(map(repeats_a_nan, cast("list[Any]", value)))


@pytest.mark.parametrize("empty", ["''", "b''", "()", "None", "frozenset()"])
def test_no_number_is_taken_for_an_empty_value_of_another_kind(empty: str) -> None:
    for number in range(-20, 40):
        both = f"{{{empty}, {number}}}"
        assert _pool.same_literals(both, both, 0.0, True, _pool.Tuples.THEMSELVES, False, 2**64 - 1)
        assert canonical_literal(both)


@given(anything, anything, st.sampled_from([2**64 - 1, 3, 0]))
def test_the_native_comparison_is_the_definition(a: Any, b: Any, hash_mask: int) -> None:
    left, right = canonical(a), canonical(b)
    for one, other in ((left, right), (left, left), (right, left)):
        values = parse_literal(one), parse_literal(other)
        in_python = _pool.same_literals(
            one, other, 0.0, True, _pool.Tuples.THEMSELVES, False, hash_mask
        )
        assert in_python is (values[0] == values[1])
        if not any(map(repeats_a_nan, values)):
            typed = _pool.same_literals(
                one, f" {other}", 0.0, False, _pool.Tuples.THEMSELVES, False, hash_mask
            )
            assert typed is same(*values)


@given(st.lists(elements, max_size=6), st.lists(st.integers(), min_size=6, max_size=6))
def test_repeats_in_a_literal_are_dropped_as_python_drops_them(
    keys: list[Any], items: list[int]
) -> None:
    pairs = [f"{canonical(k)}: {v}" for k, v in zip(keys, items, strict=False)]
    for text in ("{" + ", ".join(pairs) + "}", f"set([{', '.join(map(canonical, keys))}])"):
        try:
            value = parse_literal(text)
        except LiteralError:
            continue  # set([...]) is read for scalars only
        assert canonical_literal(text) == canonical(value)
        assert equal(text, canonical(value))
        assert canonical_arguments(f"k={text}") == f"k={canonical(value)}"


@pytest.mark.parametrize(
    ("a", "b", "tuples", "typed", "in_python"),
    [
        ("[1, 2]", "(1, 2)", "themselves", False, False),
        ("[1, 2]", "(1, 2)", "outermost lists", True, True),
        ("[[1], 2]", "((1,), 2)", "outermost lists", False, False),
        ("[[1], {'a': [2]}]", "((1,), {'a': (2,)})", "lists", True, True),
        ("{(1,)}", "{(1,)}", "lists", True, True),
        ("1", "True", "lists", False, True),
        ("[1, {2.0: 3}]", "[1.0, {2: 3+0j}]", "themselves", False, True),
        ("9007199254740993", "9007199254740992.0", "themselves", False, False),
        ("9007199254740992", "9007199254740992.0", "themselves", False, True),
        ("{1}", "frozenset({1.0})", "themselves", False, True),
        ("[nan]", "[nan]", "themselves", True, False),
        ("'a'", "b'a'", "lists", False, False),
    ],
)  # fmt: skip
def test_rules_of_comparison(a: str, b: str, tuples: Tuples, typed: bool, in_python: bool) -> None:
    assert equal(a, b, tuples=tuples) is equal(b, a, tuples=tuples) is typed
    assert equal_in_python(a, b, tuples=tuples) is equal_in_python(b, a, tuples=tuples) is in_python


def test_in_python_the_tolerance_holds_for_an_integer_beside_a_float() -> None:
    assert equal_in_python("[1, 2]", "[1.0000001, 2]", float_tolerance=1e-6)
    assert not equal_in_python("1", "2", float_tolerance=10.0)
    assert not equal_in_python("{1.0}", "{1.0000001}", float_tolerance=1e-6)


@pytest.mark.parametrize(
    ("keys", "numbered"),
    [("{'1': 2}", "{1: 2}"), ("[{'-007': {'+8': 0}}]", "[{-7: {8: 0}}]"), ("{'': 1, '-': 2}", "")],
)
def test_keys_that_json_made_texts_of_are_numbers_where_that_is_asked_for(
    keys: str, numbered: str
) -> None:
    assert equal_in_python(keys, numbered or keys, numbered_keys=True)
    assert equal_in_python(keys, numbered or keys) is not bool(numbered)
    assert not equal_in_python("{'11111111111111111111': 0}", "{11111111111111111111: 0}",
                               numbered_keys=True)  # fmt: skip
    assert not equal_in_python("['1', {'1'}]", "[1, {1}]", numbered_keys=True)


def test_types_are_told_without_building_values() -> None:
    assert [literal_type(text) for text in ("None", "True", "2**0".partition("*")[0], "1, 2")] == [
        "None", "bool", "int", "tuple",
    ]  # fmt: skip
    assert argument_types("1, 'a', k={1}") == [("", "int"), ("", "str"), ("k", "set")]
    assert parse_sequences("[1, ('a', None)]") == [1, ("a", None)]
    for table in ("{}", "[{1}]", "(frozenset(),)"):
        with pytest.raises(LiteralError):
            parse_sequences(table)


# ---- what hostile values cost

MODULUS = 2**61 - 1
"""Multiples of it have one hash in Python: the next test that builds a set of them will not end."""

HOSTILE: dict[str, Callable[[int], str]] = {
    "integers": lambda n: "{" + ",".join(str(i * MODULUS) for i in range(1, n // 22)) + "}",
    "negative integers": lambda n: (
        "{" + ",".join(f"-{i * MODULUS}" for i in range(1, n // 23)) + "}"
    ),
    "floats": lambda n: (
        "{"
        + ",".join(repr(i * 2.0 ** (61 * k)) for k in range(9) for i in range(1, n // 200))
        + "}"
    ),
    "complex": lambda n: "{" + ",".join(f"{i * MODULUS}+1j" for i in range(1, n // 26)) + "}",
    "tuples": lambda n: "{" + ",".join(f"({i * MODULUS},)" for i in range(1, n // 25)) + "}",
    "frozensets": lambda n: (
        "{" + ",".join(f"frozenset({{{i * MODULUS}}})" for i in range(1, n // 38)) + "}"
    ),
    "keys": lambda n: "{" + ",".join(f"{i * MODULUS}:0" for i in range(1, n // 24)) + "}",
    "one element, repeated": lambda n: "{" + "1," * (n // 2) + "}",
    "nan, repeated": lambda n: "{" + "nan," * (n // 4) + "}",
    "nan keys": lambda n: "{" + "nan:1," * (n // 6) + "}",
    "empty containers": lambda n: "[" + "[],{}," * (n // 6) + "]",
    "empty frozensets": lambda n: "{" + "frozenset()," * (n // 12) + "}",
    "a common prefix": lambda n: (
        "{" + ",".join(f"'{'a' * 2000}{i}'" for i in range(n // 2010)) + "}"
    ),
    "long integers": lambda n: "{" + ",".join(str(10**4299 + i) for i in range(n // 4301)) + "}",
    "a hexadecimal integer": lambda n: "{0x" + "f" * (n // 2) + ",0x1" + "f" * (n // 2) + "}",
    "sets in sets": lambda n: (
        "{" + "frozenset({0," * 90 + ",".join(map(str, range(1, n // 8))) + "})" * 90 + "}"
    ),
    "nan in sets in sets": lambda n: (
        "{" + "frozenset({nan," * 90 + f"({'7,' * (n // 2)})" + "})" * 90 + "}"
    ),
    "tuples in tuples": lambda n: "{" + "(0," * 95 + "7," * (n // 2) + ")" * 95 + "}",
}


def seconds(work: Callable[[], object]) -> float:
    started = time.thread_time()
    work()
    return time.thread_time() - started


@pytest.mark.parametrize("compare", [equal, equal_in_python])
@pytest.mark.parametrize("family", HOSTILE)
def test_a_hostile_value_costs_what_its_length_costs(
    family: str, compare: Callable[[str, str], bool]
) -> None:
    text = HOSTILE[family](2**21)
    plain = "[" + ",".join(map(str, range(2**21 // 8))) + "]"
    other = f"{text[:-1]} {text[-1]}"
    unit = seconds(lambda: equal(plain, f"{plain[:-1]},0]"))
    assert seconds(lambda: compare(f"[{text}, 1]", f"[{other}, 2]")) < 12 * unit + 1


@pytest.mark.parametrize("family", HOSTILE)
def test_a_hostile_argument_costs_what_its_length_costs(family: str) -> None:
    text = HOSTILE[family](2**18)

    def rewrite() -> None:
        with suppress(LiteralError):  # an integer of many digits has no text
            canonical_arguments(f"1, k={text}")

    for work in (rewrite, lambda: require_literal(text), lambda: literal_type(text)):
        assert seconds(work) < 1


def test_other_threads_run_while_long_values_are_compared() -> None:
    text = HOSTILE["integers"](2**22)
    turns = 0
    over = threading.Event()
    compare = threading.Thread(target=lambda: (equal(text, f" {text}"), over.set()))
    compare.start()
    while not over.wait(0.0005):
        turns += 1
    compare.join()
    assert turns > 5
