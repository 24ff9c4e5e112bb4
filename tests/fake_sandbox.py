"""NOT A SANDBOX: an executor with its interface and no isolation at all, for tests of the network.

It never runs what it is given: a source is a line of commands to the fake itself. Use it to make a
server that is fast, slow, broken or stuck at will, on a machine without the guest image.

    echo            every call returns its own literal; stdin is printed; tests pass
    sleep S         as echo, after S seconds in a worker
    fail            the machine fails (SandboxUnavailable)
    fail-once KEY   the same, the first time KEY is seen by this executor
    reject          the job breaks the contract (BadJob)
    fuel            runs out of fuel
    raise           raises, and so does an empty source
    big N           returns a text of N characters
    die             the whole process dies, as by kill -9
"""

import argparse
import contextlib
import os
import sys
import threading
import time
import warnings
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Self

from sandbox_wasm.errors import BadJob, SandboxUnavailable
from sandbox_wasm.types import CallResult, Job, JobResult, Outcome, refused_unread

__all__ = ["FakeSandbox", "NoIsolationWarning", "main", "serve_in_thread"]


class NoIsolationWarning(UserWarning):
    """A FakeSandbox was made: nothing it says is about a program."""


class FakeSandbox:
    """An executor that obeys the commands above. It isolates nothing because it runs nothing."""

    def __init__(self, workers: int = 1) -> None:
        warnings.warn("FakeSandbox isolates nothing and runs nothing: tests only",
                      NoIsolationWarning, stacklevel=2)  # fmt: skip
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="fake-sandbox")
        self._lock = threading.Lock()
        self._seen: set[str] = set()
        self._num_jobs = 0
        self._workers = workers

    @property
    def packages(self) -> frozenset[str]:
        """There are none."""
        return frozenset()

    def submit(self, job: Job) -> "Future[JobResult]":
        """Queue one job; "echo" is answered here and now."""
        if not isinstance(job, Job):
            raise BadJob("the fake keeps no states")
        if (refused := refused_unread(job)) is not None:
            done: Future[JobResult] = Future()
            done.set_result(refused)
            return done
        command, *words = job.source.split(None, 1) or ["raise"]
        if command == "reject":
            raise BadJob(f"job {job.id!r}: the fake was told to reject it")
        if command == "echo":
            future: Future[JobResult] = Future()
            future.set_result(_echo(job))
            return future
        return self._pool.submit(self._run, job, command, words[0] if words else "")

    def run(self, jobs: Iterable[Job]) -> list[JobResult]:
        """Run all, in order."""
        return [future.result() for future in [self.submit(job) for job in jobs]]

    def drop_state(self, name: str) -> None:
        """It keeps none."""

    def tend(self) -> None:
        """Nothing of it grows old."""

    def stats(self) -> dict[str, Any]:
        """Return counters, as the real one does."""
        return {"workers": self._workers, "jobs": self._num_jobs, "image": "fake"}

    def close(self) -> None:
        """Stop the threads; jobs that have not begun are cancelled."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self, job: Job, command: str, argument: str) -> JobResult:
        with self._lock:
            self._num_jobs += 1
            is_new = argument not in self._seen
            if command == "fail-once":
                self._seen.add(argument)
        if command == "die":
            os.kill(os.getpid(), 9)
        if command == "fail" or (command == "fail-once" and is_new):
            raise SandboxUnavailable("the fake was told to fail")
        if command == "raise":
            return JobResult(id=job.id, calls=(CallResult(outcome=Outcome.RAISED, error="E"),))
        if command == "fuel":
            return JobResult(id=job.id, calls=(CallResult(outcome=Outcome.OUT_OF_FUEL),))
        if command == "big":
            value = repr("x" * int(argument))
            return JobResult(id=job.id, calls=(CallResult(outcome=Outcome.RETURNED, value=value),))
        if command == "sleep":
            time.sleep(float(argument.split(maxsplit=1)[0]))
        return _echo(job)


def _echo(job: Job) -> JobResult:
    values = job.calls or job.expressions or (None,)
    stdout = job.stdin if job.want_stdout else None
    return JobResult(
        id=job.id,
        calls=tuple(
            [CallResult(outcome=Outcome.RETURNED, value=value, fuel=7, stdout=stdout)
             for value in values]
        ),
    )  # fmt: skip


@contextlib.contextmanager
def serve_in_thread(
    executor: Any, bind: str, *, workers: int = 2, **options: Any
) -> Generator[Any]:
    """Serve any executor from a thread of this process; yields the `Server`.

    `options` are those of `ServerOptions`.
    """
    from sandbox_wasm.server.serve import Server, ServerOptions  # noqa: PLC0415 - tests only
    from sandbox_wasm.wire.endpoints import parse_endpoint  # noqa: PLC0415 - tests only

    server = Server(ServerOptions(bind=parse_endpoint(bind, bind=True), **options))
    thread = threading.Thread(target=server.serve, args=(executor, workers), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        thread.join()
        server.close()


def main(argv: list[str] | None = None) -> int:
    """Serve a fake: `python -m tests.fake_sandbox serve --bind URL`, as the real one is served."""
    from sandbox_wasm.cli.serve import add_serve_arguments, main_serve  # noqa: PLC0415 - tests only

    parser = argparse.ArgumentParser(prog="python -m tests.fake_sandbox", description=__doc__)
    add_serve_arguments(parser.add_subparsers(required=True).add_parser("serve"))
    sys.stderr.write("FAKE SANDBOX: no isolation, runs nothing, for tests only\n")
    warnings.simplefilter("ignore", NoIsolationWarning)
    return main_serve(parser.parse_args(argv), FakeSandbox)


if __name__ == "__main__":
    sys.exit(main())
