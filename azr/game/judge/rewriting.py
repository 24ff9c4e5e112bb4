"""Rewrites proposed programs by Python's grammar, if an option of [parsing] asks for it.

The host never parses what a model wrote. It sends the program, as a string literal, to a rewriting
program of ours inside the sandbox (guest/rewriting.py), and takes the resulting text back.
"""

from dataclasses import dataclass

from azr.config.run import ParsingConfig
from azr.game.judge.guest_programs import guest_program
from sandbox_wasm.literals import LiteralError, parse_sequences
from sandbox_wasm.types import Job, Limits

__all__ = ["Rewriting", "objection_to_rewritten", "read_rewritten", "rewriting_job"]

LIMITS = Limits(fuel=4_000_000_000, output_bytes=1024 * 1024)
"""A program of 16,384 characters is at most 160 KiB as a literal. The fuel suffices for hundreds of
functions, and lasts half a second at most."""


@dataclass(frozen=True, slots=True)
class Rewriting:
    """What to do with a proposed program before it is judged."""

    entry: str = "f"
    """parsing.entry."""
    one_function: bool = False
    """Whether more than one def is refused."""
    strips: tuple[str, ...] = ()
    """What to remove, any of comments, globals, prints."""

    @classmethod
    def of(cls, config: ParsingConfig, *, is_seeding: bool) -> "Rewriting":
        """Return what the configuration asks for, in self-play or while seeding."""
        strips = config.seeding_strip if is_seeding else config.strip
        return cls(config.entry, config.reject_multiple_functions, strips)

    @property
    def is_needed(self) -> bool:
        """Whether there is anything to do. By default there is not, and nothing is spent."""
        return self != Rewriting()


@dataclass(frozen=True, slots=True)
class Rewritten:
    """The reply of the rewriting program."""

    program: str
    functions: int
    """How many functions the original defines, including nested ones and methods."""
    objection: str


def rewriting_job(job_id: str, program: str, rewriting: Rewriting) -> Job:
    """Make the job that rewrites a program; `read_rewritten` reads the result of its one call."""
    source = guest_program("rewriting")
    call = f"{program!r}, {rewriting.entry!r}, {list(rewriting.strips)!r}"
    return Job(id=job_id, source=source, entry="rewrite", calls=(call,), limits=LIMITS)


def read_rewritten(value: str) -> Rewritten | None:
    """Read the rewriting program's reply; None if it is not one."""
    try:
        reply: object = parse_sequences(value)
    except LiteralError:
        return None
    match reply:
        case (str(program), int(functions), str(objection)):
            return Rewritten(program, functions, objection)
        case _:
            return None


def objection_to_rewritten(rewritten: Rewritten, rewriting: Rewriting) -> str:
    """Say why the program is refused after rewriting; empty if it is not."""
    if rewriting.one_function and rewritten.functions > 1:
        return "several functions"
    return rewritten.objection
