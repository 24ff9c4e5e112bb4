"""From files and command lines to a `RunConfig`, and back.

TOML files are merged left to right, dotted overrides come last. Every refusal names where the
value was written, the key, the value and what is allowed. Defaults live in azr.config.run alone.
"""

import codecs
import difflib
import json
import re
import tomllib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from pydantic import TypeAdapter

from azr.config.gone import GONE
from azr.config.keys import describe
from azr.config.kinds import at_home
from azr.config.run import RunConfig
from azr.config.spelling import UNSET, spell_key, spell_value
from azr.errors import ConfigError

__all__ = [
    "COMMAND_LINE",
    "SYNONYMS",
    "Setting",
    "load",
    "parse_override",
    "read_toml",
    "split_overrides",
    "to_toml",
    "unknown_key",
]

COMMAND_LINE = "command line"
SYNONYMS = {
    "learning_rate": "learner.lr",
    "lora_rank": "lora.rank",
    "lora_alpha": "lora.alpha",
    "target_modules": "lora.targets",
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
        settings.update(read_toml(place_of(file)))
    for name, text in overrides:
        if name not in describe():
            raise unknown_key(name, COMMAND_LINE)
        settings[name] = Setting(read_text(describe()[name].schema, text), COMMAND_LINE)
    try:
        return RunConfig(**tables_of(settings))
    except ConfigError as error:  # it cannot know the file
        raise ConfigError(f"{blame(str(error), settings)}{error}") from error


def place_of(file: str | Path) -> Path:
    """The path of a file, its `~` replaced."""
    try:
        return Path(at_home(str(file)))
    except ValueError as error:
        raise ConfigError(f"the configuration file {error}") from error


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
        elif not equals and describe()[name].schema.get("type") == "boolean":
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
    sections = {name.rpartition(".")[0] for name in (*describe(), *GONE)}
    for word, value in tree.items():
        name = prefix + word
        if name in sections and isinstance(value, dict):
            yield from flatten(cast(dict[str, object], value), name + ".", source)
        elif name in describe():
            yield name, Setting(value, source)
        elif name in sections:
            raise ConfigError(f"{source}: {name} is a table ([{name}]), got {value!r}")
        elif name not in GONE or GONE[name][0] != value:
            raise unknown_key(name, source)


def unknown_key(name: str, source: str, also: Collection[str] = ()) -> ConfigError:
    """The refusal of a key that does not exist, with the closest one that does.

    Args:
        name: What was written, dotted.
        source: Where it was written.
        also: Further names that would have been right there (flags of the command line).
    """
    if name in GONE:
        return ConfigError(f"{source}: there is no key {name} any more: {GONE[name][1]}")
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
    named = [key for key in describe() if key.rpartition(".")[2] == leaf]
    if len(named) == 1:
        return named[0]
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


def read_text(schema: Mapping[str, Any], text: str) -> object:
    """Read command-line text as the value TOML would have held; text that does not fit stays.

    A list may be written `[1, 2]` or plainly `1,2`, a table as in JSON or TOML.
    """
    if "anyOf" in schema:
        return text if text == UNSET else read_text(schema["anyOf"][0], text)
    if schema["type"] == "array" and not text.startswith("["):
        item = schema.get("items") or schema["prefixItems"][0]
        return [read_text(item, word.strip()) for word in text.split(",") if word.strip()]
    for read in READERS.get(schema["type"], ()):
        with suppress(ValueError, RecursionError):
            return read(text)
    return text


def read_toml_value(text: str) -> object:
    """One value as it stands in a file."""
    return tomllib.loads(f"value = {text}")["value"]


READERS: Mapping[str, Sequence[Callable[[str], object]]] = {
    "integer": (TypeAdapter(int).validate_strings,),
    "number": (TypeAdapter(float).validate_strings,),
    "boolean": (TypeAdapter(bool).validate_strings,),
    "array": (read_toml_value,),
    "object": (json.loads, read_toml_value),
}
"""By JSON's word for a type; all others are text."""


# ---------------------------------------------------------------- checking


def tables_of(settings: Mapping[str, Setting]) -> dict[str, Any]:
    """The values under dotted keys as nested tables; `"default"` is None where that is allowed."""
    root: dict[str, Any] = {}
    for name, setting in settings.items():
        is_unset = setting.value == UNSET and describe()[name].is_optional
        *tables, word = name.split(".")
        table = root
        for inner in tables:
            table = table.setdefault(inner, {})
        table[word] = None if is_unset else setting.value
    return root


def blame(message: str, settings: Mapping[str, Setting]) -> str:
    """`FILE: ` of the first key in the message that somebody set; empty if all are defaults."""
    for name in re.findall(r"[a-z_0-9]+(?:\.[a-z_0-9]+)*", message):
        if name in settings:
            return f"{settings[name].source}: "
    return ""


# ---------------------------------------------------------------- writing


def to_toml(config: RunConfig) -> str:
    """A file that `load` reads back into an equal configuration."""
    return "\n".join(table_lines("", config.model_dump(mode="json"))).lstrip("\n") + "\n"


def table_lines(name: str, table: Mapping[str, Any]) -> Iterable[str]:
    """A table's own keys, then the tables within it, under their dotted names."""
    if name:
        yield from ("", f"[{name}]")
    inner: dict[str, Any] = {word: v for word, v in table.items() if isinstance(v, dict)}
    for word, value in table.items():
        if word not in inner:
            yield f"{spell_key(word)} = {spell_value(value)}"
    for word, value in inner.items():
        yield from table_lines(f"{name}.{spell_key(word)}".lstrip("."), value)
