"""A process that compares maths answers, one JSON line in, one out: [gold, target] -> true/false.

It is started, timed and killed by azr.evaluation.maths.grader: sympy can take for ever and fill any
memory (9^{9^{9^9}}), and math-verify's own time limit needs a main thread's signals.
"""

# pyright: reportMissingTypeStubs=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false
# (math_verify is typed in part, and its time limits may be None whatever it says)

import json
import logging
import resource
import sys
from collections.abc import Sequence
from typing import Any

from azr.evaluation.maths.claims import letters

__all__ = ["main"]

MEMORY_BYTES = 4 * 1024**3


def main() -> None:
    """Answer until stdin ends; the first line out is `ready`, or says why not."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    answers = sys.stdout
    sys.stdout = sys.stderr  # what a library prints is no answer
    try:
        from math_verify import parse, verify  # noqa: PLC0415 - under the memory limit

        from azr.evaluation.maths.small_numbers import differ  # noqa: PLC0415 - as above
    except ImportError as error:
        print(error, file=answers, flush=True)
        return
    logging.getLogger("math_verify").setLevel(logging.CRITICAL)
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        gold, target = json.loads(line)
        try:
            right = parse(gold, parsing_timeout=None)  # pyright: ignore[reportArgumentType]
            given = parse(target, parsing_timeout=None)  # pyright: ignore[reportArgumentType]
            is_whole = reads_letters(gold, right) and reads_letters(target, given)
            same = (
                is_whole and verify(right, given, timeout_seconds=None) and not differ(right, given)
            )
        except RecursionError:
            same = False
        print(json.dumps(same), file=answers, flush=True)


def reads_letters(text: str, parsed: Sequence[Any]) -> bool:
    r"""Whether not all letters were lost: of `\hbar(v+1/2)` math-verify reads the last number."""
    found = parsed[0] if parsed else None
    unread = letters(text.replace(r"\boxed", "")) - {r"\xi"}
    return not unread or bool(getattr(found, "free_symbols", True))


if __name__ == "__main__":
    main()
