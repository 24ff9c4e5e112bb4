"""One run, read on from where reading ended: each call costs what the run has written since.

A run that is killed and resumed goes back to a checkpoint: it drops metrics and rollouts after it
and writes them anew. Whoever follows it sees that what was read last is no longer there, and reads
from the beginning.
"""

from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

from azr.errors import CheckpointError
from azr.records.lines import objects_in
from azr.records.metrics_file import rows_of
from azr.records.rollouts import read_rollouts
from azr.records.run_folder import rollout_files
from azr.report.html.arms import History
from azr.report.html.contract import Run
from azr.report.html.data import Collected, facts, history_of, number_of, text_of, totals_of
from azr.report.html.decay import falls_of
from azr.report.story import Growth, read_object, resolved_config

__all__ = ["Followed", "GrowthTail", "MetricsTail"]

ANCHOR_BYTES = 512
"""Of what was read last; where they have changed, the file is another one."""
RECORDS = 4_000
"""Rollouts read in one call, about: of a long run that is opened, the page shows how far it is."""


@dataclass(slots=True)
class MetricsTail:
    """metrics.jsonl as it grows. A last line without its end is left until it has one."""

    file: Path
    rows: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    readings: int = 0
    """How often it was begun anew."""
    _offset: int = 0
    _anchor: bytes = b""

    def advance(self) -> None:
        """Read what is new; a file that is gone or cannot be read has nothing new."""
        try:
            with self.file.open("rb") as opened:
                opened.seek(self._offset - len(self._anchor))
                if opened.read(len(self._anchor)) != self._anchor:
                    self.rows, self._offset, self._anchor = [], 0, b""
                    self.readings += 1
                    opened.seek(0)
                lines = opened.readlines()
        except OSError:
            return
        if lines and not lines[-1].endswith(b"\n"):
            lines.pop()
        new = b"".join(lines)
        self._offset += len(new)
        self._anchor = (self._anchor + new)[-ANCHOR_BYTES:]
        self.rows += rows_of(objects_in(lines, []), [])


@dataclass(slots=True)
class GrowthTail:
    """The curriculum as its rollout files come."""

    folder: Path
    growth: Growth = field(default_factory=Growth)
    waiting: int = 0
    """Files that are there and not read yet."""
    readings: int = 0
    _last: tuple[int, tuple[int, int, int]] | None = None

    def advance(self, most: int = RECORDS) -> None:
        """Read files, oldest first, until they held `most` records.

        Raises:
            CheckpointError: They are of a later version of azr.
        """
        files = rollout_files(self.folder)
        if self._last is not None and signature(files.get(self._last[0])) != self._last[1]:
            self.growth, self._last = Growth(), None
            self.readings += 1
        taken = self._last[0] if self._last else -1
        steps = [step for step in files if step > taken]
        read = 0
        while steps and read < most:
            step = steps.pop(0)
            found, stamp = list(read_rollouts(files[step])), signature(files[step])
            self.growth.take(step, found)
            self._last = step, stamp
            read += len(found)
        self.waiting = len(steps)


def signature(file: Path | None) -> tuple[int, int, int]:
    """What changes when a file is written anew; zeros where there is none."""
    try:
        status = file.stat() if file else None
    except OSError:
        status = None
    return (status.st_ino, status.st_mtime_ns, status.st_size) if status else (0, 0, 0)


class Followed:
    """A run that somebody looks at. `advance` and `collected` may be called from any thread."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = Lock()
        self._metrics = MetricsTail(folder / "metrics.jsonl")
        self._growth = GrowthTail(folder)
        self._known: tuple[str, History] | None = None

    def advance(self) -> tuple[str, int]:
        """Read on; returns (what changes whenever the run's figures do, files yet to be read)."""
        with self._lock:
            self._metrics.advance()
            try:
                self._growth.advance()
            except CheckpointError:
                self._growth.waiting = 0  # its cards say it; the curves are the metrics' alone
            return self._version(), self._growth.waiting

    def collected(self, name: str) -> Collected:
        """What the report's page is made of, without cards: these are asked for by the page."""
        with self._lock:
            config, history = resolved_config(self.folder), self._history()
            run = Run(
                name=name,
                stories=[],
                totals=totals_of(self._growth.growth),
                falls=[] if self._growth.waiting else falls_of(history),
                facts=facts(self.folder, config, read_object(self.folder / "env.json")),
                config=text_of(self.folder / "config.toml"),
            )
            last = int(history.steps[-1]) if history.steps else 0
            return Collected(run, history, number_of(config, "steps", last))

    def _version(self) -> str:
        rows, growth = self._metrics, self._growth
        counts = (rows.readings, len(rows.rows), growth.readings, len(growth.growth.steps))
        return ".".join(map(str, counts))

    def _history(self) -> History:
        if self._known is None or self._known[0] != self._version():
            self._known = self._version(), history_of(self._metrics.rows, self._growth.growth)
        return self._known[1]
