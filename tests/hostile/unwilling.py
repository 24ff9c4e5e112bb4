"""A child process on a machine that refuses or lies (unwilling.c), and what it is asked there."""

import ctypes
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

__all__ = ["LIES", "load_library", "preload", "run_child"]

LIES = {"nothing": 0, "zero faults": 1, "frozen faults": 2, "empty scans": 3, "no populate": 4}
"""What unwilling.c can lie about, by its number there."""
_ROOT = Path(__file__).parents[2]


def preload(folder: Path) -> Path:
    """Compile the library; it needs a C compiler, as building the executor does."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("needs a C compiler (cc) for the library that refuses system calls")
    library = folder / "libunwilling.so"
    source = Path(__file__).with_name("unwilling.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-fexceptions", "-o", library, source,
                    "-ldl"], check=True, timeout=60)  # fmt: skip
    return library


def run_child(
    library: Path | None, program: str, *args: str, timeout: float = 300, **environment: str
) -> "subprocess.CompletedProcess[str]":
    """Run a Python program in a process of its own, under the library."""
    under = {} if library is None else {"LD_PRELOAD": str(library)}
    return subprocess.run(
        [sys.executable, "-c", program, *args],
        env={**os.environ, **under, "PYTHONPATH": os.pathsep.join([str(_ROOT), *sys.path[1:]]),
             **environment},
        cwd=_ROOT, capture_output=True, text=True, timeout=timeout, check=False,
    )  # fmt: skip


def load_library() -> Any:
    """In the child: the library's own functions."""
    library = ctypes.CDLL(None)
    refuse: Callable[..., Any] = library.refuse
    refuse.argtypes = [ctypes.c_char_p, ctypes.c_long, ctypes.c_int, ctypes.c_int]  # type: ignore[attr-defined]
    library.calls_seen.restype = ctypes.c_long
    return library
