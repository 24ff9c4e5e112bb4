"""Questions about a program's structure: what the guest gets, and how its answers are read.

Only the guest parses model text as Python. This module writes the question as a call with literals.
It trusts the answer in nothing but that it is a literal. The questions go to guest/compose.py and
guest/objection.py.
"""

from collections.abc import Sequence
from typing import cast

from azr.types import Demands

__all__ = ["as_functions", "as_reason", "compose_call", "objection_call"]

MAX_REASON_CHARS = 80


def compose_call(programs: Sequence[str], count: int) -> str:
    """Write the arguments of compose(...)."""
    return f"{list(programs)!r}, {count}"


def objection_call(program: str, demands: Demands) -> str:
    """Write the arguments of objection(...)."""
    functions, banned = list(demands.functions), list(demands.banned_statements)
    return f"{program!r}, {functions!r}, {demands.min_own_operations}, {banned!r}"


def as_functions(answer: object) -> tuple[str, ...]:
    """Return the sources that compose(...) found; none if it gave no answer."""
    parts = cast(Sequence[object], answer) if isinstance(answer, list) else ()
    return tuple(part for part in parts if isinstance(part, str))


def as_reason(answer: object) -> str:
    """Return the answer of objection(...)."""
    return answer[:MAX_REASON_CHARS] if isinstance(answer, str) else "unreadable"
