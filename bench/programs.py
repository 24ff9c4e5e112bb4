"""The programs that the benches run: azr's own workload, or those of a file.

The workload is in bench/workload, many programs a file, each a cell with its input and output:

    # %% longest_run
    def f(s): ...
    # Input: 'abbccc'
    # Output: ('c', 3)

Names are unique. The programs of heavy.py spend most of all instructions; `--light` leaves them
out. Outputs are CPython's: scripts/suites/workload.py writes them, and tests/guest/test_workload.py
checks them.

`--data FILE` takes others: JSON Lines, compressed if the name ends in .gz. Each line is an object:

    {"id": "1", "code": "def g(x): return x * 2", "call": "g(3)", "expected": "6", "heavy": false}

A program, an expression, and its value as a literal; `id` and `heavy` may be left out. Peers
without isolation run these programs as they are: give no file that you do not trust.
"""

import argparse
import contextlib
import gzip
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Self, TypeVar, cast

from sandbox_wasm import Job
from sandbox_wasm.literals import LiteralError, parse_arguments, require_literal

__all__ = [
    "DataError",
    "Program",
    "Workload",
    "add_data_option",
    "as_job",
    "own_workload",
    "read_workload",
]

FOLDER = Path(__file__).parent / "workload"
HEAVY = "heavy"
_T = TypeVar("_T")
_CELL = re.compile(
    r"(?P<name>\w+)\n(?P<code>.*)\n# Input: ?(?P<input>.*)\n# Output: (?P<output>.*)", re.DOTALL
)


class DataError(Exception):
    """What is wrong with a file of programs: one line for the person who named it."""


@dataclass(frozen=True, slots=True)
class Program:
    """A program, one call of it as an expression, and the call's value as a literal."""

    name: str
    code: str
    call: str
    expected: str
    heavy: bool = False


@dataclass(frozen=True, slots=True)
class Workload:
    """Programs, and what they are called in a result."""

    name: str
    programs: tuple[Program, ...]

    def light(self) -> Self:
        """Return it without the heavy programs, which hide every other cost."""
        kept = tuple(program for program in self.programs if not program.heavy)
        return replace(self, name=f"{self.name}, light", programs=kept)

    @property
    def identity(self) -> dict[str, Any]:
        """What a result says of it: two results can be compared where these are the same."""
        texts = [(p.name, p.code, p.call, p.expected) for p in self.programs]
        digest = hashlib.sha256(json.dumps(texts).encode()).hexdigest()
        return {"name": self.name, "sha256": digest[:16], "programs": len(self.programs)}


@cache
def own_workload() -> Workload:
    """Return azr's own programs, in the order of their files.

    Raises:
        ValueError: A cell is malformed, or two have one name.
    """
    files = sorted(FOLDER.rglob("*.py"))
    programs = tuple(program for file in files for program in _cells(file))
    names = [program.name for program in programs]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"two programs of the workload have the name {twice[0]}")
    return Workload("azr", programs)


def _cells(file: Path) -> Iterator[Program]:
    for text in re.split(r"^# %% ", file.read_text(), flags=re.MULTILINE)[1:]:
        cell = _CELL.fullmatch(text.strip())
        if cell is None:
            raise ValueError(f"{file}: no input or output of the cell {text.partition(chr(10))[0]}")
        name, code, given, output = cell.groups()
        yield Program(name, code, f"f({given})", output, file.stem == HEAVY)


def read_workload(path: Path) -> Workload:
    """Return the programs of a JSON Lines file.

    Raises:
        DataError: It cannot be read, or is not as this module says; which line, and which field.
    """
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rt", encoding="utf-8") as lines:
            programs = tuple(_records(path, lines))
    except (OSError, UnicodeDecodeError, EOFError) as error:
        raise DataError(f"{path}: {error}") from error
    if not programs:
        raise DataError(f"{path}: no programs")
    return Workload(path.name, programs)


def _records(path: Path, lines: Iterable[str]) -> Iterator[Program]:
    for number, line in enumerate(lines, 1):
        try:
            yield _program(json.loads(line), number)
        except (DataError, ValueError) as error:
            raise DataError(f"{path}:{number}: {error}") from error


def _program(record: Any, number: int) -> Program:
    if not isinstance(record, dict):
        raise DataError("not an object")
    fields = cast("dict[str, Any]", record)
    code, call, expected = (_field(fields, name, str) for name in ("code", "call", "expected"))
    heavy = _field({"heavy": False, **fields}, "heavy", bool)
    try:
        require_literal(expected)
    except LiteralError as error:
        raise DataError(f"`expected` is not a literal: {error}") from error
    return Program(str(fields.get("id", number)), code, call, expected, heavy)


def _field(record: Mapping[str, Any], name: str, kind: type[_T]) -> _T:
    if name not in record:
        raise DataError(f"`{name}` is missing")
    if not isinstance(value := record[name], kind):
        raise DataError(f"`{name}` is {value!r:.40}, not a {kind.__name__}")
    return value


def as_job(program: Program, mark: str = "", calls: int = 1, images: int = 1) -> Job:
    """Return the job a trainer would send: arguments as literals where they are literals."""
    source = f"{program.code}\n# {mark}" if mark else program.code
    match = re.fullmatch(r"(\w+)\((.*)\)", program.call, re.DOTALL)
    if match:
        with contextlib.suppress(ValueError):
            parse_arguments(match[2])
            return Job(program.name, source, (match[2],) * calls, match[1], images=images)
    return Job(program.name, source, expressions=(program.call,) * calls, images=images)


def add_data_option(parser: argparse.ArgumentParser) -> None:
    """Let a bench take its programs from `--data FILE`: `arguments.data` is a Workload."""

    def read(name: str) -> Workload:
        try:
            return read_workload(Path(name))
        except DataError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    parser.add_argument("--data", type=read, metavar="FILE", default=own_workload(),
                        help="programs to run instead of bench/workload (JSON Lines, see"
                        " bench/programs.py)")  # fmt: skip
