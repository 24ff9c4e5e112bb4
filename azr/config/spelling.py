"""Keys in words: what one allows, from the JSON schema that pydantic makes of it, and its value."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

__all__ = ["UNSET", "resolved", "spell_key", "spell_kind", "spell_value"]

UNSET = "default"
"""What stands for None in files and on the command line."""

KINDS = {
    "integer": "a whole number",
    "number": "a finite number",
    "boolean": "true or false",
    "string": "text in quotes",
    "object": "a table of texts, numbers, true or false",
}
PLURALS = {"integer": "whole numbers", "number": "numbers", "string": "texts"}
LIMITS = {
    "minimum": "at least",
    "exclusiveMinimum": "above",
    "maximum": "at most",
    "exclusiveMaximum": "below",
}


def resolved(schema: Any, definitions: Mapping[str, Any]) -> Any:
    """The schema with every reference to a definition replaced by that definition."""
    if isinstance(schema, list):
        return [resolved(part, definitions) for part in cast(list[Any], schema)]
    if not isinstance(schema, dict):
        return schema
    whole = cast(dict[str, Any], schema)
    referred = definitions.get(str(whole.get("$ref")).rpartition("/")[2], {})
    parts = {**referred, **{name: part for name, part in whole.items() if name != "$ref"}}
    return {name: resolved(part, definitions) for name, part in parts.items()}


def spell_kind(schema: Mapping[str, Any]) -> str:
    """What a key allows: `a whole number, at least 1`, `one of first, last`, `a list of texts`."""
    if "anyOf" in schema:  # the other is null
        return f'{spell_kind(schema["anyOf"][0])}, or "{UNSET}"'
    if "enum" in schema:
        return "one of " + ", ".join(schema["enum"])
    values: Mapping[str, Any] = schema.get("additionalProperties") or {}
    if values.get("type") in PLURALS:
        return f"a table of {PLURALS[values['type']]}{spell_limits(values)}"
    if schema["type"] != "array":
        return KINDS[schema["type"]] + spell_limits(schema)
    count = f"{schema['maxItems']} " if "maxItems" in schema else ""
    item = schema["prefixItems"][0] if count else schema["items"]
    words = ", ".join(item["enum"]) if "enum" in item else PLURALS[item["type"]]
    least = ", at least one" if schema.get("minItems") == 1 else ""
    return f"a list of {count}{words}{least}{spell_limits(item)}"


def spell_limits(schema: Mapping[str, Any]) -> str:
    """`, in [0, 1]`; empty without limits."""
    if {"minimum", "maximum"} <= schema.keys():
        return f", in [{schema['minimum']}, {schema['maximum']}]"
    limits = [f"{word} {schema[name]}" for name, word in LIMITS.items() if name in schema]
    return f", {' and '.join(limits)}" if limits else ""


def spell_key(word: str) -> str:
    """Spell a key as TOML does: in quotes unless it is of letters, digits, `_` and `-` alone."""
    return word if re.fullmatch(r"[A-Za-z0-9_-]+", word) else spell_value(word)


def spell_value(value: object) -> str:
    """The value as TOML, which has no word for None."""
    if value is None:
        return f'"{UNSET}"'
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):  # a JSON string is a TOML string but for DEL
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, Mapping):
        pairs = cast(Mapping[str, object], value).items()
        return "{" + ", ".join(f"{spell_key(word)} = {spell_value(v)}" for word, v in pairs) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(spell_value(v) for v in cast(Sequence[object], value)) + "]"
    return repr(value)
