"""`/sessions/NAME/state`: a session as bytes, to be kept, or to go on at another server.

No consumer's own: NeMo-Skills' `/sessions` and MCP's tool name the sessions, and this saves them.
The bytes may be forged; they are read within bounds, as over ZeroMQ.
"""

from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox_wasm.errors import BadJob, SandboxUnavailable, SessionGone
from sandbox_wasm.http.app import Json, Surroundings
from sandbox_wasm.http.bodies import Refused, announced_bytes, read_body
from sandbox_wasm.http.runs.sessions import MAX_NAME_CHARS, Run

__all__ = ["saved_session_routes"]


def saved_session_routes(around: Surroundings) -> list[Route]:
    """Make the routes that save and load sessions."""
    saved = _SavedSessions(around)
    return [Route("/sessions/{name}/state", saved.answer, methods=["GET", "PUT"])]


class _SavedSessions:
    def __init__(self, around: Surroundings) -> None:
        self._around = around

    async def answer(self, request: Request) -> Response:
        """Save or load the session of this name; nothing that a request holds can raise."""
        try:
            return await (self._save if request.method == "GET" else self._load)(request)
        except SessionGone as exc:
            return Json({"detail": str(exc)}, 404)
        except (Refused, BadJob) as exc:
            refused = exc if isinstance(exc, Refused) else Refused(422, str(exc))
            return Json({"detail": refused.faults}, refused.status)
        except SandboxUnavailable as exc:
            return Json({"detail": f"the sandbox failed: {exc}"}, 503)

    async def _save(self, request: Request) -> Response:
        session = self._around.sessions.find(request.path_params["name"])
        if session is None:
            raise SessionGone("no session of this name is here")
        saved = await session.save(self._run_for(request))
        return Response(saved, media_type="application/octet-stream")

    async def _load(self, request: Request) -> Response:
        around, name = self._around, request.path_params["name"]
        if len(name) > MAX_NAME_CHARS:
            raise Refused(422, f"a name has at most {MAX_NAME_CHARS} characters", "path", "name")
        num_bytes = announced_bytes(request.scope, around.max_body_bytes)
        await around.room.take(num_bytes)
        try:
            saved = await read_body(request.receive, num_bytes)
            is_new = await around.sessions.load(name, self._run_for(request), saved)
        finally:
            around.room.give_back(num_bytes)
        return Json({"new_session_created": is_new})

    def _run_for(self, request: Request) -> Run:
        return partial(self._around.desk.run, request.client.host if request.client else "local")
