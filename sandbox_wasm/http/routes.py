"""The server's own pages: is it alive, its figures, its interface."""

from collections.abc import Awaitable, Callable, Sequence

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from sandbox_wasm.http.app import Json, Surroundings
from sandbox_wasm.http.consumers import ENDPOINTS, session_routes
from sandbox_wasm.http.consumers.openenv import environment_route
from sandbox_wasm.http.consumers.saved_sessions import saved_session_routes
from sandbox_wasm.http.interface import html_page, openapi
from sandbox_wasm.server.executor import Executor
from sandbox_wasm.server.metrics import ServerCounters, prometheus_text, sum_of

__all__ = ["own_routes"]

Handler = Callable[[Request], Awaitable[Response]]


def own_routes(
    executor: Executor,
    around: Surroundings,
    counters: Sequence[ServerCounters],
    metrics_text: Callable[[], str],
) -> list[BaseRoute]:
    """Make the routes that no consumer brings."""

    def problem() -> str | None:
        if around.desk.is_stuck:
            return "the workers do nothing"
        return "isolation was lost" if executor.stats().get("isolation_lost") else None

    async def health(_: Request) -> Response:
        why = problem()
        return Json({"status": "healthy" if why is None else why}, 200 if why is None else 503)

    async def ping(_: Request) -> Response:
        why = problem()
        return Json("pong" if why is None else why, 200 if why is None else 503)

    async def metrics(_: Request) -> Response:
        text = prometheus_text(sum_of(counters), executor.stats()) + metrics_text()
        return PlainTextResponse(text, media_type="text/plain; version=0.0.4")

    async def interface(_: Request) -> Response:
        return Json(openapi(ENDPOINTS))

    async def docs(_: Request) -> Response:
        return HTMLResponse(html_page(ENDPOINTS))

    pages: dict[str, Handler] = {
        "/health": health, "/healthz": health, "/v1/ping": ping, "/metrics": metrics,
        "/openapi.json": interface, "/docs": docs, "/": docs,
    }  # fmt: skip

    return [
        *(Route(path, page) for path, page in pages.items()),
        *session_routes(around.sessions),
        *saved_session_routes(around),
        environment_route(around.desk, around.sessions, executor.packages),
    ]
