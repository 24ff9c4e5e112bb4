"""A data set's row in one plain form, whether it comes from JSON, Arrow, pandas or Python.

Arrow writes None for each key that a row lacks, and pandas has arrays for lists. In the plain form
None is absent, an array is a list, bytes are text, and a text of JSON is what it says. Nothing is
unpickled.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, cast

from sandbox_wasm.grading.forms.packed import PackedTestsError, inflate, text_of_pickle
from sandbox_wasm.literals import LiteralError, parse_literal

__all__ = ["Row", "opened", "plain", "present", "structure"]

Row = Mapping[str, Any]

CONTAINERS = ("ground_truth", "reward_model", "verification_info", "input_output")
"""Keys under which verl, SYNTHETIC-1 and APPS hold a row's checks, as a text or an object."""
QUESTIONS = ("input", "inputs", "stdin", "test_input")
ANSWERS = ("output", "outputs", "stdout", "expected_output", "expected_outputs", "expected")
"""Names of the two sides of a case in data sets; azr's forms call them input and output."""
CASE_KEYS = ("testtype", "type", "fn_name", "func_name", "metadata")
TESTS = ("tests", "test", "test_cases", "unit_tests", "test_list", "test_code", "functional")
"""Keys whose value may be a text, a list of asserts, a list of cases or an object."""
TOLD_OTHERWISE = frozenset(("tests", "test_list", "cases", "calls"))
SCALARS = (str, bool, int, float)
PACKED_CHARS = 40
"""A packed text is longer than this; a short word is not base64."""


def plain(value: Any) -> Any:
    """Turn a value into lists, dicts and scalars, as JSON would have them.

    Raises:
        ValueError: It holds something else.
    """
    kind = cast("type[Any]", type(value))
    if value is None or kind in SCALARS:
        return value
    for name in ("tolist", "as_py"):  # of numpy, of Arrow
        if hasattr(value, name):
            return plain(getattr(value, name)())
    if isinstance(value, Mapping):
        items = cast("Mapping[Any, Any]", value).items()
        return {plain(key): plain(item) for key, item in items}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in cast("Iterable[Any]", value)]
    return plain_scalar(value)


def plain_scalar(value: Any) -> Any:
    """Turn bytes into text, and an instance of a scalar's subclass into that scalar."""
    if isinstance(value, bytes):
        return value.decode()
    for base in SCALARS:
        if isinstance(value, base):
            return base(value)
    raise ValueError(
        f"ground truth holds a {type(value).__name__}, which no data set's file can hold"
    )


def present(row: Row) -> dict[str, Any]:
    """Drop keys that say nothing: None, an empty text or an empty list."""
    return {
        key: value for key, value in row.items() if value is not None and value not in ("", [], {})
    }


def structure(value: Any) -> Any:
    """Read a text of JSON, of a Python literal or of packed JSON; return anything else unchanged.

    Raises:
        ValueError: The text is packed, and holds something else than a text: objects are never
            unpickled.
    """
    if not isinstance(value, str):
        return value
    text = value.strip()
    if text[:1] in ("[", "{"):
        return json_or_literal(text, value)
    if is_packed(text):
        return structure(unpacked(text))
    return value


def json_or_literal(text: str, otherwise: str) -> Any:
    """Read a list or an object; a test may begin with a bracket too, and stays a text."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        return plain(parse_literal(text))
    except (LiteralError, ValueError, RecursionError):
        return otherwise


def is_packed(text: str) -> bool:
    """Tell whether a text is one word of base64 whose bytes begin like zlib's."""
    return len(text) >= PACKED_CHARS and text[:2] == "eJ" and not any(map(str.isspace, text))


def unpacked(text: str) -> str:
    """Undo base64 and zlib, and read JSON or a pickle of one JSON text, as in LiveCodeBench."""
    try:
        content = inflate(text)
        return text_of_pickle(content) if content[:1] == b"\x80" else content.decode()
    except (PackedTestsError, UnicodeDecodeError) as error:
        raise ValueError(
            f"the packed tests are no text ({error}); objects are never unpickled: use JSON"
        ) from error


def opened(truth: Any) -> dict[str, Any]:
    """Return the row with the content of its containers beside it, and its tests under one name.

    Returns:
        `tests` is a text, `test_list` a list of texts, `cases` a list of objects; the other keys
        are those of the row.
    """
    found = structure(plain(truth))
    if isinstance(found, str):
        return {"tests": found}
    if isinstance(found, list):
        return named_list(cast("list[Any]", found))
    if not isinstance(found, dict):
        raise ValueError(f"ground truth must be a text, a list or a mapping, got {found!r}")  # noqa: TRY004
    row = with_tests_named(without_containers(present(cast("dict[str, Any]", found))))
    return with_cases(row)


def without_containers(row: dict[str, Any]) -> dict[str, Any]:
    """Move the content of containers beside the other keys."""
    for key in CONTAINERS:
        inner = structure(row.get(key))
        if isinstance(inner, dict | list) or (key == "ground_truth" and isinstance(inner, str)):
            row = {**without(row, key), **opened(inner)}
    return row


def with_tests_named(row: dict[str, Any]) -> dict[str, Any]:
    """Rename the first key of tests after its content."""
    for key in TESTS:
        if key in row:
            inner = structure(row[key])
            named = {"tests": inner} if isinstance(inner, str) else opened(inner)
            return {**without(row, key), **named}
    return row


def without(row: dict[str, Any], key: str) -> dict[str, Any]:
    """Return the other keys."""
    return {name: value for name, value in row.items() if name != key}


def named_list(items: list[Any]) -> dict[str, Any]:
    """Put a list of asserts under `test_list`, and a list of cases under `cases`."""
    kept = [item for item in items if item not in (None, "", {})]
    if kept and all(isinstance(item, str) for item in kept):
        return {"test_list": kept}
    if kept and all(isinstance(item, dict) for item in kept):
        return {"cases": [present_case(item) for item in kept]}
    raise ValueError(
        "ground truth must be a list of asserts, or of objects with input and output; got "
        + (f"{kept[:1]!r} ..." if kept else "an empty list: every program would pass")
    )


def present_case(case: dict[str, Any]) -> dict[str, Any]:
    """Drop keys that Arrow added to a case and name its sides; an empty input or output counts."""
    kept = {key: value for key, value in case.items() if value is not None}
    named = {
        "input": next((key for key in QUESTIONS if key in kept), None),
        "output": next((key for key in ANSWERS if key in kept), None),
    }
    return {
        **{key: value for key, value in kept.items() if key not in named.values()},
        **{name: kept[key] for name, key in named.items() if key is not None},
    }


def with_cases(row: dict[str, Any]) -> dict[str, Any]:
    """Turn columns of cases, as a data set's `Sequence` has them, into cases.

    `inputs` with `outputs` are APPS' own form and stay. A single case counts only if the row has
    nothing else.
    """
    if ("inputs" in row and "outputs" in row) or row.keys() & TOLD_OTHERWISE:
        return row
    question = next((key for key in QUESTIONS if key in row), None)
    answer = next((key for key in ANSWERS if key in row), None)
    if question is None or answer is None:
        return row
    given, expected = row[question], row[answer]
    if isinstance(given, str) and isinstance(expected, str):
        is_case = row.keys() <= {question, answer, *CASE_KEYS}
        return {"cases": [present_case(row)]} if is_case else row
    if not isinstance(given, list) or not isinstance(expected, list):
        return row
    sizes = len(cast("list[Any]", given)), len(cast("list[Any]", expected))
    if sizes[0] != sizes[1]:
        raise ValueError(f"ground truth has {sizes[0]} {question} and {sizes[1]} {answer}")
    columns = {key: row[key] for key in (question, answer, *CASE_KEYS)
               if isinstance(row.get(key), list) and len(row[key]) == sizes[0]}  # fmt: skip
    cases = [dict(zip(columns, case, strict=True)) for case in zip(*columns.values(), strict=True)]
    others = {key: value for key, value in row.items() if key not in columns}
    return {**others, "cases": [present_case(case) for case in cases]}
