"""A folder of built files per user: private, checked when read, built once by one process."""

import contextlib
import fcntl
import hashlib
import os
import tempfile
import time
from collections.abc import Callable, Generator, Iterable
from pathlib import Path

from sandbox_wasm.errors import ImageError

__all__ = ["BuiltFiles", "cache_folder", "sha256_of"]


def cache_folder() -> Path:
    """Return AZR_CACHE_DIR, or XDG_CACHE_HOME/azr, or ~/.cache/azr; made with mode 0700.

    Native code is loaded from here, so a folder that others can write to is refused.
    """
    chosen = os.environ.get("AZR_CACHE_DIR")
    if not chosen:
        chosen = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "azr"
    folder = Path(chosen).expanduser() / "sandbox"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.stat()
    except OSError as exc:
        raise ImageError(f"cannot use the cache folder {folder}: {exc.strerror}") from exc
    if status.st_uid != os.geteuid() or status.st_mode & 0o022:
        raise ImageError(f"the cache folder must be yours alone (mode 0700): {folder}")
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

    def read(self, name: str) -> bytes | None:
        """Return the contents, or None when the file is absent or damaged."""
        path = self.folder / name
        try:
            expected = (self.folder / f"{name}.sha256").read_text().strip()
            data = path.read_bytes()
        except (OSError, UnicodeDecodeError):
            return None
        return data if hashlib.sha256(data).hexdigest() == expected else None

    def is_whole(self, name: str) -> bool:
        """Whether the file is there and undamaged, without keeping it in memory."""
        try:
            expected = (self.folder / f"{name}.sha256").read_text().strip()
            with (self.folder / name).open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest() == expected
        except (OSError, UnicodeDecodeError):
            return False

    def ensure_read(self, name: str, build: Callable[[], bytes]) -> bytes:
        """Return the contents of a whole file, building it under the lock if need be."""
        data = self.read(name)
        if data is None:
            with self.lock():
                data = self.read(name)  # another process may have built it meanwhile
                if data is None:
                    data = build()
                    self.write(name, data)
        return data

    def prune(self, keep: Iterable[str], max_age_s: float) -> None:
        """Delete files of other versions that nobody wrote or used for so long."""
        kept = {*keep, ".lock"}
        kept |= {f"{name}.sha256" for name in kept}
        for path in self.folder.iterdir():
            with contextlib.suppress(OSError):  # another process may prune too
                if path.name not in kept and time.time() - path.stat().st_mtime > max_age_s:
                    path.unlink()

    def write(self, name: str, data: bytes) -> None:
        """Put a file in place in one step, its hash first."""
        self._replace(f"{name}.sha256", hashlib.sha256(data).hexdigest().encode())
        self._replace(name, data)

    def ensure(self, name: str, build: Callable[[], bytes]) -> Path:
        """Return the path of a whole file, building it under the lock if need be."""
        if not self.is_whole(name):
            with self.lock():
                if not self.is_whole(name):  # another process may have built it meanwhile
                    self.write(name, build())
        return self.folder / name

    @contextlib.contextmanager
    def lock(self) -> Generator[None]:
        """Hold the folder's lock, which the kernel releases even when the process dies."""
        with (self.folder / ".lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _replace(self, name: str, data: bytes) -> None:
        try:
            with tempfile.NamedTemporaryFile(dir=self.folder, delete=False) as file:
                file.write(data)
            Path(file.name).replace(self.folder / name)
        except OSError as exc:
            raise ImageError(f"cannot write {self.folder / name}: {exc.strerror}") from exc
