"""`azr-sandbox serve`: checks its arguments, binds, builds the pool, serves, drains, exits.

Exit status: 0 after a drained stop; 1 when the machine failed (no image, no pool); 2 for bad input,
and an address that is in use counts as such: nothing was built, and another --bind will do.
"""

import argparse
import contextlib
import functools
import logging
import os
import secrets
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import zmq

from sandbox_wasm.cores import available_cores
from sandbox_wasm.errors import SandboxError
from sandbox_wasm.places import place
from sandbox_wasm.server.door import Door
from sandbox_wasm.server.doorkeeper import HANDSHAKE_S, Doorkeeper, raise_descriptor_limit
from sandbox_wasm.server.executor import Executor
from sandbox_wasm.server.loop import Broker, BrokerOptions
from sandbox_wasm.server.metrics import MetricsPage, ServerCounters, prometheus_text
from sandbox_wasm.server.queues import QueueLimits
from sandbox_wasm.server.stall import StuckWorkers
from sandbox_wasm.types import MAX_IMAGES
from sandbox_wasm.wire.endpoints import Endpoint, parse_endpoint
from sandbox_wasm.wire.keys import AllowedKeys, KeyFileError, load_keys
from sandbox_wasm.wire.protocol import (
    DEFAULT_MAX_MESSAGE_BYTES,
    MAX_JOBS_PER_FRAME,
    ServerInfo,
    package_version,
)
from sandbox_wasm.wire.waker import Waker

__all__ = ["Server", "ServerOptions", "add_serve_arguments", "main_serve"]

log = logging.getLogger(__name__)

_LIMITS: Final = QueueLimits()
_PARENT_POLL_S: Final = 0.5
_ORPHAN_GRACE_S: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """Everything a server is told."""

    bind: Endpoint
    queue: QueueLimits = _LIMITS
    max_message_bytes: int = DEFAULT_MAX_MESSAGE_BYTES
    client_silence_s: float = 60.0
    drain_s: float = 30.0
    stall_s: float = 120.0
    curve_secret: Path | None = None
    curve_allow: Path | None = None
    allow_insecure_public: bool = False

    def __post_init__(self) -> None:
        """Refuse what would be unsafe or cannot work."""
        if (self.curve_secret is None) != (self.curve_allow is None):
            raise ValueError("--curve-secret and --curve-allow belong together: the server's own"
                             " key, and the folder of the clients' public keys")  # fmt: skip
        if self.curve_secret and self.bind.scheme != "tcp":
            raise ValueError("--curve-secret is for tcp://; ipc is guarded by its folder's mode")
        if not (self.bind.is_local or self.curve_secret or self.allow_insecure_public):
            raise ValueError(
                f"{self.bind.url} can be reached from other machines and has no keys: whoever"
                " connects could run programs here. Make keys with `azr-sandbox keys DIR` and pass"
                " --curve-secret and --curve-allow, or say --allow-insecure-public"
            )


class Server:
    """A bound socket, and the loop that serves it once there is an executor.

    Binding comes first: a port in use is known at once, not after the image was built.
    """

    def __init__(self, options: ServerOptions) -> None:
        self._options = options
        self.counters = ServerCounters()
        self._broker: Broker | None = None
        self._stop_asked = False
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._keys: AllowedKeys | None = None
        self._is_bound = False
        # Before strangers can come and hold every descriptor that is left.
        self._waker = Waker()
        num_descriptors = raise_descriptor_limit()
        self._context.set(zmq.MAX_SOCKETS, 64)  # ours; a connection is none
        self._router = self._context.socket(zmq.ROUTER)
        self._doorkeeper = Doorkeeper(self._router, num_descriptors)
        try:
            self._configure()
            self._bind()
        except BaseException:
            self.close()
            raise
        self.endpoint = cast("bytes", self._router.last_endpoint).rstrip(b"\0").decode()
        """The address as bound: a wildcard port is a number here."""

    def _configure(self) -> None:
        router, options = self._router, self._options
        router.linger = 1000  # the last results leave even though the loop has ended
        router.router_mandatory = True  # a vanished client is an error we see, not a silent drop
        router.maxmsgsize = options.max_message_bytes
        router.rcvhwm = 4  # frames per client that ZeroMQ may hold before we read them
        router.sndhwm = 16
        router.backlog = 512
        router.handshake_ivl = int(HANDSHAKE_S * 1000)  # a peer that says nothing has to go
        router.ipv6 = "[" in options.bind.host
        router.setsockopt(zmq.HEARTBEAT_IVL, 5000)  # a half-open connection ends within ~20 s
        router.setsockopt(zmq.HEARTBEAT_TIMEOUT, 15_000)
        if options.curve_secret is None or options.curve_allow is None:
            return
        public, secret = load_keys(options.curve_secret)
        if secret is None:
            raise KeyFileError(f"key file {options.curve_secret} has no secret half")
        self._keys = AllowedKeys(self._context, options.curve_allow)
        router.curve_server = True
        router.curve_publickey, router.curve_secretkey = public, secret

    def _bind(self) -> None:
        url = self._options.bind.url
        if not self._options.bind.is_stale_or_free():
            raise OSError(f"{url} is in use")
        try:
            self._router.bind(url)
        except zmq.ZMQError as exc:
            raise OSError(f"cannot bind {url}: {exc.strerror}") from exc
        self._is_bound = True

    def serve(self, executor: Executor, workers: int) -> None:
        """Serve until `stop()`; the executor stays the caller's."""
        options = self._options
        info = ServerInfo(
            server_id=secrets.token_hex(8),
            package_version=package_version(),
            workers=workers,
            image=str(executor.stats().get("image", "unknown")),
            max_message_bytes=options.max_message_bytes,
            max_jobs_per_frame=MAX_JOBS_PER_FRAME,
            max_client_jobs=options.queue.max_client_jobs,
            max_client_bytes=options.queue.max_client_bytes,
            client_silence_s=float(options.client_silence_s),
        )
        broker_options = BrokerOptions(
            queue=options.queue, drain_s=options.drain_s, stall_s=options.stall_s
        )
        self._broker = Broker(
            self._router, executor, info, broker_options, self.counters, self._waker
        )
        self._broker.watch(Door(self._doorkeeper, self._keys))
        if self._stop_asked:
            self._broker.stop()
        try:
            self._broker.run()
        finally:
            self._broker.close()

    def stop(self) -> None:
        """Drain and return from `serve`; safe in a signal handler."""
        self._stop_asked = True
        if self._broker is not None:
            self._broker.stop()

    def close(self) -> None:
        """Close the sockets; the last results get a second to leave."""
        if self._keys is not None:
            self._keys.close()
        self._doorkeeper.close()
        self._waker.close()
        if self._is_bound and self._options.bind.scheme == "ipc":
            # Before the socket is closed: afterwards the path may be another server's.
            Path(self._options.bind.path).unlink(missing_ok=True)
        self._router.close()
        self._context.term()


def add_serve_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `azr-sandbox serve`."""
    add = parser.add_argument
    add("--bind", required=True, metavar="URL",
        help="tcp://HOST:PORT (PORT * for any) or ipc:///PATH")  # fmt: skip
    add("--workers", type=int, default=None, metavar="N", help="default: one a core")
    add("--curve-secret", type=place, metavar="FILE", help="this server's NAME.key_secret")
    add("--curve-allow", type=place, metavar="DIR", help="folder of the clients' public keys")
    add("--allow-insecure-public", action="store_true",
        help="bind a public address without keys: anybody may run programs here")  # fmt: skip
    add("--metrics-bind", metavar="HOST:PORT", help="Prometheus page at http://HOST:PORT/metrics")
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
        help="largest frame from a client (default: %(default)s)")  # fmt: skip
    add("--client-silence-s", type=float, default=60.0, metavar="S",
        help="forget a client that is silent for longer (default: %(default)s)")  # fmt: skip
    add("--drain-s", type=float, default=30.0, metavar="S",
        help="after SIGTERM, how long queued jobs may run (default: %(default)s)")  # fmt: skip
    add("--stall-s", type=float, default=120.0, metavar="S",
        help="end if workers with jobs do nothing for so long (default: %(default)s)")  # fmt: skip
    add("--packages", nargs="+", default=[], metavar="NAME",
        help="third-party packages that jobs may ask for, as of `azr-sandbox run`")  # fmt: skip
    add("--images", type=int, default=2, metavar="N",
        help=f"images to load, 1 to {MAX_IMAGES}: the most a job may ask for, and azr asks for 10"
        " (default: %(default)s)")  # fmt: skip
    add("--watch-parent", type=int, metavar="PID", help=argparse.SUPPRESS)


def main_serve(
    args: argparse.Namespace, make_executor: Callable[[int], Executor] | None = None
) -> int:
    """Run a server until SIGTERM or SIGINT; return the exit status.

    Args:
        args: What `add_serve_arguments` declared.
        make_executor: Builds the executor for a number of workers; by default the real pool.
    """
    try:
        options = _options(args)
        workers = _workers(args.workers)
        server = Server(options)
    except (ValueError, OSError) as exc:
        return _complain(2, str(exc))
    try:
        with _stop_on_signals(server), _metrics_page(args.metrics_bind, server) as page:
            if args.watch_parent is not None:
                _watch_parent(args.watch_parent, server)
            make = make_executor or functools.partial(
                _make_pool, images=args.images, packages=args.packages
            )
            executor = make(workers)
            page.append(executor)
            try:
                sys.stderr.write(f"READY {server.endpoint} workers={workers}\n")
                sys.stderr.flush()
                _serve_or_exit(server, executor, workers)
            finally:
                page.clear()
                executor.close()
    except KeyFileError as exc:
        return _complain(2, str(exc))
    except SandboxError as exc:
        return _complain(1, str(exc))
    except ValueError as exc:
        return _complain(2, str(exc))
    finally:
        server.close()
        if args.watch_parent is not None and os.getppid() != args.watch_parent:
            with contextlib.suppress(OSError):  # the folder was made for us; its maker is dead
                Path(options.bind.path).parent.rmdir()
    return 0


def _serve_or_exit(server: Server, executor: Executor, workers: int) -> None:
    try:
        server.serve(executor, workers)
    except StuckWorkers as exc:  # to close such a pool could take for ever
        _complain(1, str(exc))
        server.close()
        os._exit(1)


def _complain(status: int, message: str) -> int:
    sys.stderr.write(f"azr-sandbox serve: {message}\n")
    return status


def _options(args: argparse.Namespace) -> ServerOptions:
    for name in ("max_queue_jobs", "max_queue_bytes", "max_client_jobs", "max_client_bytes",
                 "max_clients", "max_fuel", "max_job_fuel", "client_silence_s", "drain_s",
                 "stall_s"):  # fmt: skip
        if getattr(args, name) <= 0:
            flag = name.replace("_", "-")
            raise ValueError(f"--{flag} must be positive, got {getattr(args, name)}")
    if not 1024 <= args.max_message_bytes <= 2**31 - 1:
        raise ValueError(f"--max-message-bytes must be in [1024, {2**31 - 1}],"
                         f" got {args.max_message_bytes}")  # fmt: skip
    return ServerOptions(
        bind=parse_endpoint(args.bind, bind=True),
        queue=QueueLimits(
            max_jobs=args.max_queue_jobs, max_bytes=args.max_queue_bytes,
            max_client_jobs=args.max_client_jobs, max_client_bytes=args.max_client_bytes,
            max_clients=args.max_clients, max_fuel=args.max_fuel,
            max_job_fuel=args.max_job_fuel,
        ),
        max_message_bytes=args.max_message_bytes,
        client_silence_s=args.client_silence_s,
        drain_s=args.drain_s,
        stall_s=args.stall_s,
        curve_secret=args.curve_secret,
        curve_allow=args.curve_allow,
        allow_insecure_public=args.allow_insecure_public,
    )  # fmt: skip


def _workers(given: int | None) -> int:
    if given is None:
        return available_cores()
    if not 1 <= given <= 1024:
        raise ValueError(f"--workers must be in [1, 1024], got {given}")
    return given


def _make_pool(workers: int, images: int, packages: Sequence[str]) -> Executor:
    from sandbox_wasm.sandbox import Sandbox  # noqa: PLC0415 - heavy, and absent in a client

    return Sandbox(workers=workers, images=images, packages=packages)


@contextlib.contextmanager
def _stop_on_signals(server: Server) -> Generator[None]:
    """Drain on SIGTERM and SIGINT; a second signal ends the process at once."""

    def on_signal(number: int, _frame: object) -> None:
        signal.signal(number, signal.SIG_DFL)
        server.stop()

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    old = {number: signal.signal(number, on_signal) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _metrics_page(bind: str | None, server: Server) -> Generator[list[Any]]:
    """Serve the metrics page, if asked for; the list takes the executor once there is one."""
    executors: list[Executor] = []
    if bind is None:
        yield executors
        return
    host, _, port = bind.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65_535:
        raise ValueError(f"--metrics-bind must be HOST:PORT, got {bind!r}")

    def text() -> str:
        stats = executors[0].stats() if executors else {}
        return prometheus_text(server.counters, stats)

    try:
        page = MetricsPage(host.strip("[]"), int(port), text)
    except OSError as exc:
        raise ValueError(f"cannot bind --metrics-bind {bind}: {exc.strerror}") from exc
    sys.stderr.write(f"METRICS http://{host}:{page.port}/metrics\n")
    try:
        yield executors
    finally:
        page.close()


def _watch_parent(pid: int, server: Server) -> None:
    """End with the process that started us, however it died.

    Asking for our parent is robust where a pipe is not (a forked child of the parent would keep its
    other end open) and where PR_SET_PDEATHSIG is not (it fires when the starting thread ends).
    """

    def watch() -> None:
        while os.getppid() == pid:
            time.sleep(_PARENT_POLL_S)
        server.stop()
        time.sleep(_ORPHAN_GRACE_S)
        os._exit(1)

    threading.Thread(target=watch, name="sandbox-parent", daemon=True).start()
