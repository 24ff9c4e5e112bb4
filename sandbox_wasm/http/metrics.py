"""Figures of the HTTP door, beside those of its jobs."""

import bisect
from collections import Counter
from dataclasses import dataclass, field

from sandbox_wasm.server.metrics import LATENCY_BOUNDS_S, histogram

__all__ = ["HttpCounters", "http_text"]


@dataclass(slots=True)
class HttpCounters:
    """Written by the door's loop alone; other threads may read values that are a turn old."""

    requests: Counter[tuple[str, int]] = field(default_factory=Counter[tuple[str, int]])
    """By path and status; paths that are none count as one."""
    gone: int = 0
    """Requests whose client left before the answer; their jobs were cancelled."""
    late: int = 0
    """Requests that were answered at their deadline."""
    connections: int = 0
    shut_out: int = 0
    """Connections that were closed: too many, too slow, or with endless headers."""
    sessions: int = 0
    seconds: list[int] = field(default_factory=lambda: [0] * (len(LATENCY_BOUNDS_S) + 1))
    seconds_sum: float = 0.0

    def add(self, path: str, status: int, seconds: float) -> None:
        """Count one answered request."""
        self.requests[path, status] += 1
        self.seconds[bisect.bisect_left(LATENCY_BOUNDS_S, seconds)] += 1
        self.seconds_sum += seconds


def http_text(counters: HttpCounters) -> str:
    """Render them in Prometheus' text format."""
    lines = [
        "# HELP azr_sandbox_http_requests_total Answered requests.",
        "# TYPE azr_sandbox_http_requests_total counter",
    ]
    for (path, status), count in sorted(counters.requests.copy().items()):
        labels = f'path="{path}",status="{status}"'
        lines.append(f"azr_sandbox_http_requests_total{{{labels}}} {count}")
    for name, kind, text, value in (
        ("gone_total", "counter", "Requests whose client left first.", counters.gone),
        ("late_total", "counter", "Requests answered at their deadline.", counters.late),
        ("shut_out_total", "counter", "Connections closed by the door.", counters.shut_out),
        ("connections", "gauge", "Open connections.", counters.connections),
        ("sessions", "gauge", "Sessions held.", counters.sessions),
    ):
        full = f"azr_sandbox_http_{name}"
        lines += [f"# HELP {full} {text}", f"# TYPE {full} {kind}", f"{full} {value}"]
    lines += histogram("azr_sandbox_http_request_seconds", "From a request's head to its answer.",
                       counters.seconds, counters.seconds_sum)  # fmt: skip
    return "\n".join(lines) + "\n"
