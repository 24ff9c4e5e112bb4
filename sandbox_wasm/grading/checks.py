"""What decides about a program: tests, runs of the whole program, or calls of a function.

A check that no program could fail, or that none could meet, cannot be made: a reward of it would
say nothing. Expected outputs and values stay on the host; only `Tests` run beside the program.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from sandbox_wasm.grading.guest.test_text import can_fail
from sandbox_wasm.job_fields import MAX_TEXT_BYTES

__all__ = ["MAX_OUTPUT_BYTES", "Calls", "Check", "Comparison", "Stdin", "Tests"]

MAX_OUTPUT_BYTES = 16 * 1024**2
"""Of one expected output or value: a result that is as long still fits the sandbox's answer."""


class Comparison(StrEnum):
    """When an output or a value is the expected one (`sandbox_wasm.grading.compare`)."""

    TYPED = "typed"
    """Equal values of equal types; equal lines, but for blanks at their ends."""
    LIVECODEBENCH = "livecodebench"
    """LiveCodeBench's rule, `lcb` for short: Python's ==, an outer tuple is a list; lines of equal
    numbers."""
    APPS = "apps"
    """APPS', TACO's and PRIME's: tuples are lists, keys may be numbers, floats nearly equal."""
    FUSION = "fusion"
    """SandboxFusion's: Python's ==; lines in any case, or a number a line, nearly equal."""

    @classmethod
    def _missing_(cls, value: object) -> "Comparison | None":
        return cls.LIVECODEBENCH if value == "lcb" else None


@dataclass(frozen=True, slots=True)
class Tests:
    """Test source, run after the program in its namespace; passed when nothing raises.

    The program may read and patch what its tests use.
    """

    __test__ = False  # no test class, whatever pytest thinks of its name

    source: str
    prelude: str = ""
    """Goes before the program: imports and helpers that its data set promises."""
    each: tuple[str, ...] = ()
    """The same tests one at a time, each complete, where a share of them is to be counted."""

    def __post_init__(self) -> None:
        """Refuse what an empty program passes, as far as the text tells."""
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
        """Refuse what an empty program passes, and what cannot be sent."""
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
    """Whether a result may also come in a list of its own, as the outputs of APPS are written."""

    def __post_init__(self) -> None:
        """Refuse what cannot be called or sent."""
        if not self.entry.isidentifier():
            raise ValueError(f"entry must be a function's name, got {self.entry!r}")
        require_cases(self.cases)
        require_sendable("an argument", (arguments for arguments, _ in self.cases))
        require_reachable(expected for _, expected in self.cases)


Check = Tests | Stdin | Calls


def require_cases(cases: tuple[tuple[str, str], ...]) -> None:
    """Without a case every program passes."""
    if not cases:
        raise ValueError("a check needs at least one test, got none")


def require_sendable(what: str, texts: Iterable[str]) -> None:
    """What the sandbox does not take would fail every program."""
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
    """An output that no program may write would fail every program."""
    for text in expected:
        size = len(text.encode("utf-8", "replace"))
        if size > MAX_OUTPUT_BYTES:
            raise ValueError(
                f"an expected output has {size} bytes; a program may write {MAX_OUTPUT_BYTES}:"
                " leave the case out"
            )


def shown(text: str) -> str:
    """The beginning of a text, for a message."""
    return repr(text if len(text) <= 60 else f"{text[:60]}...")
