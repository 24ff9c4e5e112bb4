"""The nouns of the executor: a `Job` goes in, a `JobResult` comes out.

Every type is frozen. `Outcome` says what the executor saw; what it means for a reward is the
caller's business.
"""

from collections.abc import Sequence
from dataclasses import InitVar, dataclass, field
from enum import StrEnum
from typing import Any, Final

from sandbox_wasm import job_fields
from sandbox_wasm.errors import BadJob
from sandbox_wasm.job_fields import MAX_IMAGES

__all__ = [
    "DEFAULT_BANNED_MODULES",
    "FUEL_A_SECOND",
    "MAX_IMAGES",
    "MAX_SOURCE_BYTES",
    "CallResult",
    "Job",
    "JobResult",
    "Limits",
    "Outcome",
    "fuel_of_seconds",
    "refused_unread",
]

MAX_SOURCE_BYTES: Final = 4 * 1024 * 1024
"""A longer source is REFUSED before it is sent or compiled."""

FUEL_A_SECOND: Final = 8_000_000_000
"""Fuel that the guest burns in a second of one core: what a second is here, on every machine. It is
near the median of ten loads (bench/bench_seconds.py; docs/sandbox.md has their spread)."""
DEFAULT_FUEL: Final = 6 * FUEL_A_SECOND
"""LiveCodeBench gives a case six seconds."""
MAX_FUEL: Final = 10**15

# fmt: off
DEFAULT_BANNED_MODULES: frozenset[str] = frozenset((
    "logging", "random", "multiprocessing", "pebble", "subprocess", "threading", "datetime",
    "time", "hashlib", "hmac", "bcrypt", "os.sys", "os.path", "sys.exit", "os.environ", "calendar",
))
# fmt: on
"""The reference implementation's list. (AZR a82124e, banned_keywords_for_errors_and_imports)"""


class Outcome(StrEnum):
    """How one execution ended, as the executor saw it."""

    RETURNED = "returned"
    """The call returned; `value` holds its canonical literal."""
    RAISED = "raised"
    """A Python exception reached the top; `error` holds "TypeName: message", cut to a cap."""
    REFUSED = "refused"
    """The static policy forbids it (a banned import, a source over 4 MiB); nothing ran."""
    SYNTAX_ERROR = "syntax_error"
    """The source does not compile."""
    OUT_OF_FUEL = "out_of_fuel"
    """The instruction budget is spent: the same on every machine, under every load."""
    OUT_OF_MEMORY = "out_of_memory"
    """The memory cap was hit: the allocator's MemoryError reached the top, or a trap followed it.
    A program that catches it and goes on ends as it ends."""
    OUTPUT_TOO_LARGE = "output_too_large"
    """stdout or the value exceeds `Limits.output_bytes`."""
    NOT_A_VALUE = "not_a_value"
    """The call returned something that has no canonical literal (a function, a custom object)."""
    EXITED = "exited"
    """The program ended the interpreter (sys.exit, os._exit). A whole program (`stdin`, or a source
    alone) that ends with sys.exit() or sys.exit(0) has RETURNED."""
    TRAPPED = "trapped"
    """WebAssembly stopped it (stack exhausted, os.abort, out of bounds)."""
    TIMED_OUT = "timed_out"
    """It used up the CPU time of the safety net with fuel left, on two workers in turn. Fuel has
    a price for all work of the host, so no known program does."""


def fuel_of_seconds(seconds: float) -> int:
    """Fuel for so many seconds of the guest, of `FUEL_A_SECOND` each.

    Raises:
        BadJob: It is no number above 0, or more than fuel can be.
    """
    if type(seconds) not in (int, float) or not 1 <= seconds * FUEL_A_SECOND <= MAX_FUEL:
        got = job_fields.short_repr(seconds)
        raise BadJob(f"seconds must be a number in (0, {MAX_FUEL // FUEL_A_SECOND}], got {got}")
    return round(seconds * FUEL_A_SECOND)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one call may use. Fuel decides; wall clock never does."""

    seconds: InitVar[float | None] = None
    """In the place of `fuel`: as much as the guest burns in so many seconds (`FUEL_A_SECOND`)."""
    fuel: int = DEFAULT_FUEL
    """Wasm instructions, roughly: 6 s by default. Compiling the source is charged apart."""
    memory_bytes: int = 256 * 1024 * 1024
    """Linear memory of the guest, interpreter included (about 40 MiB)."""
    output_bytes: int = 1024 * 1024
    """Cap on stdout and on a value's canonical literal, each."""

    def __post_init__(self, seconds: float | None) -> None:
        """Take seconds for fuel; refuse what cannot be meant."""
        if seconds is not None:
            if self.fuel != DEFAULT_FUEL:
                raise BadJob("give limits.fuel or limits.seconds, not both")
            object.__setattr__(self, "fuel", fuel_of_seconds(seconds))
        for name, low, high in (
            ("fuel", 1, MAX_FUEL),
            ("memory_bytes", 64 * 1024 * 1024, 2 * 1024**3),
            ("output_bytes", 1, 64 * 1024 * 1024),
        ):
            value = getattr(self, name)
            if type(value) is not int or not low <= value <= high:
                got = job_fields.short_repr(value)
                raise BadJob(f"limits.{name} must be an integer in [{low}, {high}], got {got}")


@dataclass(frozen=True, slots=True)
class Job:
    """One program and what to do with it. Exactly one of the four ways to run it is used.

    `calls`: argument literals ("1, 'a', key=2") for the function `entry`, each in a fresh state.
    `expressions`: trusted Python expressions over the program's names, each in a fresh state.
    `stdin`: run the source as a whole program with this text on stdin (stdout is captured).
    `tests`: assert source, run after the program in the same namespace.
    With none of them the source is run alone, as with an empty stdin.
    """

    id: str
    source: str
    calls: Sequence[str] = ()
    entry: str = "f"
    expressions: Sequence[str] = ()
    stdin: str | None = None
    tests: str | None = None
    limits: Limits = field(default_factory=Limits)
    images: int = 1
    """In how many images (hash seeds, clocks, entropies) each call runs; 2 judges determinism."""
    banned_modules: frozenset[str] = frozenset()
    """Modules the program may not import: checked on its syntax tree, and absent when it runs."""
    want_stdout: bool = False
    want_stderr: bool = False
    """Ask for stderr, and for the traceback of what was raised."""
    packages: frozenset[str] = frozenset()
    """Third-party packages it imports, by their modules' names; the sandbox must have them."""

    def __post_init__(self) -> None:
        """Freeze collections; refuse fields of the wrong type or size, and contradictory jobs."""
        for name in ("calls", "expressions"):
            value: Any = getattr(self, name)
            if type(value) is not tuple:
                object.__setattr__(self, name, job_fields.frozen_texts(value))
        for name in ("banned_modules", "packages"):
            value = getattr(self, name)
            if type(value) is not frozenset:
                object.__setattr__(self, name, job_fields.frozen_names(value))
        if not job_fields.are_right(self):
            raise self._bad(job_fields.what_is_wrong(self))
        if type(self.limits) is not Limits:
            raise self._bad(f"limits must be a Limits, got {job_fields.short_repr(self.limits)}")
        if (
            bool(self.calls) + bool(self.expressions) + (self.stdin is not None)
            + (self.tests is not None)
        ) > 1:  # fmt: skip
            raise self._bad("give only one of calls, expressions, stdin, tests")

    def _bad(self, why: str) -> BadJob:
        return BadJob(f"job {job_fields.short_repr(self.id)}: {why}")


@dataclass(frozen=True, slots=True, kw_only=True)
class CallResult:
    """How one call ended."""

    outcome: Outcome
    value: str | None = None
    """Canonical Python literal; set exactly when `outcome` is RETURNED and there is a value."""
    error: str | None = None
    """"TypeName: message" for RAISED, SYNTAX_ERROR, REFUSED, EXITED, TRAPPED; untrusted text."""
    fuel: int = 0
    """Fuel used by the run (the compile stage is not counted); deterministic."""
    stdout: str | None = None
    """Captured text when the job asked for it."""
    stderr: str | None = None
    """What the program wrote to stderr, then the traceback of what reached the top, as a model may
    read it: untrusted text, at most 64 and 16 KiB; None where the job did not ask."""
    differs: str | None = None
    """With images > 1: what differed between the images ("value", "outcome", "stdout"), or None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobResult:
    """One result a call, in the calls' order; a job that fails before its calls has one entry."""

    id: str
    calls: tuple[CallResult, ...]

    @property
    def deterministic(self) -> bool:
        """True when no call differed between the images it ran in."""
        return all(call.differs is None for call in self.calls)


def refused_unread(job: Job) -> JobResult | None:
    """The answer to a source that is too long to be looked at, or None.

    A model wrote the source: it gets an outcome of its own, and the jobs beside it run.
    """
    num_chars = len(job.source)
    if num_chars * 4 <= MAX_SOURCE_BYTES:
        return None
    num_bytes = job_fields.size_bytes(job.source)
    if num_bytes <= MAX_SOURCE_BYTES:
        return None
    error = f"SourceTooLong: {num_bytes} bytes, at most {MAX_SOURCE_BYTES}"
    return JobResult(id=job.id, calls=(CallResult(outcome=Outcome.REFUSED, error=error),))
