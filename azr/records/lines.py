"""JSON Lines as they are after years on a disk: what can be read, and what had to be left out.

Lines end at newlines and nowhere else. A line that is no JSON object costs that line and no other;
what was left out is said once a file, with the line's number.
"""

import json
import logging
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, cast

__all__ = ["objects_in", "say_left_out"]

logger = logging.getLogger(__name__)

MAX_SAID = 3
"""Lines that are told one by one; of more, how many there are."""


def objects_in(lines: Iterable[bytes], faults: list[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """The number of each line, from 1, and its object; blank lines are none.

    Args:
        lines: Of a file that is open in binary mode, which ends them at newlines alone.
        faults: What is wrong with the others is added: `line 3: not JSON`.
    """
    number = 0
    try:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                found: object = json.loads(line)
            except (ValueError, RecursionError):  # not JSON, not UTF-8, a number of 5,000 digits
                faults.append(f"line {number}: not JSON")
                continue
            if isinstance(found, dict):
                yield number, cast(dict[str, Any], found)
            else:
                faults.append(f"line {number}: not a JSON object")
    except (OSError, EOFError, zlib.error) as error:  # a torn gzip, a bad sector
        why = getattr(error, "strerror", None) or error
        faults.append(f"line {number + 1} and after: cannot be read ({why})")


def say_left_out(file: Path, faults: list[str]) -> None:
    """One line a fault, or for the first few of many; to stderr, and into the log of a run."""
    for fault in faults[:MAX_SAID]:
        logger.warning("%s, %s: left out", file, fault)
    if len(faults) > MAX_SAID:
        logger.warning("%s: %d more lines are left out", file, len(faults) - MAX_SAID)
