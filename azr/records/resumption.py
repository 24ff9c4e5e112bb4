"""What a person must know of a run that is started again: other keys, or that there is none."""

import difflib
import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from azr.atomic_write import write_text
from azr.config.run import RunConfig
from azr.config.spelling import spell_value

__all__ = ["changes", "keep_configuration", "nothing_there"]


def changes(folder: Path, config: RunConfig, attempt: int) -> tuple[str, ...]:
    """Return a line for each key whose value differs from the last start's.

    Args:
        folder: The run's folder, as the last attempt left it.
        config: The configuration with which the run continues.
        attempt: The number of this attempt.
    """
    try:
        before = json.loads((folder / "resolved.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ()
    old = dict(leaves(cast(Mapping[str, Any], before))) if isinstance(before, dict) else {}
    since = f"changed since attempt {attempt - 1}:"
    return tuple(
        f"{since} {key} {spell_value(old[key])} -> {spell_value(value)}"
        for key, value in leaves(config.model_dump(mode="json"))
        if key in old and old[key] != value  # a key that is new has its default: as before
    )


def leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Return dotted keys with their values."""
    for word, value in tree.items():
        if isinstance(value, dict):
            yield from leaves(cast(Mapping[str, Any], value), f"{prefix}{word}.")
        else:
            yield prefix + word, value


def keep_configuration(folder: Path, attempt: int, text: str) -> None:
    """Write this attempt's configuration beside its log; the last one's too if it is not there."""
    last = folder / "logs" / f"attempt_{attempt - 1}.toml"
    if attempt > 1 and not last.exists() and (folder / "config.toml").exists():
        shutil.copyfile(folder / "config.toml", last)
    write_text(folder / "logs" / f"attempt_{attempt}.toml", text)


def nothing_there(folder: Path) -> str:
    """What to say where --resume finds no run: a script may mean it, a person may have slipped."""
    line = f"no run to resume in {folder}: starting a new one"
    runs = folder.parent
    names = [path.name for path in runs.iterdir() if path != folder] if runs.is_dir() else []
    runs_there = [name for name in names if (runs / name / "resolved.json").is_file()]
    close = difflib.get_close_matches(folder.name, runs_there, n=1)
    return f"{line} (there is {runs / close[0]})" if close else line
