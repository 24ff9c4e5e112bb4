"""`Sandbox`: an in-process pool of WebAssembly slots behind four methods.

Jobs go to native worker threads, one a core; one Python thread here hands their reports on.
"""

import itertools
import os
import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from typing import Any, Final, Self

from sandbox_wasm import _pool
from sandbox_wasm.errors import BadJob, SandboxUnavailable
from sandbox_wasm.image import build_guest
from sandbox_wasm.types import CallResult, Job, JobResult, Limits, Outcome

__all__ = ["Sandbox"]

Done = Callable[[JobResult | SandboxUnavailable], None]

_OUTCOMES: Final = tuple(Outcome)
"""Native code counts outcomes in the order of the enum."""
_TAKE_LIMIT: Final = 256
_TAKE_WAIT_MS: Final = 1000
_MAX_SOURCE_BYTES: Final = 4 * 1024 * 1024


class Sandbox:
    """Runs untrusted Python programs, each call in a fresh instance of a WebAssembly guest.

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
        check_every: int = 8192,
        cache_bytes: int = 64 * 1024 * 1024,
    ) -> None:
        """Start the workers.

        Args:
            workers: Native threads; None takes one for each core this process may use.
            images: How many images to load: the most that a job may ask for.
            check_every: Compare a slot's whole memory with its image after so many calls; a
                difference is a machine failure. 0 never compares.
            cache_bytes: Bound of the cache of compiled programs.
        """
        if workers is None:
            workers = len(os.sched_getaffinity(0))
        if not 1 <= workers <= 1024:
            raise ValueError(f"workers must be in [1, 1024], got {workers}")
        guest = build_guest(images)
        self._workers = workers
        self._images = images
        self._image_id = guest.image_id
        self._pool = _pool.Pool(
            wasmtime_path=str(guest.wasmtime_library),
            module_path=str(guest.module),
            compile_image=guest.compile_image,
            run_images=list(guest.run_images),
            zip=guest.stdlib,
            workers=workers,
            check_every=check_every,
            cache_bytes=cache_bytes,
        )
        self._pid = os.getpid()
        self._tickets = itertools.count()
        self._waiting: dict[int, tuple[str, Done]] = {}
        self._lock = threading.Lock()  # guards _closed
        self._closed = False
        self._collector = threading.Thread(
            target=self._collect, name="sandbox-collector", daemon=True
        )
        self._collector.start()

    def run(self, jobs: Iterable[Job]) -> list[JobResult]:
        """Run jobs and return their results in order.

        Raises:
            BadJob: A job breaks the contract; none was run.
            SandboxUnavailable: The machinery failed; says nothing about the programs.
        """
        checked = self._check_all(jobs)
        results: list[JobResult | SandboxUnavailable | None] = [None] * len(checked)
        finished = threading.Semaphore(0)

        def keep(index: int) -> Done:
            def done(result: JobResult | SandboxUnavailable) -> None:
                results[index] = result
                finished.release()

            return done

        for index, job in enumerate(checked):
            self._submit(job, keep(index))
        for _ in checked:
            finished.acquire()
        return [_or_raise(result) for result in results]

    def stream(self, jobs: Iterable[Job]) -> Iterator[tuple[int, JobResult]]:
        """Yield (index, result) as each job is ready. Raises as `run` does."""
        checked = self._check_all(jobs)
        ready: queue.SimpleQueue[tuple[int, JobResult | SandboxUnavailable]] = queue.SimpleQueue()

        def put(index: int) -> Done:
            return lambda result: ready.put((index, result))

        for index, job in enumerate(checked):
            self._submit(job, put(index))
        for _ in checked:
            index, result = ready.get()
            yield index, _or_raise(result)

    def submit(self, job: Job) -> "Future[JobResult]":
        """Queue one job without blocking.

        Raises:
            BadJob: The job breaks the contract.
        """
        self._check(job)
        future: Future[JobResult] = Future()

        def done(result: JobResult | SandboxUnavailable) -> None:
            if not future.set_running_or_notify_cancel():
                return
            if isinstance(result, JobResult):
                future.set_result(result)
            else:
                future.set_exception(result)

        self._submit(job, done)
        return future

    def stats(self) -> dict[str, Any]:
        """Return counters since the start, and what the pool is made of."""
        counters: dict[str, Any] = dict(self._pool.counters())
        counters.update(workers=self._workers, images=self._images, image=self._image_id)
        return counters

    def close(self) -> None:
        """Stop the workers. Jobs without a result fail with SandboxUnavailable."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        if os.getpid() != self._pid:
            return  # a fork: the threads are the parent's
        self._pool.close()
        if threading.current_thread() is not self._collector:
            self._collector.join()
        for job_id, done in list(self._waiting.values()):
            done(SandboxUnavailable(f"job {job_id!r}: the sandbox was closed"))
        self._waiting.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        if hasattr(self, "_collector"):
            self.close()

    def _check_all(self, jobs: Iterable[Job]) -> list[Job]:
        checked = list(jobs)
        for job in checked:
            self._check(job)
        return checked

    def _check(self, job: Job) -> None:
        _check_types(job)
        if job.images > self._images:
            raise BadJob(
                f"job {job.id!r}: images must be at most {self._images} in this sandbox, got"
                f" {job.images} (see Sandbox(images=...))"
            )
        if len(job.source) > _MAX_SOURCE_BYTES:
            raise BadJob(f"job {job.id!r}: source must be at most {_MAX_SOURCE_BYTES} characters")

    def _submit(self, job: Job, done: Done) -> None:
        ticket = next(self._tickets)
        limits = job.limits
        self._waiting[ticket] = (job.id, done)
        try:
            self._pool.submit(
                ticket,
                job.source,
                job.calls,
                job.entry,
                job.entry.isidentifier(),
                job.expressions,
                job.stdin,
                job.tests,
                (limits.fuel, limits.memory_bytes, limits.output_bytes),
                job.images,
                sorted(job.banned_modules),
                job.want_stdout or job.stdin is not None,
            )
        except RuntimeError as exc:
            del self._waiting[ticket]
            raise SandboxUnavailable(str(exc)) from exc

    def _collect(self) -> None:
        while not self._closed:
            for ticket, failure, calls in self._pool.take(_TAKE_LIMIT, _TAKE_WAIT_MS):
                job_id, done = self._waiting.pop(ticket)
                if failure is not None:
                    done(SandboxUnavailable(f"job {job_id!r}: {failure}"))
                else:
                    done(JobResult(id=job_id, calls=tuple(_call_result(*c) for c in calls)))


def _call_result(
    outcome: int,
    value: str | None,
    error: str | None,
    fuel: int,
    stdout: str | None,
    differs: str | None,
) -> CallResult:
    return CallResult(
        outcome=_OUTCOMES[outcome],
        value=value,
        error=error,
        fuel=fuel,
        stdout=stdout,
        differs=differs,
    )


def _or_raise(result: JobResult | SandboxUnavailable | None) -> JobResult:
    if isinstance(result, JobResult):
        return result
    raise result if result is not None else SandboxUnavailable("no result")


def _check_types(job: Any) -> None:
    """Refuse what the native code could not take; `Job` itself does not check field types."""
    if not isinstance(job, Job):
        raise BadJob(f"expected a Job, got {type(job).__name__}")
    texts = [("id", job.id), ("source", job.source), ("entry", job.entry)]
    texts += [(n, t) for n, t in (("stdin", job.stdin), ("tests", job.tests)) if t is not None]
    for name in ("calls", "expressions", "banned_modules"):
        texts += [(f"each of {name}", item) for item in getattr(job, name)]
    for name, text in texts:
        if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise BadJob(f"job {job.id!r}: {name} must be a str, got {type(text).__name__}")
    if not isinstance(job.limits, Limits):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise BadJob(f"job {job.id!r}: limits must be a Limits, got {type(job.limits).__name__}")
