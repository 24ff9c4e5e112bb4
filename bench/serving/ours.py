"""This repository's ways to grade problems: in process, over ZeroMQ, over HTTP in two forms."""

import asyncio
import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from bench_http import CONNECTIONS, Serving, answer, prepared

from sandbox_wasm import Limits, SandboxClient
from sandbox_wasm.grading import Check, Comparison, Executor, Stdin, grade
from serving.problems import SECONDS, Problem, same_lines

__all__ = ["Grader", "by_batches", "by_grade", "by_run_code", "by_zeromq", "doors"]

Grader = Callable[[Sequence[Problem]], list[bool]]
"""Says of each problem whether its program passes all cases."""

_LIMITS = Limits(seconds=SECONDS)


def _check(problem: Problem) -> Check:
    cases = tuple((case.given, case.expected) for case in problem.cases)
    return Stdin(cases, Comparison.LIVECODEBENCH)


def by_grade(executor: Executor, problems: Sequence[Problem]) -> list[bool]:
    """What the adapters for trainers call, with an executor of any kind."""
    checks = [_check(problem) for problem in problems]
    programs = [problem.program for problem in problems]
    return [score == 1.0 for score in grade(executor, programs, checks, limits=_LIMITS)]


def by_zeromq(server: Serving, problems: Sequence[Problem]) -> list[bool]:
    """The same over a client of a server."""
    with SandboxClient(server.zeromq) as client:
        return by_grade(client, problems)


def by_run_code(server: Serving, problems: Sequence[Problem]) -> list[bool]:
    """As verl does with SandboxFusion: a request a case, and the client compares."""
    cases = [(problem, case) for problem in problems for case in problem.cases]
    requests = [
        prepared("/run_code", {"code": problem.program, "stdin": case.given, "language": "python",
                               "run_timeout": SECONDS})
        for problem, case in cases
    ]  # fmt: skip
    passed: dict[str, bool] = {}
    for (problem, case), found in zip(cases, _answers(server, requests), strict=True):
        is_passed = found["status"] == "Success" and same_lines(
            found["run_result"]["stdout"], case.expected
        )
        passed[problem.name] = passed.get(problem.name, True) and is_passed
    return [passed[problem.name] for problem in problems]


def by_batches(server: Serving, problems: Sequence[Problem]) -> list[bool]:
    """As ScaleBox' clients do: a request a problem, and the server compares."""
    requests = [prepared("/common_evaluate_batch", _evaluate(problem)) for problem in problems]
    return [found["accepted"] for found in _answers(server, requests)]


def _evaluate(problem: Problem) -> dict[str, Any]:
    cases = {
        "type": "stdin_stdout", "fn_name": None,
        "input": [case.given for case in problem.cases],
        "output": [case.expected for case in problem.cases],
    }  # fmt: skip
    config = {"language": "python", "run_timeout": SECONDS, "provided_data": {"test_cases": cases}}
    return {"completion": f"```python\n{problem.program}\n```", "config": config}


def _answers(server: Serving, requests: list[bytes]) -> list[dict[str, Any]]:
    """Of all requests, in their order, over keep-alive connections."""
    answers: list[dict[str, Any]] = [{}] * len(requests)
    left = iter(enumerate(requests))

    async def one() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        for number, request in left:
            writer.write(request)
            answers[number] = json.loads(await answer(reader))
        writer.close()

    async def all_of_them() -> None:
        await asyncio.gather(*(one() for _ in range(min(CONNECTIONS, len(requests)))))

    asyncio.run(all_of_them())
    return answers


def doors(server: Serving) -> dict[str, Grader]:
    """A server's three."""
    return {
        "azr-sandbox over ZeroMQ": partial(by_zeromq, server),
        "azr-sandbox over HTTP, /run_code, a case a request": partial(by_run_code, server),
        "azr-sandbox over HTTP, /common_evaluate_batch": partial(by_batches, server),
    }
