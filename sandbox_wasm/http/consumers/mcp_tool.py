"""MCP, the Model Context Protocol: one tool, `run_python`, by the official package.

Served over stdio by `azr-sandbox mcp`, and by `serve --http ... --mcp` at `/mcp` (streamable HTTP).
"""

import asyncio
from typing import Annotated, Any, Final

from mcp.server import MCPServer
from mcp.server.transport_security import TransportSecuritySettings
from pydantic import BaseModel, Field
from starlette.routing import BaseRoute

from sandbox_wasm.errors import SessionGone
from sandbox_wasm.http.desk import Desk
from sandbox_wasm.http.runs.endings import is_late
from sandbox_wasm.http.runs.seconds import limits_of_request
from sandbox_wasm.http.runs.sessions import Sessions, raised_in, why_stopped
from sandbox_wasm.sessions.session import TurnResult
from sandbox_wasm.types import Job, JobResult

__all__ = ["mcp_routes", "mcp_server"]

SECONDS: Final = 30.0
MAX_CHARS: Final = 20_000
CLIENT: Final = "mcp"
INSTRUCTIONS: Final = (
    "Runs Python in a sandbox without network. Print what you want to see, or end with an"
    " expression. Calls with the same `session` share their variables and the files of /tmp."
)


class RunResult(BaseModel):
    """What became of the code."""

    status: str
    """ok, error (an exception), timeout, or stopped (memory, os._exit)."""
    stdout: str = ""
    stderr: str = ""
    value: str | None = None
    """repr() of the last expression."""
    error: str | None = None
    """The traceback."""


def mcp_server(desk: Desk, sessions: Sessions, packages: frozenset[str]) -> MCPServer[Any]:
    """Make the server and its tool."""
    server: MCPServer[Any] = MCPServer(
        "azr-sandbox", instructions=INSTRUCTIONS, log_level="CRITICAL"
    )

    limits = limits_of_request(SECONDS)

    async def run(jobs: Any) -> list[JobResult]:
        found: list[Job] = list(jobs)
        return await desk.run(CLIENT, found)

    @server.tool()
    async def run_python(
        code: Annotated[
            str, Field(description="Python source; the value of a last expression is returned")
        ],
        session: Annotated[
            str, Field(max_length=200, description="variables live on under this name")
        ] = "",
        stdin: Annotated[str, Field(description="what input() reads")] = "",
    ) -> RunResult:
        """Run Python code in a sandbox; nothing else is reachable from it."""
        held = sessions.get(f"mcp {session}")[0] if session else sessions.new()
        try:
            async with asyncio.timeout(2 * SECONDS):
                return _result(await held.run(run, code, limits, packages, stdin))
        except SessionGone as exc:
            return RunResult(status="stopped", error=str(exc))

    return server


def _result(turn: TurnResult) -> RunResult:
    why, raised = why_stopped(turn, SECONDS), raised_in(turn)
    status = "timeout" if is_late(turn) else "stopped" if why else "error" if raised else "ok"
    return RunResult(
        status=status, stdout=turn.stdout[:MAX_CHARS], stderr=turn.stderr[:MAX_CHARS],
        value=turn.value and turn.value[:MAX_CHARS], error=why or raised,
    )  # fmt: skip


def mcp_routes(server: MCPServer[Any], *, is_local: bool) -> list[BaseRoute]:
    """The routes of streamable HTTP; `server.session_manager.run()` must be entered to serve them.

    Args:
        server: As `mcp_server` makes it.
        is_local: Whether only this machine can connect: then a browser's page may not, either.
    """
    security = (
        None if is_local else TransportSecuritySettings(enable_dns_rebinding_protection=False)
    )
    app = server.streamable_http_app(
        stateless_http=True, json_response=True, transport_security=security
    )
    return list(app.routes)
