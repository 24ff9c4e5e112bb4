"""A client from its making to its end, and the server a trainer starts for itself."""

import gc
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from sandbox_wasm.client.client import SandboxClient
from sandbox_wasm.client.local_server import LocalServer, start_local_server
from sandbox_wasm.errors import SandboxUnavailable
from sandbox_wasm.types import Job
from tests.contract.numbered_jobs import (
    FAKE,
    answers,
    num_open_files,
    numbered,
    numbers,
    run_in_thread,
)
from tests.fake_sandbox import serve_in_thread

pytestmark = pytest.mark.timeout(60)


# ---------------------------------------------------------------------- a client's life


def test_closing_ends_running_calls_and_leaves_nothing_behind(fake, tmp_path):
    num_threads, num_fds = threading.active_count(), num_open_files()
    with serve_in_thread(fake, f"ipc://{tmp_path}/s") as server:
        client = SandboxClient(server.endpoint)
        client.run(numbered(3))
        thread, outcome = run_in_thread(client, numbered(20, "sleep 0.05"))
        time.sleep(0.1)
        client.close()
        client.close()
        thread.join(5)
        assert isinstance(outcome[0], SandboxUnavailable)
        with pytest.raises(SandboxUnavailable, match="closed"):
            client.run(numbered(1))
    fake.close()
    assert threading.active_count() <= num_threads
    assert num_open_files() <= num_fds


def test_a_client_nobody_closed_ends_with_its_last_reference(fake, tmp_path):
    with serve_in_thread(fake, f"ipc://{tmp_path}/s") as server:
        client = SandboxClient(server.endpoint)
        client.run(numbered(1))
        thread = client._wire.thread
        del client
        gc.collect()
        thread.join(5)
        assert not thread.is_alive()


def test_a_client_nobody_closed_does_not_hold_up_the_interpreters_end(fake, tmp_path):
    code = (
        "from sandbox_wasm.client.client import SandboxClient\n"
        "from sandbox_wasm.types import Job\n"
        f"client = SandboxClient('ipc://{tmp_path}/s')\n"
        "print(client.run([Job('a', 'echo', calls=('1',))])[0].calls[0].value)\n"
    )
    with serve_in_thread(fake, f"ipc://{tmp_path}/s"):
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", code],
            capture_output=True, text=True, timeout=20, check=False,
        )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "1\n", "")


def test_a_forked_child_is_told_to_make_its_own_client(fake, tmp_path):
    with (
        serve_in_thread(fake, f"ipc://{tmp_path}/s") as server,
        SandboxClient(server.endpoint) as client,
    ):
        client._pid += 1  # as in a child
        with pytest.raises(SandboxUnavailable, match="fork"):
            client.run(numbered(1))
        client._pid -= 1


@pytest.mark.parametrize(
    ("endpoint", "message"),
    [
        ("", "is not one of tcp://HOST:PORT or ipc:///PATH"),
        ("localhost:5555", "'localhost:5555' is not one of"),
        ("udp://localhost:5555", "is not one of"),
        ("tcp://localhost", "is not one of"),
        ("tcp://localhost:99999", r"the port must be in \[1, 65535\]"),
        ("tcp://localhost:*", r"the port must be in"),
        ("tcp://*:5555", "needs the server's host name"),
        ("ipc://relative/path", "needs an absolute path"),
        ("ipc:///" + "x" * 200, "at most 107: choose a shorter folder"),
        (5, "must be a text like"),
    ],
)
def test_a_bad_endpoint_names_the_value_and_what_is_allowed(endpoint, message):
    with pytest.raises(ValueError, match=message):
        SandboxClient([endpoint])


def test_bad_numbers_and_half_a_key_pair_are_refused():
    with pytest.raises(ValueError, match="max_outstanding must be positive, got 0"):
        SandboxClient("tcp://localhost:1", max_outstanding=0)
    with pytest.raises(ValueError, match="give at least one"):
        SandboxClient([])
    with pytest.raises(ValueError, match="belong together"):
        SandboxClient("tcp://localhost:1", server_key="x")


# ---------------------------------------------------------------------- the trainer's own server


def test_a_local_server_killed_in_mid_step_is_restarted_and_loses_nothing():
    with start_local_server(2, command=FAKE) as server, server.client(timeout_s=40) as client:
        folder = Path(server.endpoint.removeprefix("ipc://")).parent
        assert folder.stat().st_mode & 0o777 == 0o700
        thread, outcome = run_in_thread(client, numbered(500, "sleep 0.003"))
        for restarts in range(2):
            while server.num_restarts < restarts:
                time.sleep(0.01)
            time.sleep(0.2)
            os.kill(server.pid, signal.SIGKILL)
        thread.join()
        assert outcome == [numbers(500)]
        assert server.num_restarts == 2
        pid = server.pid
    assert not folder.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_local_server_that_cannot_start_is_reported_and_not_waited_for():
    began = time.monotonic()
    with pytest.raises(SandboxUnavailable, match="ended with status 2"):
        LocalServer(1, command=FAKE, arguments=["--max-queue-jobs", "0"])
    assert time.monotonic() - began < 100  # a start may take 900 s


def test_a_local_server_ends_when_its_parent_is_killed(tmp_path):
    code = (
        "import sys, time\n"
        "from sandbox_wasm.client.local_server import start_local_server\n"
        f"server = start_local_server(1, command={FAKE!r})\n"
        "print(server.pid, server.endpoint, flush=True)\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert parent.stdout is not None
    pid, endpoint = parent.stdout.readline().split()
    parent.kill()
    parent.wait()
    parent.stdout.close()
    folder = Path(endpoint.removeprefix("ipc://")).parent
    deadline = time.monotonic() + 10
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        status = Path(f"/proc/{pid}/stat").read_text().split()[2]
        if status == "Z":
            break  # ended; in a container nobody may reap it
        time.sleep(0.05)
    else:
        assert not Path(f"/proc/{pid}").exists()
    assert not folder.exists()


def test_a_socket_path_too_long_for_the_system_is_avoided(tmp_path, monkeypatch):
    long = tmp_path / ("x" * 100)
    long.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(long))
    with start_local_server(1, command=FAKE) as server:
        assert len(server.endpoint) < 107
        assert str(long) not in server.endpoint


def test_a_job_that_kills_every_server_ends_its_call_and_not_the_client():
    with LocalServer(1, command=FAKE) as server, server.client(max_attempts=2) as client:
        with pytest.raises(SandboxUnavailable, match="'poison' failed 2 times"):
            client.run([Job("poison", "die")])
        assert answers(client.run(numbered(10))) == numbers(10)
