"""The HTTP door: a bound socket, and the event loop that serves it once there is an executor."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Generator
from typing import Final

import uvicorn
from starlette.routing import BaseRoute

from sandbox_wasm.http.app import App, Surroundings
from sandbox_wasm.http.bodies import Room
from sandbox_wasm.http.consumers import ENDPOINTS
from sandbox_wasm.http.desk import TICK_S, Desk
from sandbox_wasm.http.metrics import HttpCounters, http_text
from sandbox_wasm.http.options import HttpOptions
from sandbox_wasm.http.routes import own_routes
from sandbox_wasm.http.runs.sessions import Sessions
from sandbox_wasm.http.visitors import visitor_class
from sandbox_wasm.server.doorkeeper import raise_descriptor_limit
from sandbox_wasm.server.executor import Executor
from sandbox_wasm.server.metrics import ServerCounters
from sandbox_wasm.server.stall import StuckWorkers
from sandbox_wasm.wire.endpoints import url_of

__all__ = ["HttpServer"]

KEEP_ALIVE_S: Final = 75
"""An idle connection is closed after so long: later than clients' pools close theirs."""
BODIES_BYTES: Final = 256 * 1024**2
"""Bodies in memory at once."""
MAX_CONNECTIONS: Final = 16_384
BACKLOG: Final = 2048


class _Uvicorn(uvicorn.Server):
    """Leaves signals to the command, which stops every door."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Capture none."""
        yield


class HttpServer:
    """The HTTP door of a server. Binding comes first: a port in use is known at once."""

    def __init__(self, options: HttpOptions) -> None:
        self._options = options
        self.counters = ServerCounters()
        self._http_counters = HttpCounters()
        self._max_connections = min(MAX_CONNECTIONS, raise_descriptor_limit() // 2)
        bind = options.bind
        self._socket = bind.listen(BACKLOG, f"--http {bind.host}:{bind.port}")
        self.endpoint = url_of(self._socket, "http")
        """The address as bound: a wildcard port is a number here."""
        self._uvicorn: uvicorn.Server | None = None
        self._stop_asked = False

    def serve(self, executor: Executor, workers: int) -> None:
        """Serve until `stop()`, then drain; the executor stays the caller's.

        Raises:
            StuckWorkers: The executor has jobs and does nothing; their clients have been told.
        """
        config = self._config()
        with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
            runner.run(self._serve(config, executor, workers))

    def stop(self) -> None:
        """Drain and return from `serve`; safe in a signal handler and from any thread."""
        self._stop_asked = True
        if self._uvicorn is not None:
            self._uvicorn.should_exit = True

    def close(self) -> None:
        """Give the address back."""
        self._socket.close()

    def metrics_text(self) -> str:
        """Return the figures of requests and connections, in Prometheus' text format."""
        return http_text(self._http_counters)

    def _config(self) -> uvicorn.Config:
        return uvicorn.Config(
            app="set when there is a loop",
            http=visitor_class(self._http_counters, self._max_connections),
            ws="websockets-sansio",
            ws_max_size=self._options.max_body_bytes,
            lifespan="off",
            interface="asgi3",
            log_config=None,
            log_level=logging.CRITICAL,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            backlog=BACKLOG,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=max(1, round(self._options.drain_s)),
        )

    async def _serve(self, config: uvicorn.Config, executor: Executor, workers: int) -> None:
        options = self._options
        desk = Desk(executor, workers, options.queue, self.counters, options.stall_s)
        sessions = Sessions(executor.drop_state, options.sessions)
        room = Room(max(BODIES_BYTES, options.max_body_bytes))
        around = Surroundings(
            desk, sessions, self._http_counters, room, options.max_body_bytes, options.token,
            executor.packages,
        )  # fmt: skip
        page = own_routes(executor, around, [self.counters], self.metrics_text)
        async with _model_context(around, options) as tool:
            config.app = App(around, ENDPOINTS, [*page, *tool])
            await self._serve_until_stopped(config, desk, sessions)

    async def _serve_until_stopped(
        self, config: uvicorn.Config, desk: Desk, sessions: Sessions
    ) -> None:
        server = self._uvicorn = _Uvicorn(config)
        server.should_exit = self._stop_asked
        tending = asyncio.create_task(self._tend(desk, sessions))
        tending.add_done_callback(lambda _: self.stop())
        try:
            await server.serve(sockets=[self._socket])
        finally:
            tending.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await tending

    async def _tend(self, desk: Desk, sessions: Sessions) -> None:
        """Look after what time brings.

        Raises:
            StuckWorkers: The workers do nothing.
        """
        while True:
            await asyncio.sleep(TICK_S)
            sessions.tend()
            self._http_counters.sessions = len(sessions)
            try:
                desk.tend()
            except StuckWorkers:
                await asyncio.sleep(TICK_S)  # the answers that say so leave
                raise


@contextlib.asynccontextmanager
async def _model_context(
    around: Surroundings, options: HttpOptions
) -> AsyncGenerator[list[BaseRoute]]:
    """Serve MCP's tool, too, if asked for; gives its routes."""
    if not options.mcp:
        yield []
        return
    from sandbox_wasm.http.consumers.mcp_tool import mcp_routes, mcp_server  # noqa: PLC0415 - an extra

    server = mcp_server(around.desk, around.sessions, around.packages)
    routes = mcp_routes(server, is_local=options.bind.is_local)
    async with server.session_manager.run():
        yield routes
