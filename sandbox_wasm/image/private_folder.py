"""A folder that is its owner's alone, opened once: all that is done in it goes by its descriptor.

Native code is loaded from here. Trusted are root, this user, and files that nobody else can write
to; no path is looked up twice, so that nothing can be put in a checked folder's place.
"""

import contextlib
import os
import stat
from pathlib import Path

from sandbox_wasm.errors import ImageError

__all__ = ["OpenFile", "PrivateFolder"]

_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Without O_NONBLOCK, opening a fifo that somebody put there would wait for ever.
_FILE = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class OpenFile:
    """A regular file of ours, held open: what was checked is what is read, whatever its name does.

    `path` leads to the file itself, for libraries that open by name.
    """

    def __init__(self, descriptor: int) -> None:
        self._file = os.fdopen(descriptor, "rb", buffering=0)

    @property
    def path(self) -> Path:
        """Where the kernel shows the open file; good while this object is there."""
        return Path(f"/proc/self/fd/{self._file.fileno()}")

    def read_bytes(self) -> bytes:
        """Return the contents, from the start."""
        with self.path.open("rb") as file:
            return file.read()

    def close(self) -> None:
        """Close it."""
        self._file.close()

    def __del__(self) -> None:
        """Close it with its last user."""
        if hasattr(self, "_file"):
            self._file.close()


class PrivateFolder:
    """An open folder; made, with its parents, with mode 0700 where it is missing.

    Raises:
        ImageError: It, or a folder above it, can be changed by another user, or cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = -1
        try:
            self._descriptor = _open_checked(path.resolve())
            status = os.fstat(self._descriptor)
        except ImageError:
            raise
        except OSError as exc:
            raise ImageError(f"cannot use the cache folder {path}: {exc.strerror}") from exc
        if status.st_uid != os.geteuid() or status.st_mode & _WRITABLE_BY_OTHERS:
            raise ImageError(f"the cache folder must be yours alone (mode 0700): {path}")

    def __del__(self) -> None:
        """Close it with its last user."""
        if getattr(self, "_descriptor", -1) >= 0:
            os.close(self._descriptor)

    def open(self, name: str) -> OpenFile | None:
        """Open a file for reading; None if there is none, or another user may have written it."""
        try:
            descriptor = os.open(name, os.O_RDONLY | _FILE, dir_fd=self._descriptor)
        except OSError:
            return None
        if not _is_ours_alone(os.fstat(descriptor)):
            os.close(descriptor)
            return None
        return OpenFile(descriptor)

    def names(self) -> list[str]:
        """Return the names of all there is."""
        return os.listdir(self._descriptor)  # noqa: PTH208 - by its descriptor

    def status(self, name: str) -> os.stat_result:
        """Return a file's status, of a link its own."""
        return os.stat(name, dir_fd=self._descriptor, follow_symlinks=False)

    def remove(self, name: str) -> None:
        """Delete a file."""
        os.unlink(name, dir_fd=self._descriptor)

    def replace(self, name: str, data: bytes, partial: str) -> None:
        """Put a file in place in one step, or leave all as it was.

        Args:
            name: The file.
            data: Its contents.
            partial: Its name until it is whole.

        Raises:
            ImageError: It cannot be written.
        """
        try:
            self._write_new(partial, data)
            os.replace(partial, name, src_dir_fd=self._descriptor, dst_dir_fd=self._descriptor)
        except BaseException as exc:
            with contextlib.suppress(OSError):
                self.remove(partial)
            if isinstance(exc, OSError):
                raise ImageError(f"cannot write {self.path / name}: {exc.strerror}") from exc
            raise

    def _write_new(self, name: str, data: bytes) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FILE
        with os.fdopen(os.open(name, flags, 0o600, dir_fd=self._descriptor), "wb") as file:
            file.write(data)

    def open_lock(self, name: str) -> int:
        """Open, and make if need be, the file that a lock is taken on; return its descriptor.

        Raises:
            ImageError: It cannot be, or what is there is no file.
        """
        try:
            descriptor = os.open(
                name, os.O_RDWR | os.O_CREAT | _FILE, 0o600, dir_fd=self._descriptor
            )
        except OSError as exc:
            raise ImageError(f"cannot lock {self.path / name}: {exc.strerror}") from exc
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise ImageError(f"cannot lock {self.path / name}: it is not a file")
        return descriptor


def _is_ours_alone(status: os.stat_result) -> bool:
    return (
        stat.S_ISREG(status.st_mode)
        and status.st_uid == os.geteuid()
        and not status.st_mode & _WRITABLE_BY_OTHERS
        and status.st_nlink == 1  # no other name, through which another user could have it
    )


def _open_checked(path: Path) -> int:
    """Open an absolute path without links, from the root down; return the descriptor."""
    descriptor = os.open(path.anchor, _FOLDER)
    try:
        for depth, name in enumerate(path.parts[1:], start=1):
            _check_parent(descriptor, Path(*path.parts[:depth]))
            lower = _open_below(descriptor, name)
            os.close(descriptor)
            descriptor = lower
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _open_below(descriptor: int, name: str) -> int:
    try:
        return os.open(name, _FOLDER, dir_fd=descriptor)
    except FileNotFoundError:
        with contextlib.suppress(FileExistsError):  # another process may have made it meanwhile
            os.mkdir(name, 0o700, dir_fd=descriptor)
        return os.open(name, _FOLDER, dir_fd=descriptor)


def _check_parent(descriptor: int, path: Path) -> None:
    """Refuse a folder in which another user can put something in the place of what is there."""
    status = os.fstat(descriptor)
    is_shared = status.st_mode & _WRITABLE_BY_OTHERS and not status.st_mode & stat.S_ISVTX
    if is_shared or status.st_uid not in (0, os.geteuid()):
        raise ImageError(
            f"the cache folder must not lie in {path}, which other users can change;"
            " choose another with AZR_CACHE_DIR"
        )
