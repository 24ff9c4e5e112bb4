"""A diagnosis, line by line: how both doctors say what is well and what is not.

Plain text, in colour on a terminal: a machine that lacks everything can still be told so.
"""

import io
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TextIO

__all__ = ["DAMAGED", "FAILED", "MISSING", "OK", "WARN", "Finding", "show_findings", "tolerate"]

OK, WARN, MISSING, DAMAGED, FAILED = "ok", "warn", "missing", "damaged", "failed"
MARKS = {OK: ("✓", 32), WARN: ("!", 33), **dict.fromkeys((MISSING, DAMAGED, FAILED), ("✗", 31))}
"""A sign, and the terminal's number of its colour."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of the diagnosis."""

    name: str
    status: str
    """ok, warn (works, but ...), or what stands in the way: missing, damaged, failed."""
    detail: str
    fix: str = ""
    """A command that a person can paste."""

    @property
    def is_blocking(self) -> bool:
        """Does it stand in the way?"""
        return self.status in (MISSING, DAMAGED, FAILED)


def show_findings(
    findings: Sequence[Finding], last: str = "ready: azr demo", stream: TextIO | None = None
) -> None:
    """Print them, fixes beneath.

    Args:
        findings: In the order in which they are to be read.
        last: The last line where nothing is missing.
        stream: stdout unless told otherwise.
    """
    out: TextIO = sys.stdout if stream is None else stream
    tolerate(out)
    width = max((len(finding.name) for finding in findings), default=0)
    for finding in findings:
        mark, colour = MARKS[finding.status]
        status = painted(f"{mark} {finding.status:<8}", colour, out)
        out.write(f"{status}{finding.name:<{width}}  {finding.detail}\n")
        if finding.fix:
            out.write(f"{'':{width + 12}}{painted(finding.fix, 1, out)}\n")
    for status in (MISSING, DAMAGED, FAILED):
        number = sum(finding.status == status for finding in findings)
        last = f"{number} {status}" if number else last
    out.write(f"\n{last}\n")


def tolerate(stream: TextIO) -> None:
    """Let a terminal that lacks a character (LANG=C) show its escape, as stderr does anyway."""
    if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
        stream.reconfigure(errors="backslashreplace")


def painted(text: str, number: int, stream: TextIO) -> str:
    """The text in a colour, or bold, where a terminal shows it and nobody asked for none."""
    if not stream.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return text
    return f"\x1b[{number}m{text}\x1b[0m"
