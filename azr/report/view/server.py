"""The socket, and the event loop that serves it until Ctrl-C."""

import socket
from pathlib import Path

import uvicorn

from azr.errors import ConfigError
from azr.report.view.app import make_app
from sandbox_wasm.wire.endpoints import parse_address

__all__ = ["bound", "serve"]

BACKLOG = 128


def bound(address: str, token: str | None) -> socket.socket:
    """Bind the address.

    Args:
        address: HOST:PORT; the port `*` is any that is free.
        token: What whoever asks must bring.

    Raises:
        ConfigError: It is none, is taken, or can be reached by others and there is no token.
    """
    try:
        endpoint = parse_address(address, "--bind", "127.0.0.1:8642")
    except ValueError as error:
        raise ConfigError(str(error)) from None
    if not (endpoint.is_local or token):
        raise ConfigError(
            f"--bind {address} can be reached from other machines and has no token: whoever"
            " connects could read all runs. Write a token into a file and pass --token-file FILE"
        )
    try:
        return endpoint.listen(BACKLOG, f"--bind {address}")
    except OSError as error:
        raise ConfigError(f"{error}; --bind HOST:PORT names another address") from error


def serve(folder: Path, listener: socket.socket, token: str | None) -> None:
    """Serve until the process is interrupted."""
    config = uvicorn.Config(
        make_app(folder, token),
        lifespan="off",
        interface="asgi3",
        ws="none",
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=1,
    )
    uvicorn.Server(config).run(sockets=[listener])
