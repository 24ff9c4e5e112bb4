"""The leader's view of its workers: what they have sent, and what to do when one is gone.

A run of several processes cannot go on without one of them, whose part of the learner is lost:
it stops with the rank and the last words, and --resume goes on from the newest checkpoint.
"""

import os
import queue
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final, TypeVar

from azr import errors
from azr.cluster.link import LOST, Link, open_link
from azr.cluster.messages import Completed, Failed, Hello, Message, Stop
from azr.errors import AzrError, WorkerLost
from azr.models.process_group import Ranks

__all__ = ["Workers", "open_workers"]

T = TypeVar("T")

CONNECT_TIMEOUT_S: Final = 60.0
NOTICE_S: Final = 5.0
"""A collective can fail before the broken connection of the same process is noticed."""
PATIENCE_S: Final = 30.0
"""After a loss this process may be inside a collective that never ends: so long it may take to
come out of it, and four times as long to close all that is open."""
FAREWELL_S: Final = 10.0
EXIT_FAILED: Final = 1


class Workers:
    """All other ranks of a run; usable from any thread. `open_workers` makes it."""

    def __init__(self, ranks: Ranks) -> None:
        self.ranks = ranks
        self.completed: queue.SimpleQueue[tuple[int, Completed] | None] = queue.SimpleQueue()
        """Completions by rank; None wakes whoever waits, because a worker is lost."""
        self._answers: queue.SimpleQueue[tuple[int, Message]] = queue.SimpleQueue()
        self._names = {rank: f"rank {rank}" for rank in range(1, ranks.size)}
        self._losses: dict[int, Failed] = {}
        """In the order in which they were noticed."""
        self._is_lost = threading.Event()
        self._alarm: threading.Timer | None = None
        self._is_over = False
        self._link: Link | None = None

    def deliver(self, rank: int, message: Message) -> None:
        """Take a message; called in the link's thread."""
        match message:
            case Completed():
                self.completed.put((rank, message))
                return
            case Failed():
                if rank not in self._losses:
                    self._losses[rank] = message
                    self._lose()
            case Hello():
                self._names[rank] = f"rank {rank} (pid {message.pid} on {message.host})"
            case _:
                pass
        self._answers.put((rank, message))

    def begin(self, link: Link) -> None:
        """Wait until all are there.

        Raises:
            WorkerLost: One is not.
        """
        self._link = link
        self.answers(Hello, CONNECT_TIMEOUT_S)

    def tell(self, message: Message, rank: int | None = None) -> None:
        """Send to one worker, or to all.

        Raises:
            AzrError: A worker is lost.
        """
        self.check()
        assert self._link is not None
        if rank is None:
            self._link.send_all(message)
        else:
            self._link.send(rank, message)

    def check(self) -> None:
        """Raise what a lost worker died of: its own kind of error, or `WorkerLost`."""
        if not self._losses or self._is_over:
            return
        self._arm(4 * PATIENCE_S)
        raise self._loss()

    def answers(self, kind: type[T], timeout_s: float) -> dict[int, T]:
        """One message of this kind from every worker; what is of another kind is passed over.

        Raises:
            AzrError: A worker is lost, or does not answer in time.
        """
        found: dict[int, T] = {}
        deadline = time.monotonic() + timeout_s
        while len(found) < len(self._names):
            self.check()
            try:
                left_s = deadline - time.monotonic()
                rank, message = self._answers.get(timeout=max(0.01, left_s))
            except queue.Empty:
                silent = [name for rank, name in self._names.items() if rank not in found]
                raise WorkerLost(
                    f"no answer from {', '.join(silent)} within {timeout_s:g} s: between machines"
                    " every TCP port must be open, as torch.distributed needs it too"
                ) from None
            if isinstance(message, kind):
                found[rank] = message
        return found

    @contextmanager
    def explained(self) -> Generator[None]:
        """Around what all ranks do at the same time: where one is lost, say so.

        Raises:
            AzrError: A worker is lost, in place of what torch.distributed makes of that.
        """
        self.check()
        try:
            yield
        except RuntimeError as error:
            if self._is_lost.wait(NOTICE_S):
                self._arm(4 * PATIENCE_S)
                raise self._loss() from error
            raise

    def end(self, *, wait_s: float) -> None:
        """The run is over: send the workers home, and give them a moment to close."""
        self._is_over = True
        if self._alarm is not None:
            self._alarm.cancel()
        if self._link is None:
            return
        self._link.send_all(Stop())
        deadline = time.monotonic() + wait_s
        while len(self._losses) < len(self._names) and time.monotonic() < deadline:
            time.sleep(0.02)

    def _loss(self) -> AzrError:
        rank, failed = next(iter(self._losses.items()))
        name = self._names[rank]
        if failed is LOST:
            error: AzrError = WorkerLost(
                f"{name} is gone without a word: it was killed, or its machine is; look for"
                " what it wrote last, and for the kernel's out-of-memory killer"
            )
        elif failed.kind in errors.__all__:
            error = getattr(errors, failed.kind)(f"{name}: {failed.text}")
        else:
            error = WorkerLost(f"{name} failed: {failed.kind}: {failed.text}")
        error.add_note("go on from the newest checkpoint: --resume")
        return error

    def _lose(self) -> None:
        self._is_lost.set()
        self.completed.put(None)
        if self._alarm is None and not self._is_over:
            self._arm(PATIENCE_S)

    def _arm(self, seconds: float) -> None:
        """End this process then, unless it has ended by itself."""
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = threading.Timer(seconds, self._give_up)
        self._alarm.daemon = True
        self._alarm.start()

    def _give_up(self) -> None:
        sys.stderr.write(f"azr: error: {self._loss()}\n")
        sys.stderr.flush()
        os._exit(EXIT_FAILED)


@contextmanager
def open_workers(ranks: Ranks) -> Generator[Workers]:
    """Meet the workers, and send them home at the end, however it comes.

    Raises:
        WorkerLost: One did not come.
    """
    workers = Workers(ranks)
    with open_link(ranks, workers.deliver) as link:
        wait_s = 0.0
        try:
            workers.begin(link)
            yield workers
            wait_s = FAREWELL_S
        finally:
            workers.end(wait_s=wait_s)
