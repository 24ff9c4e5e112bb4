"""Source that calls what a check names. It is text for the guest; no host runs it.

A method of `Solution` is called on a new object, as LeetCode does; else the function of that name.
A function of the prelude is not the program's: who has to write `gcd` must have written it.
"""

from sandbox_wasm.grading.checks import Calls, Comparison
from sandbox_wasm.grading.guest.prelude import joined

__all__ = ["ENTRY", "source_of"]

ENTRY = "entry_of_check"

PLAIN = """\
def plain_of_check(value):
    import builtins as b, decimal, fractions
    kind, again = b.type(value), plain_of_check
    if kind in (b.int, b.str, b.bool, b.float, b.type(None)):
        return value
    if b.isinstance(value, b.dict):
        return {again(key): again(item) for key, item in b.dict.items(value)}
    if b.isinstance(value, b.list):
        return [again(item) for item in b.list.__iter__(value)]
    if b.isinstance(value, b.tuple):
        return b.tuple([again(item) for item in b.tuple.__iter__(value)])
    if b.isinstance(value, b.str):
        return b.str.__str__(value)
    if b.isinstance(value, b.int):
        return b.int.__add__(value, 0)
    if b.isinstance(value, b.float):
        return b.float.__add__(value, 0.0)
    if b.isinstance(value, (decimal.Decimal, fractions.Fraction)):
        for number in (b.int, b.float):
            if number(value) == value:
                return number(value)
    return value
"""
"""What Python's == takes for equal to a plain value (a Counter, a named tuple, an IntEnum, a
Decimal) becomes that plain value, which has a literal."""

SAME = "plain_of_check = lambda value: value\n"

CALL = """\
def {entry}(*args, **named):
    import builtins as b
    names = b.globals()
    kind = names.get("Solution")
    function = b.getattr(kind(), {name!r}, None) if b.isinstance(kind, b.type) else None
    if function is None:
        function = names.get({name!r})
        if function is None or function is {given}:
            raise b.NameError("name {name!r} is not defined")
    return plain_of_check(function(*args, **named))
"""


def source_of(check: Calls, program: str) -> str:
    """The program, after its prelude and before the function that the sandbox shall call."""
    given = f"given_of_check = globals().get({check.entry!r})\n" if check.prelude else ""
    call = CALL.format(
        entry=ENTRY, name=check.entry, given="given_of_check" if given else "None"
    )  # fmt: skip
    plain = SAME if check.comparison is Comparison.TYPED else PLAIN
    prelude = f"{check.prelude}\n{given}" if given else ""
    return f"{joined(prelude, program)}\n\n{plain}\n\n{call}"
