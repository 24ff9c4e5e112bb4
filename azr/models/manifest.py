"""The manifest of a checkpoint's folder, state.json: size and SHA-256 of every file.

    {"format": 3, "step": 8, "files": {"tasks.sqlite": {"bytes": 94208, "sha256": "..."}, ...},
     "sha256": "..."}                                     the last of all that stands before it

It is written last, so a folder without one is incomplete. A flipped bit anywhere in the folder is
found before a run continues from it. Format 1 had only sizes, and format 2 had the optimizer in
pickled tensors; the models of both can still be read.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from azr.errors import CheckpointError

__all__ = [
    "Kept",
    "Manifest",
    "fault_in",
    "manifest_of",
    "read_manifest",
    "steps_in",
    "write_manifest",
]

NAME = "state.json"
FORMAT = 3
"""Version of the folder's layout; an unknown number is another version of azr."""
READERS = 4
"""Files that are hashed at the same time; hashlib works beside Python."""


@dataclass(frozen=True, slots=True)
class Kept:
    """One file as it was written."""

    bytes: int
    sha256: str
    """In hexadecimal; empty if an older azr did not store it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """All files of a checkpoint but state.json itself."""

    step: int
    version: int = FORMAT
    """Version of the format."""
    files: Mapping[str, Kept]
    """By path within the folder."""

    @property
    def has_hashes(self) -> bool:
        """Whether the contents can be verified, and not only the sizes."""
        return all(kept.sha256 for kept in self.files.values())

    @property
    def bytes(self) -> int:
        """Bytes of all files together."""
        return sum(kept.bytes for kept in self.files.values())


def steps_in(folder: Path) -> list[int]:
    """Return the steps that have a checkpoint, complete or not, oldest first."""
    names = (re.fullmatch(r"step_(\d{1,18})", path.name) for path in folder.glob("step_*"))
    return sorted(int(name[1]) for name in names if name)


def manifest_of(folder: Path, step: int) -> Manifest:
    """Make the manifest of all files that are there now."""
    files = sorted(file for file in folder.rglob("*") if file.is_file() and file != folder / NAME)
    hashes = digests(files)
    kept = zip(files, hashes, strict=True)
    return Manifest(
        step=step,
        files={
            str(file.relative_to(folder)): Kept(file.stat().st_size, digest)
            for file, digest in kept
        },
    )


def write_manifest(folder: Path, manifest: Manifest) -> Path:
    """Write state.json and return it."""
    files = {name: asdict(kept) for name, kept in manifest.files.items()}
    tree = {"format": FORMAT, "step": manifest.step, "files": files}
    file = folder / NAME
    file.write_text(json.dumps({**tree, "sha256": own_digest(tree)}, indent=1) + "\n")
    return file


def read_manifest(folder: Path) -> Manifest:
    """Read state.json of any format.

    Raises:
        CheckpointError: It is missing, damaged, or of another version of azr.
    """
    try:
        tree = json.loads((folder / NAME).read_text(encoding="utf-8"))
        version, step = tree["format"], int(tree["step"])
        files = {str(name): kept_in(entry) for name, entry in dict(tree["files"]).items()}
    except (OSError, ValueError, KeyError, TypeError, RecursionError, OverflowError) as error:
        raise CheckpointError(
            f"{folder} is not a whole checkpoint: {NAME} cannot be read ({error})"
        ) from error
    if version not in range(1, FORMAT + 1):
        raise CheckpointError(
            f"{folder} is of format {version}, this azr reads 1 to {FORMAT}: resume with the"
            " version of azr that wrote it (env.json in the run folder names it)"
        )
    if version > 1 and tree.pop("sha256", "") != own_digest(tree):
        raise CheckpointError(f"{folder} is damaged: {NAME} is not as it was written")
    return Manifest(step=step, version=version, files=files)


def kept_in(entry: object) -> Kept:
    """Read a file's entry; in format 1 it is only the size."""
    if isinstance(entry, int):
        return Kept(entry, "")
    known = cast(Mapping[str, Any], entry)
    return Kept(int(known["bytes"]), str(known["sha256"]))


def fault_in(folder: Path, manifest: Manifest, *, by_content: bool = True) -> str:
    """Say what is wrong with the first file that is not as it was written; empty if all are.

    Args:
        folder: The checkpoint's folder.
        manifest: What it must hold.
        by_content: Read all files and compare their hashes too, about a second per gigabyte.
    """
    for name, kept in manifest.files.items():
        file = folder / name
        if not file.is_file():
            return f"{name} should have {kept.bytes} bytes and is missing"
        if file.stat().st_size != kept.bytes:
            return f"{name} should have {kept.bytes} bytes and has {file.stat().st_size}"
    if not by_content:
        return ""
    hashed = {name: kept.sha256 for name, kept in manifest.files.items() if kept.sha256}
    try:
        found = digests([folder / name for name in hashed])
    except OSError as error:
        return f"{error.filename} cannot be read: {error.strerror}"
    for (name, expected), digest in zip(hashed.items(), found, strict=True):
        if digest != expected:
            return f"{name} is not as it was written (its SHA-256 is another)"
    return ""


def digests(files: Sequence[Path]) -> list[str]:
    """Return the SHA-256 of each file; several are read at a time."""
    with ThreadPoolExecutor(READERS) as readers:
        return list(readers.map(digest_of, files))


def digest_of(file: Path) -> str:
    """Return the SHA-256 of one file, read piece by piece."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def own_digest(tree: Mapping[str, Any]) -> str:
    """Return the hash of what state.json says, whatever its layout."""
    return hashlib.sha256(json.dumps(tree, sort_keys=True).encode()).hexdigest()
