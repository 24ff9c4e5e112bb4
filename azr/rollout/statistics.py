"""What an engine did since somebody last asked; written by one thread, taken by another."""

import threading
import time
from collections import defaultdict
from collections.abc import Generator, Mapping
from contextlib import contextmanager

from azr.rollout.requests import Request, Sampled

__all__ = ["Tally"]


class Tally:
    """Counts of rollouts, tokens and time; of several engines all, and their mean time."""

    def __init__(self, num_engines: int = 1) -> None:
        self._lock = threading.Lock()  # guards all
        self._sums: dict[str, float] = defaultdict(float)
        self._notes: dict[str, float] = {}
        self._open = [0] * num_engines
        self._since = [0.0] * num_engines

    @contextmanager
    def step(self, num_requests: int) -> Generator[None]:
        """Time one step of the engine."""
        started = time.perf_counter()
        yield
        elapsed = time.perf_counter() - started
        with self._lock:
            self._sums["busy_s"] += elapsed
            self._sums["request_s"] += elapsed * num_requests

    @contextmanager
    def request(self, engine: int) -> Generator[None]:
        """Around one of an engine's requests; busy is the time in which it has any."""
        started = time.perf_counter()
        with self._lock:
            self._settle(engine, started)
            self._open[engine] += 1
        try:
            yield
        finally:
            ended = time.perf_counter()
            with self._lock:
                self._settle(engine, ended)
                self._open[engine] -= 1

    def _settle(self, engine: int, now: float) -> None:
        """Count what an engine's requests have taken until now."""
        if number := self._open[engine]:
            elapsed = now - self._since[engine]
            self._sums["busy_s"] += elapsed / len(self._open)
            self._sums["request_s"] += elapsed / len(self._open) * number
        self._since[engine] = now

    def count(self, request: Request, sampled: Sampled) -> None:
        """Count a finished rollout."""
        with self._lock:
            self._sums["requests"] += 1
            self._sums["prompt_tokens"] += len(request.prompt_ids)
            self._sums["cached_tokens"] += sampled.cached_tokens
            self._sums["completion_tokens"] += len(sampled.ids)
            self._sums["empty"] += not sampled.ids

    @contextmanager
    def timed(self, name: str) -> Generator[None]:
        """Note how long the block took."""
        started = time.perf_counter()
        yield
        self.note({name: time.perf_counter() - started})

    def note(self, figures: Mapping[str, float]) -> None:
        """Keep the newest value of each."""
        with self._lock:
            self._notes.update(figures)

    def take(self) -> dict[str, float]:
        """Everything so far, under its metric's name; starts again from nothing."""
        with self._lock:
            now = time.perf_counter()
            for engine in range(len(self._open)):
                self._settle(engine, now)
            sums, notes = self._sums, self._notes
            self._sums, self._notes = defaultdict(float), {}
        busy_s, request_s = sums["busy_s"], sums.pop("request_s", 0.0)
        names = ("requests", "prompt_tokens", "cached_tokens", "completion_tokens", "empty")
        taken = {f"rollout/{name}": sums[name] for name in (*names, "busy_s")}
        if busy_s > 0:
            taken["rollout/tokens_per_s"] = sums["completion_tokens"] / busy_s
            taken["rollout/occupancy"] = request_s / busy_s
        return {**taken, **notes}
