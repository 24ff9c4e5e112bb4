"""Distance of two programs: ours on node sequences, difflib on JSON text as AZR's code does it.

    python bench/bench_ast_distance.py [--data FILE] [--pairs 60]

Both in one process, the same pairs. The programs are parsed here: give none that a model wrote.
"""

# pyright: basic

import argparse
import ast
import difflib
import json
import random
import runpy
import statistics
import time
from pathlib import Path

from programs import add_data_option
from rapidfuzz.distance import Indel

ROOT = Path(__file__).parents[1]


def as_json(program: str) -> str:
    """The tree as indented JSON text."""

    def plain(node: object) -> object:
        if isinstance(node, ast.AST):
            return {"_type": type(node).__name__, **{k: plain(v) for k, v in ast.iter_fields(node)}}
        return [plain(item) for item in node] if isinstance(node, list) else repr(node)

    return json.dumps(plain(ast.parse(program)), indent=2)


def main() -> None:
    """Print medians, and how often difflib disagrees with itself."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add_data_option(parser)
    parser.add_argument("--pairs", type=int, default=60)
    arguments = parser.parse_args()
    programs = list(dict.fromkeys(program.code for program in arguments.data.programs))
    profile = runpy.run_path(str(ROOT / "azr/game/judge/guest/profile.py"))["profile"]
    draw = random.Random(0)  # noqa: S311 - not for secrets
    ours, theirs, asymmetric = [], [], 0
    for _ in range(arguments.pairs):
        one, other = draw.sample(programs, 2)
        sequences = profile(one)[-1], profile(other)[-1]
        started = time.perf_counter()
        Indel.normalized_distance(*sequences)
        ours.append(time.perf_counter() - started)
        started = time.perf_counter()
        left, right = as_json(one), as_json(other)
        there = difflib.SequenceMatcher(None, left, right).ratio()
        theirs.append(time.perf_counter() - started)
        asymmetric += there != difflib.SequenceMatcher(None, right, left).ratio()
    for name, seconds in (("ours", ours), ("difflib on JSON", theirs)):
        print(f"{name}: median {statistics.median(seconds) * 1e6:,.1f} us a pair")
    print(f"ratio of medians {statistics.median(theirs) / statistics.median(ours):,.0f}")
    print(f"difflib differs from itself, turned round: {asymmetric} of {arguments.pairs} pairs")


if __name__ == "__main__":
    main()
