"""Problems for graders: programs that read stdin and print, their cases, and what is right.

Half of the programs are right. The others are their mutants: one `return` gives `None`, or one
`print` prints a word more. A mutant may be right all the same, where its input never comes there,
so each is run once by this machine's CPython, which says what a grader must say.
"""

import ast
import gzip
import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, cast

from programs import Program, own_workload

__all__ = ["SECONDS", "Case", "Problem", "judged", "own_problems", "problems_of_folder"]

SECONDS = 10
"""What a case may take, in every runner's own measure."""

LEETCODE, LIVECODEBENCH = "leetcode_2024h2.jsonl.gz", "livecodebench_v5_public.jsonl.gz"


@dataclass(frozen=True, slots=True)
class Case:
    """What a program reads, and what it must print."""

    given: str
    expected: str


@dataclass(frozen=True, slots=True)
class Problem:
    """A program and its cases."""

    name: str
    program: str
    cases: tuple[Case, ...]
    is_right: bool = True
    """Whether all cases pass."""


def own_problems() -> list[Problem]:
    """The repository's workload (bench/workload); without values that print in no fixed order."""
    programs = own_workload().programs
    return [_own(program) for program in programs if not _has_set(program.expected)]


def _has_set(literal: str) -> bool:
    nodes = ast.walk(ast.parse(literal, mode="eval"))
    return any(isinstance(node, ast.Set | ast.Call) for node in nodes)


def _own(program: Program) -> Problem:
    source = f"{program.code}\n\nprint(repr({program.call}))\n"
    return Problem(program.name, source, (Case("", program.expected),))


def problems_of_folder(folder: Path) -> list[Problem]:
    """Those with published solutions in the folder: LiveCodeBench's and LeetCode's, JSON Lines.

    Raises:
        OSError: The folder has neither file.
    """
    found = [
        problem
        for name, read in ((LIVECODEBENCH, _livecodebench), (LEETCODE, _leetcode))
        for path in folder.rglob(name)
        for problem in read(_rows(path))
    ]
    if not found:
        raise FileNotFoundError(f"{folder} has neither {LIVECODEBENCH} nor {LEETCODE}")
    return found


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


_METHOD = """
import json, sys
print(json.dumps(Solution().{name}(**json.loads(sys.stdin.read()))))
"""
_IMPORTS = (
    "from typing import *\nfrom collections import *\nfrom functools import *\n"
    "from itertools import *\nfrom heapq import *\nfrom bisect import *\nfrom math import *\n"
    "import collections, functools, heapq, itertools, math, re, string\n"
)


def _livecodebench(rows: Iterable[dict[str, Any]]) -> Iterator[Problem]:
    for row in rows:
        tests, program = row["io_tests"], row.get("canonical_solution")
        if not program or not tests:
            continue
        cases = [case for case in tests["cases"] if case["confirmed"]]
        if tests["kind"] == "stdin":
            pairs = [Case(case["input"], case["output"]) for case in cases]
        else:
            program = _IMPORTS + program + _METHOD.format(name=tests["fn_name"])
            pairs = [Case(*map(json.dumps, (case["input"], case["output"]))) for case in cases]
        if pairs:
            yield Problem(row["id"], program, tuple(pairs))


def _leetcode(rows: Iterable[dict[str, Any]]) -> Iterator[Problem]:
    for row in rows:
        parts = (row["code_prefix"], row["canonical_solution"], row["tests"])
        program = "\n".join((*parts, f"check({row['entry_point']})", "print('passed')\n"))
        yield Problem(row["id"], program, (Case("", "passed"),))


def judged(problems: list[Problem], threads: int) -> list[Problem]:
    """Every second problem with a mutant for its program, and what is right by CPython itself."""
    mixed = [_mutant(one) if number % 2 else one for number, one in enumerate(problems)]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(_with_truth, mixed))


def _with_truth(problem: Problem) -> Problem:
    return replace(problem, is_right=all(map(partial(_passes, problem.program), problem.cases)))


def _passes(program: str, case: Case) -> bool:
    try:
        done = subprocess.run(  # noqa: S603 - published programs, and programs of ours
            [sys.executable, "-I", "-c", program], input=case.given, capture_output=True,
            text=True, timeout=3 * SECONDS, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0 and same_lines(done.stdout, case.expected)


def same_lines(printed: str, expected: str) -> bool:
    """Whether the lines are equal but for blanks at their ends."""
    one, other = ([line.strip() for line in text.strip().split("\n")] for text in
                  (printed, expected))  # fmt: skip
    return one == other


def _mutant(problem: Problem) -> Problem:
    tree = ast.parse(problem.program)
    returns = [n for n in ast.walk(tree) if isinstance(n, ast.Return) and n.value is not None]
    if returns:
        returns[len(problem.name) % len(returns)].value = ast.Constant(None)
    else:
        prints = [node for node in ast.walk(tree) if _is_print(node)]
        for call in prints[:1]:
            cast("ast.Call", call).args.append(ast.Constant("mutant"))
    program = ast.unparse(ast.fix_missing_locations(tree))
    return replace(problem, name=f"{problem.name}, mutant", program=program)


def _is_print(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "print"
        and not any(isinstance(arg, ast.Starred) for arg in node.args)
    )
