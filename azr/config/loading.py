"""From files and command lines to a `RunConfig`, and back.

TOML files are merged left to right, dotted overrides come last. Every refusal names where the
value was written, the key, the value and what is allowed. Defaults live in azr.config.run alone.
"""

import codecs
import difflib
import json
import math
import re
import tomllib
import typing
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any, cast

from azr.config.checks import home
from azr.config.keys import (
    UNSET,
    describe,
    plain_value,
    spell_kind,
    spell_value,
    strip_optional,
)
from azr.config.run import RunConfig
from azr.errors import ConfigError

__all__ = [
    "COMMAND_LINE",
    "SYNONYMS",
    "Setting",
    "load",
    "parse_override",
    "read_toml",
    "split_overrides",
    "to_dict",
    "to_toml",
    "unknown_key",
]

COMMAND_LINE = "command line"
SYNONYMS = {
    "learning_rate": "learner.lr",
    "model_name_or_path": "model.name",
    "max_steps": "steps",
    "total_steps": "steps",
    "num_steps": "steps",
    "run_name": "name",
    "output_dir": "runs",
    "n_samples": "selfplay.trials_per_task",
    "num_generations": "selfplay.trials_per_task",
    "max_new_tokens": "rollout.max_completion_tokens",
    "max_tokens": "rollout.max_completion_tokens",
    "max_response_length": "rollout.max_completion_tokens",
    "max_prompt_length": "rollout.max_prompt_tokens",
    "save_steps": "checkpoint.every",
    "save_freq": "checkpoint.every",
}
"""Words of other frameworks, for the guess in an error; they are not accepted."""
WORDS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


@dataclass(frozen=True, slots=True)
class Setting:
    """One value as somebody wrote it: a TOML value, or text from the command line."""

    value: object
    source: str
    """The file's path, or `COMMAND_LINE`; error messages begin with it."""


def load(files: Sequence[str | Path], overrides: Iterable[tuple[str, str]] = ()) -> RunConfig:
    """Merge files left to right, then overrides, into a validated configuration.

    Args:
        files: TOML files; none means the defaults.
        overrides: (dotted key, text) pairs in the order in which they were given.

    Raises:
        ConfigError: A file is missing or not TOML, a key unknown, a value impossible.
    """
    settings: dict[str, Setting] = {}
    for file in files:
        settings.update(read_toml(Path(home("the configuration file", str(file)))))
    for name, text in overrides:
        if name not in describe():
            raise unknown_key(name, COMMAND_LINE)
        settings[name] = Setting(read_text(describe()[name].kind, text), COMMAND_LINE)
    return cast(RunConfig, build(RunConfig, "", settings))


def parse_override(text: str) -> tuple[str, str]:
    """Split `a.b=c`, as `--set` takes it."""
    name, equals, value = text.partition("=")
    if not equals:
        raise ConfigError(f"--set expects KEY=VALUE, got {text!r}")
    return name.strip(), value.strip()


def split_overrides(
    words: Sequence[str], flags: frozenset[str]
) -> tuple[list[str], list[tuple[str, str]]]:
    """Take `--dotted.key value` out of the command line; the rest is argparse's.

    Raises:
        ConfigError: A `--word` is neither a flag nor a key.
    """
    rest: list[str] = []
    overrides: list[tuple[str, str]] = []
    queue = list(words)
    while queue:
        word = queue.pop(0)
        flag, equals, value = word.partition("=")
        if not flag.startswith("--") or flag == "--" or flag in flags:
            rest.append(word)
            continue
        name = flag.removeprefix("--")
        if name not in describe():
            raise unknown_key(name, COMMAND_LINE, [flag.removeprefix("--") for flag in flags])
        if not equals and queue and not queue[0].startswith("--"):
            value = queue.pop(0)
        elif not equals and describe()[name].kind is bool:
            value = "true"
        elif not equals:
            raise ConfigError(f"{COMMAND_LINE}: --{name} needs a value")
        overrides.append((name, value))
    return rest, overrides


# ---------------------------------------------------------------- reading


def read_toml(path: Path) -> dict[str, Setting]:
    """The file's values by dotted key; unknown keys and sections are refused."""
    try:
        tree = tomllib.loads(path.read_text(encoding=encoding_of(path)))
    except FileNotFoundError as error:
        refusal = ConfigError(f"{path}: no such configuration file")
        refusal.add_note("ready ones are in configs/; azr train without a file uses the defaults")
        raise refusal from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from error
    return dict(flatten(tree, "", str(path)))


def encoding_of(path: Path) -> str:
    """UTF-8, with the mark that some editors put before it or without.

    Raises:
        ConfigError: The mark is that of UTF-16, or of UTF-32.
    """
    with path.open("rb") as file:
        mark = file.read(4)
    if mark.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)):
        raise ConfigError(f"{path}: is written in UTF-16 or UTF-32: save it as UTF-8")
    return "utf-8-sig"


def flatten(tree: Mapping[str, object], prefix: str, source: str) -> Iterable[tuple[str, Setting]]:
    """Walk tables down to the keys that the configuration knows."""
    sections = {name.rpartition(".")[0] for name in describe()}
    for word, value in tree.items():
        name = prefix + word
        if name in describe():
            yield name, Setting(value, source)
        elif name in sections:
            if not isinstance(value, dict):
                raise ConfigError(f"{source}: {name} is a table ([{name}]), got {value!r}")
            yield from flatten(cast(dict[str, object], value), name + ".", source)
        else:
            raise unknown_key(name, source)


def unknown_key(name: str, source: str, also: Collection[str] = ()) -> ConfigError:
    """The refusal of a key that does not exist, with the closest one that does.

    Args:
        name: What was written, dotted.
        source: Where it was written.
        also: Further names that would have been right there (flags of the command line).
    """
    close = closest(name, also)
    guess = f"; did you mean {'--' if close in also else ''}{close}?" if close else ""
    error = ConfigError(f"{source}: unknown key {name!r}{guess}")
    error.add_note("azr train --help-config lists every key with its default")
    return error


def closest(name: str, also: Collection[str]) -> str:
    """What was probably meant: another framework's word, a slip, a wrong section; or nothing."""
    section, _, leaf = name.rpartition(".")
    if leaf in SYNONYMS:
        return SYNONYMS[leaf]
    sections = {key.rpartition(".")[0] for key in describe()} - {""}
    beside = {k.rpartition(".")[2]: k for k in describe() if k.rpartition(".")[0] == section}
    if not section:
        beside |= {word: word for word in (*sections, *also)}
    leaves = {key.rpartition(".")[2]: key for key in describe()}
    for candidates, word, cutoff in (
        (beside, leaf, 0.6),
        ({key: key for key in describe()}, name, 0.8),
        (leaves, leaf, 0.75),
    ):
        for match in difflib.get_close_matches(word, candidates, n=1, cutoff=cutoff):
            return candidates[match]
    return ""


def read_text(kind: object, text: str) -> object:
    """Read command-line text as the value TOML would have held; text that does not fit stays."""
    kind, is_optional = strip_optional(kind)
    if is_optional and text == UNSET:
        return None
    if typing.get_origin(kind) in (tuple, Mapping):
        return read_list(kind, text) if typing.get_origin(kind) is tuple else read_table(text)
    if kind is bool:
        return WORDS.get(text.lower(), text)
    if kind is int or kind is float:
        try:
            return int(text) if kind is int else float(text)
        except ValueError:
            return text
    return text


def read_list(kind: object, text: str) -> object:
    """`[1, 2]` as in TOML, or plainly `1,2`; nothing is the empty list."""
    if text.startswith("["):
        try:
            return tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            return text
    item_kind = typing.get_args(kind)[0]
    return [read_text(item_kind, item.strip()) for item in text.split(",") if item.strip()]


def read_table(text: str) -> object:
    """`{"a": 1}` as in JSON, or `{a = 1}` as in TOML; other text stays."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (tomllib.TOMLDecodeError, RecursionError):
        return text


# ---------------------------------------------------------------- converting


def build(cls: type, prefix: str, settings: Mapping[str, Setting]) -> object:
    """Make one (sub)configuration; what nobody set keeps its default."""
    hints = typing.get_type_hints(cls)
    values: dict[str, object] = {}
    for entry in fields(cls):
        name = prefix + entry.name
        if is_dataclass(hints[entry.name]):
            values[entry.name] = build(hints[entry.name], name + ".", settings)
        elif name in settings:
            values[entry.name] = convert(name, hints[entry.name], settings[name])
    try:
        return cls(**values)
    except ConfigError as error:  # raised by __post_init__, which cannot know the file
        raise ConfigError(f"{blame(str(error), settings)}{error}") from error


def blame(message: str, settings: Mapping[str, Setting]) -> str:
    """`FILE: ` of the first key in the message that somebody set; empty if all are defaults."""
    for name in re.findall(r"[a-z_0-9]+(?:\.[a-z_0-9]+)*", message):
        if name in settings:
            return f"{settings[name].source}: "
    return ""


def convert(name: str, kind: object, setting: Setting) -> object:
    """The value in the type its field declares.

    Raises:
        ConfigError: It cannot be one; the message says what can.
    """
    setting_kind = kind
    kind, is_optional = strip_optional(kind)
    value = setting.value
    if is_optional and (value is None or value == UNSET):
        return None
    if typing.get_origin(kind) is tuple:
        return convert_tuple(name, kind, setting, spell_kind(setting_kind))
    if isinstance(kind, type) and issubclass(kind, Enum):
        return convert_enum(name, kind, setting)
    if typing.get_origin(kind) is Mapping and isinstance(value, dict):
        return cast(dict[str, object], value)
    if kind is float and type(value) is int:
        value = float(value)
    is_finite = not isinstance(value, float) or math.isfinite(value)
    if type(value) is kind and is_finite:
        return value
    raise ConfigError(
        f"{setting.source}: {name} must be {spell_kind(setting_kind)}, got {setting.value!r}"
    )


def convert_tuple(name: str, kind: object, setting: Setting, spelled: str) -> tuple[object, ...]:
    """A TOML array, each item in the declared type."""
    value, item_kinds = setting.value, typing.get_args(kind)
    if not isinstance(value, list):
        raise ConfigError(f"{setting.source}: {name} must be {spelled}, got {value!r}")
    items = cast(list[object], value)
    if item_kinds[-1] is Ellipsis:
        item_kinds = (item_kinds[0],) * len(items)
    if len(items) != len(item_kinds):
        raise ConfigError(f"{setting.source}: {name} must be {spelled}, got {value!r}")
    return tuple(
        convert(f"{name}[{place}]", item_kind, Setting(item, setting.source))
        for place, (item, item_kind) in enumerate(zip(items, item_kinds, strict=True))
    )


def convert_enum(name: str, kind: type[Enum], setting: Setting) -> Enum:
    """A member by its value."""
    try:
        return kind(setting.value)
    except ValueError as error:
        allowed = ", ".join(str(member.value) for member in kind)
        raise ConfigError(
            f"{setting.source}: {name} must be one of {allowed}, got {setting.value!r}"
        ) from error


# ---------------------------------------------------------------- writing


def to_dict(config: object) -> dict[str, Any]:
    """Nested plain values, ready for JSON."""
    tree: dict[str, Any] = {}
    for entry in fields(cast(Any, config)):
        value: object = getattr(config, entry.name)
        tree[entry.name] = to_dict(value) if is_dataclass(value) else plain_value(value)
    return tree


def to_toml(config: RunConfig) -> str:
    """A file that `load` reads back into an equal configuration."""
    return "\n".join(table_lines("", to_dict(config))).lstrip("\n") + "\n"


def table_lines(name: str, table: Mapping[str, object]) -> Iterable[str]:
    """A table's own keys, then the tables within it, under their dotted names."""
    if name:
        yield from ("", f"[{name}]")
    for word, value in table.items():
        if not is_table(value):
            yield f"{word} = {spell_value(value)}"
    for word, value in table.items():
        if is_table(value):
            inner = f"{name}.{word}" if name else word
            yield from table_lines(inner, cast(Mapping[str, object], value))


def is_table(value: object) -> bool:
    """Is it written as a [section]?"""
    return isinstance(value, dict)
