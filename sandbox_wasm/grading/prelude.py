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

FUTURE = re.compile(r"from[ \t]+__future__[ \t]+import[ \t]+(?:\([^)]*\)|[^\n(]*)")
HEAD = re.compile(
    r"(?:[ \t]*(?:#[^\n]*)?\n"
    r"|from[ \t]+__future__[ \t]+import[ \t]+(?:\([^)]*\)|[^\n(]*)\n?"
    r"|[rRuU]?\"\"\"(?:[^\"\\]|\\.|\"(?!\"\"))*\"\"\"[ \t]*\n"
    r"|[rRuU]?'''(?:[^'\\]|\\.|'(?!''))*'''[ \t]*\n)*",
    re.DOTALL,
)
"""Comments, docstrings and imports from the future, which may stand before any other statement."""


def joined(prelude: str, program: str) -> str:
    """The program after its prelude; imports from the future come first, as Python wants them.

    A program that begins inside a function goes on from the prelude (HumanEval's completions).
    """
    if not prelude.strip():
        return program
    first = next((line for line in program.split("\n") if line.strip()), "")
    if first[:1].isspace():
        return f"{prelude.rstrip()}\n{program}"
    head_match = HEAD.match(program)
    head = head_match.group() if head_match else ""
    futures = FUTURE.findall(head)
    if not futures:
        return f"{prelude.rstrip()}\n\n{program}"
    rest = FUTURE.sub("", head) + program[len(head) :]
    return "\n".join([*futures, prelude.rstrip(), "", rest])
