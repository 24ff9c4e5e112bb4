"""How a Python of our own is started: nothing in the working folder takes a module's place."""

import sys
from typing import Final

__all__ = ["PYTHON"]

PYTHON: Final = (sys.executable, "-P")
"""Begins every command line. -P (safe path) keeps the working folder, which `-m` and `-c` put first
into sys.path, out of it: a random.py there is a person's file, and not the module."""
