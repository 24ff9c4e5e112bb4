"""Paths as people write them: `~` is their home, wherever it stands; the rest is as it is.

A shell expands `~/runs`, but not `--runs=~/runs`, and nobody does in a file. A relative path is
seen from the working folder. $VARIABLES are the shell's business alone.
"""

import argparse
from pathlib import Path

__all__ = ["expanded", "place"]


def expanded(text: str) -> str:
    """An argument with its `~` or `~user` replaced; any other text unchanged (argparse's `type`).

    Raises:
        ArgumentTypeError: Nobody of that name has a home here.
    """
    if not text.startswith("~"):
        return text
    try:
        return str(Path(text).expanduser())
    except RuntimeError as error:
        why = f"{text}: there is no such home folder; write the path out"
        raise argparse.ArgumentTypeError(why) from error


def place(text: str) -> Path:
    """An argument that is a path (argparse's `type`).

    Raises:
        ArgumentTypeError: As `expanded`.
    """
    return Path(expanded(text))
