"""Both ends of a link in one process, and FAKE workers behind them; no process group."""

import queue
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import zmq

from azr.cluster.link import Link
from azr.cluster.messages import Hello, Message
from azr.cluster.workers import Workers
from azr.models.process_group import Ranks

Inbox = "queue.SimpleQueue[tuple[int, Message]]"


def join(
    ranks: Ranks, deliver: Callable[[int, Message], None]
) -> tuple[Link, dict[int, tuple[Link, "queue.SimpleQueue[tuple[int, Message]]"]]]:
    """The leader's link, and every worker's with what it was sent."""
    context: Any = zmq.Context()
    sockets: dict[int, Any] = {}
    ends: dict[int, tuple[Link, queue.SimpleQueue[tuple[int, Message]]]] = {}
    for rank in range(1, ranks.size):
        sockets[rank] = context.socket(zmq.DEALER)
        sockets[rank].bind("tcp://127.0.0.1:*")
        other: Any = zmq.Context()
        end = other.socket(zmq.DEALER)
        end.connect(sockets[rank].last_endpoint.rstrip(b"\0").decode())
        inbox: queue.SimpleQueue[tuple[int, Message]] = queue.SimpleQueue()
        ends[rank] = Link(other, {0: end}, lambda r, m, q=inbox: q.put((r, m))), inbox
    return Link(context, sockets, deliver), ends


@contextmanager
def open_fakes(
    size: int,
) -> Generator[tuple[Workers, dict[int, tuple[Link, "queue.SimpleQueue[tuple[int, Message]]"]]]]:
    """The leader's workers, which a test plays."""
    workers = Workers(Ranks(0, size, 0))
    link, ends = join(workers.ranks, workers.deliver)
    try:
        for rank, (end, _) in ends.items():
            end.send(0, Hello(100 + rank, "here"))
        workers.begin(link)
        yield workers, ends
    finally:
        workers.end(wait_s=0.0)
        link.close()
        for end, _ in ends.values():
            end.close()


def wait_until(holds: Callable[[], bool], seconds: float = 10.0) -> None:
    """Fail unless it holds within so long."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.01)
