"""Every key of the configuration: its type, its default, what it means, and how these are spelled.

Read from the dataclasses of azr.config.run and the string literals beneath their fields; nothing is
written down twice.
"""

import ast
import inspect
import json
import textwrap
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any, cast

from azr.config.run import RunConfig

__all__ = [
    "UNSET",
    "Key",
    "describe",
    "listing",
    "plain_value",
    "spell_kind",
    "spell_value",
    "strip_optional",
]

UNSET = "default"
"""What stands for None in files and on the command line."""


@dataclass(frozen=True, slots=True)
class Key:
    """One thing that can be configured."""

    name: str
    """Dotted: `learner.lr`."""
    kind: object
    """The annotation of the dataclass field."""
    default: object
    doc: str
    """The string literal beneath the field; empty if the name says it all."""


@cache
def describe() -> Mapping[str, Key]:
    """Every key by its dotted name, in the order of azr.config.run."""
    return {key.name: key for key in describe_class(RunConfig, "")}


def listing() -> Iterable[str]:
    """Lines for the terminal: every key, its default, what it allows and what it means."""
    section = ""
    for key in describe().values():
        table = key.name.rpartition(".")[0]
        if table != section:
            section = table
            yield f"\n[{table}]"
        yield f"{key.name} = {spell_value(key.default)}    ({spell_kind(key.kind)})"
        if key.doc:
            yield f"    {key.doc}"


def describe_class(cls: type, prefix: str) -> Iterable[Key]:
    """The keys of one dataclass and of those within it; its own values come first."""
    hints, docs = typing.get_type_hints(cls), field_docs(cls)
    leaves = [entry for entry in fields(cls) if not is_dataclass(hints[entry.name])]
    for entry in leaves:
        default = plain_value(default_of(entry))
        yield Key(prefix + entry.name, hints[entry.name], default, docs.get(entry.name, ""))
    for entry in fields(cls):
        if is_dataclass(hints[entry.name]):
            yield from describe_class(cast(type, hints[entry.name]), f"{prefix}{entry.name}.")


def default_of(entry: "Field[Any]") -> object:
    """The default of a field, made if need be."""
    return entry.default if entry.default_factory is MISSING else entry.default_factory()


def field_docs(cls: type) -> dict[str, str]:
    """The string literals beneath a class's fields, which Python itself does not keep."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(cls))).body[0]
    assert isinstance(tree, ast.ClassDef)
    docs: dict[str, str] = {}
    for above, below in zip(tree.body, tree.body[1:], strict=False):
        match above, below:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                docs[name] = " ".join(inspect.cleandoc(text).split())
            case _:
                pass
    return docs


def spell_kind(kind: object) -> str:
    """What an annotation allows, in words: `a whole number`, `a list of text`."""
    kind, is_optional = strip_optional(kind)
    if is_optional:
        return f'{spell_kind(kind)}, or "{UNSET}"'
    plain = {
        int: "a whole number",
        float: "a finite number",
        bool: "true or false",
        str: "text in quotes",
    }
    if isinstance(kind, type) and issubclass(kind, Enum):
        return "one of " + ", ".join(str(member.value) for member in kind)
    if typing.get_origin(kind) is tuple:
        items = typing.get_args(kind)
        count = "" if items[-1] is Ellipsis else f"{len(items)} "
        name = {int: "whole numbers", float: "numbers", str: "texts"}.get(items[0])
        return f"a list of {count}{name or spell_kind(items[0]).removeprefix('one of ')}"
    if typing.get_origin(kind) is Mapping:
        return "a table of texts, numbers, true or false"
    return plain.get(cast(type, kind), repr(cast(object, kind)))


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
        return "{" + ", ".join(f"{word} = {spell_value(v)}" for word, v in pairs) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(spell_value(v) for v in cast(Sequence[object], value)) + "]"
    return repr(value)


def strip_optional(kind: object) -> tuple[object, bool]:
    """(T, True) for `T | None`, else (kind, False)."""
    if isinstance(kind, types.UnionType) and types.NoneType in (args := typing.get_args(kind)):
        return next(arg for arg in args if arg is not types.NoneType), True
    return kind, False


def plain_value(value: object) -> object:
    """Enums as their value, tuples as lists."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple):
        return [plain_value(item) for item in cast(tuple[object, ...], value)]
    return value
