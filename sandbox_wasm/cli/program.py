"""`azr-sandbox run FILE.py`: one program, run as `python FILE.py < INPUT` would run it."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox_wasm.cli.jobfile import JobDefaults
from sandbox_wasm.errors import BadJob
from sandbox_wasm.types import CallResult, Job, Outcome

if TYPE_CHECKING:
    from sandbox_wasm.sandbox import Sandbox

__all__ = ["UNSUCCESSFUL", "main_program", "text_of"]

UNSUCCESSFUL = 3
"""Exit status for a program that did not end well, which is no failure of the command."""


def main_program(sandbox: "Sandbox", name: str, stdin: str | None, defaults: JobDefaults) -> int:
    """Run the program; print what it printed.

    Args:
        sandbox: Where it is run.
        name: Of the file.
        stdin: Another file, - for standard input, or None for an empty one.
        defaults: What the command line says of the run.

    Returns:
        0 if it ended well, else `UNSUCCESSFUL`, and one line on stderr says how it ended.
    """
    job = Job(
        name[-64:],
        text_of(name),
        stdin="" if stdin is None else text_of(stdin),
        want_stderr=True,
        limits=defaults.limits,
        images=defaults.images,
        banned_modules=defaults.banned_modules,
        packages=defaults.packages,
    )
    [call] = sandbox.run([job])[0].calls
    return told(call)


def told(call: CallResult) -> int:
    """Print what the program printed, and how it ended."""
    sys.stdout.write(call.stdout or "")
    sys.stdout.flush()
    sys.stderr.write(call.stderr or "")
    if call.differs:
        sys.stderr.write(f"azr-sandbox: its {call.differs} differs between images\n")
    if call.outcome is Outcome.RETURNED:
        return 0
    if call.outcome is not Outcome.RAISED:  # its traceback has told
        why = " ".join((call.error or "").split())
        sys.stderr.write(f"azr-sandbox: {call.outcome.value}{': ' if why else ''}{why}\n")
    return UNSUCCESSFUL


def text_of(name: str) -> str:
    """A whole file, or standard input.

    Raises:
        BadJob: It cannot be read, or is not UTF-8.
    """
    try:
        raw = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
        return raw.decode("utf-8-sig")
    except OSError as error:
        raise BadJob(f"cannot read {name}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BadJob(f"{name} is not UTF-8: {error.reason} at byte {error.start}") from error
