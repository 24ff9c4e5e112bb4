"""What the host asks a proposer to write about: a category, or a document of the user's own.

A model left alone comes back to its few favourite programs. A category that is drawn by the host,
not chosen by the model, costs nothing and cannot collapse (hamishivi/Absolute-Zero-Reasoner lets
the model choose one of twelve families); a target problem or a document leads it to what it would
not have thought of (GASP, arXiv 2603.15957: a step towards a hard problem; SPICE, arXiv
2510.24684: a corpus; R-Few, arXiv 2512.02472: a few human tasks).

The theme of a prompt is a function of its seed. Themes are for proposers that write the program.
"""

from functools import lru_cache
from pathlib import Path
from random import Random
from typing import Any, cast

from azr.config.game import GroundingConfig
from azr.errors import ConfigError
from azr.game.tasks.json_lines import lines_in, record_in
from azr.seeds import derive_seed

__all__ = ["check_documents", "theme_of"]

MAX_FILE_BYTES = 256 * 1024 * 1024
"""All documents stay in memory."""

DOCUMENT = """\
Let the task be one step towards the following text, or take from it an idea that can be computed. \
Do not copy it:

{text}"""
CATEGORY = "Let the task be about: {category}."


def theme_of(config: GroundingConfig, seed: int) -> str:
    """What a proposer is asked to write about; mostly nothing, by default always.

    Args:
        config: How often, and about what.
        seed: Of the proposal.
    """
    draws = Random(derive_seed(seed, "theme"))  # noqa: S311 - not for secrets
    about_document, about_category = draws.random(), draws.random()
    if config.file and about_document < config.file_share:
        return DOCUMENT.format(text=draws.choice(documents_in(config.file)))
    if about_category < config.category_share:
        return CATEGORY.format(category=draws.choice(config.categories))
    return ""


def check_documents(config: GroundingConfig) -> None:
    """Read the file, if the run has one.

    Raises:
        ConfigError: It cannot be read, or a line of it is no document.
    """
    if config.file:
        documents_in(config.file)


@lru_cache(maxsize=4)
def documents_in(path: str) -> tuple[str, ...]:
    """The texts of a JSON Lines file; each line is an object with a field `text`.

    Raises:
        ConfigError: The file cannot be read, is too large or empty, or a line is broken.
    """
    name = f"grounding.file {path}"
    try:
        if Path(path).stat().st_size > MAX_FILE_BYTES:
            raise ConfigError(f"{name} must have at most {MAX_FILE_BYTES} bytes: cut it")
    except OSError as error:
        raise ConfigError(f"{name} cannot be read: {error}") from error
    numbered = lines_in(path, name, 'write a line {"text": "..."} for each document')
    return tuple(text_in(line, f"{name}, line {number}") for number, line in numbered)


def text_in(line: str, place: str) -> str:
    """The text of one line.

    Raises:
        ConfigError: It has none; `place` and the field are named.
    """
    record = record_in(line, place)
    if not isinstance(record, dict):
        raise ConfigError(f"{place} must be an object with a field text, got {line.strip()[:60]}")
    text = cast(dict[str, Any], record).get("text")
    if not isinstance(text, str) or not text.strip():
        found = "nothing" if text is None else repr(text)[:60]
        raise ConfigError(f"{place}, text: must be a text that is not blank, got {found}")
    return text.strip()
