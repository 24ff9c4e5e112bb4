"""A data set's values, written as Python writes them: arguments, expected values, texts."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

__all__ = ["arguments_of", "lines_of", "unnamed_keys", "value_of", "without_absent"]


def arguments_of(given: Any) -> str:
    """Write the arguments as Python.

    They come as a list of values, as names with values, or as one JSON value per line.

    Raises:
        ValueError: A text is not JSON.
    """
    if isinstance(given, Mapping):
        named = cast("Mapping[str, Any]", given)
        return ", ".join(f"{name}={value!r}" for name, value in named.items())
    if isinstance(given, str):
        return ", ".join(repr(json_value(line)) for line in given.split("\n") if line.strip())
    if isinstance(given, list):
        return ", ".join(map(repr, cast("list[Any]", given)))
    raise ValueError(f"an input of a call must be a list of arguments, got {given!r}")


def value_of(given: Any, expected: Any) -> str:
    """Write the expected value as Python; it is JSON if the arguments are."""
    is_json = isinstance(given, str) and isinstance(expected, str)
    return repr(json_value(expected) if is_json else expected)


def json_value(text: str) -> Any:
    """Read a text of JSON."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(
            f"a call's argument or result must be JSON, got {text[:60]!r}: {error}"
        ) from error


def lines_of(text: Any) -> str:
    """Return a text of stdin or stdout; a list holds its lines, as in parts of APPS and TACO."""
    if isinstance(text, list):
        return "\n".join(str(line).removesuffix("\n") for line in cast("list[Any]", text))
    if isinstance(text, Mapping):  # SandboxFusion's
        named = cast("Mapping[str, Any]", text)
        return str(named.get("stdin") or named.get("stdout") or "")
    return str(text)


def unnamed_keys(given: Any) -> Any:
    """Turn keys that are texts of numbers back into numbers, as APPS does in a first argument.

    JSON has no other keys. Source: github.com/hendrycks/apps, eval/testing_util.py, run_test.
    """
    arguments = (
        [json_value(line) for line in given.split("\n")] if isinstance(given, str) else given
    )
    if not isinstance(arguments, list) or not arguments:
        return given
    first = cast("list[Any]", arguments)[0]
    if not isinstance(first, dict) or not first:
        return given
    named = cast("dict[str, Any]", first)
    if not all(key.removeprefix("-").isdecimal() for key in named):
        return given
    numbered = {int(key): value for key, value in named.items()}
    return [numbered, *cast("list[Any]", arguments)[1:]]


def without_absent(inputs: Sequence[Any]) -> list[Any]:
    """Drop the names whose inputs are None everywhere: Arrow added them, not the problem."""
    if not all(isinstance(given, dict) for given in inputs):
        return list(inputs)
    named = cast("Sequence[dict[str, Any]]", inputs)
    used = {name for given in named for name, value in given.items() if value is not None}
    return [{name: value for name, value in one.items() if name in used} for one in named]
