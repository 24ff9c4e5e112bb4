"""Finds out, once for each check, that an empty program does not pass it.

The text of tests does not show what they do. So the sandbox runs an empty program with them before
the check gives any score. Only `Tests` need this: for the others, the expected values show it.
"""

import hashlib
import re
from collections import OrderedDict
from collections.abc import Iterable
from threading import Lock

from sandbox_wasm.errors import SandboxUnavailable
from sandbox_wasm.grading.checks import Check, Tests
from sandbox_wasm.grading.guest.test_text import imports
from sandbox_wasm.types import JobResult, Outcome

__all__ = ["EMPTY", "Soundness"]

EMPTY = ""
"""A program that does nothing."""
MOST_KEPT = 1_000_000
"""Digests of 32 bytes each; more than the checks of any data set."""


class Soundness:
    """The checks that are known to refuse an empty program."""

    def __init__(self) -> None:
        self._found: OrderedDict[bytes, None] = OrderedDict()
        self._lock = Lock()

    def unproven(self, checks: Iterable[Check]) -> list[Tests]:
        """Return the tests that were not tried yet, each once."""
        tests = {digest_of(check): check for check in checks if isinstance(check, Tests)}
        with self._lock:
            return [check for digest, check in tests.items() if digest not in self._found]

    def learn(self, check: Tests, result: JobResult) -> None:
        """Take the result of the empty program.

        Raises:
            ValueError: The empty program passed, or no program could: the data set is wrong.
            SandboxUnavailable: There is no result.
        """
        fault = fault_of(check, result)
        if fault:
            raise ValueError(f"{fault}: {shown(check)}")
        with self._lock:
            self._found[digest_of(check)] = None
            if len(self._found) > MOST_KEPT:
                self._found.popitem(last=False)


def fault_of(check: Tests, result: JobResult) -> str:
    """Say what is wrong with tests whose run with an empty program ended so; empty if nothing is.

    A prelude that imports a missing module fails every program. That is left to its item.
    """
    if not result.calls:
        raise SandboxUnavailable("1 cases were answered with 0")
    call = result.calls[0]
    error = call.error or ""
    if call.outcome is Outcome.RETURNED:
        return "an empty program passes the tests, so every program would"
    if call.outcome is Outcome.SYNTAX_ERROR:
        return f"the tests do not compile: {error}"
    absent = re.match(r"ModuleNotFoundError: No module named '(\w+)", error)
    if absent and imports(check.source, absent[1]):
        return f"the tests import what the sandbox does not have: {error}"
    return ""


def digest_of(check: Tests) -> bytes:
    """Hash all that runs."""
    digest = hashlib.sha256()
    for text in (check.prelude, check.source):
        raw = text.encode()
        digest.update(len(raw).to_bytes(8) + raw)
    return digest.digest()


def shown(check: Tests) -> str:
    """Return the end of the tests, where they call the program: enough to find the row."""
    text = check.source.strip()
    return repr(text if len(text) <= 120 else f"...{text[-120:]}")
