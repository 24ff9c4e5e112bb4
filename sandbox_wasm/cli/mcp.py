"""`azr-sandbox mcp`: the sandbox as a tool of whatever speaks MCP, over stdin and stdout."""

import argparse
import asyncio

from sandbox_wasm.cli.serve_arguments import workers_of
from sandbox_wasm.distribution import install_command

__all__ = ["add_mcp_arguments", "main_mcp"]


def add_mcp_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `azr-sandbox mcp`."""
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="default: 1")
    parser.add_argument("--packages", nargs="+", default=[], metavar="NAME",
                        help="third-party packages that programs may import")  # fmt: skip


def main_mcp(args: argparse.Namespace) -> int:
    """Serve one client until its end of stdin; return the exit status."""
    try:
        from sandbox_wasm.http.consumers import mcp_tool  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as exc:
        raise ValueError(
            f"mcp needs {exc.name}, which is not installed: {install_command('mcp')}"
        ) from exc
    from sandbox_wasm.http.desk import Desk  # noqa: PLC0415
    from sandbox_wasm.http.runs.sessions import Sessions  # noqa: PLC0415
    from sandbox_wasm.sandbox import Sandbox  # noqa: PLC0415
    from sandbox_wasm.server.metrics import ServerCounters  # noqa: PLC0415
    from sandbox_wasm.server.queues import QueueLimits  # noqa: PLC0415

    workers = workers_of(args.workers)

    async def serve(sandbox: Sandbox) -> None:
        desk = Desk(sandbox, workers, QueueLimits(), ServerCounters())
        server = mcp_tool.mcp_server(desk, Sessions(sandbox.drop_state), sandbox.packages)
        await server.run_stdio_async()

    with Sandbox(workers=workers, packages=args.packages) as sandbox:
        asyncio.run(serve(sandbox))
    return 0
