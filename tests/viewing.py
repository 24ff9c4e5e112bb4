"""`azr view` in a process of its own, and runs that grow before its eyes.

FAKE: a growing run is copied from a made-up one, step by step; only its lock is real.
"""

import fcntl
import http.client
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from tests.curricula import make_curriculum

__all__ = ["GrowingRun", "get", "growing", "viewing"]


class GrowingRun:
    """A run under way: `grow()` makes one more step of it."""

    def __init__(self, folder: Path, source: Path) -> None:
        self.folder, self.source, self.step = folder, source, 0
        for name in ("rollouts", "logs", "checkpoints"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        for name in ("config.toml", "resolved.json", "env.json"):
            shutil.copy(source / name, folder / name)
        self._lines = (source / "metrics.jsonl").read_bytes().splitlines(keepends=True)
        self._lock = None

    def start(self) -> None:
        """Take the lock, as a process that trains does."""
        self._lock = (self.folder / ".lock").open("w")
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self._lock.write(f"{os.getpid()}\n")
        self._lock.flush()

    def die(self) -> None:
        """Leave everything as it is, as after kill -9."""
        if self._lock is not None:
            self._lock.close()
        self._lock = None

    def grow(self, steps: int = 1, *, torn: int = 0) -> None:
        """Write steps; of the last one's metrics all but `torn` bytes."""
        for _ in range(steps):
            self.step += 1
            name = f"step_{self.step}.jsonl.gz"
            shutil.copy(self.source / "rollouts" / name, self.folder / "rollouts" / name)
            line = self._lines[self.step - 1]
            self.append(line[: len(line) - torn] if torn else line)

    def append(self, text: bytes) -> None:
        """Write on in the metrics."""
        with (self.folder / "metrics.jsonl").open("ab") as file:
            file.write(text)

    def rest(self, torn: int) -> bytes:
        """What a torn line lacks."""
        return self._lines[self.step - 1][-torn:]

    def rewind(self, step: int) -> None:
        """As a resume does: what came after a checkpoint is dropped, the file is another one."""
        new = self.folder / "metrics.jsonl.partial"
        new.write_bytes(b"".join(self._lines[:step]))
        new.replace(self.folder / "metrics.jsonl")
        for later in range(step + 1, self.step + 1):
            (self.folder / "rollouts" / f"step_{later}.jsonl.gz").unlink()
        self.step = step


def growing(folder: Path, steps: int, seed: int = 0) -> GrowingRun:
    """A run of so many steps, none of which is made yet."""
    place = folder.parent / "sources" / "too" / "deep"  # to be listed as a run
    source = make_curriculum(place / folder.name, steps, seed)
    return GrowingRun(folder, source)


@contextmanager
def viewing(folder: Path, *flags: str) -> Iterator[str]:
    """The page's address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "azr.cli", "view", str(folder), "--bind", "127.0.0.1:*", *flags],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        line = process.stderr.readline()
        found = re.search(r"http://\S+", line)
        assert found, line + process.stderr.read()
        yield found[0]
        assert process.poll() is None, process.stderr.read()
    finally:
        process.terminate()
        process.wait(timeout=60)
        process.stderr.close()


def get(
    url: str, path: str, query: list[tuple[str, str]] | None = None, method: str = "GET",
    **headers: str,
) -> tuple[int, Any, dict[str, str]]:  # fmt: skip
    """(status, JSON or text, headers in small letters)."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
    try:
        connection.request(method, f"{path}?{urlencode(query or [])}", headers=headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        found = {name.lower(): value for name, value in answer.getheaders()}
    finally:
        connection.close()
    is_json = found.get("content-type") == "application/json"
    return answer.status, json.loads(text) if is_json else text, found
