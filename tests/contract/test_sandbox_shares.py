"""Worker time is shared between clients, however long a job runs; real guests, one worker."""

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zmq

from sandbox_wasm import BadJob, Job, Limits, Outcome, Sandbox, SandboxClient
from sandbox_wasm.http.desk import Desk
from sandbox_wasm.server import queues
from sandbox_wasm.server.metrics import ServerCounters
from sandbox_wasm.server.queues import QueueLimits
from sandbox_wasm.sessions.session import turn_job
from tests.contract.test_sandbox_wire import Peer, wire_job
from tests.fake_sandbox import serve_in_thread

pytestmark = [pytest.mark.guest, pytest.mark.timeout(240)]

ENDLESS = "def f():\n    while True: pass"
HOUR = Limits(fuel=10**13)
SMALL = Job("small", "def f(x):\n    return x + 1", calls=("41",))


@pytest.fixture(scope="module")
def pool() -> Iterator[Sandbox]:
    with Sandbox(workers=1, images=1) as sandbox:
        yield sandbox


def wait_until(is_so: Callable[[], bool], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_jobs_that_run_for_an_hour_do_not_keep_others_waiting(
    pool: Sandbox, tmp_path: Path
) -> None:
    bind = f"ipc://{tmp_path}/s"
    with serve_in_thread(pool, bind, workers=1) as server, SandboxClient(bind) as heavy, \
            SandboxClient(bind) as light:  # fmt: skip
        light.wait_ready()
        jobs = [Job(str(n), ENDLESS, calls=("",), limits=HOUR) for n in range(3)]
        futures = [heavy.submit(job) for job in jobs]
        wait_until(lambda: server.counters.running > 0)
        for _ in range(2):
            [result] = light.run([SMALL], timeout_s=60)
            assert result.calls[0].value == "42"
        assert server.counters.gave_way > 0
        assert not any(future.done() for future in futures)
        assert [future.cancel() for future in futures] == [True] * 3
        wait_until(lambda: server.counters.queue_jobs + server.counters.running == 0)


def test_a_job_that_gave_way_ends_as_if_it_had_not(
    pool: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It begins again, with a slice twice as long."""
    monkeypatch.setattr(queues, "SLICE_S", 0.3)
    monkeypatch.setattr(queues, "PATIENCE_S", 0.2)
    bind = f"ipc://{tmp_path}/s"
    source = "def f():\n    for i in range(20_000_000): pass\n    return i"
    job = Job("1", source, calls=("",), limits=HOUR)
    with serve_in_thread(pool, bind, workers=1) as server, SandboxClient(bind) as heavy, \
            SandboxClient(bind) as light:  # fmt: skip
        light.wait_ready()
        future = heavy.submit(job)
        wait_until(lambda: server.counters.running > 0)
        while not server.counters.gave_way and not future.done():
            light.run([SMALL], timeout_s=60)
        assert server.counters.gave_way > 0
        call = future.result(timeout=120).calls[0]
    assert (call.outcome, call.value) == (Outcome.RETURNED, "19999999")
    assert [call] == list(pool.run([job])[0].calls)


def test_over_http_hosts_share_a_worker_too(pool: Sandbox) -> None:
    counters = ServerCounters()

    async def tend(desk: Desk) -> None:
        while True:
            await asyncio.sleep(0.1)
            desk.tend()

    async def run() -> None:
        desk = Desk(pool, 1, QueueLimits(), counters)
        tending = asyncio.create_task(tend(desk))
        job = Job("1", ENDLESS, calls=("",), limits=HOUR)
        heavy = asyncio.create_task(desk.run("one", [job]))
        await asyncio.sleep(0.1)
        [result] = await asyncio.wait_for(desk.run("other", [SMALL]), 60)
        assert result.calls[0].value == "42"
        assert not heavy.done()
        heavy.cancel()
        with pytest.raises(BadJob, match=f"limits.fuel is {10**13 + 1}, at most {10**13} here"):
            await desk.run("one", [Job("1", ENDLESS, calls=("",), limits=Limits(fuel=10**13 + 1))])
        tending.cancel()

    asyncio.run(run())
    assert counters.gave_way == 1


def test_a_turn_that_ended_when_nobody_waited_over_http_leaves_no_state(pool: Sandbox) -> None:
    async def run() -> None:
        desk = Desk(pool, 1, QueueLimits(), ServerCounters())
        asking = asyncio.create_task(desk.run("one", [turn_job("", "x = 1")]))
        await asyncio.sleep(0)  # it has asked
        wait_until(lambda: pool.stats()["sessions"] == 1)  # it has ended, and the desk has not seen
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await desk.run("one", [SMALL])

    asyncio.run(run())
    assert pool.stats()["sessions"] == 0


def test_the_running_job_of_a_client_that_vanished_ends_at_once(
    pool: Sandbox, tmp_path: Path
) -> None:
    """It would have an hour, and a client may be silent for a minute."""
    bind = f"ipc://{tmp_path}/s"
    context = zmq.Context()
    with serve_in_thread(pool, bind, workers=1) as server:
        peer = Peer(context, bind)
        peer.send("jobs", [wire_job(1, source=ENDLESS, calls=[""], limits=[10**13, 2**28, 99])])
        wait_until(lambda: server.counters.running == 1)
        peer.socket.close(linger=0)
        wait_until(lambda: server.counters.running == server.counters.clients == 0, seconds=30)
        assert server.counters.cancelled == 1
        with SandboxClient(bind) as client:
            assert client.run([SMALL], timeout_s=30)[0].calls[0].value == "42"
    context.term()
