"""Reads JSON Lines that may be damaged: what can be read, and what had to be left out.

Lines end only at newlines. A line that is not a JSON object costs that line and no other. What was
left out is reported once per file, with the line's number.
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
"""Lines that are reported one by one; of more, only the number is."""


def objects_in(lines: Iterable[bytes], faults: list[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield each line's number, from 1, and its object; blank lines are skipped.

    Args:
        lines: Lines of a file that is open in binary mode, which splits only at newlines.
        faults: Faults of the other lines are added: `line 3: not JSON`.
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
    """Report the faults, one per line and only the first of many, to stderr and the run's log."""
    for fault in faults[:MAX_SAID]:
        logger.warning("%s, %s: left out", file, fault)
    if len(faults) > MAX_SAID:
        logger.warning("%s: %d more lines are left out", file, len(faults) - MAX_SAID)
