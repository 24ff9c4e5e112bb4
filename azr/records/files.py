"""A disk that is full, or gone: one line that names the place and the way out, no traceback."""

import errno
from collections.abc import Generator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

from azr.errors import AzrError, CheckpointError

__all__ = ["FULL", "is_full", "set_aside", "whole", "written"]

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
"""What writing says where there is no room."""
ROOM = "make room, then start the same command again (azr train: with --resume)"


def is_full(error: BaseException) -> bool:
    """Whether there was no room; torch and safetensors say so in words alone."""
    return getattr(error, "errno", None) in FULL or "No space left" in str(error)


@contextmanager
def written(path: Path | str) -> Generator[None]:
    """Around what writes a file or a folder.

    Raises:
        CheckpointError: It cannot be written; errors of ours pass as they are.
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
    """Where to write a file that appears under its name when it is complete, or not at all.

    Args:
        path: The file; its folder is made.
        partial: Its name until then, beside it; {} is its own.

    Raises:
        CheckpointError: As `written`.
    """
    unfinished = path.with_name(partial.format(path.name))
    with written(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            yield unfinished
            unfinished.replace(path)
        except OSError:
            with suppress(OSError):
                unfinished.unlink()
            raise


def set_aside(path: Path) -> Path:
    """Rename a file or a folder that cannot be used, beside where it is; returns its new path.

    Raises:
        OSError: It cannot be renamed.
    """
    names = (f"{path.name}.damaged{f'-{number}' if number > 1 else ''}" for number in count(1))
    free = (path.with_name(name) for name in names if not path.with_name(name).exists())
    return path.rename(next(free))
