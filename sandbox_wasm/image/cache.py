"""A folder of built files per user: private, checked when read, built once by one process."""

import contextlib
import fcntl
import hashlib
import os
import time
from collections.abc import Callable, Generator, Iterable
from pathlib import Path
from typing import Final

from sandbox_wasm.errors import ImageError
from sandbox_wasm.image.private_folder import OpenFile, PrivateFolder

__all__ = ["BuiltFiles", "cache_folder", "sha256_of"]

_LOCK: Final = ".lock"
_PARTIAL: Final = ".partial-"
"""How the name of a file begins that is being written."""


def cache_folder() -> Path:
    """Return AZR_CACHE_DIR, or XDG_CACHE_HOME/azr, or ~/.cache/azr; made with mode 0700.

    Raises:
        ImageError: Other users can write to it, or to a folder above it.
    """
    chosen = os.environ.get("AZR_CACHE_DIR")
    if not chosen:
        chosen = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "azr"
    folder = Path(chosen).expanduser() / "sandbox"
    PrivateFolder(folder)
    return folder


def sha256_of(*parts: bytes | str) -> str:
    """Hash parts, each preceded by its length so that no two lists collide."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return digest.hexdigest()


class BuiltFiles:
    """Files that are either whole and as they were built, or built again.

    Beside each file stands `NAME.sha256`. A file whose hash differs (a torn write, a full disk,
    a bad sector) counts as absent.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._private = PrivateFolder(folder)

    def read(self, name: str) -> bytes | None:
        """Return the contents, or None when the file is absent, damaged or not ours alone."""
        file = self._private.open(name)
        try:
            data = file.read_bytes() if file else None
        except OSError:
            return None
        if data is None or hashlib.sha256(data).hexdigest() != self._expected(name):
            return None
        return data

    def open(self, name: str) -> OpenFile | None:
        """Return the file, open, without keeping it in memory; None as for `read`."""
        file = self._private.open(name)
        if file is None:
            return None
        try:
            with file.path.open("rb") as contents:
                found = hashlib.file_digest(contents, "sha256").hexdigest()
        except OSError:
            return None
        return file if found == self._expected(name) else None

    def _expected(self, name: str) -> str | None:
        """The hash it was built with."""
        file = self._private.open(f"{name}.sha256")
        try:
            return file.read_bytes().decode().strip() if file else None
        except (OSError, UnicodeDecodeError):
            return None

    def ensure_read(self, name: str, build: Callable[[], bytes]) -> bytes:
        """Return the contents of a whole file, building it under the lock if need be."""
        data = self.read(name)
        if data is None:
            with self.lock(name):
                data = self.read(name)  # another process may have built it meanwhile
                if data is None:
                    data = build()
                    self._write(name, data)
        return data

    def ensure(self, name: str, build: Callable[[], bytes]) -> OpenFile:
        """Return a whole file, open, building it under the lock if need be.

        The bytes that were hashed are the bytes its reader gets: the file stays open, and nobody
        but this user can write to it.
        """
        file = self.open(name)
        if file is None:
            with self.lock(name):
                file = self.open(name)  # another process may have built it meanwhile
                if file is None:
                    self._write(name, build())
                    file = self.open(name)
        if file is None:
            raise ImageError(f"cannot read {self.folder / name}, which was just written")
        return file

    def remove_partial(self) -> None:
        """Delete what processes left that died while they wrote, if nobody is writing now."""
        if any(name.startswith(_PARTIAL) for name in self._private.names()):
            with contextlib.suppress(ImageError, BlockingIOError), self.lock(wait=False):
                pass  # taking the lock is all that it takes

    def prune(self, keep: Iterable[str], max_age_s: float) -> None:
        """Delete files of other versions that nobody wrote or used for so long."""
        kept = {*keep, _LOCK}
        kept |= {f"{name}.sha256" for name in kept}
        for name in set(self._private.names()) - kept:
            with contextlib.suppress(OSError):  # another process may prune too
                if time.time() - self._private.status(name).st_mtime > max_age_s:
                    self._private.remove(name)

    @contextlib.contextmanager
    def lock(self, name: str = "", *, wait: bool = True) -> Generator[None]:
        """Hold the folder's lock, which the kernel releases even when the process dies.

        Files are written under it only. So a partial one that is found under it is nobody's.

        Raises:
            ImageError: The lock, and so the file, cannot be written.
            BlockingIOError: Another process holds it, and `wait` is false.
        """
        try:
            descriptor = self._private.open_lock(_LOCK)
        except ImageError as exc:
            if not name:
                raise
            raise ImageError(f"cannot build {name}: {exc}") from exc
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
            for found in self._private.names():
                if found.startswith(_PARTIAL):
                    with contextlib.suppress(OSError):
                        self._private.remove(found)
            yield
        finally:
            os.close(descriptor)

    def _write(self, name: str, data: bytes) -> None:
        """Put a file in place in one step, its hash first; under the lock."""
        digest = hashlib.sha256(data).hexdigest().encode()
        self._private.replace(f"{name}.sha256", digest, f"{_PARTIAL}{name}.sha256")
        self._private.replace(name, data, f"{_PARTIAL}{name}")
