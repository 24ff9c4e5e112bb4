"""The ASGI application: who is let in, how long an answer may take, and what becomes of failures.

    token -> path -> room for the body -> body -> the consumer's answer, until its deadline

Laws: a machine failure is a 5xx or what the consumer takes for one, never a verdict; a request
whose client has gone runs no further; what cannot be served is a 4xx that says where and why.
"""

import asyncio
import json
import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, Router
from starlette.types import Message, Receive, Scope, Send

from sandbox_wasm.errors import BadJob, SandboxUnavailable
from sandbox_wasm.http.bodies import (
    READ_S,
    Refused,
    Room,
    announced_bytes,
    parse_body,
    read_body,
)
from sandbox_wasm.http.desk import Desk
from sandbox_wasm.http.endpoint import Answer, Call, Endpoint
from sandbox_wasm.http.metrics import HttpCounters
from sandbox_wasm.http.runs.sessions import Sessions
from sandbox_wasm.http.tokens import is_right
from sandbox_wasm.server.quiet_log import QuietLog

__all__ = ["App", "Json", "Surroundings"]

OPEN_PATHS: Final = frozenset({"/health", "/healthz", "/v1/ping"})
"""What asks whether the server is alive need bring no token."""
CLOSE: Final = {"connection": "close"}
"""The rest of the request is not read."""
log = logging.getLogger(__name__)


class Json(Response):
    """JSON in ASCII: what a guest printed may hold code points that UTF-8 has no bytes for."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Encode."""
        return json.dumps(content, separators=(",", ":")).encode()


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What requests share."""

    desk: Desk
    sessions: Sessions
    counters: HttpCounters
    room: Room
    max_body_bytes: int
    token: str | None
    packages: frozenset[str]


class App:
    """Serves the endpoints of consumers, and the routes of the server itself."""

    def __init__(
        self, around: Surroundings, endpoints: Iterable[Endpoint], others: Iterable[BaseRoute]
    ) -> None:
        self._around = around
        self._quiet = QuietLog(log)
        posts = [Route(e.path, _Post(around, e), methods=["POST"]) for e in endpoints]
        self._router = Router([*posts, *others], redirect_slashes=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; nothing it holds can raise out of here."""
        if scope["type"] == "websocket":
            await self._talk(scope, receive, send)
        else:
            await self._serve(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        began, status = time.monotonic(), 0

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._answer(scope, receive, watched)
        except ClientDisconnect:
            self._around.counters.gone += 1
        except Exception as exc:  # noqa: BLE001 - whatever it is, the next request is served
            self._quiet.write(logging.ERROR, scope["path"], "event=http_error error=%r", exc,
                              exc=exc)  # fmt: skip
            if not status:
                await Json({"detail": "the server failed"}, 500)(scope, receive, watched)
        if status:
            self._around.counters.add(_label(scope), status, time.monotonic() - began)

    async def _talk(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a WebSocket in, or refuse it before its handshake."""
        token = self._around.token
        if token and not _brings(scope, token):
            await send({"type": "websocket.close", "code": 1008})
            return
        await self._router(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        token = self._around.token
        if token and scope["path"] not in OPEN_PATHS and not _brings(scope, token):
            headers = {"www-authenticate": 'Basic realm="azr-sandbox"', **CLOSE}
            refusal = Json({"detail": "this server asks for its token"}, 401, headers)
            await refusal(scope, receive, send)
            return
        try:
            scope["app"] = self  # without one the router answers in plain text
            await self._router(scope, receive, send)
        except HTTPException as exc:
            await Json({"detail": exc.detail}, exc.status_code, exc.headers)(scope, receive, send)


def _label(scope: Scope) -> str:
    """The path for the metrics: a bounded number of them, whatever is asked for."""
    if "endpoint" not in scope:
        return "other"
    path: str = scope["path"]
    return path.rpartition("/")[0] if scope.get("path_params") else path


def _brings(scope: Scope, token: str) -> bool:
    given = next((value for name, value in scope["headers"] if name == b"authorization"), None)
    return is_right(given, token)


class _Post:
    """One endpoint as an ASGI application."""

    def __init__(self, around: Surroundings, endpoint: Endpoint) -> None:
        self._around = around
        self._endpoint = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = self._endpoint
        try:
            content = await self._content(scope, receive)
            answer = content if isinstance(content, Answer) else Answer(200, content)
        except (Refused, BadJob) as exc:
            refused = exc if isinstance(exc, Refused) else Refused(422, str(exc))
            answer = Answer(refused.status, {"detail": refused.faults})
        except TimeoutError:
            self._around.counters.late += 1
            answer = Answer(
                endpoint.late_status, {"detail": "no worker was free in time; ask again"}
            )
        except SandboxUnavailable as exc:
            answer = _failure(endpoint, str(exc))
        headers = CLOSE if answer.status in (408, 413) else None
        await Json(answer.content, answer.status, headers)(scope, receive, send)

    async def _content(self, scope: Scope, receive: Receive) -> Any:
        around, endpoint = self._around, self._endpoint
        came_at = asyncio.get_running_loop().time()
        num_bytes = announced_bytes(scope, around.max_body_bytes)
        async with asyncio.timeout(READ_S):
            await around.room.take(num_bytes)
        try:
            body = parse_body(endpoint.body, await read_body(receive, num_bytes))
            headers = {name.decode("latin-1"): value.decode("latin-1")
                       for name, value in scope["headers"]}  # fmt: skip
            client = scope["client"][0] if scope["client"] else "local"
            call = Call(around.desk, around.sessions, client, headers, around.packages)
            async with (
                asyncio.timeout_at(came_at + endpoint.deadline_s(body)),
                _while_here(receive),
            ):
                return await endpoint.answer(call, body)
        finally:
            around.room.give_back(num_bytes)


def _failure(endpoint: Endpoint, why: str) -> Answer:
    """The machine failed: in the consumer's words where it has some."""
    if endpoint.failed is None:
        return Answer(endpoint.failed_status, {"detail": f"the sandbox failed: {why}"})
    return Answer(200, endpoint.failed(why))


class _while_here:  # noqa: N801 - reads as a statement
    """Cancels what is inside when the client goes; its body must have been read.

    Raises:
        ClientDisconnect: It has gone.
    """

    __slots__ = ("_has_gone", "_receive", "_task", "_watch")

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._has_gone = False

    async def __aenter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._task = task
        self._watch = asyncio.ensure_future(self._receive())
        self._watch.add_done_callback(self._leave)

    def _leave(self, watch: "asyncio.Future[Any]") -> None:
        if not watch.cancelled():
            self._has_gone = True
            self._task.cancel()

    async def __aexit__(self, *_: object) -> None:
        self._watch.remove_done_callback(self._leave)
        self._watch.cancel()
        if self._has_gone:
            self._task.uncancel()
            raise ClientDisconnect
