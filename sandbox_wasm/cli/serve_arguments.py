"""The arguments of `azr-sandbox serve`, and the doors that they ask for."""

import argparse
from pathlib import Path
from typing import Final

from sandbox_wasm.cores import available_cores
from sandbox_wasm.http.options import HttpOptions
from sandbox_wasm.http.tokens import TOKEN_VARIABLE, read_token
from sandbox_wasm.places import place
from sandbox_wasm.server.queues import QueueLimits
from sandbox_wasm.server.serve import ServerOptions
from sandbox_wasm.sessions.states import SessionLimits
from sandbox_wasm.types import MAX_IMAGES
from sandbox_wasm.wire.endpoints import parse_address, parse_endpoint
from sandbox_wasm.wire.protocol import DEFAULT_MAX_MESSAGE_BYTES

__all__ = [
    "add_serve_arguments",
    "http_options",
    "server_options",
    "session_limits",
    "workers_of",
]

_LIMITS: Final = QueueLimits()
_SESSIONS: Final = SessionLimits()
_POSITIVE: Final = (
    "max_queue_jobs", "max_queue_bytes", "max_client_jobs", "max_client_bytes", "max_clients",
    "max_fuel", "max_job_fuel", "max_sessions", "max_session_bytes", "max_sessions_bytes",
    "max_session_idle_s", "client_silence_s", "drain_s", "stall_s",
)  # fmt: skip


def add_serve_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `azr-sandbox serve`."""
    _add_doors(parser)
    _add_limits(parser)
    _add_session_limits(parser)
    add = parser.add_argument
    add("--workers", type=int, default=None, metavar="N", help="default: one a core")
    add("--packages", nargs="+", default=[], metavar="NAME",
        help="third-party packages that jobs may ask for, as of `azr-sandbox run`")  # fmt: skip
    add("--images", type=int, default=2, metavar="N",
        help=f"images to load, 1 to {MAX_IMAGES}: the most a job may ask for, and azr asks for 10"
        " (default: %(default)s)")  # fmt: skip
    add("--watch-parent", type=int, metavar="PID", help=argparse.SUPPRESS)


def _add_doors(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--bind", metavar="URL",
        help="serve ZeroMQ at tcp://HOST:PORT (PORT * for any) or ipc:///PATH")  # fmt: skip
    add("--curve-secret", type=place, metavar="FILE", help="this server's NAME.key_secret")
    add("--curve-allow", type=place, metavar="DIR", help="folder of the clients' public keys")
    add("--http", metavar="HOST:PORT",
        help="serve HTTP (PORT * for any): SandboxFusion's and others' requests")  # fmt: skip
    add("--token-file", type=place, metavar="FILE",
        help=f"the token that HTTP clients must bring (or ${TOKEN_VARIABLE})")  # fmt: skip
    add("--mcp", action="store_true", help="with --http: MCP's tool, too, at /mcp (azr[mcp])")
    add("--allow-insecure-public", action="store_true",
        help="bind a public address without keys: anybody may run programs here")  # fmt: skip
    add("--metrics-bind", metavar="HOST:PORT", help="Prometheus page at http://HOST:PORT/metrics")


def _add_limits(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--max-queue-jobs", type=int, default=_LIMITS.max_jobs, metavar="N",
        help="unanswered jobs of all clients (default: %(default)s)")  # fmt: skip
    add("--max-queue-bytes", type=int, default=_LIMITS.max_bytes, metavar="N",
        help="encoded bytes of those jobs (default: %(default)s)")  # fmt: skip
    add("--max-client-jobs", type=int, default=_LIMITS.max_client_jobs, metavar="N",
        help="unanswered jobs of one client (default: %(default)s)")  # fmt: skip
    add("--max-client-bytes", type=int, default=_LIMITS.max_client_bytes, metavar="N",
        help="encoded bytes of those jobs (default: %(default)s)")  # fmt: skip
    add("--max-fuel", type=int, default=_LIMITS.max_fuel, metavar="N",
        help="of one call (default: %(default)s)")  # fmt: skip
    add("--max-job-fuel", type=int, default=_LIMITS.max_job_fuel, metavar="N",
        help="of a job's calls in all its images (default: %(default)s)")  # fmt: skip
    add("--max-clients", type=int, default=_LIMITS.max_clients, metavar="N",
        help="(default: %(default)s)")  # fmt: skip
    add("--max-message-bytes", type=int, default=DEFAULT_MAX_MESSAGE_BYTES, metavar="N",
        help="largest frame or body from a client (default: %(default)s)")  # fmt: skip
    add("--client-silence-s", type=float, default=60.0, metavar="S",
        help="forget a client that is silent for longer (default: %(default)s)")  # fmt: skip
    add("--drain-s", type=float, default=30.0, metavar="S",
        help="after SIGTERM, how long queued jobs may run (default: %(default)s)")  # fmt: skip
    add("--stall-s", type=float, default=120.0, metavar="S",
        help="end if workers with jobs do nothing for so long (default: %(default)s)")  # fmt: skip


def _add_session_limits(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--max-sessions", type=int, default=_SESSIONS.max_sessions, metavar="N",
        help="sessions kept; beyond, the one idle longest goes (default: %(default)s)")  # fmt: skip
    add("--max-session-bytes", type=int, default=_SESSIONS.max_session_bytes, metavar="N",
        help="of one; a turn that would leave more is refused (default: %(default)s)")  # fmt: skip
    add("--max-sessions-bytes", type=int, default=_SESSIONS.max_bytes, metavar="N",
        help="of all; what forks share counts once (default: %(default)s)")  # fmt: skip
    add("--max-session-idle-s", type=float, default=_SESSIONS.max_idle_s, metavar="S",
        help="end a session after so long without a turn (default: %(default)s)")  # fmt: skip


def session_limits(args: argparse.Namespace) -> SessionLimits:
    """Read what sessions may hold; every number is above 0 (`server_options` has seen to it)."""
    return SessionLimits(
        max_sessions=args.max_sessions,
        max_session_bytes=args.max_session_bytes,
        max_bytes=args.max_sessions_bytes,
        max_idle_s=args.max_session_idle_s,
    )


def server_options(args: argparse.Namespace) -> ServerOptions | None:
    """Read what the ZeroMQ door is to be like; None without one.

    Raises:
        ValueError: An argument cannot be used; the message names it.
    """
    _check(args)
    if args.bind is None:
        if args.curve_secret or args.curve_allow:
            raise ValueError("--curve-secret and --curve-allow are for --bind: HTTP has a token")
        return None
    return ServerOptions(
        bind=parse_endpoint(args.bind, bind=True),
        queue=_queue_limits(args),
        max_message_bytes=args.max_message_bytes,
        client_silence_s=args.client_silence_s,
        drain_s=args.drain_s,
        stall_s=args.stall_s,
        curve_secret=args.curve_secret,
        curve_allow=args.curve_allow,
        allow_insecure_public=args.allow_insecure_public,
    )


def http_options(args: argparse.Namespace) -> HttpOptions | None:
    """Read what the HTTP door is to be like; None without one.

    Raises:
        ValueError: An argument cannot be used; the message names it.
    """
    token_file: Path | None = args.token_file
    if args.http is None:
        if token_file is not None:
            raise ValueError("--token-file is for --http: ZeroMQ has --curve-secret")
        if args.mcp:
            raise ValueError("--mcp is for --http; over stdio it is `azr-sandbox mcp`")
        if args.bind is None:
            raise ValueError("no door: give --bind URL, --http HOST:PORT, or both")
        return None
    return HttpOptions(
        bind=parse_address(args.http, "--http", "127.0.0.1:8080"),
        queue=_queue_limits(args),
        sessions=session_limits(args),
        token=read_token(token_file),
        mcp=args.mcp,
        max_body_bytes=args.max_message_bytes,
        drain_s=args.drain_s,
        stall_s=args.stall_s,
        allow_insecure_public=args.allow_insecure_public,
    )


def workers_of(given: int | None) -> int:
    """Return the number of workers that was asked for, or one a core."""
    if given is None:
        return available_cores()
    if not 1 <= given <= 1024:
        raise ValueError(f"--workers must be in [1, 1024], got {given}")
    return given


def _check(args: argparse.Namespace) -> None:
    for name in _POSITIVE:
        if not getattr(args, name) > 0:
            flag = name.replace("_", "-")
            raise ValueError(f"--{flag} must be positive, got {getattr(args, name)}")
    if not 1024 <= args.max_message_bytes <= 2**31 - 1:
        raise ValueError(f"--max-message-bytes must be in [1024, {2**31 - 1}],"
                         f" got {args.max_message_bytes}")  # fmt: skip


def _queue_limits(args: argparse.Namespace) -> QueueLimits:
    return QueueLimits(
        max_jobs=args.max_queue_jobs,
        max_bytes=args.max_queue_bytes,
        max_client_jobs=args.max_client_jobs,
        max_client_bytes=args.max_client_bytes,
        max_clients=args.max_clients,
        max_fuel=args.max_fuel,
        max_job_fuel=args.max_job_fuel,
    )
