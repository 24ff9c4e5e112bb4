"""What stands before a program: the imports that its benchmark gives every program.

Lines from LiveCodeBench's `import_string` (lcb_runner/evaluation/testing_util.py, line 32 at
15808c7); PRIME's (verl/utils/reward_score/prime_code/testing_util.py) are the same.
"""

import re

__all__ = ["CONTEST_PRELUDE", "joined"]

CONTEST_MODULES = (
    "string", "re", "datetime", "collections", "heapq", "bisect", "copy", "math", "random",
    "statistics", "itertools", "functools", "operator", "io", "sys", "json",
)  # fmt: skip
CONTEST_PRELUDE = "".join(
    (
        *(f"from {name} import *\n" for name in (*CONTEST_MODULES, "builtins", "typing")),
        *(f"import {name}\n" for name in CONTEST_MODULES),
        "sys.setrecursionlimit(50000)\n",
    )
)
"""The builtins come late, so that `pow` and `open` are the usual ones."""

STATEMENT = re.compile(
    r"""(?P<future>from[ \t]+__future__[ \t]+import[ \t]*
            (?:\((?:\#[^\n]*|[^)#])*\)|(?:[^\n(;#\\]|\\\r?\n)+))(?:[ \t]*;)?[ \t]*
      | [ \t\f]*(?:\#[^\n]*)?\r?\n
      | [rRuU]?\"\"\"(?:[^"\\]|\\.|"(?!""))*\"\"\"[ \t]*;?[ \t]*
      | [rRuU]?\'\'\'(?:[^'\\]|\\.|'(?!\'\'))*\'\'\'[ \t]*;?[ \t]*
      | [rRuU]?(?:"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')[ \t]*;?[ \t]*
      | [ \t\f]+(?=[#\r\n])""",
    re.DOTALL | re.VERBOSE,
)
"""What may stand before an import from the future, and such an import."""


def joined(prelude: str, program: str) -> str:
    """The program after its prelude; imports from the future come first, as Python wants them.

    A program that begins inside a function goes on from the prelude (HumanEval's completions).
    """
    program = program.removeprefix("\ufeff")
    if not prelude.strip():
        return program
    first = next((line for line in program.split("\n") if line.strip(" \t\r\f")), "")
    if first[:1] in (" ", "\t"):
        return f"{prelude.rstrip()}\n{program}"
    ours, before = parted(prelude)
    theirs, after = parted(program.lstrip("\f"))
    if not theirs:
        return f"{prelude.rstrip()}\n\n{program}"
    return "\n".join([*dict.fromkeys([*ours, *theirs]), before.rstrip(), "", after])


def parted(source: str) -> tuple[list[str], str]:
    """The imports from the future at the head of a source, and the source without them."""
    futures: list[str] = []
    kept: list[str] = []
    position = 0
    while statement := STATEMENT.match(source, position):
        if statement["future"]:
            futures.append(statement["future"].strip())
        else:
            kept.append(statement.group())
        position = statement.end()
    return futures, "".join(kept) + source[position:]
