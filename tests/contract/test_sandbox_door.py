"""Strangers at the door: no key, no handshake, no hello, no manners. Others are served."""

import logging
import os
import socket
import subprocess
import threading
import time
from pathlib import Path

import msgpack
import pytest
import zmq

from sandbox_wasm.client.client import SandboxClient
from sandbox_wasm.errors import SandboxUnavailable
from sandbox_wasm.server import doorkeeper, intake
from sandbox_wasm.server import loop as broker
from sandbox_wasm.server.quiet_log import LINES, LINES_PER_PEER, QuietLog
from sandbox_wasm.server.serve import Server, ServerOptions
from sandbox_wasm.wire import protocol
from sandbox_wasm.wire.endpoints import parse_endpoint
from sandbox_wasm.wire.protocol import PROTOCOL_VERSION, Kind
from tests.contract.numbered_jobs import FAKE, answers, numbered, numbers
from tests.contract.test_sandbox_serve import Serving, ask, keys
from tests.fake_sandbox import serve_in_thread

pytestmark = pytest.mark.timeout(120)


def wait_until(is_so, seconds: float = 30) -> bool:
    deadline = time.monotonic() + seconds
    while not is_so() and time.monotonic() < deadline:
        time.sleep(0.05)
    return is_so()


# ---------------------------------------------------------------------- keys


@pytest.fixture
def guarded(tmp_path):
    folder = tmp_path / "keys"
    assert keys(folder) == 0
    assert keys(folder, "--client", "late") == 0
    with Serving(
        "--bind", "tcp://127.0.0.1:*", "--curve-secret", str(folder / "server.key_secret"),
        "--curve-allow", str(folder / "allow"),
    ) as server:  # fmt: skip
        yield server, folder


def client_of(folder, name: str) -> dict:
    return {"server_key": folder / "server.key", "client_key": folder / f"{name}.key_secret"}


def break_text(path):
    path.write_text("nothing here")


def break_half(path):
    path.write_text((path.parent / "client.key").read_text()[:-30])


def break_bytes(path):
    path.write_bytes(b"\xff\xfe" * 100)


def break_folder(path):
    path.mkdir()


def break_loop(path):
    path.symlink_to(path.name)


def break_dangling(path):
    path.symlink_to("nowhere")


def break_fifo(path):
    os.mkfifo(path)


def break_huge(path):
    path.write_bytes(b"#" * 1_000_000)


@pytest.mark.slow
@pytest.mark.parametrize(
    "damage",
    [break_text, break_half, break_bytes, break_folder, break_loop, break_dangling, break_fifo,
     break_huge],
)  # fmt: skip
def test_a_key_file_that_cannot_be_used_changes_nothing_and_is_told_once(guarded, damage):
    server, folder = guarded
    damage(folder / "allow" / "broken.key")
    assert ask(server.endpoint, **client_of(folder, "client"), timeout_s=20) == "42"
    (folder / "allow" / "late.key").unlink()
    for _ in range(2):
        with pytest.raises(SandboxUnavailable):
            ask(server.endpoint, **client_of(folder, "late"), timeout_s=1.0)
    assert ask(server.endpoint, **client_of(folder, "client"), timeout_s=20) == "42"
    server.popen.kill()
    lines = [line for line in server.popen.stderr.read().split("\n") if "key_not_read" in line]
    assert len(lines) == 1
    assert "broken.key" in lines[0]


@pytest.mark.parametrize("way", ["removed", "a file", "moved"])
def test_without_the_folder_nobody_is_let_in_and_it_is_told(guarded, way):
    server, folder = guarded
    assert ask(server.endpoint, **client_of(folder, "client"), timeout_s=20) == "42"
    (folder / "allow").rename(folder / "gone")
    if way == "a file":
        (folder / "allow").write_text("")
    with pytest.raises(SandboxUnavailable):
        ask(server.endpoint, **client_of(folder, "client"), timeout_s=1.0)
    if way == "moved":
        (folder / "gone").rename(folder / "allow")
        assert ask(server.endpoint, **client_of(folder, "client"), timeout_s=20) == "42"
    server.popen.kill()
    assert server.popen.stderr.read().count("event=keys_not_read") == 1


@pytest.mark.slow
def test_a_withdrawn_key_ends_a_connection_that_exists(guarded):
    server, folder = guarded
    with (
        SandboxClient(server.endpoint, **client_of(folder, "late"), timeout_s=3) as late,
        SandboxClient(server.endpoint, **client_of(folder, "client"), timeout_s=20) as client,
    ):
        assert answers(late.run(numbered(2))) == numbers(2)
        (folder / "allow" / "late.key").unlink()
        time.sleep(2.5)  # the folder is read every second
        with pytest.raises(SandboxUnavailable):
            late.run(numbered(2))
        assert answers(client.run(numbered(2))) == numbers(2)


# ---------------------------------------------------------------------- handshakes

SPOKEN = {
    "http": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
    "nothing": b"",
    "zmtp 1": b"\x01\x00",
    "half a greeting": b"\xff\x00\x00\x00\x00\x00\x00\x00\x01\x7f\x03",
    "a greeting and no more": b"\xff" + bytes(8) + b"\x7f\x03\x00NULL" + bytes(48),
    "ssh": b"SSH-2.0-x\r\n",
}


@pytest.mark.slow
def test_peers_that_shake_no_hands_are_shut_out_within_seconds(fake):
    with serve_in_thread(fake, "tcp://127.0.0.1:*") as server:
        port = int(server.endpoint.rsplit(":", 1)[1])
        strangers = []
        for text in SPOKEN.values():
            strangers.append(socket.create_connection(("127.0.0.1", port)))
            strangers[-1].sendall(text)
        with SandboxClient(server.endpoint, timeout_s=30) as client:
            assert answers(client.run(numbered(20))) == numbers(20)
            until = time.monotonic() + 6 * doorkeeper.HANDSHAKE_S
            for name, stranger in zip(SPOKEN, strangers, strict=True):
                assert is_shut(stranger, until - time.monotonic()), name
            assert answers(client.run(numbered(20))) == numbers(20)
            assert client.stats()["resent"] == 0


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["tcp", "ipc"])
def test_a_client_stays_however_long_its_jobs_run(fake, tmp_path, scheme):
    bind = "tcp://127.0.0.1:*" if scheme == "tcp" else f"ipc://{tmp_path}/s"
    with serve_in_thread(fake, bind) as server:
        server._doorkeeper._handshake_s = 0.3
        with SandboxClient(server.endpoint, timeout_s=30) as client:
            assert answers(client.run(numbered(2, "sleep 2"))) == numbers(2)
            time.sleep(1)
            assert answers(client.run(numbered(2, "sleep 1"))) == numbers(2)
            assert client.stats()["resent"] == 0
            assert server._doorkeeper.num_shut == 0


def is_shut(stranger: socket.socket, seconds: float) -> bool:
    """Read to the end of the connection."""
    stranger.settimeout(max(seconds, 0.1))
    try:
        while stranger.recv(4096):
            pass
    except ConnectionError:
        pass
    except TimeoutError:
        return False
    finally:
        stranger.close()
    return True


@pytest.mark.slow
def test_when_strangers_hold_the_descriptors_a_client_still_gets_in(tmp_path):
    """200 strangers at a server that may open 128 files."""
    limited = ["sh", "-c", 'ulimit -n 128; exec "$@"', "sh"]
    process = subprocess.Popen(
        [*limited, *FAKE, "--bind", "tcp://127.0.0.1:*"], stderr=subprocess.PIPE, text=True
    )
    strangers = []
    try:
        while not (line := process.stderr.readline()).startswith("READY"):
            assert line
        endpoint = line.split()[1]
        port = int(endpoint.rsplit(":", 1)[1])
        for _ in range(200):
            strangers.append(socket.create_connection(("127.0.0.1", port)))
            strangers[-1].sendall(SPOKEN["http"])
        assert ask(endpoint, timeout_s=200) == "42"
    finally:
        for stranger in strangers:
            stranger.close()
        process.kill()
        process.wait()
        process.stderr.close()


@pytest.mark.parametrize("scheme", ["tcp", "ipc"])
def test_while_the_server_starts_who_comes_takes_no_descriptor_and_waits(fake, tmp_path, scheme):
    bind = "tcp://127.0.0.1:*" if scheme == "tcp" else f"ipc://{tmp_path}/s"
    server = Server(ServerOptions(bind=parse_endpoint(bind, bind=True)))
    num_before = num_descriptors()
    strangers = [connection_to(server.endpoint) for _ in range(40)]
    time.sleep(0.3)
    assert num_descriptors() == num_before + len(strangers)  # our ends only
    client = threading.Thread(target=lambda: heard.append(ask(server.endpoint, timeout_s=60)))
    heard: list[str | None] = []
    client.start()
    serving = threading.Thread(target=server.serve, args=(fake, 1))
    serving.start()
    client.join()
    for stranger in strangers:
        stranger.close()
    server.stop()
    serving.join()
    server.close()
    assert heard == ["42"]


def num_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def connection_to(endpoint: str) -> socket.socket:
    if endpoint.startswith("ipc://"):
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(endpoint.removeprefix("ipc://"))
        return connection
    return socket.create_connection(("127.0.0.1", int(endpoint.rsplit(":", 1)[1])))


def test_an_interface_is_an_address(fake):
    with serve_in_thread(fake, "tcp://lo:*", allow_insecure_public=True) as server:
        assert server.endpoint.startswith("tcp://127.0.0.1:")
        assert ask(server.endpoint, timeout_s=20) == "42"


# ---------------------------------------------------------------------- floods


def flood(server, frame: bytes, is_over: threading.Event, hello: bool) -> threading.Thread:
    def run() -> None:
        context = zmq.Context()
        peer = context.socket(zmq.DEALER)
        peer.linger, peer.sndtimeo, peer.sndhwm = 0, 200, 2
        peer.connect(server.endpoint)
        if hello:
            peer.send(protocol.pack(Kind.HELLO, "flood"))
        while not is_over.is_set():
            try:
                peer.send(frame)
            except zmq.Again:
                continue
        peer.close()
        context.term()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


SMALL_ARRAYS = msgpack.packb((PROTOCOL_VERSION, "jobs", ((((),) * 8000,) * 500,)))
"""4 MB of empty arrays: valid msgpack, no array longer than is allowed."""


@pytest.mark.parametrize("hello", [False, True], ids=["strangers", "clients"])
def test_frames_that_cost_much_to_read_are_not_read_for_long(fake, tmp_path, hello):
    is_over = threading.Event()
    with (
        serve_in_thread(fake, f"ipc://{tmp_path}/s") as server,
        SandboxClient(server.endpoint, timeout_s=60) as client,
    ):
        client.wait_ready()
        threads = [flood(server, SMALL_ARRAYS, is_over, hello) for _ in range(3)]
        try:
            assert wait_until(lambda: server.counters.muted >= 20)
            for _ in range(20):
                assert answers(client.run(numbered(3), timeout_s=20)) == numbers(3)
        finally:
            is_over.set()
            for thread in threads:
                thread.join()
        # One of each was looked at, and a stranger's not decoded even then.
        assert server.counters.malformed <= (3 if hello else 0)
        assert client.stats()["resent"] == 0


def test_a_turn_reads_so_many_bytes_and_then_feeds_the_workers(fake, tmp_path, monkeypatch):
    sizes = []
    take = broker.Broker._take
    receive = broker.Broker._receive

    def counted(self):
        sizes.append(0)
        receive(self)

    def measured(self, identity, frames):
        sizes[-1] += sum(map(len, frames))
        take(self, identity, frames)

    monkeypatch.setattr(broker.Broker, "_receive", counted)
    monkeypatch.setattr(broker.Broker, "_take", measured)
    is_over = threading.Event()
    with serve_in_thread(fake, f"ipc://{tmp_path}/s") as server:
        threads = [flood(server, b"x" * 1_000_000, is_over, hello=False) for _ in range(3)]
        wait_until(lambda: server.counters.frames > 50)
        is_over.set()
        for thread in threads:
            thread.join()
    assert max(sizes) <= intake.MAX_RECEIVED_BYTES_PER_TURN + 1_000_100


def test_a_peer_that_provokes_log_lines_gets_a_few(fake, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    with serve_in_thread(fake, f"ipc://{tmp_path}/s") as server:
        context = zmq.Context()
        peers = [context.socket(zmq.DEALER) for _ in range(30)]
        for peer in peers:
            peer.linger = 0
            peer.connect(server.endpoint)
        for _ in range(40):
            for peer in peers:
                peer.send(b"\xc1broken")
        assert wait_until(lambda: server.counters.frames >= 1200)
        for peer in peers:
            peer.close()
        context.term()
    assert server.counters.frames >= 1200
    assert len([r for r in caplog.records if r.name == "sandbox_wasm.server.loop"]) <= LINES + 1


def test_what_is_left_out_of_the_log_is_counted(caplog):
    caplog.set_level(logging.INFO)
    quiet = QuietLog(logging.getLogger("test"), period_s=0.2)
    for number in range(20):
        quiet.write(logging.WARNING, "peer", "line %d", number)
    quiet.write(logging.WARNING, "another", "its line")
    assert len(caplog.records) == LINES_PER_PEER + 1
    time.sleep(0.25)
    quiet.tend(time.monotonic())
    assert "event=lines_suppressed count=15" in caplog.messages[-1]
    for number in range(1000):
        quiet.write(logging.WARNING, number, "line")
    assert len(caplog.records) <= LINES_PER_PEER + 2 + LINES
