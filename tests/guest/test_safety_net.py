"""The net below the fuel, and how a job is ended that nobody waits for."""

import threading
from concurrent.futures import CancelledError, wait

import pytest

from sandbox_wasm import Job, Limits, Outcome, Sandbox, sandbox

pytestmark = [pytest.mark.guest, pytest.mark.timeout(120)]

ENDLESS = "def f(x):\n    while x: pass\n    return x"
FOR_EVER = Limits(fuel=10**15)


@pytest.fixture
def low_net(monkeypatch: pytest.MonkeyPatch) -> None:
    """A net so low that a program meets it before its fuel is spent."""
    monkeypatch.setattr(sandbox, "_NET", (300, 10**12))


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.usefixtures("low_net")
def test_a_program_that_hits_the_net_twice_has_timed_out(workers: int) -> None:
    with Sandbox(workers, images=1) as pool:
        (result,) = pool.run([Job("a", ENDLESS, calls=["0", "1", "0", "1"], limits=FOR_EVER)])
        stats = pool.stats()
    outcomes = [call.outcome for call in result.calls]
    assert outcomes == [Outcome.RETURNED, *[Outcome.TIMED_OUT] * 3]
    assert [call.value for call in result.calls] == ["0", None, None, None]
    assert result.calls[1].error == "used up the CPU time of the safety net"
    assert result.calls[2].error == "not run: an earlier call timed out"
    assert (stats["net_hits"], stats["timed_out"], stats["machine_failures"]) == (1, 1, 0)
    assert stats["jobs"] == 2, "it was tried twice"


@pytest.mark.usefixtures("low_net")
def test_the_workers_are_as_good_as_before() -> None:
    with Sandbox(1, images=2, check_every=1) as pool:
        stuck = Job("a", ENDLESS, calls=["1"], limits=FOR_EVER, images=2)
        good = Job("b", "def f(x): return x + 1", calls=["1"], images=2)
        results = pool.run([stuck, good, stuck, good])
        assert pool.stats()["restore_check_failures"] == 0
    assert [r.calls[0].outcome for r in results] == [Outcome.TIMED_OUT, Outcome.RETURNED] * 2
    assert results[0].calls[0].differs is None


@pytest.mark.usefixtures("low_net")
def test_a_source_that_hits_the_net_is_not_remembered_as_one() -> None:
    source = "x = 1\n" * 200_000
    with Sandbox(1, images=1) as pool:
        (first,) = pool.run([Job("a", source)])
        (again,) = pool.run([Job("a", source)])
        stats = pool.stats()
    assert first.calls[0].outcome is again.calls[0].outcome is Outcome.TIMED_OUT
    assert (first.calls[0].error or "").startswith("while compiling: ")
    assert stats["cache_hits"] == 0


def test_cancelling_ends_a_running_job_and_only_that() -> None:
    with Sandbox(2, images=1) as pool:
        stuck = [pool.submit(Job(str(n), ENDLESS, calls=["1"], limits=FOR_EVER)) for n in range(2)]
        waiting = pool.submit(Job("w", ENDLESS, calls=["1"], limits=FOR_EVER))
        while pool.stats()["queued"] > 1:
            threading.Event().wait(0.01)
        assert waiting.cancel()
        assert stuck[0].cancel()
        assert stuck[0].cancel(), "twice is as good as once"
        good = pool.submit(Job("g", "def f(x): return x", calls=["7"]))
        assert good.result(60).calls[0].value == "7"
        assert not stuck[1].done()
        assert not good.cancel(), "its result is here"
        stats = pool.stats()
        assert (stats["machine_failures"], stats["queued"]) == (0, 0)
        for future in (stuck[0], waiting):
            with pytest.raises(CancelledError):
                future.result(0)
        stuck[1].cancel()
        assert pool.run([Job("g", "def f(x): return x", calls=["8"])])[0].calls[0].value == "8"


WHEREVER = {
    "the host's copies": "b = bytearray(24 << 20)\n    while x: b[:] = b[1:] + b'a'",
    "short copies in its code": "t = [1] * 8\n    while x: t[:] = t[::-1]; t[2:5] = t[1:4]",
    "host calls": "import os\n    while x: os.stat('/tmp')",
    "writes of the host": "d = bytes(1 << 20)\n    while x: open('/tmp/a', 'wb').write(d)",
    "growing memory": "while x: [bytearray(1 << 20) for _ in range(100)]",
    "one long instruction": "n = 3 ** 300_000\n    while x: n * n",
    "handlers": "while x:\n        try: 1 / 0\n        except BaseException: pass",
}


@pytest.mark.parametrize("way", ["faults", "traps"])
def test_a_run_is_stopped_wherever_it_is(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZR_DIRTY_PAGES", way)
    with Sandbox(1, images=1, check_every=1) as pool:
        for place, body in WHEREVER.items():
            job = Job(place, f"def f(x):\n    {body}", calls=["1"], limits=FOR_EVER)
            stuck = pool.submit(job)
            while pool.stats()["queued"]:
                threading.Event().wait(0.01)
            threading.Event().wait(0.1)
            assert stuck.cancel()
            good = pool.submit(Job("g", "def f(x): return x", calls=["7"]))
            assert good.result(60).calls[0].value == "7", place
            assert stuck.cancelled(), place
        stats = pool.stats()
    assert (stats["machine_failures"], stats["restore_check_failures"]) == (0, 0)
    assert stats["full_restores"] >= len(WHEREVER)


def test_jobs_that_are_cancelled_while_others_run_lose_nothing() -> None:
    with Sandbox(2, images=1) as pool:
        endless = [pool.submit(Job("e", ENDLESS, calls=["1"], limits=FOR_EVER)) for _ in range(20)]
        good = [pool.submit(Job("g", "def f(x): return x", calls=[str(n)])) for n in range(100)]
        threads = [threading.Thread(target=future.cancel) for future in endless]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        wait(good, timeout=60)
        assert [future.result().calls[0].value for future in good] == [str(n) for n in range(100)]
        assert all(future.cancelled() for future in endless)
