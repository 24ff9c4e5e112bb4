"""Finds and reads a suite's data: a file that was named, else the public one on the hub."""

import gzip
import hashlib
import json
import os
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from azr.errors import ConfigError
from azr.evaluation.suites.fields import FieldError
from azr.evaluation.suites.hub import fetch, read_records
from azr.evaluation.suites.hub_sources import HUB_SOURCES, HubSource
from azr.evaluation.suites.items import CodeItem, Item
from azr.evaluation.suites.suites import Suite

__all__ = ["SuiteData", "data_folder", "load_suite"]

VARIABLE = "AZR_SHARED_DATA"
SHIPPED = Path(__file__).parent
"""Folder of the suites that the package has."""
BESIDE = Path("..") / "shared" / "data"
"""Folder that is searched before the hub is asked."""


@dataclass(frozen=True, slots=True)
class SuiteData:
    """A suite's items, and the file from which they come."""

    suite: Suite
    items: tuple[Item, ...]
    sha256: str
    """Hash of the file, or of the files one after another, so that results identify their data."""
    origin: str
    """The file's path, or `hf://datasets/REPO@COMMIT`."""
    left_out: tuple[str, ...] = ()
    """Records without any test. No answer could fail them, so they are never asked or counted."""

    def first(self, limit: int | None) -> "SuiteData":
        """Return the suite with only its first items."""
        return self if limit is None else replace(self, items=self.items[:limit])


def data_folder(named: Path | None) -> Path | None:
    """Return the folder that was named, else $AZR_SHARED_DATA; None if neither is set."""
    by_variable = os.environ.get(VARIABLE)
    return named or (Path(by_variable).expanduser() if by_variable else None)


def load_suite(suite: Suite, folder: Path | None) -> SuiteData:
    """Read a suite from the folder, or from the Hugging Face hub if none is named.

    Raises:
        ConfigError: The file is missing (the message says where to get it) or damaged, or the hub's
            data set has another form than expected.
        DataUnavailable: The hub is needed and cannot be reached.
    """
    if suite.shipped:
        return load_file(suite, SHIPPED / suite.file)
    source = HUB_SOURCES.get(suite.name)
    if folder is not None or source is None or (BESIDE / suite.file).is_file():
        return load_file(suite, (folder or BESIDE) / suite.file)
    return load_from_hub(suite, source)


def load_file(suite: Suite, path: Path) -> SuiteData:
    """Read a suite's file."""
    packed = read(suite, path)
    try:
        content = packed if suite.shipped else gzip.decompress(packed)
    except (OSError, EOFError, zlib.error) as error:
        raise ConfigError(f"{path} is not gzipped: {error}") from error
    numbered = enumerate(content.split(b"\n"), 1)
    records = [parsed(line, f"{path}, line {number}") for number, line in numbered if line.strip()]
    items = [item_of(suite, path, number, record) for number, record in enumerate(records, 1)]
    return suite_data(suite, items, hashlib.sha256(packed).hexdigest(), str(path))


def parsed(line: bytes, where: str) -> Any:
    """What one line holds."""
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{where}: not JSON: {error}") from error


def load_from_hub(suite: Suite, source: HubSource) -> SuiteData:
    """Fetch a suite, or take it from the hub's cache."""
    fetched = fetch(suite.name, source)
    digest = hashlib.sha256()
    records = read_records(suite.name, fetched, digest)
    items = [
        item_of(suite, fetched.name, number, record) for number, record in enumerate(records, 1)
    ]
    titled = replace(suite, title=source.title or suite.title)
    return suite_data(titled, items, digest.hexdigest(), fetched.name)


def suite_data(suite: Suite, items: Sequence[Item], sha256: str, origin: str) -> SuiteData:
    """The whole, if every item can be told from the others, without those that nothing checks."""
    if not items:
        raise ConfigError(f"{origin} holds no record")
    if len({item.id for item in items}) != len(items):
        raise ConfigError(f"{origin}: two records have the same id")
    kept = tuple(item for item in items if is_checked(item))
    if not kept:
        raise ConfigError(f"{origin} holds no record with a test")
    left_out = tuple(item.id for item in items if not is_checked(item))
    return SuiteData(suite, kept, sha256, origin, left_out)


def is_checked(item: Item) -> bool:
    """Whether there is an answer that would not pass."""
    return not isinstance(item, CodeItem) or bool(item.checks)


def read(suite: Suite, path: Path) -> bytes:
    """The file's bytes, or where to get it."""
    try:
        return path.read_bytes()
    except OSError as error:
        missing = ConfigError(f"{suite.name}: {path} cannot be read: {error.strerror or error}")
        missing.add_note(f"the data is at {suite.origin}; docs/evaluation.md has the format")
        missing.add_note(f"name its folder with --data FOLDER or ${VARIABLE}, or neither: the hub")
        raise missing from error


def item_of(suite: Suite, path: object, number: int, record: Mapping[str, Any]) -> Item:
    """One record, with its place in the error."""
    try:
        return suite.item_of(record)
    except FieldError as error:
        raise ConfigError(f"{path}, record {number}: {error}") from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ConfigError(f"{path}, record {number}: {type(error).__name__}: {error}") from error
