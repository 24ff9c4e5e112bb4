"""What others grade with, in this machine's own Python: give it no program that you do not trust.

`by_processes` takes the steps that LiveCodeBench takes for a sample (`check_correctness` and
`grade_stdio` of lcb_runner/evaluation at 15808c7), whose code this is not: a manager and a process
each, forked; in the process the tools for harm are taken away, the program becomes a function after
a long list of imports, and each case has an alarm, until one fails. The two of others' packages are
left out where they are not installed.
"""

import ast
import contextlib
import faulthandler
import importlib
import importlib.util
import io
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from textwrap import indent
from typing import Any
from unittest.mock import patch

from serving.ours import Grader
from serving.problems import SECONDS, Case, Problem, same_lines

__all__ = ["by_exec", "by_processes", "monty", "prime_code"]

_fork: Any = multiprocessing.get_context("fork")


def by_exec(problems: Sequence[Problem]) -> list[bool]:
    """In this process, with no isolation and no limit but an alarm."""

    def run(program: str) -> None:
        exec(compile(program, "<string>", "exec"), {"__name__": "__main__"})  # noqa: S102

    return [
        all(_passes(partial(run, problem.program), case) for case in problem.cases)
        for problem in problems
    ]


def by_processes(problems: Sequence[Problem]) -> list[bool]:
    """As LiveCodeBench: `check_correctness`, one problem after the other."""
    return [_check_correctness(problem) for problem in problems]


def _check_correctness(problem: Problem) -> bool:
    with _fork.Manager() as manager:
        results = manager.list()
        process = _fork.Process(target=_run_test, args=(problem, results))
        process.start()
        process.join(timeout=(SECONDS + 1) * len(problem.cases) + 5)
        if process.is_alive():
            process.kill()
            process.join()
        return bool(results) and all(results[0])


def _run_test(problem: Problem, results: Any) -> None:
    _reliability_guard()
    names: dict[str, Any] = {}
    with _alarm_after(SECONDS):
        exec(_as_function(problem.program), names)  # noqa: S102
    passed: list[bool] = []
    for case in problem.cases:
        passed.append(_passes(names["wrapped_function"], case))
        if not passed[-1]:
            break
    results.append(passed)


# fmt: off
_IMPORTED = (
    "string", "re", "datetime", "collections", "heapq", "bisect", "copy", "math", "random",
    "statistics", "itertools", "functools", "operator", "io", "sys", "json", "builtins", "typing",
)
# fmt: on


def _as_function(program: str) -> str:
    """The program's imports, and the rest of it as the body of a function."""
    body = ast.parse(program).body
    imports = [node for node in body if isinstance(node, ast.Import | ast.ImportFrom)]
    rest = [node for node in body if not isinstance(node, ast.Import | ast.ImportFrom)]
    lines = [f"from {name} import *" for name in _IMPORTED]
    lines += [f"import {name}" for name in _IMPORTED]
    lines += ["sys.setrecursionlimit(50000)", *map(ast.unparse, imports), "def wrapped_function():"]
    return "\n".join([*lines, *(indent(ast.unparse(node), "    ") for node in rest)])


class _TooSlow(Exception):  # noqa: N818 - reads as a state
    """The alarm of a case."""


def _raise_too_slow(*_: object) -> None:
    raise _TooSlow


@contextlib.contextmanager
def _alarm_after(seconds: int) -> Generator[None]:
    before = signal.signal(signal.SIGALRM, _raise_too_slow)
    signal.alarm(seconds)
    faulthandler.enable()
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _passes(run: Callable[[], None], case: Case) -> bool:
    """Call it once, its stdin and stdout in memory."""
    printed = io.StringIO()
    stdin = io.TextIOWrapper(io.BytesIO(case.given.encode()), encoding="utf-8")
    try:
        with _alarm_after(SECONDS), redirect_stdout(printed), patch("sys.stdin", stdin):
            run()
    except SystemExit:
        pass
    except Exception:  # noqa: BLE001 - a peer's failure is a wrong answer
        return False
    return same_lines(printed.getvalue(), case.expected)


_TAKEN = {
    os: ("kill", "system", "putenv", "remove", "removedirs", "rmdir", "fchdir", "setuid", "fork",
         "forkpty", "killpg", "rename", "renames", "truncate", "replace", "unlink", "fchmod",
         "fchown", "chmod", "chown", "chroot", "lchown", "getcwd", "chdir"),
    shutil: ("rmtree", "move", "chown"),
    subprocess: ("Popen",),
}  # fmt: skip


def _reliability_guard() -> None:
    """What HumanEval's evaluator takes away, and with it LiveCodeBench's; no memory limit."""
    faulthandler.disable()
    os.environ["OMP_NUM_THREADS"] = "1"
    for module, names in _TAKEN.items():
        for name in names:
            setattr(module, name, None)
    for name in ("ipdb", "joblib", "resource", "psutil", "tkinter"):
        sys.modules[name] = None  # type: ignore[assignment]


def prime_code(extra_packages: Path) -> Iterator[tuple[str, Grader]]:
    """verl's local grader, loaded by its path: verl itself needs ray and torch."""
    with contextlib.suppress(PackageNotFoundError):
        sys.path.append(str(extra_packages))
        try:
            installed = distribution("verl")
        finally:
            sys.path.remove(str(extra_packages))
        folder = Path(str(installed.locate_file("verl/utils/reward_score/prime_code")))
        yield f"verl {installed.version}, prime_code", _prime_grader(_load("prime_code", folder))


def _load(name: str, folder: Path) -> Any:
    spec = importlib.util.spec_from_file_location(
        name, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _prime_grader(package: Any) -> Grader:
    def one(problem: Problem) -> bool:
        cases = {
            "inputs": [case.given for case in problem.cases],
            "outputs": [case.expected for case in problem.cases],
        }
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            score, _ = package.compute_score(problem.program, cases, continuous=True)
        return score == 1

    return lambda problems: [one(problem) for problem in problems]


def monty() -> Iterator[tuple[str, Grader]]:
    """pydantic-monty, an interpreter of its own for a part of Python; it has no stdin."""
    with contextlib.suppress(ImportError):
        package: Any = importlib.import_module("pydantic_monty")
        yield "pydantic-monty, a session a program", _monty_grader(package)


def _monty_grader(package: Any) -> Grader:
    def one(pool: Any, problem: Problem) -> bool:
        printed: list[str] = []

        def keep(_: str, text: str) -> None:
            printed.append(text)

        try:
            with pool.checkout() as session:
                session.feed_run(problem.program, skip_type_check=True, print_callback=keep)
        except Exception:  # noqa: BLE001 - a peer's failure is a wrong answer
            return False
        return same_lines("".join(printed), problem.cases[0].expected)

    def all_of_them(problems: Sequence[Problem]) -> list[bool]:
        with package.Monty(max_processes=1) as pool:
            return [one(pool, problem) for problem in problems]

    return all_of_them
