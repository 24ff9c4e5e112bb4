"""A Ray cluster for a run: the one that is there, or one of this machine that ends with it."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# (torch, transformers and vllm are typed in part)

import importlib
import logging
import os
import secrets
import socket
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Final

import ray

from azr.errors import ConfigError

__all__ = ["joined_ray"]

log = logging.getLogger(__name__)

OBJECT_STORE_BYTES: Final = 200 * 2**20
"""Nothing large goes through it: Ray would take a third of the memory."""
CONNECT_S: Final = 10.0
QUIET: Final = {
    "RAY_process_group_cleanup_enabled": "1",  # what a killed engine leaves behind holds its GPU
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # an actor without a GPU sees what there is: none
}


@contextmanager
def joined_ray(address: str) -> Generator[None]:
    """Join the cluster at `address`; if empty the one this machine is part of, or a new one.

    Raises:
        ConfigError: Nobody answers there, or it is not this cluster's.
    """
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    chosen = address or os.environ.get("RAY_ADDRESS", "")
    if chosen not in ("", "auto", "local"):
        refuse_silence(chosen)
    already = ray.is_initialized()
    if not already:
        log_what_ray_says()
        start(chosen)
    try:
        yield
    finally:
        if not already:
            ray.shutdown()


def refuse_silence(address: str) -> None:
    """Raise `ConfigError` unless Ray may be at HOST:PORT; it would ask there for minutes."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        raise ConfigError(f"cluster.address must be HOST:PORT, or empty, got {address!r}")
    try:
        with socket.create_connection((host, int(port)), CONNECT_S) as connection:
            speaks_grpc = os.environ.get("RAY_USE_TLS") == "1" or greets(connection)
    except (OSError, OverflowError, UnicodeError) as error:
        raise ConfigError(
            f"cluster.address = {address!r}: nobody answers there ({error});"
            " `ray start --head` on that machine prints its address"
        ) from error
    if not speaks_grpc:
        raise ConfigError(
            f"cluster.address = {address!r}: what answers there is not Ray;"
            " `ray start --head` on that machine prints its address"
        )


def greets(connection: socket.socket) -> bool:
    """Whether a server says first what each of gRPC's does: its settings, a frame of HTTP/2."""
    connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0)))
    return connection.recv(4)[3:] == b"\x04"


def start(address: str) -> None:
    """Join, or start one where there is none."""
    options: dict[str, Any] = {
        "logging_level": logging.ERROR,
        "log_to_driver": False,  # actors' lines are in Ray's own logs
        "configure_logging": False,
    }
    try:
        if address != "local":
            ray.init(address=address or "auto", **options)
            return
    except ConnectionError as error:
        if address:
            raise ConfigError(
                f"cluster.address = {address!r}: {first_line(error)}; if it wants a token,"
                " RAY_AUTH_MODE and RAY_AUTH_TOKEN must be set to its own"
            ) from error
    except (RuntimeError, ValueError) as error:
        raise ConfigError(f"the Ray cluster that is there: {first_line(error)}") from error
    lock_the_door()
    ray.init(
        address="local",
        include_dashboard=False,
        object_store_memory=OBJECT_STORE_BYTES,
        **options,
    )


def log_what_ray_says() -> None:
    """Put Ray's notices of processes that died into the log; it prints them to stdout, as data."""
    worker: Any = importlib.import_module("ray._private.worker")

    def heard(notice: dict[str, Any], **_: Any) -> None:
        log.warning("event=ray_says text=%r", " ".join(notice["lines"]))

    worker.print_to_stdstream = heard


def lock_the_door() -> None:
    """Ray runs what it is sent: a cluster of our own listens to this run alone."""
    os.environ.setdefault("RAY_AUTH_MODE", "token")
    if os.environ["RAY_AUTH_MODE"] == "token":
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    core: Any = importlib.import_module("ray._raylet")
    core.Config.initialize("")  # it has read the environment, when it was imported
    core.AuthenticationTokenLoader.instance().reset_cache()


def first_line(error: Exception) -> str:
    """Of what Ray has to say."""
    return str(error).strip().splitlines()[0]
