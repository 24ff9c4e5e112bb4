"""Questions about a program's structure, as what the guest is sent and what it answers.

Model text is parsed as Python in the guest alone. This module spells the question as a call with
literals, and takes nothing of the answer for granted but that it is a literal. Who is asked:
guest/compose.py and guest/objection.py.
"""

from collections.abc import Sequence
from typing import cast

from azr.types import Demands

__all__ = ["as_functions", "as_reason", "compose_call", "objection_call"]

MAX_REASON_CHARS = 80


def compose_call(programs: Sequence[str], count: int) -> str:
    """Arguments of compose(...)."""
    return f"{list(programs)!r}, {count}"


def objection_call(program: str, demands: Demands) -> str:
    """Arguments of objection(...)."""
    functions, banned = list(demands.functions), list(demands.banned_statements)
    return f"{program!r}, {functions!r}, {demands.min_own_operations}, {banned!r}"


def as_functions(answer: object) -> tuple[str, ...]:
    """The sources compose(...) found; none if it did not get to an answer."""
    parts = cast(Sequence[object], answer) if isinstance(answer, list) else ()
    return tuple(part for part in parts if isinstance(part, str))


def as_reason(answer: object) -> str:
    """What objection(...) said."""
    return answer[:MAX_REASON_CHARS] if isinstance(answer, str) else "unreadable"
