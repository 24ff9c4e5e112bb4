"""The checks that decide about a program: tests, runs of the whole program, or calls of a function.

A check that no program could fail, or that no program could pass, cannot be made: its reward would
say nothing. Expected outputs and values stay on the host. Only `Tests` run beside the program.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from sandbox_wasm.grading.guest.test_text import can_fail
from sandbox_wasm.jobs.fields import MAX_TEXT_BYTES

__all__ = ["MAX_OUTPUT_BYTES", "Calls", "Check", "Comparison", "Stdin", "Tests"]

MAX_OUTPUT_BYTES = 16 * 1024**2
"""Largest expected output or value; a result of that size still fits the sandbox's answer."""


class Comparison(StrEnum):
    """Rules by which a result equals the expected one (`sandbox_wasm.grading.compare`)."""

    TYPED = "typed"
    """Values are equal and of equal types; lines are equal except for blanks at their ends."""
    LIVECODEBENCH = "livecodebench"
    """LiveCodeBench's rule, `lcb` for short. Values: Python's ==, and an outer tuple is a list.
    Lines: equal, or equal decimal numbers."""
    APPS = "apps"
    """The rule of APPS, TACO and PRIME: tuples are lists, keys may be numbers, floats are nearly
    equal."""
    FUSION = "fusion"
    """SandboxFusion's rule. Values: Python's ==. Lines: equal in any case, or one nearly equal
    number."""

    @classmethod
    def _missing_(cls, value: object) -> "Comparison | None":
        return cls.LIVECODEBENCH if value == "lcb" else None


@dataclass(frozen=True, slots=True)
class Tests:
    """Test source that runs after the program in its namespace; it passes if nothing raises.

    The program can read and patch what its tests use.
    """

    __test__ = False  # no test class, whatever pytest thinks of its name

    source: str
    prelude: str = ""
    """Source before the program: imports and helpers that its data set promises."""
    each: tuple[str, ...] = ()
    """The same tests one at a time, each complete, so that a share of them can be counted."""

    def __post_init__(self) -> None:
        """Refuse tests that an empty program passes, as far as their text shows."""
        require_sendable("a test", (self.source, self.prelude, *self.each))
        for text in (self.source, *self.each):
            if not can_fail(text):
                raise ValueError(f"no program can fail the test {shown(text)}: it asserts nothing")


@dataclass(frozen=True, slots=True)
class Stdin:
    """Whole-program runs: (stdin, expected stdout)."""

    cases: tuple[tuple[str, str], ...]
    comparison: Comparison = Comparison.TYPED
    prelude: str = ""

    def __post_init__(self) -> None:
        """Refuse cases that an empty program passes, or that cannot be sent."""
        require_cases(self.cases)
        require_sendable("an input", (given for given, _ in self.cases))
        require_reachable(expected for _, expected in self.cases)
        if not any(expected.strip() for _, expected in self.cases):
            raise ValueError("every expected output is empty: a program that does nothing passes")


@dataclass(frozen=True, slots=True)
class Calls:
    """Calls of a function, or of a method of `Solution`: (argument literals, expected literal)."""

    entry: str
    cases: tuple[tuple[str, str], ...]
    comparison: Comparison = Comparison.TYPED
    prelude: str = ""
    may_be_wrapped: bool = False
    """Whether a result may also be in a list of its own, as APPS writes some outputs."""

    def __post_init__(self) -> None:
        """Refuse calls that cannot be made or sent."""
        if not self.entry.isidentifier():
            raise ValueError(f"entry must be a function's name, got {self.entry!r}")
        require_cases(self.cases)
        require_sendable("an argument", (arguments for arguments, _ in self.cases))
        require_reachable(expected for _, expected in self.cases)


Check = Tests | Stdin | Calls


def require_cases(cases: tuple[tuple[str, str], ...]) -> None:
    """Refuse a check without a case: every program would pass it."""
    if not cases:
        raise ValueError("a check needs at least one test, got none")


def require_sendable(what: str, texts: Iterable[str]) -> None:
    """Refuse texts that the sandbox does not take: every program would fail."""
    for text in texts:
        try:
            size = len(text.encode())
        except UnicodeEncodeError as error:
            raise ValueError(f"{what} is no valid text: {error}") from error
        if size > MAX_TEXT_BYTES:
            raise ValueError(
                f"{what} has {size} bytes; the sandbox takes {MAX_TEXT_BYTES}: leave it out"
            )


def require_reachable(expected: Iterable[str]) -> None:
    """Refuse an output that no program may write: every program would fail."""
    for text in expected:
        size = len(text.encode("utf-8", "replace"))
        if size > MAX_OUTPUT_BYTES:
            raise ValueError(
                f"an expected output has {size} bytes; a program may write {MAX_OUTPUT_BYTES}:"
                " leave the case out"
            )


def shown(text: str) -> str:
    """Shorten a text for a message."""
    return repr(text if len(text) <= 60 else f"{text[:60]}...")
