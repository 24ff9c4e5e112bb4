"""Jobs that ask the guest for profiles of programs, and readers of their results.

The program is a string argument. It is parsed in the guest and never runs. Nothing here talks to
the executor; azr.game.judge.judge does.
"""

import math
from collections.abc import Iterator, Sequence

from azr.game.judge.guest_programs import guest_program
from azr.types import Profile
from sandbox_wasm.literals import LiteralError, parse_sequences
from sandbox_wasm.types import CallResult, Job, Limits, Outcome

__all__ = ["halstead_effort", "halstead_volume", "profile_jobs", "profile_of"]

PROGRAMS_PER_JOB = 16
"""So few that the sandbox's workers share a step's programs."""

LIMITS = Limits(fuel=2_000_000_000, output_bytes=64 * 1024)
"""The worst program of 16,384 characters that we found takes 1.6e9."""


def profile_jobs(job_ids: Iterator[str], programs: Sequence[str]) -> list[Job]:
    """Make jobs with one call per program, in order; takes as many ids as it needs."""
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
    """Return the profile, or None if the program does not parse or exceeds the limits."""
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


def halstead_volume(
    distinct_operators: int, distinct_operands: int, operators: int, operands: int
) -> float:
    """Return N log2(n): the length times the bits of one word of the vocabulary."""
    vocabulary = distinct_operators + distinct_operands
    return (operators + operands) * math.log2(vocabulary) if vocabulary else 0.0


def halstead_effort(
    distinct_operators: int, distinct_operands: int, operators: int, operands: int
) -> float:
    """Return difficulty times volume; difficulty is n1 / 2 times N2 / n2."""
    if not distinct_operands:
        return 0.0
    difficulty = distinct_operators * operands / (2 * distinct_operands)
    return difficulty * halstead_volume(distinct_operators, distinct_operands, operators, operands)
