"""SandboxFusion: `/run_code`. verl's reward and its tools, tinker-cookbook and others call it.

Source: github.com/bytedance/SandboxFusion, sandbox/server/sandbox_api.py and runners/types.py at
53a6341; verl, verl/utils/reward_score/sandbox_fusion/utils.py at 10f0796, which retries on 504.
"""

import base64
from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import Field, TypeAdapter

from sandbox_wasm.http.bodies import Body, Refused
from sandbox_wasm.http.endpoint import Call, Endpoint
from sandbox_wasm.http.runs.endings import is_late, return_code, stderr_of
from sandbox_wasm.http.runs.seconds import limits_of_request, seconds_of_fuel
from sandbox_wasm.types import CallResult, Job

__all__ = ["RUN_CODE", "RunCode", "Seconds", "files_of_request", "files_of_response",
           "run_response"]  # fmt: skip

Seconds = Annotated[float, Field(gt=0, le=1250)]
"""A time limit; the longest is what `--max-fuel` allows by default."""
GRACE_S: Final = 5.0
"""Of the ten seconds that verl waits beyond both time limits."""


class RunCode(Body):
    """A program and what it reads."""

    code: str
    language: str = "python"
    stdin: str | None = None
    compile_timeout: Annotated[float, Field(ge=0, le=1250)] = 10
    run_timeout: Seconds = 10
    memory_limit_MB: float = -1  # noqa: N815 - SandboxFusion's name
    files: dict[str, str | None] = Field(default={})
    fetch_files: list[str] = Field(default=[])
    args: list[str] = Field(default=[])


async def run_code(call: Call, body: RunCode) -> dict[str, Any]:
    """Run the whole program once."""
    if why := cannot(body.language, body.args):
        return failed(why)
    limits = limits_of_request(body.run_timeout, body.memory_limit_MB)
    job = Job("run_code", body.code, stdin=body.stdin or "", want_stdout=True, want_stderr=True,
              limits=limits, packages=call.packages, files=files_of_request(body.files),
              want_files=body.fetch_files)  # fmt: skip
    (result,) = await call.arun([job])
    return run_response(result.calls[0])


def cannot(language: str, args: list[str]) -> str:
    """What is asked for and is not there; empty if nothing is."""
    if language != "python":
        return f"language {language[:40]!r}: this sandbox runs Python alone"
    if args:
        return "args: programs here have no arguments"
    return ""


def files_of_request(files: Mapping[str, str | None]) -> dict[str, bytes]:
    """The files of a request, whose contents are base64; None is no file.

    Raises:
        Refused: A content is no base64.
    """
    decoded: dict[str, bytes] = {}
    for name, content in files.items():
        if content is not None:
            try:
                decoded[name] = base64.b64decode(content, validate=True)
            except ValueError as exc:
                raise Refused(422, f"not base64: {exc}", "body", "files", name) from exc
    return decoded


def files_of_response(call: CallResult) -> dict[str, str]:
    """What came back of the files that were asked for."""
    return {
        name: base64.b64encode(data).decode("ascii") for name, data in (call.files or {}).items()
    }


def failed(why: str) -> dict[str, Any]:
    """A failure that says nothing about the program."""
    return {
        "status": "SandboxError",
        "message": why,
        "compile_result": None,
        "run_result": None,
        "executor_pod_name": None,
        "files": {},
    }


def run_response(call: CallResult) -> dict[str, Any]:
    """What became of a run of a whole program."""
    late, code = is_late(call), return_code(call)
    return {
        "status": "Failed" if late or code else "Success",
        "message": "",
        "compile_result": None,
        "run_result": {
            "status": "TimeLimitExceeded" if late else "Finished",
            "execution_time": seconds_of_fuel(call.fuel),
            "return_code": None if late else code,
            "stdout": call.stdout or "",
            "stderr": stderr_of(call),
        },
        "executor_pod_name": None,
        "files": files_of_response(call),
    }


def deadline_s(body: RunCode) -> float:
    """Before verl gives up, which is ten seconds after both limits."""
    return body.compile_timeout + body.run_timeout + GRACE_S


RUN_CODE: Final = Endpoint(
    path="/run_code",
    consumer="SandboxFusion",
    summary="run a program with a text on stdin",
    body=TypeAdapter(RunCode),
    answer=run_code,
    deadline_s=deadline_s,
    failed=failed,
    example={"code": "print(int(input()) * 2)", "language": "python", "stdin": "21"},
)
