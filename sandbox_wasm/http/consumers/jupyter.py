"""SandboxFusion: `/run_jupyter`, the cells of a notebook in one request.

Source: github.com/bytedance/SandboxFusion, sandbox/server/sandbox_api.py and runners/types.py at
53a6341. A cell that raises does not end the notebook.
"""

from dataclasses import replace
from typing import Annotated, Any, Final, Literal

from pydantic import Field, TypeAdapter

from sandbox_wasm.http.bodies import Body
from sandbox_wasm.http.consumers.fusion import Seconds, files_of_request, files_of_response
from sandbox_wasm.http.endpoint import Call, Endpoint
from sandbox_wasm.http.runs.notebook import (
    Allowance,
    CellResult,
    CellsResult,
    job_of_cells,
    result_of_cells,
)
from sandbox_wasm.http.runs.seconds import seconds_of_fuel

__all__ = ["RUN_JUPYTER"]

MAX_CELLS: Final = 1024
GRACE_S: Final = 5.0


class RunJupyter(Body):
    """The cells, and what they may use together."""

    cells: Annotated[list[str], Field(max_length=MAX_CELLS)]
    cell_timeout: Annotated[float, Field(ge=0)] = 0
    total_timeout: Seconds = 45
    memory_limit_MB: float = -1  # noqa: N815 - SandboxFusion's name
    kernel: Literal["python3"] = "python3"
    files: dict[str, str | None] = Field(default={})
    fetch_files: list[str] = Field(default=[])


async def run_jupyter(call: Call, body: RunJupyter) -> dict[str, Any]:
    """Run all cells, one after the other, in one interpreter."""
    seconds = body.total_timeout
    if body.cell_timeout:  # fuel is counted for a run; no cell of it can have more than all
        seconds = min(seconds, body.cell_timeout * max(1, len(body.cells)))
    allowance = Allowance(
        seconds=seconds, memory_megabytes=body.memory_limit_MB, packages=call.packages
    )
    job = replace(
        job_of_cells([(cell, "") for cell in body.cells], allowance),
        files=files_of_request(body.files),
        want_files=body.fetch_files,
    )
    (result,) = await call.arun([job])
    response = _response(result_of_cells(result, len(body.cells)))
    return {**response, "files": files_of_response(result.calls[0])}


def _response(result: CellsResult) -> dict[str, Any]:
    has_ended = not result.reason
    return {
        "status": "Success" if has_ended else "Failed",
        "message": "" if has_ended else result.reason,
        "driver": {
            "status": "TimeLimitExceeded" if result.is_late else "Finished",
            "execution_time": seconds_of_fuel(result.fuel),
            "return_code": None if result.is_late else int(not has_ended),
            "stdout": "",
            "stderr": "" if has_ended else f"{result.reason}\n",
        },
        "cells": [_cell(cell) for cell in result.cells],
        "executor_pod_name": None,
    }


def _cell(cell: CellResult) -> dict[str, Any]:
    error = cell.error
    return {
        "stdout": cell.stdout,
        "stderr": cell.stderr,
        "display": [] if cell.value is None else [{"text/plain": cell.value}],
        "error": [] if error is None else [
            {"ename": error.name, "evalue": error.message, "traceback": error.traceback.split("\n")}
        ],
    }  # fmt: skip


def failed(why: str) -> dict[str, Any]:
    """A failure that says nothing about the cells."""
    return {
        "status": "SandboxError",
        "message": why,
        "driver": None,
        "cells": [],
        "executor_pod_name": None,
        "files": {},
    }


def deadline_s(body: RunJupyter) -> float:
    """A few seconds after the limit of all cells."""
    return body.total_timeout + GRACE_S


RUN_JUPYTER: Final = Endpoint(
    path="/run_jupyter",
    consumer="SandboxFusion",
    summary="run the cells of a notebook",
    body=TypeAdapter(RunJupyter),
    answer=run_jupyter,
    deadline_s=deadline_s,
    failed=failed,
    example={"cells": ["a = 123", "a"], "total_timeout": 45, "kernel": "python3"},
)
