"""Jobs that ask the guest what programs look like, and how their results are read.

The program is an argument, a string: it is parsed in the guest and runs nowhere. Nothing here
talks to the executor; azr.game.judge.judge does.
"""

from collections.abc import Iterator, Sequence

from azr.game.judge.guest_programs import guest_program
from azr.types import Profile, halstead_effort, halstead_volume
from sandbox_wasm.literals import LiteralError, parse_sequences
from sandbox_wasm.types import CallResult, Job, Limits, Outcome

__all__ = ["profile_jobs", "profile_of"]

PROGRAMS_PER_JOB = 16
"""Few enough that the sandbox's workers share a step's programs."""

LIMITS = Limits(fuel=2_000_000_000, output_bytes=64 * 1024)
"""The worst program of 16,384 characters that was found takes 1.6e9."""


def profile_jobs(job_ids: Iterator[str], programs: Sequence[str]) -> list[Job]:
    """Jobs with one call a program, in order; takes as many ids as it needs."""
    starts = range(0, len(programs), PROGRAMS_PER_JOB)
    parts = [programs[start : start + PROGRAMS_PER_JOB] for start in starts]
    return [
        Job(
            id=next(job_ids),
            source=guest_program("profile"),
            entry="profile",
            calls=[repr(program) for program in part],
            limits=LIMITS,
        )
        for part in parts
    ]


def profile_of(result: CallResult) -> Profile | None:
    """The profile, or None: the program does not parse, or is more than the limits can bear."""
    if result.outcome is not Outcome.RETURNED or result.value is None:
        return None
    try:
        match parse_sequences(result.value):
            case (
                int(nodes),
                int(lines),
                int(cognitive),
                int(cyclomatic),
                (int(n1), int(n2), int(operators), int(operands)),
                bool(uses_input),
                str(structure),
                str(sequence),
            ):
                return Profile(
                    nodes=nodes,
                    lines=lines,
                    cognitive=cognitive,
                    cyclomatic=cyclomatic,
                    volume=halstead_volume(n1, n2, operators, operands),
                    effort=halstead_effort(n1, n2, operators, operands),
                    uses_input=uses_input,
                    structure=structure,
                    sequence=sequence,
                )
            case _:
                return None
    except LiteralError:
        return None
