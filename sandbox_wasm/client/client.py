"""`SandboxClient`: the methods of `Sandbox`, over ZeroMQ, for threads and coroutines."""

import asyncio
import itertools
import os
import queue
import socket
import threading
import time
import weakref
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from typing import Any, Self

import zmq

from sandbox_wasm.client.calls import Answer, Call, Item, LoopBridge
from sandbox_wasm.client.connection import State
from sandbox_wasm.client.io_thread import Wire, WireOptions
from sandbox_wasm.client.options import CurveKeys, LinkOptions
from sandbox_wasm.errors import ProtocolError, SandboxUnavailable
from sandbox_wasm.sessions.errands import Errand, LoadState, SaveState, saved_of
from sandbox_wasm.sessions.session import Session, StateRef
from sandbox_wasm.types import Job, JobResult, refused_unread
from sandbox_wasm.wire import codec
from sandbox_wasm.wire.endpoints import parse_endpoint
from sandbox_wasm.wire.keys import KeyFileError, load_keys
from sandbox_wasm.wire.protocol import DEFAULT_MAX_MESSAGE_BYTES, ServerInfo

__all__ = ["SandboxClient"]


class SandboxClient:
    """Runs jobs on one or many servers.

    Thread-safe, and usable from any number of coroutines and event loops at once. Every job is
    answered once: if a server dies before it answers, its jobs go to another server, or to the same
    one when it is back. What a program does is in the results. An exception means that a job is
    malformed (`BadJob`), that no server speaks our version (`ProtocolError`), or that the machinery
    did not answer in time (`SandboxUnavailable`).

    Do not use a client across a fork: make one in each process.
    """

    def __init__(  # noqa: PLR0913 - every one is a keyword with a default
        self,
        endpoints: str | Sequence[str],
        *,
        server_key: str | os.PathLike[str] | None = None,
        client_key: str | os.PathLike[str] | None = None,
        timeout_s: float = 600.0,
        max_outstanding: int = 1024,
        max_attempts: int = 6,
        heartbeat_s: float = 1.0,
        liveness_s: float = 15.0,
    ) -> None:
        """Start to connect in the background and return at once.

        Args:
            endpoints: `tcp://HOST:PORT` or `ipc:///PATH`, one or many.
            server_key: The servers' public key: a `.key` file or its 40 characters.
            client_key: This client's `.key_secret` file; needed with `server_key`.
            timeout_s: A call without a deadline of its own fails if no server gives a sign of life
                for so long. A server that works through a long queue gives signs of life; it
                notices by itself when its workers do nothing.
            max_outstanding: Most unanswered jobs at one server.
            max_attempts: A job's call fails after so many servers failed with the job.
            heartbeat_s: After so much silence the client asks a server for a sign of life.
            liveness_s: How long the server has to give one.

        Raises:
            ValueError: An endpoint, a key or a number cannot be used; the message names it.
        """
        for name, value in (("timeout_s", timeout_s), ("max_outstanding", max_outstanding),
                            ("max_attempts", max_attempts), ("heartbeat_s", heartbeat_s),
                            ("liveness_s", liveness_s)):  # fmt: skip
            if not value > 0:
                raise ValueError(f"{name} must be positive, got {value!r}")
        urls = [endpoints] if isinstance(endpoints, str) else list(endpoints)
        if not urls:
            raise ValueError("endpoints: give at least one, like tcp://HOST:PORT or ipc:///PATH")
        parsed = [parse_endpoint(url) for url in dict.fromkeys(urls)]
        link = LinkOptions(
            name=f"{socket.gethostname()}:{os.getpid()}"[:200],
            max_outstanding=max_outstanding,
            heartbeat_s=heartbeat_s,
            liveness_s=liveness_s,
            curve=_curve(server_key, client_key),
        )
        self._timeout_s = timeout_s
        self._pid = os.getpid()
        self._numbers = itertools.count()
        self._bridges: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, LoopBridge] = (
            weakref.WeakKeyDictionary()
        )
        self._bridges_lock = threading.Lock()
        self._wire = Wire(parsed, WireOptions(link=link, max_attempts=max_attempts))
        # Runs at exit too: a client nobody closed would let the interpreter hang in ZeroMQ.
        self._finalizer = weakref.finalize(self, self._wire.close)

    # ------------------------------------------------------------------ sync

    def run(
        self, jobs: Iterable[Job | Errand], *, timeout_s: float | None = None
    ) -> list[JobResult]:
        """Run all jobs and return their results in the jobs' order.

        Args:
            jobs: What to run.
            timeout_s: A deadline for all of them together, however busy the servers are. With None
                the call waits as long as the servers give signs of life.
        """
        done = threading.Event()
        call = self._start(jobs, timeout_s, lambda _: done.set())
        try:
            done.wait()
        except BaseException:  # Ctrl-C: the servers should not go on for nobody
            self._wire.abandon(call)
            raise
        return call.outcome()

    def stream(
        self, jobs: Iterable[Job], *, timeout_s: float | None = None
    ) -> Iterator[tuple[int, JobResult]]:
        """Start all jobs now, and yield (index, result) as each is ready."""
        results: queue.SimpleQueue[Answer | None] = queue.SimpleQueue()
        call = self._start(jobs, timeout_s, lambda _: results.put(None), results.put)
        return self._drain(call, results)

    def _drain(self, call: Call, results: "queue.SimpleQueue[Answer | None]") -> Iterator[Answer]:
        try:
            while (result := results.get()) is not None:
                yield result
            call.outcome()
        finally:
            if not call.is_over:
                self._wire.abandon(call)

    def submit(self, job: Job, *, timeout_s: float | None = None) -> "Future[JobResult]":
        """Start one job; the future fails as `run` would. Cancelling it ends the job."""
        future: Future[JobResult] = Future()

        def settle(call: Call) -> None:
            if not future.set_running_or_notify_cancel():
                self._drop_states(call)
            elif call.error is not None:
                future.set_exception(call.error)
            else:
                future.set_result(call.outcome()[0])

        call = self._start([job], timeout_s, settle)
        future.add_done_callback(
            lambda future: self._wire.abandon(call) if future.cancelled() else None
        )
        return future

    # ------------------------------------------------------------------ sessions

    def session(
        self, *, packages: Iterable[str] = (), banned_modules: Iterable[str] = ()
    ) -> Session:
        """Begin a session, as `Sandbox.session`; one server keeps it for as long as it runs."""
        return Session(self, packages=frozenset(packages), banned_modules=frozenset(banned_modules))

    def load_session(self, saved: bytes, *, banned_modules: Iterable[str] = ()) -> Session:
        """Continue at some server a session that `Session.save` wrote, of any server or sandbox.

        Raises:
            BadJob: The bytes are damaged, too large, or of another image; the message says which.
        """
        [result] = self.run([LoadState(saved)])
        name = result.calls[0].state
        if name is None:
            raise ProtocolError("the server answered a saved session without a state")
        ref = StateRef(self.drop_state, name)
        return Session(self, ref, banned_modules=frozenset(banned_modules))

    def save_state(self, name: str) -> bytes:
        """Return the state of a session as bytes (`Session.save`)."""
        return saved_of(self.run([SaveState(name)])[0])

    def drop_state(self, name: str) -> None:
        """Have the state of a session kept no longer, soon."""
        self._wire.drop_state(name)

    def _drop_states(self, call: Call) -> None:
        """Forget what the turns of a call left that nobody will read."""
        calls = [call for result in call.results if result is not None for call in result.calls]
        for state in [call.state for call in calls if call.state is not None]:
            self.drop_state(state)

    # ------------------------------------------------------------------ async

    async def arun(self, jobs: Iterable[Job], *, timeout_s: float | None = None) -> list[JobResult]:
        """Run all jobs and return their results in the jobs' order.

        Calls of one job each, made by many coroutines, travel to the server together. Cancelling
        the task cancels its jobs.
        """
        loop = asyncio.get_running_loop()
        bridge = self._bridge(loop)
        future: asyncio.Future[None] = loop.create_future()

        def settle(_: Call) -> None:
            if not future.done():
                future.set_result(None)

        call = self._start(jobs, timeout_s, lambda call: bridge.post(settle, call))
        try:
            await future
        finally:
            if not call.is_over:
                self._wire.abandon(call)
        return call.outcome()

    def astream(
        self, jobs: Iterable[Job], *, timeout_s: float | None = None
    ) -> AsyncIterator[tuple[int, JobResult]]:
        """Start all jobs now, and yield (index, result) as each is ready."""
        bridge = self._bridge(asyncio.get_running_loop())
        results: asyncio.Queue[Answer | None] = asyncio.Queue()
        call = self._start(
            jobs,
            timeout_s,
            lambda _: bridge.post(results.put_nowait, None),
            lambda result: bridge.post(results.put_nowait, result),
        )
        return self._adrain(call, results)

    async def _adrain(
        self, call: Call, results: "asyncio.Queue[Answer | None]"
    ) -> AsyncIterator[Answer]:
        try:
            while (result := await results.get()) is not None:
                yield result
            call.outcome()
        finally:
            if not call.is_over:
                self._wire.abandon(call)

    # ------------------------------------------------------------------ state

    def wait_ready(self, timeout_s: float = 60.0) -> list[ServerInfo]:
        """Wait until a server has answered; return what each such server says about itself.

        Raises:
            SandboxUnavailable: No server answered within `timeout_s`.
            ProtocolError: No server speaks our version.
        """
        deadline = time.monotonic() + timeout_s
        wire = self._wire
        with wire.has_changed:
            while not (infos := self.servers()):
                refusals = [link.refusal for link in wire.links if link.refusal]
                if len(refusals) == len(wire.links):
                    raise ProtocolError(f"no server can be used: {'; '.join(refusals)}")
                left_s = deadline - time.monotonic()
                if left_s <= 0 or not wire.thread.is_alive():
                    where = "; ".join(link.describe() for link in wire.links)
                    raise SandboxUnavailable(f"no server ready after {timeout_s:g} s ({where})")
                wire.has_changed.wait(min(left_s, 0.5))
        return infos

    def servers(self) -> list[ServerInfo]:
        """Return what each server that is connected now says about itself."""
        return [link.info for link in self._wire.links if link.info and link.state is State.READY]

    def stats(self) -> dict[str, Any]:
        """Return counters: servers, their workers, unanswered jobs, jobs that were sent again."""
        infos = self.servers()
        return {
            "servers": len(infos),
            "workers": sum(info.workers for info in infos),
            "outstanding": sum(len(link.outstanding) for link in self._wire.links),
            "resent": self._wire.num_resent,
        }

    def close(self) -> None:
        """Fail running calls with SandboxUnavailable, close every socket, stop the thread."""
        if os.getpid() == self._pid:
            self._finalizer()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ------------------------------------------------------------------ inside

    def _start(
        self,
        jobs: Iterable[Job | Errand],
        timeout_s: float | None,
        on_over: Callable[[Call], None],
        on_result: Callable[[Answer], None] | None = None,
    ) -> Call:
        if os.getpid() != self._pid:
            raise SandboxUnavailable("a SandboxClient does not survive a fork: make one in each"
                                     " process")  # fmt: skip
        jobs = list(jobs)
        call = Call(
            [job.id for job in jobs],
            self._timeout_s if timeout_s is None else timeout_s,
            has_deadline=timeout_s is not None,
            on_over=on_over,
            on_result=on_result,
        )
        if not jobs:
            call.end(None)
            return call
        numbers, max_bytes = self._numbers, DEFAULT_MAX_MESSAGE_BYTES - 64
        refused = {
            index: answer
            for index, job in enumerate(jobs)
            if isinstance(job, Job) and (answer := refused_unread(job)) is not None
        }
        items = [
            Item(
                number,
                codec.pack_job(number, job, max_bytes),
                call,
                index,
                server=codec.server_of(job),
            )
            for index, (number, job) in enumerate(zip(numbers, jobs, strict=False))
            if index not in refused
        ]
        for index, answer in refused.items():
            call.deliver(index, answer.calls)
        self._wire.submit(call, items)
        return call

    def _bridge(self, loop: asyncio.AbstractEventLoop) -> LoopBridge:
        with self._bridges_lock:
            bridge = self._bridges.get(loop)
            if bridge is None:
                bridge = self._bridges[loop] = LoopBridge(loop)
            return bridge


def _curve(
    server_key: str | os.PathLike[str] | None, client_key: str | os.PathLike[str] | None
) -> CurveKeys | None:
    if (server_key is None) != (client_key is None):
        raise ValueError("server_key and client_key belong together: the server's public key, and"
                         " this client's NAME.key_secret file")  # fmt: skip
    if server_key is None or client_key is None:
        return None
    if not zmq.has("curve"):
        raise ValueError("this build of ZeroMQ has no CURVE: keys cannot be used")
    public, secret = load_keys(client_key)
    if secret is None:
        raise KeyFileError(f"client_key {client_key} has no secret half")
    return CurveKeys(load_keys(server_key)[0], public, secret)
