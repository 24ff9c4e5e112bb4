"""The user's own JSON Lines: files that a run is given. Errors name file and line."""

import json
from pathlib import Path

from azr.errors import ConfigError

__all__ = ["lines_in", "record_in"]


def lines_in(path: Path | str, name: str, remedy: str) -> list[tuple[int, str]]:
    """Read the lines that are not blank, each with its number from 1.

    Args:
        path: The file.
        name: What it is called in errors, its path included.
        remedy: What to do where the file is empty.

    Raises:
        ConfigError: It cannot be read, or is empty.
    """
    try:
        lines = Path(path).read_bytes().decode("utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{name} cannot be read: {error}") from error
    numbered = [(number, line) for number, line in enumerate(lines, start=1) if line.strip()]
    if not numbered:
        raise ConfigError(f"{name} is empty: {remedy}")
    return numbered


def record_in(line: str, place: str) -> object:
    """Read one line's value.

    Raises:
        ConfigError: It is not JSON; `place` is named.
    """
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{place} is not JSON: {error}") from error
