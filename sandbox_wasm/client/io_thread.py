"""The client's I/O thread. It owns every socket, and decides which server gets which job, and when.

Callers put work into a deque and wake the thread; answers leave through the callbacks of their
`Call`. While servers are busy, jobs are gathered for a moment; when a server is idle, they are sent
at once. So a single job does not wait, and ten thousand jobs travel in a few frames.
"""

import heapq
import itertools
import logging
import math
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import zmq

from sandbox_wasm.client.calls import Call, Item
from sandbox_wasm.client.connection import FIRST_RETRY_S, Link, State
from sandbox_wasm.client.options import LinkOptions
from sandbox_wasm.errors import BadJob, ProtocolError, SandboxUnavailable, SessionGone
from sandbox_wasm.types import CallResult
from sandbox_wasm.wire.endpoints import Endpoint
from sandbox_wasm.wire.waker import Waker

__all__ = ["Wire", "WireOptions"]

log = logging.getLogger(__name__)

FLUSH_JOBS: Final = 256
"""Most jobs in a frame; with so many, the thread does not wait for more."""
WORTH_JOBS: Final = 32
IDLE_JOBS: Final = 64
"""A server with fewer unanswered jobs gets more at once, however few they are."""
LINGER_S: Final = 0.001
TURN_RETRY_S: Final = 0.02
MAX_SLEEP_S: Final = 1.0
HELD_UP_S: Final = 5.0
"""If a turn comes so late, the whole process was held up, and nothing can have been heard
meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WireOptions:
    """The thread's options."""

    link: LinkOptions
    max_attempts: int
    """A call fails after so many servers failed with its job, or died while they had it."""


class Wire:
    """One thread with many links. Every method that is not marked otherwise runs on this thread."""

    def __init__(self, endpoints: Sequence[Endpoint], options: WireOptions) -> None:
        self._options = options
        self._waker = Waker()
        self._inbox: deque[tuple[Call, list[Item]]] = deque()
        self._abandoned: deque[Call] = deque()
        self._pending: deque[Item] = deque()
        self._turns: deque[Item] = deque()
        """Pending, too, but for one server each."""
        self._dropped: deque[str] = deque()
        self._drops: dict[str, list[str]] = {}
        """States that servers are not told yet to keep no longer, by server."""
        self._delayed: list[tuple[float, int, Item]] = []
        self._deadlines: list[tuple[float, int, Call]] = []
        self._sequence = itertools.count()
        self._flush_at = 0.0
        self._has_dead_items = False
        self._turn_at = time.monotonic()
        self._held_up_at = 0.0
        self._is_closing = False
        self.num_resent = 0
        self.has_changed = threading.Condition()
        """Notified when a link's state changes; `Link.info` may be read under it."""
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._context = context
        self._poller = zmq.Poller()
        self._poller.register(self._waker.fileno(), zmq.POLLIN)
        self.links = [
            Link(context, endpoint, options.link, self, self._poller) for endpoint in endpoints
        ]
        self.thread = threading.Thread(target=self._run, name="sandbox-client", daemon=True)
        self.thread.start()

    # ------------------------------------------------------------------ any thread

    def submit(self, call: Call, items: list[Item]) -> None:
        """Start a call. Safe from any thread."""
        self._inbox.append((call, items))
        if self._is_closing:
            call.end(SandboxUnavailable("the client is closed"))
        self._waker.wake()

    def abandon(self, call: Call) -> None:
        """Stop a call whose caller no longer waits. Safe from any thread."""
        self._abandoned.append(call)
        self._waker.wake()

    def drop_state(self, name: str) -> None:
        """Have a state kept no longer; safe from any thread, and in a finalizer."""
        self._dropped.append(name)  # wakes nobody: it can wait for the thread's next turn

    def close(self) -> None:
        """End every call with SandboxUnavailable, close the sockets, join; safe from any thread."""
        self._is_closing = True
        self._waker.wake()
        if threading.current_thread() is not self.thread:
            self.thread.join()

    # ------------------------------------------------------------------ the loop

    def _run(self) -> None:
        error: Exception = SandboxUnavailable("the client is closed")
        try:
            while not self._is_closing:
                self._turn()
        except Exception as exc:  # the top of a thread: whoever waits must hear of it
            log.exception("event=client_thread_failed")
            error = SandboxUnavailable(f"the client's thread failed: {exc!r}")
        finally:
            self._is_closing = True
            for link in self.links:
                link.say_bye()
            self._take_inbox()
            for _, _, call in self._deadlines:
                call.end(error)
            self._context.term()
            self._waker.close()

    def _turn(self) -> None:
        ready = dict(self._poller.poll(self._sleep_ms()))
        self._waker.clear()
        now = time.monotonic()
        if now - self._turn_at > HELD_UP_S:
            self._held_up_at = now
        self._turn_at = now
        states = [link.state for link in self.links]
        for link in self.links:
            link.receive(ready, now)
            link.tend(now)
        if [link.state for link in self.links] != states:
            with self.has_changed:
                self.has_changed.notify_all()
        self._take_inbox()
        self._expire(now)
        self._flush(now)

    def _sleep_ms(self) -> int:
        now = time.monotonic()
        at = min([now + MAX_SLEEP_S, *(link.next_at(now) for link in self.links)])
        if self._pending and self._open_links(now):
            at = min(at, self._flush_at)
        if self._delayed:
            at = min(at, self._delayed[0][0])
        if self._deadlines:
            at = min(at, self._deadlines[0][0])
        return max(0, math.ceil((at - now) * 1000))

    def _take_inbox(self) -> None:
        inbox = self._inbox
        if inbox and not self._pending:
            self._flush_at = time.monotonic() + LINGER_S
        while inbox:
            call, items = inbox.popleft()
            self._remind(call)
            for item in items:
                self._enqueue(item)
        while self._abandoned:
            self._drop(self._abandoned.popleft(), SandboxUnavailable("the caller stopped waiting"))

    def _enqueue(self, item: Item) -> None:
        (self._pending if item.server is None else self._turns).append(item)

    def _remind(self, call: Call) -> None:
        """Look at the call again when it is due."""
        due_at = call.due_at(self._heard_at())
        heapq.heappush(self._deadlines, (due_at, next(self._sequence), call))

    def _heard_at(self) -> float:
        """Return when any server last showed that it lives."""
        return max([self._held_up_at, *(link.heard_at for link in self.links)])

    def _expire(self, now: float) -> None:
        """End calls whose time is over, and forget jobs nobody waits for."""
        deadlines = self._deadlines
        while deadlines and (deadlines[0][2].is_over or deadlines[0][0] <= now):
            call = heapq.heappop(deadlines)[2]
            if call.is_over:
                continue
            if call.due_at(self._heard_at()) > now:
                self._remind(call)
                continue
            where = "; ".join(link.describe() for link in self.links)
            when = "after" if call.has_deadline else "and no sign of life from any server for"
            self._drop(call, SandboxUnavailable(
                f"{call.num_left} of {len(call.ids)} jobs unanswered {when}"
                f" {call.timeout_s:g} s ({where})"
            ))  # fmt: skip
        while self._delayed and self._delayed[0][0] <= now:
            self._enqueue(heapq.heappop(self._delayed)[2])
        if self._has_dead_items:
            self._has_dead_items = False
            self._pending = deque(item for item in self._pending if not item.call.is_over)
            for link in self.links:
                dead = [n for n, item in link.outstanding.items() if item.call.is_over]
                if dead:
                    link.cancel(dead, now)

    def _drop(self, call: Call, error: Exception) -> None:
        call.end(error)
        self._has_dead_items = True

    # ------------------------------------------------------------------ jobs out

    def _send_turns(self, now: float) -> None:
        """Send turns of sessions to the servers that keep their states."""
        turns, self._turns = self._turns, deque()
        for item in turns:
            if item.call.is_over:
                continue
            link = self._server(item.server)
            if link is None:
                self.refused(item, SessionGone("the session is gone: the server that kept it was"
                                               " started again; begin another"))  # fmt: skip
            elif link.is_too_large(item):
                self._refuse_too_large(link, item)
            elif link.room(now) and link.send_jobs([item], now):
                continue
            elif link.refusal is not None or self._is_lost(link, item.call, now):
                self._drop(item.call, SandboxUnavailable(
                    f"the session's server is gone ({link.refusal or link.describe()}): begin"
                    " another session"
                ))  # fmt: skip
            else:
                heapq.heappush(self._delayed, (now + TURN_RETRY_S, next(self._sequence), item))

    def _is_lost(self, link: Link, call: Call, now: float) -> bool:
        """Tell whether the only server that can answer was silent for too long."""
        return call.due_at(max(link.heard_at, self._held_up_at)) <= now

    def _refuse_too_large(self, link: Link, item: Item) -> None:
        job_id, num_bytes = item.call.ids[item.index], len(item.data)
        self.refused(item, BadJob(
            f"job {job_id!r}: {num_bytes} bytes encoded are more than {link.endpoint.url} accepts"
            " (see serve --max-message-bytes)"
        ))  # fmt: skip

    def _server(self, server_id: str | None) -> Link | None:
        """Find the link to a server; None when another one stands in its place."""
        named = (link for link in self.links if link.info and link.info.server_id == server_id)
        return next(named, None)

    def _send_dropped(self, now: float) -> None:
        while self._dropped:
            server_id, _, state = self._dropped.popleft().rpartition("/")
            self._drops.setdefault(server_id, []).append(state)
        waiting, self._drops = self._drops, {}
        for server_id, states in waiting.items():
            link = self._server(server_id)
            if link is not None and (untold := link.drop(states, now)):
                self._drops[server_id] = untold

    def _flush(self, now: float) -> None:
        self._send_turns(now)
        self._send_dropped(now)
        if self._pending and all(link.refusal is not None for link in self.links):
            self._give_up("; ".join(str(link.refusal) for link in self.links))
        is_idle = not any(link.outstanding for link in self.links)
        if is_idle or len(self._pending) >= FLUSH_JOBS or now >= self._flush_at:
            while self._pending and self._send_frame(now):
                pass

    def _send_frame(self, now: float) -> bool:
        """Send one frame to the least loaded server; False when there is nothing to do now."""
        open_links = self._open_links(now)
        for link in open_links:
            share = -(-len(self._pending) // len(open_links))
            count = min(link.room(now), FLUSH_JOBS, share)
            items = self._take_for(link, count, len(open_links) > 1)
            if items and link.send_jobs(items, now):
                return True
            self._pending.extendleft(reversed(items))
        return False

    def _open_links(self, now: float) -> list[Link]:
        """Return the links worth a frame now, the least loaded first."""
        # One result makes room for one job: wait for a handful, a frame costs more than a job.
        worth = min(len(self._pending), WORTH_JOBS)
        links = [
            link
            for link in self.links
            if (room := link.room(now)) >= worth or (room and len(link.outstanding) <= IDLE_JOBS)
        ]
        return sorted(links, key=lambda link: link.load)

    def _take_for(self, link: Link, count: int, has_others: bool) -> list[Item]:
        """Take jobs off the queue for one frame; those that should avoid the link stay."""
        items: list[Item] = []
        kept: list[Item] = []
        size_bytes = 0
        pending = self._pending
        while pending and len(items) < count:
            item = pending.popleft()
            if item.call.is_over:
                continue
            if has_others and item.avoid is link:
                kept.append(item)
            elif link.is_too_large(item):
                self._refuse_too_large(link, item)
            elif items and not link.fits(size_bytes, item):
                pending.appendleft(item)
                break
            else:
                size_bytes += len(item.data)
                items.append(item)
        pending.extendleft(reversed(kept))
        return items

    def _give_up(self, why: str) -> None:
        """Fail what waits: no server speaks our version, and time does not mend that."""
        for call in {item.call for item in self._pending}:
            self._drop(call, ProtocolError(f"no server can be used: {why}"))
        self._pending.clear()

    # ------------------------------------------------------------------ what links report

    def answered(self, item: Item | None, calls: tuple[CallResult, ...]) -> None:
        """Take a job's results; nobody needs the states that come too late."""
        if item is None or item.call.is_over:
            self._dropped.extend(call.state for call in calls if call.state is not None)
        else:
            item.call.deliver(item.index, calls)

    def refused(self, item: Item, error: Exception) -> None:
        """Fail the call of a job that no server will run."""
        if not item.call.is_over:
            self._drop(item.call, error)

    def came_back(self, link: Link, items: list[Item], why: str, *, is_failure: bool) -> None:
        """Send jobs again: to another server if there is one, and later if the machine failed."""
        self.num_resent += len(items)
        now = time.monotonic()
        again: list[Item] = []
        for item in items:
            if item.call.is_over:
                continue
            if not is_failure:
                again.append(item)
                continue
            item.num_attempts += 1
            item.avoid = link
            if item.num_attempts >= self._options.max_attempts:
                self._drop(item.call, SandboxUnavailable(
                    f"job {item.call.ids[item.index]!r} failed {item.num_attempts} times, the last"
                    f" time at {why}"
                ))  # fmt: skip
            elif link.state is State.READY:  # the machine failed with this job alone
                delay_s = FIRST_RETRY_S * 2 ** (item.num_attempts - 1)
                heapq.heappush(self._delayed, (now + delay_s, next(self._sequence), item))
            else:
                again.append(item)
        self._turns.extend(item for item in again if item.server is not None)
        self._pending.extendleft(item for item in reversed(again) if item.server is None)
