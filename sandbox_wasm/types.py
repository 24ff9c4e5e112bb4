"""The nouns of the executor: a `Job` goes in, a `JobResult` comes out.

Every type is frozen. An `Outcome` says what the executor saw. The caller decides what it means for
a reward.
"""

from collections.abc import Mapping, Sequence
from dataclasses import InitVar, dataclass, field
from enum import StrEnum
from typing import Any, Final

from sandbox_wasm.errors import BadJob
from sandbox_wasm.jobs import fields as job_fields
from sandbox_wasm.jobs import files as job_files
from sandbox_wasm.jobs.fields import MAX_IMAGES

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
"""Fuel in a second: about what the guest burns in a second on one core. The figure is fixed, so a
second is the same amount of work on every machine. It is near the median of ten loads
(bench/bench_seconds.py; docs/sandbox.md has their spread)."""
DEFAULT_FUEL: Final = 6 * FUEL_A_SECOND
"""Six seconds, which is what LiveCodeBench gives a case."""
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
    """The run used up its budget of instructions. This happens on every machine and under every
    load
    alike."""
    OUT_OF_MEMORY = "out_of_memory"
    """The run hit the memory cap: the allocator's MemoryError reached the top, or a trap followed
    it.
    A program that catches the MemoryError and goes on has the outcome of its later end."""
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
    """The run used up the CPU time of the safety net before its fuel, on two workers in turn. All
    work
    of the host has a price in fuel, so no known program gets there."""


def fuel_of_seconds(seconds: float) -> int:
    """Convert seconds of the guest to fuel; each is `FUEL_A_SECOND`.

    Raises:
        BadJob: `seconds` is not a number above 0, or it is more than fuel can be.
    """
    if type(seconds) not in (int, float) or not 1 <= seconds * FUEL_A_SECOND <= MAX_FUEL:
        got = job_fields.short_repr(seconds)
        raise BadJob(f"seconds must be a number in (0, {MAX_FUEL // FUEL_A_SECOND}], got {got}")
    return round(seconds * FUEL_A_SECOND)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one call may use. Fuel ends a call; wall-clock time never does."""

    seconds: InitVar[float | None] = None
    """Instead of `fuel`: what the guest burns in so many seconds (`FUEL_A_SECOND`)."""
    fuel: int = DEFAULT_FUEL
    """Roughly WebAssembly instructions; 6 s by default. Compiling the source has its own budget."""
    memory_bytes: int = 256 * 1024 * 1024
    """Linear memory of the guest, including about 40 MiB of the interpreter."""
    output_bytes: int = 1024 * 1024
    """Cap on stdout, and on the canonical literal of a value."""

    def __post_init__(self, seconds: float | None) -> None:
        """Turn seconds into fuel; refuse values that make no sense."""
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
    """One program and one of four ways to run it; use exactly one of these.

    `calls`: argument literals ("1, 'a', key=2") for the function `entry`, each in a fresh state.
    `expressions`: trusted Python expressions over the program's names, each in a fresh state.
    `stdin`: run the source as a whole program with this text on stdin (stdout is captured).
    `tests`: assert source, run after the program in the same namespace.
    With none of them the source runs alone, as with an empty stdin.
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
    """In how many images each call runs. Images differ in hash seed, clock and entropy; 2 check
    that
    a result is deterministic."""
    banned_modules: frozenset[str] = frozenset()
    """Modules that the program may not import. They are looked for in its syntax tree, and absent
    when
    it runs."""
    want_stdout: bool = False
    want_stderr: bool = False
    """Return stderr, and the traceback of an exception that ends the program."""
    packages: frozenset[str] = frozenset()
    """Third-party packages that the program imports, by their modules' names. The sandbox must have
    loaded them."""
    state: str | None = None
    """Makes it a session's turn (sandbox_wasm/sessions): the source runs in this state, and may
    read `stdin`; "" begins a session."""
    files: Mapping[str, str | bytes] | tuple[tuple[str, bytes], ...] = ()
    """What lies in its working folder, /tmp, when each run begins: by paths below it."""
    want_files: Sequence[str] = ()
    """Names of files there that come back as each run left them, in `CallResult.files`."""

    def __post_init__(self) -> None:
        """Freeze collections; refuse fields of the wrong type or size, and contradictory jobs."""
        self._freeze()
        if not job_fields.are_right(self):
            raise self._bad(job_fields.what_is_wrong(self))
        if type(self.limits) is not Limits:
            raise self._bad(f"limits must be a Limits, got {job_fields.short_repr(self.limits)}")
        self._check_way()

    def _check_way(self) -> None:
        if (
            bool(self.calls) + bool(self.expressions) + (self.stdin is not None)
            + (self.tests is not None)
        ) > 1:  # fmt: skip
            raise self._bad("give only one of calls, expressions, stdin, tests")
        if self.state is not None and (
            self.calls or self.expressions or self.tests is not None or self.images != 1
            or self.files or self.want_files
        ):  # fmt: skip
            raise self._bad(
                "a session's turn has no calls, expressions, tests or files, and one image"
            )

    def _freeze(self) -> None:
        if self.files != ():
            object.__setattr__(self, "files", job_files.frozen_files(self.files))
        for name in ("calls", "expressions", "want_files"):
            value: Any = getattr(self, name)
            if type(value) is not tuple:
                object.__setattr__(self, name, job_fields.frozen_texts(value))
        for name in ("banned_modules", "packages"):
            value = getattr(self, name)
            if type(value) is not frozenset:
                object.__setattr__(self, name, job_fields.frozen_names(value))

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
    """Fuel that the run used, without the compile stage; deterministic."""
    stdout: str | None = None
    """Captured text when the job asked for it."""
    stderr: str | None = None
    """What the program wrote to stderr (at most 64 KiB), then the traceback of the exception that
    ended
    it (at most 16 KiB). It is untrusted text for a model to read; None if the job did not ask."""
    differs: str | None = None
    """With images > 1: what differed between the images ("value", "outcome", "stdout", "files"), or
    None."""
    traceback: str | None = None
    """Of a session's turn: what CPython would show of what was raised, apart from stderr."""
    state: str | None = None
    """Of a session's turn: the state that it left, to go on from; None where it left none."""
    files: Mapping[str, bytes] | None = field(default=None, hash=False)
    """The files that the job wanted and the run left, by name; None where it wanted none, or did
    not run. Together they hold at most `Limits.output_bytes`; more is OUTPUT_TOO_LARGE."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobResult:
    """One result for each call, in order; a job that fails before its calls has a single result."""

    id: str
    calls: tuple[CallResult, ...]

    @property
    def deterministic(self) -> bool:
        """True when no call differed between the images it ran in."""
        return all(call.differs is None for call in self.calls)


def refused_unread(job: Job) -> JobResult | None:
    """Answer a source that is too long to be looked at; None for any other.

    A model wrote the source, so this is an outcome of the one job, and the jobs beside it run.
    """
    num_chars = len(job.source)
    if num_chars * 4 <= MAX_SOURCE_BYTES:
        return None
    num_bytes = job_fields.size_bytes(job.source)
    if num_bytes <= MAX_SOURCE_BYTES:
        return None
    error = f"SourceTooLong: {num_bytes} bytes, at most {MAX_SOURCE_BYTES}"
    return JobResult(id=job.id, calls=(CallResult(outcome=Outcome.REFUSED, error=error),))
