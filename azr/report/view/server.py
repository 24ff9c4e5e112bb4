"""The socket, and the event loop that serves it until Ctrl-C."""

import socket
from pathlib import Path

import uvicorn

from azr.errors import ConfigError
from azr.report.view.app import make_app
from sandbox_wasm.wire.endpoints import Endpoint, parse_endpoint

__all__ = ["bound", "serve", "url_of"]

BACKLOG = 128


def bound(address: str, token: str | None) -> socket.socket:
    """Bind the address.

    Args:
        address: HOST:PORT; the port `*` is any that is free.
        token: What whoever asks must bring.

    Raises:
        ConfigError: It is none, is taken, or can be reached by others and there is no token.
    """
    endpoint = endpoint_of(address)
    if not (endpoint.is_local or token):
        raise ConfigError(
            f"--bind {address} can be reached from other machines and has no token: whoever"
            " connects could read all runs. Write a token into a file and pass --token-file FILE"
        )
    try:
        return endpoint.listen(BACKLOG, f"--bind {address}")
    except OSError as error:
        raise ConfigError(f"{error}; --bind HOST:PORT names another address") from error


def endpoint_of(address: str) -> Endpoint:
    """The address, checked and split."""
    try:
        return parse_endpoint(f"tcp://{address}", bind=True)
    except ValueError:
        raise ConfigError(
            f"--bind must be HOST:PORT, as in 127.0.0.1:8642 (port * for any), got {address!r}"
        ) from None


def url_of(listener: socket.socket) -> str:
    """The address as bound, for a browser."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


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
