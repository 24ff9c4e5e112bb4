"""Silence of a server is the failure, never the length of its queue."""

import signal
import time

import pytest

from sandbox_wasm.client.client import SandboxClient
from sandbox_wasm.client.local_server import LocalServer
from sandbox_wasm.errors import SandboxUnavailable
from sandbox_wasm.server.stall import StallWatch
from sandbox_wasm.types import Job
from tests.contract.numbered_jobs import FAKE, answers, numbered, numbers, run_in_thread
from tests.contract.test_sandbox_serve import Serving
from tests.fake_sandbox import serve_in_thread

pytestmark = pytest.mark.timeout(90)


@pytest.mark.slow
def test_a_queue_much_longer_than_the_timeout_is_no_failure(tmp_path):
    with (
        Serving("--bind", f"ipc://{tmp_path}/s", "--workers", "1") as server,
        SandboxClient(server.endpoint, timeout_s=1.5, heartbeat_s=0.2) as client,
    ):
        threads = [run_in_thread(client, numbered(8, "sleep 0.2")) for _ in range(3)]
        one_long_job = [Job("long", "sleep 4", calls=("0",))]
        threads.append(run_in_thread(client, one_long_job))
        for thread, _ in threads:
            thread.join()
    assert [outcome for _, outcome in threads] == [[numbers(8)]] * 3 + [[["0"]]]


def test_a_deadline_of_ones_own_holds_however_alive_the_server_is(fake, tmp_path):
    with (
        serve_in_thread(fake, f"ipc://{tmp_path}/s") as server,
        SandboxClient(server.endpoint, timeout_s=60) as client,
        pytest.raises(SandboxUnavailable, match=r"20 of 20 jobs unanswered after 0\.5 s"),
    ):
        client.run(numbered(20, "sleep 1"), timeout_s=0.5)


def test_a_server_that_says_nothing_is_the_failure(tmp_path):
    with (
        Serving("--bind", f"ipc://{tmp_path}/s", "--workers", "1") as server,
        SandboxClient(server.endpoint, timeout_s=2, heartbeat_s=0.2, liveness_s=30) as client,
    ):
        thread, outcome = run_in_thread(client, numbered(100, "sleep 0.2"))
        time.sleep(1)
        server.popen.send_signal(signal.SIGSTOP)
        thread.join(30)
        server.popen.send_signal(signal.SIGCONT)
    (error,) = outcome
    assert isinstance(error, SandboxUnavailable)
    assert "no sign of life from any server for 2 s" in str(error)


def test_a_client_that_was_stopped_itself_does_not_blame_the_server(tmp_path):
    """Its own pause is no silence of the server."""
    with LocalServer(1, command=FAKE) as server, server.client(timeout_s=3) as client:
        client._wire._turn_at -= 100
        client._wire.links[0].heard_at -= 100
        assert answers(client.run(numbered(5, "sleep 0.1"))) == numbers(5)


def test_workers_that_do_nothing_end_their_server_and_fail_its_jobs(tmp_path):
    with (
        Serving("--bind", f"ipc://{tmp_path}/s", "--workers", "1", "--stall-s", "1") as server,
        SandboxClient(server.endpoint, timeout_s=60, max_attempts=1) as client,
    ):
        with pytest.raises(SandboxUnavailable, match="done nothing for 1 s"):
            client.run(numbered(3, "sleep 60"))
        assert server.popen.wait(20) == 1
        assert "azr-sandbox serve: " in server.popen.stderr.read()


@pytest.mark.parametrize(
    ("num_running", "num_finished", "cpu_s", "is_stuck"),
    [(1, 0, 0.0, True), (0, 0, 0.0, False), (1, 1, 0.0, False), (1, 0, 0.01, False)],
    ids=["idle", "nothing to do", "jobs end", "a long job computes"],
)
def test_only_idle_workers_with_jobs_are_stuck(num_running, num_finished, cpu_s, is_stuck):
    used = iter(range(1000))
    watch = StallWatch(0.2, lambda: next(used) * cpu_s)
    seen = []
    for _ in range(30):
        time.sleep(0.01)
        seen.append(watch.is_stuck(num_running, num_finished))
    assert any(seen) is is_stuck


def test_a_pause_of_the_whole_process_is_no_stall():
    watch = StallWatch(30, lambda: 0.0)
    watch.is_stuck(1, 0)
    watch._looked_at -= 3600
    assert not watch.is_stuck(1, 0)
