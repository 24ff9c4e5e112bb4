"""A program's form: what stays when somebody renames, reformats or comments it; told lexically.

Nothing is parsed or run. Equal forms can hide a difference (names of keyword arguments are names),
and a line broken inside brackets makes another form: the measure is for curves, not for verdicts.
The guest's `structure` (azr.game.judge.profiles) is exact, and only some runs ask for it.
"""

import builtins
import keyword
import re

__all__ = ["form_of"]

TOKENS = re.compile(
    r"""
      (?P<line>(?:\n[ \t\r]*)+)
    | (?P<left_out>\#[^\n]*|[ \t\r\f]+)
    | '{3}(?:\\.|(?!'{3})[^\\])*(?:'{3})?
    | "{3}(?:\\.|(?!"{3})[^\\])*(?:"{3})?
    | '(?:\\.|[^'\\\n])*'?
    | "(?:\\.|[^"\\\n])*"?
    | \.[ \t]*[^\W\d]\w*
    | (?P<name>[^\W\d]\w*)
    | \w+
    | .
    """,
    re.VERBOSE | re.DOTALL,
)
"""Every branch ends where it began to match at the latest: linear in any text. A string that is
never closed ends with its line, or with the text."""

KEPT = frozenset((*keyword.kwlist, *dir(builtins)))
"""Names that mean the same in every program; all others are numbered as they come."""


def form_of(program: str) -> str:
    """The program's tokens: names numbered in their order, without comments and blanks."""
    names: dict[str, str] = {}
    depths, parts = [0], list[str]()
    for token in TOKENS.finditer(program.strip()):
        kind, text = token.lastgroup, token[0]
        if kind == "left_out":
            continue
        if kind == "line":
            text = f"\n{depth_of(text, depths)}"
            if parts and parts[-1].startswith("\n"):
                parts.pop()  # of a line that held a comment alone
        elif kind == "name" and text not in KEPT:
            text = names.setdefault(text, f"n{len(names)}")
        parts.append(text)
    return " ".join(parts)


def depth_of(line: str, depths: list[int]) -> int:
    """How many blocks a line stands in; `depths` are the widths of those that are open."""
    width = len(line.rpartition("\n")[2].expandtabs())
    while depths[-1] > width:
        depths.pop()
    if depths[-1] < width:
        depths.append(width)
    return len(depths) - 1
