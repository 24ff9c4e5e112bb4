"""Files and folders that appear complete or not at all.

If a disk is full or gone, one line names the place and the remedy, without a traceback.
"""

import errno
import shutil
from collections.abc import Generator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

from azr.errors import AzrError, CheckpointError

__all__ = ["FULL", "is_full", "set_aside", "whole", "write_text", "written"]

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
"""Errors of a write that has no room."""
ROOM = "make room, then start the same command again (azr train: with --resume)"


def is_full(error: BaseException) -> bool:
    """Tell whether there was no room; torch and safetensors say so only in words."""
    return getattr(error, "errno", None) in FULL or "No space left" in str(error)


@contextmanager
def written(path: Path | str) -> Generator[None]:
    """Turn errors of writing a file or a folder into ours.

    Raises:
        CheckpointError: It cannot be written; errors of ours pass unchanged.
    """
    try:
        yield
    except AzrError:
        raise
    except OSError as error:
        failed = CheckpointError(f"{path} cannot be written: {error.strerror or error}")
        if is_full(error):
            failed.add_note(ROOM)
        raise failed from error


@contextmanager
def whole(path: Path, partial: str = "{}.partial") -> Generator[Path]:
    """Yield a path to write to; the file or folder appears under its own name when it is complete.

    Args:
        path: The file, or a folder that is missing or empty; the folder around it is made.
        partial: Its name until then, in the same folder; {} stands for its own name.

    Raises:
        CheckpointError: As `written`.
    """
    unfinished = path.with_name(partial.format(path.name))
    with written(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _remove(unfinished)  # what a kill has left
            yield unfinished
            unfinished.replace(path)
        except BaseException:
            _remove(unfinished)
            raise


def _remove(path: Path) -> None:
    with suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a file completely or not at all, in UTF-8.

    Raises:
        CheckpointError: As `written`.
    """
    with whole(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8")


def set_aside(path: Path) -> Path:
    """Rename an unusable file or folder in its place; return its new path.

    Raises:
        OSError: It cannot be renamed.
    """
    names = (f"{path.name}.damaged{f'-{number}' if number > 1 else ''}" for number in count(1))
    free = (path.with_name(name) for name in names if not path.with_name(name).exists())
    return path.rename(next(free))
