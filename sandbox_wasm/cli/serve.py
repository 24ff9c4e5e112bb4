"""`azr-sandbox serve`: checks its arguments, binds, builds the pool, serves, drains, exits.

Exit status: 0 after a drained stop; 1 when the machine failed (no image, no pool); 2 for bad input,
and an address that is in use counts as such: nothing was built, and another --bind will do.
"""

import argparse
import contextlib
import functools
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import Any, Final, Protocol

from sandbox_wasm.cli.serve_arguments import (
    add_serve_arguments,
    http_options,
    server_options,
    session_limits,
    workers_of,
)
from sandbox_wasm.distribution import install_command
from sandbox_wasm.errors import SandboxError
from sandbox_wasm.http.options import HttpOptions
from sandbox_wasm.server.executor import Executor
from sandbox_wasm.server.metrics import MetricsPage, ServerCounters, prometheus_text, sum_of
from sandbox_wasm.server.serve import Server, ServerOptions
from sandbox_wasm.server.stall import StuckWorkers
from sandbox_wasm.sessions.states import SessionLimits
from sandbox_wasm.wire.endpoints import parse_address, url_of
from sandbox_wasm.wire.keys import KeyFileError

__all__ = ["add_serve_arguments", "main_serve"]

_METRICS_BACKLOG: Final = 16
_PARENT_POLL_S: Final = 0.5
_ORPHAN_GRACE_S: Final = 10.0


class Service(Protocol):
    """A door of the server: ZeroMQ's or HTTP's. It is bound when it is made."""

    endpoint: str
    counters: ServerCounters

    def serve(self, executor: Executor, workers: int) -> None:
        """Serve until stopped and drained."""
        ...

    def stop(self) -> None:
        """Ask `serve` to drain and return; safe in a signal handler and from any thread."""
        ...

    def close(self) -> None:
        """Give the address back."""
        ...

    def metrics_text(self) -> str:
        """Return figures beside the counters, in Prometheus' text format."""
        ...


def main_serve(
    args: argparse.Namespace, make_executor: Callable[[int], Executor] | None = None
) -> int:
    """Run a server until SIGTERM or SIGINT; return the exit status.

    Args:
        args: What `add_serve_arguments` declared.
        make_executor: Builds the executor for a number of workers; by default the real pool.
    """
    try:
        workers = workers_of(args.workers)
        services = _open(server_options(args), http_options(args))
    except (ValueError, OSError) as exc:
        return _complain(2, str(exc))
    make = make_executor or functools.partial(
        _make_pool, images=args.images, packages=args.packages, sessions=session_limits(args)
    )
    try:
        with _stop_on_signals(services), _metrics_page(args.metrics_bind, services) as page:
            if args.watch_parent is not None:
                _watch_parent(args.watch_parent, services)
            _serve_all(services, make(workers), workers, page)
    except KeyFileError as exc:
        return _complain(2, str(exc))
    except SandboxError as exc:
        return _complain(1, str(exc))
    except ValueError as exc:
        return _complain(2, str(exc))
    finally:
        for service in services:
            service.close()
        if args.watch_parent is not None and os.getppid() != args.watch_parent:
            with contextlib.suppress(OSError):  # the folder was made for us; its maker is dead
                Path(args.bind.removeprefix("ipc://")).parent.rmdir()
    return 0


def _open(server: ServerOptions | None, http: HttpOptions | None) -> list[Service]:
    """Bind the doors that were asked for; the last of them is served by the main thread."""
    services: list[Service] = []
    try:
        if http is not None:
            services.append(_open_http(http))
        if server is not None:
            services.append(Server(server))
    except BaseException:
        for service in services:
            service.close()
        raise
    return services


def _open_http(options: HttpOptions) -> Service:
    try:
        from sandbox_wasm.http.server import HttpServer  # noqa: PLC0415 - an extra

        if options.mcp:
            import_module("sandbox_wasm.http.consumers.mcp_tool")  # another
    except ModuleNotFoundError as exc:
        if (exc.name or "").startswith("sandbox_wasm"):
            raise
        extra = "mcp" if options.mcp else "http"
        raise ValueError(
            f"--{extra} needs {exc.name}, which is not installed: {install_command(extra)}"
        ) from exc
    return HttpServer(options)


def _serve_all(
    services: Sequence[Service], executor: Executor, workers: int, page: list[Executor]
) -> None:
    """Serve at every door until one of them ends, then end the others; close the executor."""
    page.append(executor)
    try:
        for service in services:
            sys.stderr.write(f"READY {service.endpoint} workers={workers}\n")
        sys.stderr.flush()
        _serve_or_exit(services, executor, workers)
    finally:
        page.clear()
        executor.close()


def _serve_or_exit(services: Sequence[Service], executor: Executor, workers: int) -> None:
    *others, last = services

    def stop_all(_: "Future[None]") -> None:
        for service in services:
            service.stop()

    try:
        with ThreadPoolExecutor(max(1, len(others)), thread_name_prefix="sandbox-door") as threads:
            ends = [threads.submit(door.serve, executor, workers) for door in others]
            for end in ends:
                end.add_done_callback(stop_all)
            try:
                last.serve(executor, workers)
            finally:
                for door in others:
                    door.stop()
            for end in ends:
                end.result()
    except StuckWorkers as exc:  # to close such a pool could take for ever
        _complain(1, str(exc))
        for service in services:
            service.close()
        os._exit(1)


def _complain(status: int, message: str) -> int:
    sys.stderr.write(f"azr-sandbox serve: {message}\n")
    return status


def _make_pool(
    workers: int, images: int, packages: Sequence[str], sessions: SessionLimits
) -> Executor:
    from sandbox_wasm.sandbox import Sandbox  # noqa: PLC0415 - heavy, and absent in a client

    return Sandbox(workers=workers, images=images, packages=packages, sessions=sessions)


@contextlib.contextmanager
def _stop_on_signals(services: Sequence[Service]) -> Generator[None]:
    """Drain on SIGTERM and SIGINT; a second signal ends the process at once."""

    def on_signal(number: int, _frame: object) -> None:
        signal.signal(number, signal.SIG_DFL)
        for service in services:
            service.stop()

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
def _metrics_page(bind: str | None, services: Sequence[Service]) -> Generator[list[Executor]]:
    """Serve the metrics page, if asked for; the list takes the executor once there is one."""
    executors: list[Executor] = []
    if bind is None:
        yield executors
        return
    address = parse_address(bind, "--metrics-bind", "127.0.0.1:9100")
    try:
        listener = address.listen(_METRICS_BACKLOG, f"--metrics-bind {bind}")
    except OSError as exc:
        raise ValueError(str(exc)) from exc

    def text() -> str:
        stats: dict[str, Any] = executors[0].stats() if executors else {}
        total = prometheus_text(sum_of([service.counters for service in services]), stats)
        return total + "".join(service.metrics_text() for service in services)

    page = MetricsPage(listener, text)
    sys.stderr.write(f"METRICS {url_of(listener, 'http')}/metrics\n")
    try:
        yield executors
    finally:
        page.close()


def _watch_parent(pid: int, services: Sequence[Service]) -> None:
    """End with the process that started us, however it died.

    Asking for our parent is robust where a pipe is not (a forked child of the parent would keep its
    other end open) and where PR_SET_PDEATHSIG is not (it fires when the starting thread ends).
    """

    def watch() -> None:
        while os.getppid() == pid:
            time.sleep(_PARENT_POLL_S)
        for service in services:
            service.stop()
        time.sleep(_ORPHAN_GRACE_S)
        os._exit(1)

    threading.Thread(target=watch, name="sandbox-parent", daemon=True).start()
