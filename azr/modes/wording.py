"""Sentences that several prompts share; tests/golden shows what changes when one is changed."""

from collections.abc import Sequence

from azr.types import Task

__all__ = [
    "BANNED_WORDS",
    "CODE_DEMANDS",
    "DIFFICULTY_IDEAS",
    "STATE_DEMAND",
    "block",
    "numbered_references",
]

BANNED_WORDS = (
    "logging", "random", "multiprocessing", "pebble", "subprocess", "threading", "datetime",
    "time", "hashlib", "hmac", "bcrypt", "os.sys", "os.path", "sys.exit", "os.environ", "calendar",
)  # fmt: skip
"""What a program may not use, in the reference's order; the sandbox enforces its imports."""

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
"""Of a proposer only: a solver's program may be as plain as it can."""

DIFFICULTY_IDEAS = (
    "trees, heaps, stacks, queues, graphs, intricate control flow, dynamic programming, recursion,"
    " divide and conquer, greedy choices, backtracking"
)


def block(tag: str, body: str) -> str:
    """A fenced block."""
    return f"```{tag}\n{body}\n```"


def numbered_references(references: Sequence[Task]) -> str:
    """Past tasks, each in its own numbered tag with program, input and output."""
    shown: list[str] = []
    for number, task in enumerate(references, start=1):
        case = task.cases[0]
        blocks = (block("python", task.program), block("input", case.input),
                  block("output", case.output))  # fmt: skip
        shown.append("\n".join((f"<snippet_{number}>", *blocks, f"</snippet_{number}>")))
    return "\n\n".join(shown)
