"""Fetches a suite's public data set from the Hugging Face hub.

The files come through huggingface_hub. It caches below HF_HOME, downloads nothing if HF_HUB_OFFLINE
is set, and uses HF_TOKEN for gated data sets. The files are data: none of their scripts runs, and
nothing is unpickled.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportMissingTypeStubs=false
# (pyarrow has no types)

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

from azr.errors import ConfigError, DataUnavailable
from azr.evaluation.suites.hub_sources import HubSource
from azr.evaluation.suites.items import HiddenTests

__all__ = ["Fetched", "fetch", "read_records"]

WAY_OUT = "or name a folder that has the suite's file with --data FOLDER (docs/evaluation.md)"

HIDDEN = "hidden"
"""The name of the check that the packed tests are."""


class Digest(Protocol):
    """One of hashlib's."""

    def update(self, data: bytes, /) -> None:
        """Take more bytes."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A data set's files on this machine."""

    source: HubSource
    files: tuple[Path, ...]
    commit: str

    @property
    def name(self) -> str:
        """The data set's name as the hub's own tools write it."""
        return f"hf://datasets/{self.source.repo}@{self.commit}"


def fetch(suite: str, source: HubSource) -> Fetched:
    """Get the files from the cache, else from the hub.

    Raises:
        DataUnavailable: There is no network, or the hub does not answer.
        ConfigError: The hub has no such data set, file or commit, or wants a token.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HTTPError, RepositoryNotFoundError, RevisionNotFoundError

    try:
        folder = Path(
            snapshot_download(
                source.repo,
                repo_type="dataset",
                revision=source.revision,
                allow_patterns=list(source.files),
            )
        )
    except (RepositoryNotFoundError, RevisionNotFoundError) as error:  # gated ones are the former
        refusal = ConfigError(
            f"{suite}: the Hugging Face hub does not give {source.repo} at {source.revision}"
            f" ({type(error).__name__}): a gated data set wants HF_TOKEN, {WAY_OUT}"
        )
        raise refusal from error
    except (OSError, ValueError, RuntimeError, HTTPError) as error:  # the hub's are of these kinds
        refusal = DataUnavailable(
            f"{suite}: {source.repo} is not in the cache, and the Hugging Face hub cannot be"
            f" reached ({type(error).__name__}): check the network and HF_HUB_OFFLINE, {WAY_OUT}"
        )
        raise refusal from error
    return Fetched(source=source, files=tuple(files_in(folder, suite, source)), commit=folder.name)


def files_in(folder: Path, suite: str, source: HubSource) -> Iterator[Path]:
    """Every file that was asked for, in the order of the patterns."""
    for pattern in source.files:
        found = sorted(folder.glob(pattern))
        if not found:
            raise ConfigError(
                f"{suite}: {source.repo} at {source.revision} has no file {pattern};"
                f" the data set has changed, {WAY_OUT}"
            )
        yield from found


def read_records(suite: str, fetched: Fetched, digest: Digest) -> Iterator[Mapping[str, Any]]:
    """Read the records in azr's form, and put the files' bytes into the digest.

    Raises:
        ConfigError: A file is damaged, or lacks a column.
    """
    source = fetched.source
    number = 0
    for file in fetched.files:
        rows = read_parquet(file, digest) if file.suffix == ".parquet" else read_lines(file, digest)
        for offset, row in rows:
            try:
                record = source.record_of(row, number)
                if source.packed_column:
                    record = {**record, **with_hidden(source, record, row, file, offset)}
            except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
                where = f"{suite}: {fetched.name}/{file.name}, record {number + 1}"
                raise unknown_form(where, row, error) from error
            yield record
            number += 1


def unknown_form(where: str, row: Mapping[str, Any], error: Exception) -> ConfigError:
    """One line about a record that is not in the form it had when this was written."""
    what = (
        f"no column {error}" if isinstance(error, KeyError) else f"{type(error).__name__}: {error}"
    )
    columns = ", ".join(row)
    return ConfigError(
        f"{where}: {what} (its columns: {columns}); the data set has changed, {WAY_OUT}"
    )


def with_hidden(
    source: HubSource, record: Mapping[str, Any], row: Mapping[str, Any], file: Path, offset: int
) -> dict[str, Any]:
    """LiveCodeBench's samples, and where its hidden tests are."""
    if not isinstance(row[source.packed_column], str):
        raise TypeError(f"{source.packed_column} is not a text")
    entry: str = json.loads(record["metadata"] or "{}").get("func_name") or ""
    return {
        "samples": json.loads(record["public_tests"]),
        HIDDEN: HiddenTests(HIDDEN, entry, file, offset, source.packed_column),
    }


def read_lines(file: Path, digest: Digest) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """JSON Lines: each record, and where its line begins."""
    offset = 0
    with file.open("rb") as stream:
        for line in stream:
            digest.update(line)
            if line.strip():
                yield offset, parsed(line, f"{file}, at byte {offset}")
            offset += len(line)


def parsed(line: bytes, where: str) -> dict[str, Any]:
    """One line, which is an object."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{where}: not JSON: {error}") from error
    if not isinstance(record, dict):
        raise ConfigError(f"{where}: not a JSON object")
    return cast("dict[str, Any]", record)


def read_parquet(file: Path, digest: Digest) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Read Parquet through Arrow; all of it is in memory, so no large file is read this way."""
    try:
        import pyarrow.lib
        import pyarrow.parquet
    except ImportError as error:
        refusal = ConfigError(f"{file.name} is Parquet, which needs pyarrow: {error}")
        refusal.add_note("pip install 'azr[eval]' brings it")
        raise refusal from error
    content = file.read_bytes()
    digest.update(content)
    try:
        rows = pyarrow.parquet.read_table(pyarrow.py_buffer(content)).to_pylist()
    except (OSError, ValueError, pyarrow.lib.ArrowException) as error:
        raise ConfigError(f"{file} is not Parquet: {error}") from error
    yield from ((0, row) for row in rows)
