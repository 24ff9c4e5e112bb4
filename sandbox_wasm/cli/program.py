"""`azr-sandbox run FILE.py`: one program, run as `python FILE.py < INPUT` would run it."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox_wasm.cli.jobfile import JobDefaults
from sandbox_wasm.errors import BadJob, SandboxError
from sandbox_wasm.places import expanded
from sandbox_wasm.types import CallResult, Job, Outcome

if TYPE_CHECKING:
    from sandbox_wasm.sandbox import Sandbox

__all__ = ["UNSUCCESSFUL", "Program", "main_program", "pair_of", "text_of"]

UNSUCCESSFUL = 3
"""Exit status for a program that did not end well, which is no failure of the command."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A program on disk, and what it has to do with other files there."""

    name: str
    """Of its file."""
    stdin: str | None = None
    """Another file, - for standard input, or None for an empty one."""
    files: tuple[tuple[str, str], ...] = ()
    """What it finds in its working folder: a name there, and a path here."""
    fetch: tuple[tuple[str, str], ...] = ()
    """What it leaves there that is kept here: likewise."""


def main_program(sandbox: "Sandbox", program: Program, defaults: JobDefaults) -> int:
    """Run the program; print what it printed.

    Args:
        sandbox: Where it is run.
        program: The program, and its files.
        defaults: What the command line says of the run.

    Returns:
        0 if it ended well, else `UNSUCCESSFUL`, and one line on stderr says how it ended.
    """
    job = Job(
        program.name[-64:],
        text_of(program.name),
        stdin="" if program.stdin is None else text_of(program.stdin),
        want_stderr=True,
        limits=defaults.limits,
        images=defaults.images,
        banned_modules=defaults.banned_modules,
        packages=defaults.packages,
        files={name: bytes_of(path) for name, path in program.files},
        want_files=[name for name, _ in program.fetch],
    )
    [call] = sandbox.run([job])[0].calls
    keep_files(call, program.fetch)
    return told(call)


def keep_files(call: CallResult, fetch: Sequence[tuple[str, str]]) -> None:
    """Write what the program left to where it is asked for; a line for what it did not leave.

    Raises:
        SandboxError: A file cannot be written.
    """
    for name, path in fetch:
        data = (call.files or {}).get(name)
        if data is None:
            sys.stderr.write(f"azr-sandbox: it left no file {name!r}\n")
            continue
        try:
            Path(path).write_bytes(data)
        except OSError as error:
            raise SandboxError(f"cannot write {path}: {error.strerror}") from error


def pair_of(text: str) -> tuple[str, str]:
    """A name in the working folder and a path here: NAME=PATH, or a path whose last part it is.

    Raises:
        ArgumentTypeError: One of them is empty.
    """
    name, sign, path = text.partition("=")
    if not sign:
        name, path = Path(text).name, text
    if not name or not path:
        raise argparse.ArgumentTypeError(f"a file is NAME=PATH, got {text!r}")
    return name, expanded(path)


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
        return bytes_of(name).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadJob(f"{name} is not UTF-8: {error.reason} at byte {error.start}") from error


def bytes_of(name: str) -> bytes:
    """A whole file, or standard input.

    Raises:
        BadJob: It cannot be read.
    """
    try:
        return sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise BadJob(f"cannot read {name}: {error.strerror}") from error
