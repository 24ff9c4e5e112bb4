"""Opening the tests that stayed in their file."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from azr.errors import ConfigError
from azr.evaluation.items import Calls, Check, HiddenTests, Runs, Tests
from azr.evaluation.packed import unpack_tests
from azr.evaluation.suites import published_check
from sandbox_wasm.protocol import MAX_TEXT_BYTES

__all__ = ["open_hidden"]

CASES_AT_ONCE = 8
"""So that a program that fails is not run on all the others."""
BYTES_AT_ONCE = 4 * 1024**2
"""Of input in one check, if it is more than one case."""


def open_hidden(tests: HiddenTests) -> list[Check]:
    """The tests in order, a few cases a check.

    Raises:
        ConfigError: The file is gone, or the tests in it are not in LiveCodeBench's form.
    """
    try:
        with tests.file.open("rb") as file:
            file.seek(tests.offset)
            record: dict[str, Any] = json.loads(file.readline())
        cases = unpack_tests(record[tests.column])
        whole = published_check(tests.name, tests.entry, cases)
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        refusal = ConfigError(
            f"{tests.file}, at byte {tests.offset}: {type(error).__name__}: {error}"
        )
        refusal.add_note("delete the file from the cache to fetch it anew, or use --data FOLDER")
        raise refusal from error
    return list(parts_of(whole))


def parts_of(check: Check) -> Iterator[Check]:
    """The same cases, in checks of a few."""
    match check:
        case Tests():
            yield check
        case Runs(_, cases):
            yield from (replace(check, cases=part) for part in chunks(cases))
        case Calls(_, _, cases):
            yield from (replace(check, cases=part) for part in chunks(cases))


def chunks(cases: Sequence[tuple[str, str]]) -> Iterator[tuple[tuple[str, str], ...]]:
    """A few at a time; none whose input is longer than the sandbox takes."""
    part: list[tuple[str, str]] = []
    size = 0
    for case in cases:
        length = len(case[0].encode("utf-8", "replace"))
        if length > MAX_TEXT_BYTES:
            continue
        if part and (len(part) == CASES_AT_ONCE or size + length > BYTES_AT_ONCE):
            yield tuple(part)
            part, size = [], 0
        part.append(case)
        size += length
    if part:
        yield tuple(part)
