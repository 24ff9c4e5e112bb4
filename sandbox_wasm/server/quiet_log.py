"""Log lines that a peer can provoke: a few of each, and a count of the rest."""

import logging
import time
from collections import Counter
from typing import Final

__all__ = ["QuietLog"]

LINES_PER_PEER: Final = 5
LINES: Final = 50
PERIOD_S: Final = 60.0


class QuietLog:
    """Writes at most `LINES_PER_PEER` lines of a peer, and `LINES` of all, in each period."""

    def __init__(self, log: logging.Logger, period_s: float = PERIOD_S) -> None:
        self._log = log
        self._period_s = period_s
        self._ends_at = 0.0
        self._by_peer: Counter[object] = Counter()
        self._num_lines = 0
        self._num_suppressed = 0

    def write(
        self, level: int, peer: object, text: str, *args: object, exc: BaseException | None = None
    ) -> None:
        """Write a line, unless there were enough."""
        self.tend(time.monotonic())
        if self._num_lines >= LINES or self._by_peer[peer] >= LINES_PER_PEER:
            self._num_suppressed += 1
            return
        self._by_peer[peer] += 1
        self._num_lines += 1
        self._log.log(level, text, *args, exc_info=exc)

    def tend(self, now: float) -> None:
        """Begin a new period when one is over, and say what was left out in it."""
        if now < self._ends_at:
            return
        if self._num_suppressed:
            self._log.warning("event=lines_suppressed count=%d period_s=%g",
                              self._num_suppressed, self._period_s)  # fmt: skip
        self._ends_at = now + self._period_s
        self._by_peer.clear()
        self._num_lines = self._num_suppressed = 0
