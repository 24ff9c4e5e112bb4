"""Runs programs in plain CPython, in a process of its own: the other side of a comparison.

Reads lines of JSON `[source, arguments]`, writes for each `["value", literal]`,
`["raised", type's name]` or `["none", type's name]` for what has no literal.
"""

import json
import subprocess
import sys
from collections.abc import Sequence

__all__ = ["run_natively"]


def run_natively(programs: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Run `f(arguments)` of each source; nothing runs in the calling process."""
    lines = "".join(json.dumps(program) + "\n" for program in programs)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", __file__],
        input=lines,
        capture_output=True,
        text=True,
        timeout=600,
        check=True,
    )
    return [tuple(json.loads(line)) for line in done.stdout.splitlines()]


def _outcome(source: str, arguments: str) -> tuple[str, str]:
    from sandbox_wasm.literals import LiteralError, canonical  # noqa: PLC0415 - the child's alone

    names: dict[str, object] = {"__name__": "program"}
    try:
        exec(source, names)
        value = eval(f"f({arguments})", names)
    except Exception as error:  # noqa: BLE001 - whatever it raised is the outcome
        return "raised", type(error).__name__
    try:
        return "value", canonical(value)
    except LiteralError:
        return "none", type(value).__name__


def _serve() -> None:
    answers, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        answers.write(json.dumps(_outcome(*json.loads(line))) + "\n")


if __name__ == "__main__":
    _serve()
