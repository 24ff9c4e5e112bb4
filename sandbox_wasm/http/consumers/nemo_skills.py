"""NeMo-Skills: `/execute` with X-Session-ID, and `/sessions`. NeMo-Gym's tools call it too.

Source: github.com/NVIDIA-NeMo/Skills, nemo_skills/code_execution/sandbox.py at 51dae1e and
local_sandbox/local_sandbox_server.py at 0fc7248. Its client waits for the time limit and five
seconds more, takes a 502 for a time-out, and anything else for an answer.
"""

from functools import partial
from typing import Annotated, Any, Final

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox_wasm.errors import SessionGone
from sandbox_wasm.http.app import Json
from sandbox_wasm.http.bodies import Body
from sandbox_wasm.http.consumers.fusion import Seconds
from sandbox_wasm.http.endpoint import Answer, Call
from sandbox_wasm.http.runs.endings import is_late, stderr_of
from sandbox_wasm.http.runs.seconds import limits_of_request
from sandbox_wasm.http.runs.sessions import MAX_NAME_CHARS, Sessions, raised_in, why_stopped
from sandbox_wasm.sessions.session import TurnResult
from sandbox_wasm.types import Job

__all__ = ["GeneratedCode", "execute_generated", "generated_deadline_s", "session_routes"]

GRACE_S: Final = 4.0
"""Of the five seconds that the client waits beyond the time limit."""
PYTHONS: Final = ("python", "python3")


class GeneratedCode(Body):
    """A program, or a cell of a session."""

    generated_code: str
    timeout: Seconds
    language: str = "ipython"
    std_input: str = ""
    max_output_characters: Annotated[int, Field(ge=0, le=1_000_000)] = 1000
    traceback_verbosity: str = "Plain"


async def execute_generated(call: Call, body: GeneratedCode) -> Any:
    """Run a program once, or a session's next turn."""
    if body.language == "ipython":
        return await _turn(call, body)
    if body.language not in PYTHONS:
        why = f"language {body.language[:40]!r}: this sandbox runs Python alone"
        return _answer(body, "error", "", f"{why}\n")
    limits = limits_of_request(body.timeout)
    job = Job("execute", body.generated_code, stdin=body.std_input, want_stdout=True,
              want_stderr=True, limits=limits, packages=call.packages)  # fmt: skip
    (result,) = await call.arun([job])
    end = result.calls[0]
    if is_late(end):
        return _late(body)
    return _answer(body, "completed", end.stdout or "", stderr_of(end))


async def _turn(call: Call, body: GeneratedCode) -> Any:
    name = call.headers.get("x-session-id")
    if not name or len(name) > MAX_NAME_CHARS:
        return Answer(400, {"error": "X-Session-ID header required for ipython sessions"})
    session, is_new = call.sessions.get(name)
    limits = limits_of_request(body.timeout)
    run = partial(session.run, call.arun, body.generated_code, limits, call.packages)
    try:
        turn = await run(body.std_input)
    except SessionGone:  # it begins anew; the client sends its turns again when it is told so
        turn, is_new = await run(body.std_input), True
    return {**_of_turn(body, turn), "new_session_created": is_new}


def _of_turn(body: GeneratedCode, turn: TurnResult) -> dict[str, Any]:
    if is_late(turn):
        return _late(body)
    if why := why_stopped(turn, body.timeout):
        return _answer(body, "error", "", f"{why}\n")
    status = "completed" if raised_in(turn) is None else "error"
    return _answer(body, status, _stdout_of(body, turn), turn.stderr)


def _stdout_of(body: GeneratedCode, turn: TurnResult) -> str:
    """What IPython would have shown: the output, the last value, or the traceback."""
    shown = "" if turn.value is None else f"{turn.value}\n"
    raised = raised_in(turn)
    if raised is None:
        return turn.stdout + shown
    is_short = body.traceback_verbosity == "Minimal"
    return f"{turn.stdout}{turn.error if is_short else raised}\n"


def _late(body: GeneratedCode) -> dict[str, Any]:
    return _answer(body, "timeout", "", f"Execution timed out after {body.timeout:g} seconds\n")


def _answer(body: GeneratedCode, status: str, stdout: str, stderr: str) -> dict[str, Any]:
    most = body.max_output_characters
    return {"process_status": status, "stdout": _cut(stdout, most), "stderr": _cut(stderr, most)}


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}<output cut>"


def generated_deadline_s(body: GeneratedCode) -> float:
    """Before the client gives up, which is five seconds after the limit."""
    return body.timeout + GRACE_S


def session_routes(sessions: Sessions) -> list[Route]:
    """Make the routes that list and end sessions."""

    async def listed(_: Request) -> Response:
        found = {
            name: {"backend": "ipython", "created": session.created_at,
                   "last_used": session.used_at, "alive": True}
            for name, session in sessions.items()
        }  # fmt: skip
        return Json({"sessions": found, "backend": "ipython"})

    async def ended(request: Request) -> Response:
        name = request.path_params["name"]
        if sessions.drop(name):
            return Json({"message": f"IPython session {name} deleted successfully"})
        return Json({"error": f"IPython session {name} not found"}, 404)

    return [
        Route("/sessions", listed),
        Route("/sessions/{name}", ended, methods=["DELETE"]),
    ]
