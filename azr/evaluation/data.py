"""Finding and reading a suite's file."""

import gzip
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from azr.errors import ConfigError
from azr.evaluation.items import Item
from azr.evaluation.suites import Suite

__all__ = ["SuiteData", "data_folder", "load_suite"]

VARIABLE = "AZR_SHARED_DATA"
SHIPPED = Path(__file__).parent
"""Where the package has its own suites."""


@dataclass(frozen=True, slots=True)
class SuiteData:
    """A suite's items, and which file they are from."""

    suite: Suite
    items: tuple[Item, ...]
    sha256: str
    """Of the file, so that results name the data they are about."""

    def first(self, limit: int | None) -> "SuiteData":
        """The first items alone."""
        return self if limit is None else replace(self, items=self.items[:limit])


def data_folder(named: Path | None) -> Path:
    """The folder that was named, else $AZR_SHARED_DATA, else shared/data beside the checkout."""
    if named is not None:
        return named
    by_variable = os.environ.get(VARIABLE)
    return Path(by_variable) if by_variable else Path("..") / "shared" / "data"


def load_suite(suite: Suite, folder: Path) -> SuiteData:
    """Read a suite.

    Raises:
        ConfigError: The file is not there (the message says where to get it), or is damaged.
    """
    path = (SHIPPED if suite.shipped else folder) / suite.file
    packed = read(suite, path)
    try:
        text = packed.decode() if suite.shipped else gzip.decompress(packed).decode()
        records = [json.loads(line) for line in text.split("\n") if line]
    except (OSError, EOFError, ValueError) as error:
        raise ConfigError(f"{path} is not gzipped JSON Lines: {error}") from error
    items = tuple(item_of(suite, path, number, record) for number, record in enumerate(records, 1))
    if not items:
        raise ConfigError(f"{path} holds no record")
    if len({item.id for item in items}) != len(items):
        raise ConfigError(f"{path}: two records have the same id")
    return SuiteData(suite, items, hashlib.sha256(packed).hexdigest())


def read(suite: Suite, path: Path) -> bytes:
    """The file's bytes, or where to get it."""
    try:
        return path.read_bytes()
    except OSError as error:
        missing = ConfigError(f"{suite.name}: {path} cannot be read: {error.strerror or error}")
        missing.add_note(f"the data is at {suite.origin}; docs/evaluation.md has the format")
        missing.add_note(f"name its folder with --data FOLDER or ${VARIABLE}")
        raise missing from error


def item_of(suite: Suite, path: Path, number: int, record: Mapping[str, Any]) -> Item:
    """One record, with its place in the error."""
    try:
        return suite.item_of(record)
    except (KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"{path}, record {number}: {type(error).__name__}: {error}") from error
