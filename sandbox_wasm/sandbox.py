"""`Sandbox`: an in-process pool of WebAssembly slots, for jobs and for sessions.

Jobs go to native worker threads, one per core. Callers of `run` and `stream` wait for their results
themselves; one Python thread hands on the results of `submit`.
"""

import itertools
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from functools import partial
from typing import Any, Final, Self, cast

from sandbox_wasm import _pool, native_jobs
from sandbox_wasm.cores import available_cores
from sandbox_wasm.errors import BadJob, SandboxUnavailable
from sandbox_wasm.image.build import BuiltGuest, build_guest
from sandbox_wasm.sessions.errands import Errand, run_errand
from sandbox_wasm.sessions.session import Session, StateRef
from sandbox_wasm.sessions.states import SessionLimits, StateTable
from sandbox_wasm.types import Job, JobResult, Outcome, refused_unread

__all__ = ["Sandbox"]

_NET: Final = (30_000, 50_000)
"""A run may use the larger of so many ms of CPU time, and a ms for so much fuel of its limit."""
_TAKE_LIMIT: Final = 256
_TAKE_WAIT_MS: Final = 1000
_GAUGES: Final = frozenset({"hot_pages", "queued", "isolation_lost", "state_bytes"})
_CANARY: Final = """
import builtins, math, sys
def f():
    seen = [hasattr(builtins, "canary"), math.pi == 3, "canary" in sys.modules, sorted is max]
    builtins.canary, math.pi, sys.modules["canary"], builtins.sorted = f, 3, math, max
    return any(seen)
"""


class _JobFuture(Future[JobResult]):
    """The result of a submitted job; cancelling it also ends the job."""

    def __init__(self, end_job: Callable[[], bool]) -> None:
        super().__init__()
        self._end_job = end_job

    def cancel(self) -> bool:
        """Give up on the job, waiting or running; return False if its result is here already."""
        is_first = not self.cancelled()
        is_cancelled = super().cancel()
        if is_first and is_cancelled:
            self._end_job()
        return is_cancelled


class Sandbox:
    """Runs untrusted Python programs, each call in a fresh state of a WebAssembly guest.

    The first one built on a machine compiles the guest (tens of seconds, progress on stderr).
    Thread-safe. The process must not fork while one is open.

    Example:
        >>> with Sandbox(workers=2) as sandbox:
        ...     job = Job("1", "def f(x): return x + 1", calls=["41"])
        ...     sandbox.run([job])[0].calls[0].value
        '42'
    """

    def __init__(
        self,
        workers: int | None = None,
        *,
        images: int = 2,
        packages: Iterable[str] = (),
        check_every: int = 8192,
        cache_bytes: int = 64 * 1024 * 1024,
        sessions: SessionLimits | None = None,
    ) -> None:
        """Start the workers.

        Args:
            workers: Native threads; None takes one for each core that this process may use.
            images: How many images to load. A job can ask for at most so many.
            packages: Third-party packages that jobs may ask for. Name the guest's own
                (sandbox_wasm/image/packages.py), and give wheels of pure Python as
                NAME==VERSION#sha256=HASH or by the path of their file. All are in one set of
                images, which is built the first time.
            check_every: Compare a slot's whole memory with its image after so many calls; a
                difference is a machine failure. 0 never compares.
            cache_bytes: Most bytes in the cache of compiled programs.
            sessions: What its sessions may hold; None takes the defaults.

        Raises:
            ImageError: The guest cannot be built, found or trusted.
            SandboxUnavailable: The machine refuses what the pool needs, or cannot keep two programs
                apart.
            ValueError: An argument, or AZR_DIRTY_PAGES in the environment, has a value that is not
                allowed.
        """
        if workers is None:
            workers = available_cores()
        if not 1 <= workers <= 1024:
            raise ValueError(f"workers must be in [1, 1024], got {workers}")
        guest = build_guest(images, frozenset(packages))
        self._workers = workers
        self._images = images
        self._image_id = guest.image_id
        self._flavors = [flavor.packages for flavor in guest.flavors]
        self._keys = [flavor.key for flavor in guest.flavors]
        self._pool = _open_pool(guest, workers, check_every=check_every, cache_bytes=cache_bytes)
        self._states: StateTable[_pool.State] = StateTable(
            sessions or SessionLimits(), self._pool.state_bytes
        )
        del guest
        _pool.give_back_freed_memory()  # the guest's files: tens of megabytes an image
        self._pid = os.getpid()
        self._reports = _pool.Reports()  # of submit()'s jobs; run() and stream() have their own
        self._tickets = itertools.count()
        self._waiting: dict[int, tuple[str, Future[JobResult]]] = {}
        self._lock = threading.Lock()  # guards _closed and _collector
        self._closed = False
        self._collector: threading.Thread | None = None
        self._at_start: dict[str, int] = {}
        try:
            self._run_canary()
        except BaseException:
            self.close()
            raise

    @property
    def packages(self) -> frozenset[str]:
        """The modules of the loaded packages, for which jobs may ask."""
        return self._flavors[-1]

    def run(self, jobs: Iterable[Job]) -> list[JobResult]:
        """Run jobs and return their results in order.

        Raises:
            BadJob: A job breaks the contract; none was run.
            SandboxUnavailable: The machinery failed; this says nothing about the programs.
        """
        checked = self._check_all(jobs)
        results: list[JobResult | None] = [None] * len(checked)
        for index, result in self._results(checked, at_once=True):
            results[index] = result
        return cast("list[JobResult]", results)

    def stream(self, jobs: Iterable[Job]) -> Iterator[tuple[int, JobResult]]:
        """Yield (index, result) as each job is ready. Raises as `run` does."""
        return self._results(self._check_all(jobs), at_once=False)

    def submit(self, job: Job | Errand) -> "Future[JobResult]":
        """Queue one job without blocking. Cancelling the future ends the job, even while it runs.

        Raises:
            BadJob: The job breaks the contract.
            SessionGone: The state it goes on from is kept no more.
        """
        if isinstance(job, Errand):
            return _answered(run_errand(self, job))
        self._check(job)
        if (refused := refused_unread(job)) is not None:
            return _answered(refused)
        ticket = next(self._tickets)
        future = _JobFuture(partial(self._pool.cancel, self._reports, ticket))
        self._waiting[ticket] = (job.id, future)
        try:
            self._start_collector()
            self._submit(job, self._reports, ticket)
        except BaseException:  # whatever it was: no report comes, and close() waits for none
            self._waiting.pop(ticket, None)
            raise
        return future

    def session(
        self, *, packages: Iterable[str] = (), banned_modules: Iterable[str] = ()
    ) -> Session:
        """Begin a session: an interpreter whose state continues from turn to turn.

        Args:
            packages: Third-party packages that it may import, as for a job.
            banned_modules: Modules that its turns may not import, as for a job.
        """
        return Session(self, packages=frozenset(packages), banned_modules=frozenset(banned_modules))

    def load_session(self, saved: bytes, *, banned_modules: Iterable[str] = ()) -> Session:
        """Continue a session that `Session.save` wrote, here or elsewhere. The bytes may be forged.

        Raises:
            BadJob: They are damaged, too large, or of another image; the message says which.
        """
        ref = StateRef(self.drop_state, self.load_state(saved))
        return Session(self, ref, banned_modules=frozenset(banned_modules))

    def load_state(self, saved: bytes) -> str:
        """Keep the state that `save_state` wrote, and return its name; raises as `load_session`."""
        flavor = next((i for i, key in enumerate(self._keys) if key.encode() in saved[:64]), 0)
        most = self._states.limits.max_session_bytes
        try:
            state = self._pool.read_state(saved, flavor, self._keys[flavor], most)
        except ValueError as exc:
            raise BadJob(str(exc)) from exc
        return self._states.put(state)

    def save_state(self, name: str) -> bytes:
        """Return the state of a session as bytes (`Session.save`)."""
        state = self._states.get(name)
        return state.save(self._keys[state.flavor])

    def drop_state(self, name: str) -> None:
        """Forget the state of a session."""
        self._states.drop(name)

    def tend(self) -> None:
        """Give up states of sessions that are too old, where no turn makes it do so."""
        self._states.make_room()

    def stats(self) -> dict[str, Any]:
        """Return counters since the start, and a description of the pool.

        `dirty_pages` names the way in which it finds out what a program wrote
        (native/executor/memory/dirty/dirty_pages.h). `isolation_lost` is 1 if that failed: the pool
        then answers nothing any more.
        """
        self._states.make_room()
        counters: dict[str, Any] = self._counters()
        counters.update(
            workers=self._workers,
            images=self._images,
            image=self._image_id,
            dirty_pages=self._pool.dirty_pages(),
            sessions=len(self._states),
            sessions_expired=self._states.num_expired,
        )
        return counters

    def close(self) -> None:
        """Stop the workers. Jobs without a result fail with SandboxUnavailable."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        if os.getpid() != self._pid:
            return  # a fork: the threads are the parent's
        self._states.clear()
        self._pool.close()  # every job that was queued has a report now
        if self._collector is not None and threading.current_thread() is not self._collector:
            self._collector.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        if hasattr(self, "_collector"):
            self.close()

    def _counters(self) -> dict[str, int]:
        return {
            name: count - self._at_start.get(name, 0)
            for name, count in self._pool.counters().items()
        }

    def _run_canary(self) -> None:
        """Poison every image twice in a row, and see that the second time finds it clean."""
        jobs = [
            Job("canary", _CANARY, calls=["", ""], images=self._images, packages=packages)
            for packages in self._flavors
        ]
        for result in self.run(jobs):
            for call in result.calls:
                if (call.outcome, call.value) != (Outcome.RETURNED, "False"):
                    raise SandboxUnavailable(
                        "the sandbox cannot start: a program saw what another had left"
                        f" ({call.outcome}, {call.value}, {call.error}); see `azr-sandbox doctor`"
                    )
        counters = self._pool.counters()
        self._at_start = {n: counters[n] for n in counters.keys() - _GAUGES}

    def _check_all(self, jobs: Iterable[Job]) -> list[Job]:
        checked = list(jobs)
        for job in checked:
            self._check(job)
        return checked

    def _check(self, job: Any) -> None:
        if not isinstance(job, Job):
            raise BadJob(f"expected a Job, got {type(job).__name__}")
        if job.images > self._images:
            raise BadJob(
                f"job {job.id!r}: images must be at most {self._images} in this sandbox, got"
                f" {job.images} (see Sandbox(images=...))"
            )
        if self._flavor_of(job) is None:
            loaded = ", ".join(sorted(self.packages)) or "none"
            raise BadJob(
                f"job {job.id!r}: packages {sorted(job.packages - self.packages)} are not loaded in"
                f" this sandbox, but {loaded} (see Sandbox(packages=...) and `azr-sandbox serve"
                " --packages`)"
            )

    def _flavor_of(self, job: Job) -> int | None:
        """The images for a job: the base's, or those with packages if they have all it asks for."""
        if not job.packages:
            return 0
        return len(self._flavors) - 1 if job.packages <= self._flavors[-1] else None

    def _submit(self, job: Job, reports: _pool.Reports, ticket: int) -> None:
        flavor, turn = self._flavor_of(job) or 0, None
        if job.state is not None:
            before = self._states.get(job.state) if job.state else None
            turn = (before, self._states.limits.max_session_bytes)
            flavor = flavor if before is None else before.flavor
        native_jobs.submit(self._pool, reports, ticket, flavor, job, turn)

    def _results(self, jobs: list[Job], *, at_once: bool) -> Iterator[tuple[int, JobResult]]:
        """Queue the jobs, then yield (index, result): when all are done, or each when it is."""
        reports = _pool.Reports()
        refused: list[tuple[int, JobResult]] = []
        for index, job in enumerate(jobs):
            if (answer := refused_unread(job)) is not None:
                refused.append((index, answer))
            else:
                self._submit(job, reports, index)
        yield from refused
        num_left = len(jobs) - len(refused)
        while num_left:
            at_least = num_left if at_once else 1
            for report in reports.take(at_least, num_left, _TAKE_WAIT_MS):
                num_left -= 1
                yield report[0], self._result(jobs[report[0]].id, report)

    def _result(self, job_id: str, report: "_pool.Report") -> JobResult:
        return native_jobs.job_result(job_id, report, self._states.put)

    def _start_collector(self) -> None:
        with self._lock:
            if self._closed:
                raise SandboxUnavailable("the sandbox was closed")
            if self._collector is None:
                collector = threading.Thread(
                    target=self._collect, name="sandbox-collector", daemon=True
                )
                try:
                    collector.start()
                except RuntimeError as exc:
                    raise SandboxUnavailable(f"the machine refused a thread: {exc}") from exc
                self._collector = collector

    def _collect(self) -> None:
        while not self._closed or self._waiting:
            for report in self._reports.take(1, _TAKE_LIMIT, _TAKE_WAIT_MS):
                job_id, future = self._waiting.pop(report[0])
                if not future.set_running_or_notify_cancel():
                    continue
                try:
                    result = self._result(job_id, report)
                except BaseException as exc:  # noqa: BLE001 - whoever waits must hear of it
                    future.set_exception(exc)
                else:
                    future.set_result(result)


def _answered(result: JobResult) -> "Future[JobResult]":
    future: Future[JobResult] = Future()
    future.set_result(result)
    return future


def _open_pool(
    guest: BuiltGuest, workers: int, *, check_every: int, cache_bytes: int
) -> _pool.Pool:
    try:
        return _pool.Pool(
            wasmtime_path=str(guest.wasmtime_library),
            compile_module_path=str(guest.compile_module.path),
            compile_image=guest.compile_image,
            flavors=[(str(f.module.path), f.images, f.library) for f in guest.flavors],
            workers=workers,
            check_every=check_every,
            dirty_pages=os.environ.get("AZR_DIRTY_PAGES", ""),
            cache_bytes=cache_bytes,
            net=_NET,
        )
    except (RuntimeError, MemoryError) as exc:
        raise SandboxUnavailable(f"the sandbox cannot start: {exc}") from exc
