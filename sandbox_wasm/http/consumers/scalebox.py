"""ScaleBox: `/common_evaluate_batch`, a completion against all its tests in one request.

Source: github.com/pengbo121/ScaleBox, sandbox/server/online_judge_api.py, datasets/types.py and
utils/testing.py at b0eaf4f. Its comparison of outputs is kept, but for one thing: lines that a
program does not print, or prints beyond the expected ones, are wrong here.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final, Literal, cast

from pydantic import ConfigDict, Field, TypeAdapter

from sandbox_wasm.grading import Calls, Check, Comparison, Stdin, Tests
from sandbox_wasm.grading.grader import CaseResult
from sandbox_wasm.grading.text.completions import read_program
from sandbox_wasm.http.bodies import Body, Refused
from sandbox_wasm.http.consumers.fusion import Seconds, run_response
from sandbox_wasm.http.endpoint import Call, Endpoint
from sandbox_wasm.http.runs.cases import cases_of, check_of
from sandbox_wasm.http.runs.seconds import limits_of_request
from sandbox_wasm.types import CallResult

__all__ = ["COMMON_EVALUATE_BATCH"]

MAX_TESTS: Final = 4096
CASES: Final = ("body", "config", "provided_data", "test_cases")
SHOWN_CHARS: Final = 1000
"""Of an input or output in `test_info`; `extra.return_full_case` gives them whole."""


class Cases(Body):
    """Inputs and outputs, or a text of tests (`assert`, with what HumanEval has beside it)."""

    model_config = ConfigDict(strict=True, extra="allow", frozen=True)

    type: Literal["stdin_stdout", "function_call", "assert"] | None = None
    fn_name: str | None = None
    input: list[Any] = Field(default=[], max_length=MAX_TESTS)
    output: list[Any] = Field(default=[], max_length=MAX_TESTS)
    json_input: bool = False


class ProvidedData(Body):
    """The tests."""

    test_cases: Cases


class Extra(Body):
    """How they are run."""

    run_all_cases: bool = False
    total_timeout: Seconds = 300
    return_full_case: bool = False
    special_judge_program: str | None = None
    special_judge_language: str | None = None


class Config(Body):
    """What is run, and how."""

    language: str
    provided_data: ProvidedData
    compile_timeout: float | None = None
    run_timeout: Seconds | None = None
    mem_limit: float | None = None
    extra: Extra = Extra()
    dataset_type: str | None = None
    locale: str | None = None
    is_fewshot: bool | None = None
    custom_extract_logic: str | None = None


class Evaluate(Body):
    """A completion and its tests."""

    completion: str
    config: Config
    dataset: str = ""
    id: int | str = 0


async def evaluate(call: Call, body: Evaluate) -> dict[str, Any]:
    """Run all tests of one completion."""
    config, extra = body.config, body.config.extra
    _refuse_what_cannot_be(config)
    check = _check_of(config.provided_data.test_cases)
    program = read_program(body.completion, check.entry if isinstance(check, Calls) else "") or ""
    check = _with_its_prelude(check, program)
    limits = limits_of_request(config.run_timeout or 20.0, config.mem_limit)
    cases = await cases_of(call, program, check, limits, *CASES[1:])
    tests = _tests(check, cases, is_whole=extra.return_full_case)
    if not extra.run_all_cases:
        first = next((n for n, test in enumerate(tests, 1) if not test["passed"]), len(tests))
        tests = tests[:first]
    return {
        "id": body.id,
        "accepted": all(test["passed"] for test in tests),
        "extracted_code": program,
        "full_code": None,
        "test_code": None,
        "tests": tests,
        "extracted_type": None,
        "extra": None,
    }


def _refuse_what_cannot_be(config: Config) -> None:
    if config.language != "python":
        raise Refused(422, f"language {config.language[:40]!r}: this sandbox runs Python alone",
                      "body", "config", "language")  # fmt: skip
    if config.custom_extract_logic is not None:
        raise Refused(422, "custom_extract_logic is not run here: send the program itself",
                      "body", "config", "custom_extract_logic")  # fmt: skip
    if config.extra.special_judge_program is not None:
        raise Refused(422, "special_judge_program is not run here: compare outputs, or send tests",
                      "body", "config", "extra", "special_judge_program")  # fmt: skip


def _check_of(cases: Cases) -> Check:
    kind = cases.type or ("function_call" if cases.fn_name else "stdin_stdout")
    if kind == "assert":
        row = {**(cases.model_extra or {}), "fn_name": cases.fn_name}
        return check_of(row, *CASES[1:])
    if len(cases.input) != len(cases.output) or not cases.input:
        message = f"{len(cases.input)} inputs and {len(cases.output)} outputs"
        raise Refused(422, message, *CASES, "input")
    truth: dict[str, Any] = {"inputs": cases.input, "outputs": cases.output}
    if kind == "stdin_stdout":
        return check_of(truth, *CASES[1:], comparison=Comparison.FUSION)
    if not cases.fn_name:
        raise Refused(422, "a function_call needs the function's name", *CASES, "fn_name")
    return check_of({**truth, "fn_name": cases.fn_name}, *CASES[1:], comparison=Comparison.FUSION)


def _with_its_prelude(check: Check, program: str) -> Check:
    """ScaleBox gives imports to programs of LeetCode's kind alone."""
    if isinstance(check, Tests) or (isinstance(check, Calls) and "class Solution" in program):
        return check
    return replace(check, prelude="")


def _tests(
    check: Check, cases: Sequence[tuple[CaseResult, CallResult]], *, is_whole: bool
) -> list[dict[str, Any]]:
    infos = _infos(check, len(cases), is_whole=is_whole)
    return [
        {"passed": case.passed, "exec_info": run_response(end), "test_info": info}
        for (case, end), info in zip(cases, infos, strict=True)
    ]


def _infos(check: Check, num_tests: int, *, is_whole: bool) -> list[dict[str, Any] | None]:
    """What was asked, for the log of whoever asks."""

    def shown(text: str) -> str:
        return text if is_whole or len(text) <= SHOWN_CHARS else f"{text[:SHOWN_CHARS]}..."

    if isinstance(check, Stdin):
        return [{"input": {"stdin": shown(given)}, "output": {"stdout": shown(expected)}}
                for given, expected in check.cases]  # fmt: skip
    if isinstance(check, Calls):
        return [{"fn_name": check.entry, "input": shown(given), "output": shown(expected)}
                for given, expected in check.cases]  # fmt: skip
    return cast("list[dict[str, Any] | None]", [None] * num_tests)


def deadline_s(body: Evaluate) -> float:
    """What the request gives all its tests together."""
    return body.config.extra.total_timeout


COMMON_EVALUATE_BATCH: Final = Endpoint(
    path="/common_evaluate_batch",
    consumer="ScaleBox",
    summary="run all tests of a completion",
    body=TypeAdapter(Evaluate),
    answer=evaluate,
    deadline_s=deadline_s,
    example={
        "completion": "```python\nprint(int(input()) * 2)\n```",
        "config": {
            "language": "python",
            "run_timeout": 10,
            "provided_data": {
                "test_cases": {"type": "stdin_stdout", "input": ["2"], "output": ["4"]}
            },
            "extra": {"run_all_cases": True},
        },
    },
)  # fmt: skip
