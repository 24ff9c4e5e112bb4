"""Opens tests that stayed in their file."""

import json
from collections.abc import Sequence
from typing import Any

from azr.errors import ConfigError
from azr.evaluation.suites.fields import Record
from azr.evaluation.suites.items import HiddenTests, Part
from azr.evaluation.suites.suites import published_check, says_something
from sandbox_wasm.grading.forms.packed import unpack_tests
from sandbox_wasm.jobs.fields import MAX_TEXT_BYTES

__all__ = ["open_hidden"]

CASES_AT_ONCE = 8
"""Few, so that a program that fails does not run on all the others."""
BYTES_AT_ONCE = 4 * 1024**2
"""Most bytes of input in one check, if it has more than one case."""


def open_hidden(tests: HiddenTests) -> list[Part]:
    """Return the tests in order, a few cases per check.

    Raises:
        ConfigError: The file is gone, or its tests are not in LiveCodeBench's form.
    """
    try:
        with tests.file.open("rb") as file:
            file.seek(tests.offset)
            record: dict[str, Any] = json.loads(file.readline())
        cases = unpack_tests(record[tests.column])
        return [published_check(tests.name, tests.entry, part) for part in chunks(cases)]
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        refusal = ConfigError(
            f"{tests.file}, at byte {tests.offset}: {type(error).__name__}: {error}"
        )
        refusal.add_note("delete the file from the cache to fetch it anew, or use --data FOLDER")
        raise refusal from error


def chunks(cases: Sequence[Record]) -> list[list[Record]]:
    """Yield a few cases at a time; cases whose input is too long for the sandbox are left out.

    A chunk never holds only cases that expect no output: a program that prints nothing would pass.
    """
    parts: list[list[Record]] = []
    size = 0
    for case in cases:
        length = len(str(case["input"]).encode("utf-8", "replace"))
        if length > MAX_TEXT_BYTES:
            continue
        is_full = bool(parts) and (len(parts[-1]) >= CASES_AT_ONCE or size + length > BYTES_AT_ONCE)
        if not parts or (is_full and says_something(parts[-1])):
            parts.append([])
            size = 0
        parts[-1].append(case)
        size += length
    if len(parts) > 1 and not says_something(parts[-1]):
        parts[-2] += parts.pop()
    return parts
