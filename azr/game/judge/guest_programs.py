"""Programs of ours that run in the guest, as source text for a job."""

import re
from functools import cache
from pathlib import Path

__all__ = ["guest_program"]

_PART = re.compile(r"^from azr\.game\.judge\.guest\.(\w+) import [^\n]+\n", re.MULTILINE)


@cache
def guest_program(module: str) -> str:
    """Return the source of a module that is written for the guest; it is read once.

    Modules that it imports from there are inserted, because the guest gets one file.
    """
    file = Path(__file__).with_name("guest").joinpath(f"{module}.py")
    return _PART.sub(lambda part: guest_program(part[1]), file.read_text(encoding="utf-8"))
