"""What breaks, and what must happen then: nothing lost, nothing doubled, nothing scored."""

import asyncio
import signal
import subprocess
import threading
import time
from collections.abc import Iterator

import pytest
import zmq

from sandbox_wasm.client.client import SandboxClient
from sandbox_wasm.errors import BadJob, ProtocolError, SandboxUnavailable
from sandbox_wasm.types import Job
from sandbox_wasm.wire import protocol
from tests.contract.numbered_jobs import FAKE, answers, numbered, numbers, run_in_thread
from tests.fake_sandbox import serve_in_thread

pytestmark = pytest.mark.timeout(60)


class Process:
    """A served fake in a process of its own."""

    def __init__(self, endpoint: str, *arguments: str) -> None:
        self.endpoint = endpoint
        self._argv = [*FAKE, "--bind", endpoint, "--workers", "2", *arguments]
        self.start()

    def start(self) -> None:
        self.popen = subprocess.Popen(self._argv, stderr=subprocess.PIPE, text=True)
        assert self.popen.stderr is not None
        while not (line := self.popen.stderr.readline()).startswith("READY"):
            assert line, f"ended with {self.popen.wait()}"
        self.endpoint = line.split()[1]

    def kill(self) -> None:
        self.popen.kill()
        self.end()

    def end(self) -> int:
        assert self.popen.stderr is not None
        status = self.popen.wait(20)
        self.popen.stderr.close()
        return status


@pytest.fixture
def spawn(tmp_path) -> Iterator:
    started: list[Process] = []

    def spawn(*arguments: str, name: str = "s", endpoint: str | None = None) -> Process:
        started.append(Process(endpoint or f"ipc://{tmp_path}/{name}", *arguments))
        return started[-1]

    yield spawn
    for process in started:
        if process.popen.returncode is None:
            process.kill()


# ---------------------------------------------------------------------- dying servers


def test_a_server_killed_in_mid_batch_and_started_again_loses_and_doubles_nothing(spawn):
    server = spawn()
    delivered: list[str] = []
    with SandboxClient(server.endpoint, timeout_s=40) as client:
        jobs = numbered(600, "sleep 0.002")
        for i, (_, result) in enumerate(client.stream(jobs)):
            delivered.append(result.id)
            if i == 100:
                server.kill()
                server.start()
        assert client.stats()["resent"] > 0
    assert sorted(delivered) == sorted(job.id for job in jobs)


def test_a_killed_servers_jobs_go_to_the_others(spawn):
    servers = [spawn(name=f"s{i}") for i in range(3)]
    with SandboxClient([server.endpoint for server in servers], timeout_s=40) as client:
        thread, outcome = run_in_thread(client, numbered(900, "sleep 0.005"))
        time.sleep(0.3)
        servers[0].kill()
        servers[1].popen.send_signal(signal.SIGTERM)
        thread.join()
        assert servers[1].end() == 0
    assert outcome == [numbers(900)]


def test_a_frozen_server_is_given_up_for_another(spawn):
    servers = [spawn(name=f"s{i}") for i in range(2)]
    endpoints = [server.endpoint for server in servers]
    with SandboxClient(endpoints, timeout_s=40, heartbeat_s=0.1, liveness_s=0.5) as client:
        thread, outcome = run_in_thread(client, numbered(200, "sleep 0.01"))
        time.sleep(0.2)
        servers[0].popen.send_signal(signal.SIGSTOP)
        thread.join()
        assert outcome == [numbers(200)]
        servers[0].popen.send_signal(signal.SIGCONT)
        assert answers(client.run(numbered(100))) == numbers(100)


def test_work_is_shared_by_the_servers(spawn):
    servers = [spawn(name=f"s{i}") for i in range(2)]
    with SandboxClient([server.endpoint for server in servers], timeout_s=40) as client:
        client.wait_ready()
        while len(client.servers()) < 2:
            time.sleep(0.01)
        began = time.monotonic()
        client.run(numbered(160, "sleep 0.05"))
        assert time.monotonic() - began < 3.8  # one server with its two workers needs 4 s


def test_no_server_at_all_is_unavailable_at_the_deadline_and_says_which(tmp_path):
    with SandboxClient(f"ipc://{tmp_path}/nobody", timeout_s=0.3) as client:
        began = time.monotonic()
        with pytest.raises(
            SandboxUnavailable,
            match=r"2 of 2 jobs unanswered and no sign of life .* 0\.3 s.*nobody",
        ):
            client.run(numbered(2))
        assert 0.3 <= time.monotonic() - began < 20
        with pytest.raises(SandboxUnavailable, match="no server ready"):
            client.wait_ready(0.1)


def test_a_job_that_passes_its_deadline_is_unavailable_and_cancelled(fake, tmp_path):
    with (
        serve_in_thread(fake, f"ipc://{tmp_path}/s") as server,
        SandboxClient(server.endpoint, timeout_s=30) as client,
    ):
        with pytest.raises(SandboxUnavailable, match=r"unanswered after 0\.3 s"):
            client.run(numbered(50, "sleep 0.1"), timeout_s=0.3)
        time.sleep(0.3)
        assert server.counters.cancelled > 30
        assert answers(client.run(numbered(5))) == numbers(5)


def test_a_cancelled_task_cancels_its_jobs(fake, tmp_path):
    with (
        serve_in_thread(fake, f"ipc://{tmp_path}/s") as server,
        SandboxClient(server.endpoint, timeout_s=30) as client,
    ):

        async def main() -> None:
            task = asyncio.create_task(client.arun(numbered(50, "sleep 0.1")))
            await asyncio.sleep(0.3)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await asyncio.sleep(0.3)
            assert server.counters.cancelled > 30
            assert answers(await client.arun(numbered(5))) == numbers(5)

        asyncio.run(main())


def test_a_machine_failure_is_tried_again_and_then_raised(fake, tmp_path):
    with (
        serve_in_thread(fake, f"ipc://{tmp_path}/s") as server,
        SandboxClient(server.endpoint, timeout_s=30, max_attempts=3) as client,
    ):
        assert answers(client.run([Job("a", "fail-once k", calls=("1",))])) == ["1"]
        assert server.counters.failed == 1
        with pytest.raises(SandboxUnavailable, match=r"'b' failed 3 times.*told to fail"):
            client.run([Job("b", "fail")])
        assert server.counters.failed == 4
        assert answers(client.run(numbered(3))) == numbers(3)


def test_a_machine_failure_is_tried_elsewhere(fake, tmp_path):
    class Broken:
        def submit(self, job):
            raise SandboxUnavailable("no workers left")

        def tend(self):
            pass

        def stats(self):
            return {}

    with (
        serve_in_thread(Broken(), f"ipc://{tmp_path}/broken") as broken,
        serve_in_thread(fake, f"ipc://{tmp_path}/s") as server,
        SandboxClient([broken.endpoint, server.endpoint], timeout_s=30) as client,
    ):
        assert answers(client.run(numbered(300))) == numbers(300)


def test_a_rejected_job_is_bad_and_the_next_call_is_served(fake, tmp_path):
    with (
        serve_in_thread(fake, f"ipc://{tmp_path}/s") as server,
        SandboxClient(server.endpoint, timeout_s=30) as client,
    ):
        with pytest.raises(BadJob, match=r"job 'r'.*told to reject"):
            client.run([*numbered(3), Job("r", "reject")])
        assert answers(client.run(numbered(3))) == numbers(3)


def test_another_protocol_version_is_a_protocol_error_at_once(tmp_path):
    other = protocol.PROTOCOL_VERSION + 1
    context = zmq.Context()
    router = context.socket(zmq.ROUTER)
    router.bind(f"ipc://{tmp_path}/old")

    def answer() -> None:
        identity, _ = router.recv_multipart()
        frame = bytearray(protocol.pack(protocol.Kind.ERROR, "version", f"only {other} here"))
        frame[1] = other
        router.send_multipart([identity, bytes(frame)])

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        with SandboxClient(f"ipc://{tmp_path}/old", timeout_s=30) as client:
            began = time.monotonic()
            with pytest.raises(ProtocolError, match=f"protocol version {other} is not spoken here"):
                client.run(numbered(1))
            with pytest.raises(ProtocolError):
                client.wait_ready()
            assert time.monotonic() - began < 25  # not the timeout
    finally:
        thread.join()
        router.close(linger=0)
        context.term()
