"""One sandbox under many threads; what ThreadSanitizer watches (scripts/sanitize.sh)."""

import threading
import time
from collections.abc import Callable

import pytest

from sandbox_wasm import Job, Limits, Sandbox, SandboxUnavailable

pytestmark = pytest.mark.guest


def double(n: int) -> Job:
    # A source of its own in every third job, so that the code cache is read and written.
    return Job(str(n), f"# {n // 3}\ndef f(x): return x * 2", calls=[str(n)], images=1 + n % 2)


def in_threads(*tasks: Callable[[], None]) -> None:
    """Run all at once; what one raises is raised here."""
    failures: list[BaseException] = []

    def guarded(task: Callable[[], None]) -> None:
        try:
            task()
        except BaseException as error:  # noqa: BLE001 - handed on below
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(task,)) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def test_every_way_to_run_and_to_look_works_at_once() -> None:
    numbers = list(range(60))
    expected = [str(2 * n) for n in numbers]
    finished = threading.Event()

    def run() -> None:
        results = sandbox.run([double(n) for n in numbers])
        assert [r.calls[0].value for r in results] == expected

    def stream() -> None:
        seen = dict(sandbox.stream([double(n) for n in numbers]))
        assert [seen[n].calls[0].value for n in numbers] == expected

    def submit() -> None:
        futures = [sandbox.submit(double(n)) for n in numbers]
        assert [f.result(timeout=60).calls[0].value for f in futures] == expected

    def look() -> None:
        calls = 0
        while not finished.is_set():
            calls, before = sandbox.stats()["calls"], calls
            assert calls >= before

    with Sandbox(workers=2, check_every=16, cache_bytes=20_000) as sandbox:
        watcher = threading.Thread(target=look)
        watcher.start()
        try:
            in_threads(run, stream, submit, submit, run)
        finally:
            finished.set()
            watcher.join()
        assert sandbox.stats()["machine_failures"] == 0


def test_closing_a_busy_sandbox_from_several_threads_ends_every_job() -> None:
    endless = Job("endless", "while True: pass", limits=Limits(fuel=10**14))
    sandbox = Sandbox(workers=2)
    futures = [sandbox.submit(endless) for _ in range(4)]
    started = threading.Barrier(3)
    refused: list[str] = []

    def close() -> None:
        started.wait()
        sandbox.close()

    def submit_until_closed() -> None:
        started.wait()
        try:
            while True:
                futures.append(sandbox.submit(endless))
        except SandboxUnavailable as error:
            refused.append(str(error))

    in_threads(close, close, submit_until_closed)
    assert refused
    for future in futures:
        with pytest.raises(SandboxUnavailable):
            future.result(timeout=60)
    assert not sandbox._waiting


@pytest.mark.parametrize("fuel", [10**10, 10**13])
def test_closing_interrupts_a_job_of_any_fuel(fuel: int) -> None:
    sandbox = Sandbox(workers=1)
    pending = sandbox.submit(Job("endless", "while True: pass", limits=Limits(fuel=fuel)))
    while sandbox.stats()["queued"]:
        time.sleep(0.01)
    time.sleep(0.3)  # it has compiled and runs
    started = time.monotonic()
    sandbox.close()
    assert time.monotonic() - started < 60  # the fuel lasts for hours
    with pytest.raises(SandboxUnavailable):
        pending.result(timeout=0)
