"""Proposed programs rewritten by Python's grammar, where an option of [parsing] asks for it.

Law of the module: the host never parses what a model wrote. It sends the program, as a string
literal, to a rewriting program of ours (rewriting) inside the sandbox, and takes the
text back that this returns.
"""

from dataclasses import dataclass

from azr.config.run import ParsingConfig
from azr.game.judge.guest_programs import guest_program
from sandbox_wasm.literals import LiteralError, parse_sequences
from sandbox_wasm.types import Job, Limits

__all__ = ["Rewriting", "objection_to_rewritten", "read_rewritten", "rewriting_job"]

LIMITS = Limits(fuel=4_000_000_000, output_bytes=1024 * 1024)
"""A program of 16,384 characters is at most 160 KiB as a literal. Fuel suffices for hundreds of
functions and takes half a second at most."""


@dataclass(frozen=True, slots=True)
class Rewriting:
    """What is to be done to a proposed program before it is judged."""

    entry: str = "f"
    """parsing.entry."""
    one_function: bool = False
    """Whether more than one def is too many."""
    strips: tuple[str, ...] = ()
    """Of comments, globals, prints: what is taken out."""

    @classmethod
    def of(cls, config: ParsingConfig, *, is_seeding: bool) -> "Rewriting":
        """What the configuration asks for, in self-play or while seeding."""
        strips = config.seeding_strip if is_seeding else config.strip
        return cls(config.entry, config.reject_multiple_functions, strips)

    @property
    def is_needed(self) -> bool:
        """Whether anything is to be done at all; the default is nothing, and costs nothing."""
        return self != Rewriting()


@dataclass(frozen=True, slots=True)
class Rewritten:
    """What the rewriting program gave back."""

    program: str
    functions: int
    """How many functions the original defines, nested ones and methods included."""
    objection: str


def rewriting_job(job_id: str, program: str, rewriting: Rewriting) -> Job:
    """The job that rewrites a program; its one call returns what `read_rewritten` reads."""
    source = guest_program("rewriting")
    call = f"{program!r}, {rewriting.entry!r}, {list(rewriting.strips)!r}"
    return Job(id=job_id, source=source, entry="rewrite", calls=(call,), limits=LIMITS)


def read_rewritten(value: str) -> Rewritten | None:
    """The reply of the rewriting program; None if it is none."""
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
    """Why the program is no proposal after all; empty if it is one."""
    if rewriting.one_function and rewritten.functions > 1:
        return "several functions"
    return rewritten.objection
