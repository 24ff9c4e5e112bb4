"""Sentences that several prompts share; tests/golden shows the prompts that they change."""

from collections.abc import Callable, Sequence

from azr.types import Task

__all__ = [
    "BANNED_WORDS",
    "CODE_DEMANDS",
    "DIFFICULTY_IDEAS",
    "STATE_DEMAND",
    "ban",
    "block",
    "functions_to_build_on",
    "given_functions",
    "numbered_references",
]

BANNED_WORDS = (
    "logging", "random", "multiprocessing", "pebble", "subprocess", "threading", "datetime",
    "time", "hashlib", "hmac", "bcrypt", "os.sys", "os.path", "sys.exit", "os.environ", "calendar",
)  # fmt: skip
"""Words that a program may not use, in AZR's order; the sandbox enforces its imports.

A run can change them with sandbox.banned_modules."""

CODE_DEMANDS = """\
Demands on the code:
- The entry point is a function called `f`. It takes at least one parameter and returns a value. \
Nested functions, helper functions and classes are welcome.
- It is deterministic: the same input always gives the same output.
- It does not use randomness, dates or the clock, input or output (files, network), printing or \
logging, or any state from outside.
- It finishes within 10 seconds on a modern CPU.
- All imports and class definitions stand at the very top.
- The code ends with the return statement of `f`."""

STATE_DEMAND = """\
- It carries state through several transformations of the data, so that following it takes many \
steps of reasoning."""
"""For a proposer only: a solver's program may be as plain as it can."""

DIFFICULTY_IDEAS = (
    "trees, heaps, stacks, queues, graphs, intricate control flow, dynamic programming, recursion,"
    " divide and conquer, greedy choices, backtracking"
)


def ban(words: Sequence[str], where: str = "") -> tuple[str, ...]:
    """Write the line that bans words; no line if none is banned."""
    line = f"- These words must not occur in any form{where}: {', '.join(words)}."
    return (line,) if words else ()


def block(tag: str, body: str) -> str:
    """Write a fenced block."""
    return f"```{tag}\n{body}\n```"


BUILD_ON = """\
### Functions to build on

`f` must call {names}. The code below already stands above yours, in the same file: do not repeat \
or redefine any of it. Build on what is computed there and do more than wrap it: first reason \
about what each function does, then about what `f` can make of it."""


def numbered_references(references: Sequence[Task], result_of: Callable[[Task], str]) -> str:
    """Write past tasks, each in its own numbered tag with program, input and result."""
    shown: list[str] = []
    for number, task in enumerate(references, start=1):
        blocks = (block("python", task.program), block("input", task.cases[0].input),
                  result_of(task))  # fmt: skip
        shown.append("\n".join((f"<snippet_{number}>", *blocks, f"</snippet_{number}>")))
    return "\n\n".join(shown)


def function_names(functions: Sequence[str]) -> str:
    """Write `g_0`, `g_1` and `g_2` as a sentence needs them."""
    names = [f"`g_{number}`" for number in range(len(functions))]
    return " and ".join((", ".join(names[:-1]), names[-1])) if len(names) > 1 else names[0]


def functions_to_build_on(functions: Sequence[str]) -> str:
    """Write the part of an instruction that gives functions; empty if there are none."""
    if not functions:
        return ""
    text = BUILD_ON.format(names=function_names(functions))
    return f"{text}\n{_sources(functions)}"


def given_functions(functions: Sequence[str]) -> str:
    """Write the same in a pattern, before the program that calls them."""
    if not functions:
        return ""
    return f"{_sources(functions)}\nA function f that calls {function_names(functions)}:\n"


def _sources(functions: Sequence[str]) -> str:
    return block("python", "\n\n\n".join(functions))
