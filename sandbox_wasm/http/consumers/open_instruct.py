"""open-instruct: `/test_program`, `/test_program_stdio` of its verifier, `/execute` of its tool.

Source: github.com/allenai/open-instruct, open_instruct/code_utils/api.py at 8a40a23, code_utils.py
at 0653941, tools/code_server/server.py at 79ee5b2. Its verifier scores 0 for anything that is not a
200, so an answer that would be one for the machine's sake waits, as long as the client does.
"""

import asyncio
import json
from typing import Annotated, Any, Final, cast

from pydantic import Field, TypeAdapter

from sandbox_wasm.grading import Calls, Check, Stdin, Tests
from sandbox_wasm.grading.forms.packed import PackedTestsError
from sandbox_wasm.grading.forms.pickled import read_pickled
from sandbox_wasm.http.bodies import Body, Refused
from sandbox_wasm.http.consumers.fusion import Seconds
from sandbox_wasm.http.endpoint import Call, Endpoint
from sandbox_wasm.http.runs.cases import MAX_UNPACKED_BYTES, cases_of, check_of
from sandbox_wasm.http.runs.endings import is_late, return_code, stderr_of
from sandbox_wasm.http.runs.seconds import limits_of_request, seconds_of_fuel
from sandbox_wasm.types import Job

__all__ = ["TEST_PROGRAM", "TEST_PROGRAM_STDIO", "ExecuteCode", "execute", "execute_deadline_s"]

MAX_TESTS: Final = 4096
FAILED_RUNTIME: Final = -1.0
HURRY_S: Final = 2.0
"""An answer leaves so long before its client gives up."""


class TestProgram(Body):
    """A program and its tests: a list, its JSON text, or its base64(zlib(pickle))."""

    __test__ = False  # no test class, whatever pytest thinks of its name

    program: str
    tests: list[Any] | str
    max_execution_time: Seconds = 1.0


async def test_program(call: Call, body: TestProgram) -> dict[str, Any]:
    """Run each assert after the program, alone."""
    tests = await asyncio.to_thread(_tests_of, body.tests)
    for index, test in enumerate(tests):
        if not isinstance(test, str) or not test.strip():
            raise Refused(422, "a test must be a text of asserts", "body", "tests", index)
    check = check_of(tests, "tests")
    if not isinstance(check, Tests) or len(check.each) != len(tests):
        raise Refused(422, "tests must be texts of asserts", "body", "tests")
    return await _results(call, body, check)


async def test_program_stdio(call: Call, body: TestProgram) -> dict[str, Any]:
    """Run the program once for each input, or its function where the tests name one."""
    tests = await asyncio.to_thread(_tests_of, body.tests)
    check = check_of(tests, "tests", comparison="livecodebench")
    if not isinstance(check, Stdin | Calls):
        raise Refused(422, "tests must be objects with input and output", "body", "tests")
    return await _results(call, body, check)


async def _results(call: Call, body: TestProgram, check: Check) -> dict[str, Any]:
    limits = limits_of_request(body.max_execution_time)
    cases = await cases_of(call, body.program, check, limits, "tests")
    return {
        "results": [int(case.passed) for case, _ in cases],
        "runtimes": [
            seconds_of_fuel(end.fuel) if case.passed else FAILED_RUNTIME for case, end in cases
        ],
    }


def _tests_of(given: list[Any] | str) -> list[Any]:
    """The list, however it is packed.

    Raises:
        Refused: It is none, or is empty: every program would pass.
    """
    tests: Any = given
    if isinstance(given, str):
        try:
            tests = json.loads(given)
        except (ValueError, RecursionError):
            tests = _unpacked(given)
    if not isinstance(tests, list) or not 1 <= len(cast("list[Any]", tests)) <= MAX_TESTS:
        raise Refused(422, f"tests must be a list of 1 to {MAX_TESTS}", "body", "tests")
    return cast("list[Any]", tests)


def _unpacked(text: str) -> Any:
    try:
        return read_pickled(text, MAX_UNPACKED_BYTES)
    except PackedTestsError as exc:
        message = f"neither JSON nor packed tests of plain values, which are never unpickled: {exc}"
        raise Refused(422, message, "body", "tests") from exc


def test_deadline_s(body: TestProgram) -> float:
    """The client waits ten times the limit of a test, at least 30 s and at most 300."""
    return max(30.0, min(300.0, 10 * body.max_execution_time)) - HURRY_S


class ExecuteCode(Body):
    """A program for the tool."""

    code: str
    timeout: Annotated[float, Field(gt=0, le=1250)] | None = 5


async def execute(call: Call, body: ExecuteCode) -> dict[str, Any]:
    """Run the program once, without an input."""
    seconds = body.timeout or 5.0
    limits = limits_of_request(seconds)
    job = Job("execute", body.code, stdin="", want_stdout=True, want_stderr=True, limits=limits,
              packages=call.packages)  # fmt: skip
    (result,) = await call.arun([job])
    end = result.calls[0]
    if is_late(end):
        return {"output": "", "error": f"Execution timed out after {seconds:g} seconds",
                "success": False}  # fmt: skip
    if return_code(end):
        return {"output": "", "error": stderr_of(end), "success": False}
    return {"output": end.stdout or "", "error": stderr_of(end) or None, "success": True}


def execute_deadline_s(body: ExecuteCode) -> float:
    """The project's own server answers a second after the limit."""
    return (body.timeout or 5.0) + 1.0


TEST_PROGRAM: Final = Endpoint(
    path="/test_program",
    consumer="open-instruct",
    summary="run a program's asserts, each alone",
    body=TypeAdapter(TestProgram),
    answer=test_program,
    deadline_s=test_deadline_s,
    example={"program": "def add(a, b): return a + b", "tests": ["assert add(1, 2) == 3"]},
)
TEST_PROGRAM_STDIO: Final = Endpoint(
    path="/test_program_stdio",
    consumer="open-instruct",
    summary="run a program once for each input",
    body=TypeAdapter(TestProgram),
    answer=test_program_stdio,
    deadline_s=test_deadline_s,
    example={"program": "print(int(input()) + 1)", "tests": [{"input": "1\n", "output": "2\n"}]},
)
