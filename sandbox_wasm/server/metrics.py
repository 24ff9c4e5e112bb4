"""A server's figures, and an HTTP page that shows them in Prometheus' text format."""

import bisect
import http.server
import json
import socket
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, field, fields
from operator import add
from typing import Any, Final

from sandbox_wasm.types import JobResult

__all__ = [
    "LATENCY_BOUNDS_S",
    "MetricsPage",
    "ServerCounters",
    "histogram",
    "prometheus_text",
    "sum_of",
]

LATENCY_BOUNDS_S: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 60)


@dataclass(slots=True)
class ServerCounters:
    """Written by the server's loop alone; other threads may read a value that is one turn old."""

    frames: int = 0
    jobs: int = 0
    busy: int = 0
    """Jobs that were sent back because a queue was full."""
    rejected: int = 0
    failed: int = 0
    """Machine failures: these say nothing about a program."""
    cancelled: int = 0
    gave_way: int = 0
    """Times that a job was stopped so that another client's ran, and was run again."""
    malformed: int = 0
    muted: int = 0
    """Frames of peers to which nobody listens any more."""
    results: int = 0
    calls: Counter[str] = field(default_factory=Counter[str])
    """By outcome."""
    fuel: int = 0
    latency_counts: list[int] = field(default_factory=lambda: [0] * (len(LATENCY_BOUNDS_S) + 1))
    latency_sum_s: float = 0.0
    """From a job's arrival to its result, waiting included."""
    clients: int = 0
    queue_jobs: int = 0
    queue_bytes: int = 0
    running: int = 0
    window: int = 0

    def add_result(self, result: JobResult, latency_s: float) -> None:
        """Count one answered job."""
        self.results += 1
        for call in result.calls:
            self.calls[call.outcome.value] += 1
            self.fuel += call.fuel
        self.latency_counts[bisect.bisect_left(LATENCY_BOUNDS_S, latency_s)] += 1
        self.latency_sum_s += latency_s


def sum_of(all_counters: Sequence[ServerCounters]) -> ServerCounters:
    """Add the figures of a server's doors."""
    total = ServerCounters()
    for counters in all_counters:
        for name in [one.name for one in fields(ServerCounters)]:
            mine: Any = getattr(total, name)
            theirs: Any = copy(getattr(counters, name))
            is_list = name == "latency_counts"
            setattr(total, name, list(map(add, mine, theirs)) if is_list else mine + theirs)
    return total


_COUNTERS: Final = {
    "frames": "Frames received.",
    "jobs": "Jobs accepted.",
    "busy": "Jobs sent back because a queue was full.",
    "rejected": "Jobs that break the contract.",
    "failed": "Jobs the machine could not run.",
    "cancelled": "Jobs whose client went away or stopped waiting.",
    "gave_way": "Times a long job was stopped for another client's, to be run again.",
    "malformed": "Frames that were refused.",
    "muted": "Frames not looked at, of peers that sent too many that were refused.",
    "results": "Jobs answered.",
    "fuel": "Fuel used.",
}
_GAUGES: Final = {
    "clients": "Clients connected.",
    "queue_jobs": "Unanswered jobs.",
    "queue_bytes": "Encoded bytes of the unanswered jobs.",
    "running": "Jobs handed to the workers.",
    "window": "Jobs the workers may hold at once.",
}


def prometheus_text(counters: ServerCounters, pool_stats: dict[str, Any]) -> str:
    """Render every figure; numbers in `pool_stats` become `azr_sandbox_pool_<name>` gauges.

    Its texts become the labels of `azr_sandbox_pool_info`.
    """
    lines: list[str] = []
    for kind, names, suffix in (("counter", _COUNTERS, "_total"), ("gauge", _GAUGES, "")):
        for name, text in names.items():
            full = f"azr_sandbox_{name}{suffix}"
            lines += [f"# HELP {full} {text}", f"# TYPE {full} {kind}"]
            lines.append(f"{full} {getattr(counters, name)}")
    lines += ["# HELP azr_sandbox_calls_total Calls by outcome.",
              "# TYPE azr_sandbox_calls_total counter"]  # fmt: skip
    lines += [f'azr_sandbox_calls_total{{outcome="{outcome}"}} {count}'
              for outcome, count in sorted(counters.calls.copy().items())]  # fmt: skip
    lines += histogram("azr_sandbox_latency_seconds", "From a job's arrival to its result.",
                       counters.latency_counts, counters.latency_sum_s)  # fmt: skip
    for name, value in sorted(pool_stats.items()):
        if isinstance(value, int | float) and name.isidentifier():
            lines += [f"# TYPE azr_sandbox_pool_{name} gauge",
                      f"azr_sandbox_pool_{name} {float(value):g}"]  # fmt: skip
    texts = [f'{n}="{text}"' for n, text in sorted(pool_stats.items()) if isinstance(text, str)]
    if texts:
        lines += ["# TYPE azr_sandbox_pool_info gauge",
                  f"azr_sandbox_pool_info{{{','.join(texts)}}} 1"]  # fmt: skip
    return "\n".join(lines) + "\n"


def histogram(name: str, text: str, counts: Sequence[int], sum_s: float) -> list[str]:
    """Render a histogram over `LATENCY_BOUNDS_S`."""
    lines = [f"# HELP {name} {text}", f"# TYPE {name} histogram"]
    total = 0
    bounds = [*(f"{bound:g}" for bound in LATENCY_BOUNDS_S), "+Inf"]
    for bound, count in zip(bounds, counts, strict=True):
        total += count
        lines.append(f'{name}_bucket{{le="{bound}"}} {total}')
    return [*lines, f"{name}_sum {sum_s:.6f}", f"{name}_count {total}"]


class MetricsPage:
    """Serves /metrics and /healthz from a thread of its own until closed."""

    def __init__(self, listener: socket.socket, text: Callable[[], str]) -> None:
        """Serve at a socket that listens; it is closed with the page."""

        class Handler(http.server.BaseHTTPRequestHandler):
            timeout = 10  # a client that sends nothing must not hold a thread for ever

            def do_GET(self) -> None:
                if self.path == "/metrics":
                    self._answer(200, text(), "text/plain; version=0.0.4; charset=utf-8")
                elif self.path == "/healthz":
                    self._answer(200, json.dumps({"status": "ok"}) + "\n", "application/json")
                else:
                    self._answer(404, "see /metrics and /healthz\n", "text/plain")

            def _answer(self, status: int, body: str, content_type: str) -> None:
                data = body.encode()
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *args: Any) -> None:
                """Keep stderr for events."""

        address = listener.getsockname()[:2]
        self._http = http.server.ThreadingHTTPServer(address, Handler, bind_and_activate=False)
        self._http.socket.close()
        self._http.socket = listener
        self._http.daemon_threads = True
        self._thread = threading.Thread(
            target=self._http.serve_forever, name="sandbox-metrics", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop the thread and close the port."""
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()
