"""Whether the workers still work: a long job does, a stuck one does nothing.

Fuel and CPU time bound every job, so a worker that is stuck is a fault of the machine. It shows as
running jobs of which none ends, while the process uses no CPU time outside the server's loop.
"""

import time
from collections.abc import Callable
from typing import Final

from sandbox_wasm.errors import SandboxUnavailable

__all__ = ["StallWatch", "StuckWorkers"]

MIN_SHARE: Final = 0.005
"""Of one core: workers that use less are idle."""
LONGEST_STEP_S: Final = 1.0
"""A longer pause between two looks was the process's own: it was stopped, and counts so much."""


class StuckWorkers(SandboxUnavailable):
    """The pool has jobs and does nothing; closing it could wait for ever."""


def others_cpu_s() -> float:
    """Return the CPU time of every thread but the calling one, in seconds."""
    return time.process_time() - time.thread_time()


class StallWatch:
    """Looked at by the server's loop, several times a second."""

    def __init__(self, stall_s: float, cpu_s: Callable[[], float] = others_cpu_s) -> None:
        self._stall_s = stall_s
        self._cpu_s = cpu_s
        self._looked_at = time.monotonic()
        self._used_s: float | None = None
        self._idle_s = 0.0

    def is_stuck(self, num_running: int, num_finished: int) -> bool:
        """Tell whether jobs run, and nothing has moved for the whole of `stall_s`.

        Args:
            num_running: Jobs with the workers now.
            num_finished: Jobs that have ended since the last look.
        """
        now, used_s = time.monotonic(), self._cpu_s()
        step_s = min(now - self._looked_at, LONGEST_STEP_S)
        has_worked = self._used_s is None or used_s - self._used_s > MIN_SHARE * step_s
        self._looked_at, self._used_s = now, used_s
        is_idle = num_running and not num_finished and not has_worked
        self._idle_s = self._idle_s + step_s if is_idle else 0.0
        return self._idle_s >= self._stall_s
