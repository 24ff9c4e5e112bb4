"""The HTTP door itself: who is let in, what is refused, what becomes of failures and of haste."""

import base64
import contextlib
import http.client
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from sandbox_wasm.client.client import SandboxClient
from sandbox_wasm.http import bodies, visitors
from sandbox_wasm.http.options import HttpOptions
from sandbox_wasm.http.server import HttpServer
from sandbox_wasm.types import Job
from sandbox_wasm.wire.endpoints import parse_endpoint
from tests.contract.http_client import FAKE, HttpServing, request

pytestmark = pytest.mark.timeout(120)
TOKEN = "0123456789abcdef-token"


@pytest.fixture(scope="module")
def server() -> Iterator[HttpServing]:
    with HttpServing(FAKE, "--workers", "2") as serving:
        yield serving


@contextlib.contextmanager
def served_here(executor, **options) -> Iterator[str]:
    """Serve from a thread of this process, whose constants a test may change; yields the URL."""
    door = HttpServer(HttpOptions(bind=parse_endpoint("tcp://127.0.0.1:*", bind=True), **options))
    thread = threading.Thread(target=door.serve, args=(executor, 2), daemon=True)
    thread.start()
    try:
        yield door.endpoint
    finally:
        door.stop()
        thread.join()
        door.close()


def code(command: str, **fields) -> dict:
    """A request whose program is a command to the fake executor."""
    return {"code": command, "compile_timeout": 10, "run_timeout": 10, "stdin": "in", **fields}


def eventually(is_so, timeout_s: float = 60) -> None:
    until = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.05)


def settled(server: HttpServing) -> bool:
    """Whether nothing runs or waits."""
    return server.figure("azr_sandbox_running") == server.figure("azr_sandbox_queue_jobs") == 0


# ---------------------------------------------------------------- who is let in


def test_a_token_is_asked_for_in_a_header_or_in_the_url(tmp_path):
    file = tmp_path / "token"
    file.write_text(TOKEN + "\n")
    file.chmod(0o600)
    basic = base64.b64encode(f"azr:{TOKEN}".encode()).decode()
    with HttpServing(FAKE, "--token-file", str(file)) as server:
        for header, status in (
            (f"Bearer {TOKEN}", 200), (f"bearer {TOKEN}", 200), (f"Basic {basic}", 200),
            (f"Bearer {TOKEN}x", 401), ("Bearer", 401), ("Basic !", 401), (TOKEN, 401), ("", 401),
        ):  # fmt: skip
            assert server.post("/run_code", code("echo"), Authorization=header)[0] == status, header
        assert server.post("/run_code", code("echo"))[0] == 401
        assert server.get("/metrics")[0] == server.get("/sessions")[0] == 401
        assert server.get("/v1/ping") == (200, "pong")
        assert server.get("/health")[0] == 200


def serve(*arguments: str, **env: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [*FAKE, *arguments], capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, **env},
    )  # fmt: skip


def test_what_would_be_open_to_the_world_or_cannot_be_is_refused_in_one_line(tmp_path):
    (tmp_path / "short").write_text("short")
    (tmp_path / "short").chmod(0o600)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for arguments, message in (
            (["--http", "0.0.0.0:*"], "has no token: whoever connects could run programs here"),
            (["--http", "*:8080"], "--allow-insecure-public"),
            (["--http", "here"], "--http must be HOST:PORT, as in 127.0.0.1:8080"),
            (["--http", f"127.0.0.1:{port}"], f"cannot bind --http 127.0.0.1:{port}"),
            (["--http", "127.0.0.1:*", "--token-file", "/no/token"], "cannot read --token-file"),
            (["--http", "127.0.0.1:*", "--token-file", str(tmp_path / "short")],
             "holds no token: it must be 16 to 1024"),
            (["--http", "127.0.0.1:*", "--curve-secret", "x"], "are for --bind"),
            (["--bind", "tcp://127.0.0.1:*", "--token-file", "x"], "--token-file is for --http"),
            (["--bind", "tcp://127.0.0.1:*", "--mcp"], "--mcp is for --http"),
            ([], "no door: give --bind URL, --http HOST:PORT, or both"),
        ):  # fmt: skip
            done = serve(*arguments)
            assert done.returncode == 2, arguments
            lines = [line for line in done.stderr.splitlines() if "FAKE SANDBOX" not in line]
            assert len(lines) == 1, lines
            assert message in lines[0], lines
    assert "holds no token" in serve("--http", "127.0.0.1:*", AZR_SANDBOX_TOKEN="x y").stderr


def test_without_the_extra_one_line_says_what_to_install():
    program = (
        "import sys; sys.modules['uvicorn'] = None\n"
        "from sandbox_wasm.cli.main import main\n"
        "sys.exit(main(['serve', '--http', '127.0.0.1:*']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert done.stderr == (
        "azr-sandbox serve: --http needs uvicorn, which is not installed: pip install 'azr[http]'\n"
    )


# ---------------------------------------------------------------- both doors, and the end


@pytest.mark.slow
def test_both_doors_serve_one_pool_and_a_signal_drains_both(tmp_path):
    bind = ("--bind", f"ipc://{tmp_path}/s", "--workers", "2")
    with HttpServing(FAKE, *bind) as server, ThreadPoolExecutor(4) as threads:
        with SandboxClient(f"ipc://{tmp_path}/s", timeout_s=30) as client:
            assert client.run([Job("a", "echo", calls=("42",))])[0].calls[0].value == "42"
        asked = [threads.submit(server.post, "/run_code", code("sleep 3")) for _ in range(2)]
        eventually(lambda: server.figure("azr_sandbox_queue_jobs") > 0)
        server.popen.send_signal(signal.SIGTERM)
        assert [one.result()[1]["run_result"]["stdout"] for one in asked] == ["in"] * 2
        assert server.popen.wait(30) == 0


def test_the_metrics_page_has_both_doors(tmp_path):
    arguments = ("--bind", f"ipc://{tmp_path}/s", "--metrics-bind", "127.0.0.1:0")
    with HttpServing(FAKE, *arguments) as server:
        with SandboxClient(f"ipc://{tmp_path}/s", timeout_s=30) as client:
            client.run([Job("a", "echo", calls=("42",))])
        server.post("/run_code", code("echo"))
        url = next(line.split()[1] for line in server.lines if line.startswith("METRICS"))
        page = request(url.removesuffix("/metrics"), "GET", "/metrics")[1]
        assert "azr_sandbox_jobs_total 2\n" in page
        assert 'azr_sandbox_calls_total{outcome="returned"} 2\n' in page
        assert 'azr_sandbox_http_requests_total{path="/run_code",status="200"} 1\n' in page


# ---------------------------------------------------------------- failures of the machine


def test_a_machine_failure_is_never_a_verdict(server):
    run = server.post("/run_code", code("fail"))
    assert (run[0], run[1]["status"], run[1]["run_result"]) == (200, "SandboxError", None)
    assert "the fake was told to fail" in run[1]["message"]
    tests = ["assert f() == 1"]
    assert server.post("/test_program", {"program": "fail", "tests": tests})[0] == 503
    assert server.post("/execute", {"code": "fail"})[0] == 502
    asked = {"generated_code": "fail", "timeout": 1.0, "language": "python"}
    assert server.post("/execute", asked)[0] == 502


def test_a_failure_that_passes_is_not_told(server):
    body = server.post("/run_code", code("fail-once http"))[1]
    assert (body["status"], body["run_result"]["stdout"]) == ("Success", "in")


@pytest.mark.slow
def test_an_answer_comes_before_its_client_gives_up(server):
    cancelled = server.figure("azr_sandbox_cancelled_total")
    assert server.post("/execute", {"code": "sleep 4", "timeout": 0.1})[0] == 502
    asked = code("sleep 8", run_timeout=0.1, compile_timeout=0)
    assert server.post("/run_code", asked)[0] == 504
    eventually(lambda: server.figure("azr_sandbox_cancelled_total") == cancelled + 2)
    assert server.figure("azr_sandbox_http_late_total") == 2


def test_jobs_end_with_the_connection_of_who_asked_for_them(server):
    gone = server.figure("azr_sandbox_http_gone_total")
    connections = []
    for _ in range(40):
        connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=30)
        connection.request("POST", "/run_code", json.dumps(code("sleep 1")))
        connections.append(connection)
    eventually(lambda: server.figure("azr_sandbox_queue_jobs") >= 30)
    for connection in connections:
        connection.close()
    eventually(lambda: server.figure("azr_sandbox_http_gone_total") == gone + 40)
    eventually(lambda: settled(server))
    assert server.post("/run_code", code("echo"))[1]["status"] == "Success"


def test_a_full_queue_makes_requests_wait_and_loses_none():
    limits = ("--max-client-jobs", "3", "--max-queue-jobs", "3", "--workers", "2")
    with HttpServing(FAKE, *limits) as server, ThreadPoolExecutor(24) as threads:
        asked = [
            threads.submit(server.post, "/run_code", code("sleep 0.02", stdin=str(number)))
            for number in range(48)
        ]
        seen = [one.result()[1]["run_result"]["stdout"] for one in asked]
        assert seen == [str(number) for number in range(48)]
        assert server.figure("azr_sandbox_busy_total") > 0
        cells = {"type": "stdin_stdout", "input": ["1"] * 4, "output": ["1"] * 4, "fn_name": None}
        config = {"language": "python", "provided_data": {"test_cases": cells}}
        asked = {"completion": "```python\necho\n```", "config": config}
        status, body = server.post("/common_evaluate_batch", asked)
        assert status == 422
        assert "at most 3 jobs" in body["detail"][0]["msg"]


def test_workers_that_do_nothing_end_the_server_and_their_requests_hear_of_it():
    with HttpServing(FAKE, "--stall-s", "1") as server:
        body = server.post("/run_code", code("sleep 25"))[1]
        assert body["status"] == "SandboxError"
        assert "do nothing" in body["message"]
        assert server.popen.wait(30) == 1


# ---------------------------------------------------------------- bad input


PATHS = ("/run_code", "/run_jupyter", "/execute", "/test_program", "/test_program_stdio",
         "/common_evaluate_batch", "/reward")  # fmt: skip
RIGHT = {
    "/run_code": code("echo"),
    "/run_jupyter": {"cells": ["echo"], "total_timeout": 5},
    "/execute": {"code": "echo", "timeout": 3},
    "/test_program": {"program": "echo", "tests": ["assert f(1)"], "max_execution_time": 1.0},
    "/test_program_stdio": {"program": "echo", "tests": [{"input": "1", "output": "1"}]},
    "/common_evaluate_batch": {
        "completion": "```python\necho\n```",
        "config": {"language": "python", "run_timeout": 5, "extra": {"run_all_cases": True},
                   "provided_data": {"test_cases": {"type": "stdin_stdout", "input": ["1"],
                                                    "output": ["1"], "fn_name": None}}},
    },
    "/reward": {"prompt": "p", "response": "```python\necho\n```", "label": '["assert f(1)"]'},
}  # fmt: skip
ODD = (None, True, -1, 0, 2**70, 1e308, "", "x", "\0", "é\u2028", [], [[]], {}, {"a": 1},
       [None] * 50, "9" * 5000, [[[[[[1]]]]]], {"": {}})  # fmt: skip


def damaged(chance: random.Random, value: object) -> object:
    """The value with one thing in it changed: another type, a key more or less."""
    if isinstance(value, dict) and value and chance.random() < 0.8:
        key = chance.choice(list(value))
        roll = chance.random()
        if roll < 0.15:
            return {name: item for name, item in value.items() if name != key}
        if roll < 0.3:
            return {**value, chance.choice(["unknown", "", "é", key * 9]): chance.choice(ODD)}
        return {**value, key: damaged(chance, value[key])}
    if isinstance(value, list) and value and chance.random() < 0.5:
        return [*value[:-1], damaged(chance, value[-1])]
    return chance.choice(ODD)


def test_damaged_requests_are_4xx_with_a_path_and_never_stop_the_server(server):
    chance = random.Random(13)
    statuses = set()
    for _ in range(400):
        path = chance.choice(PATHS)
        asked = damaged(chance, RIGHT[path])
        status, body = server.post(path, json.dumps(asked).encode())
        assert status in (200, 400, 422), (path, asked, status, body)
        statuses.add(status)
        if status == 422:
            assert all(fault["loc"][0] == "body" and fault["msg"] for fault in body["detail"])
    assert statuses >= {200, 422}
    assert server.figure("azr_sandbox_http_requests_total") >= 400


def test_bytes_that_are_no_request_are_refused_and_memory_stays_flat(server):
    deep = b'{"code":' + b"[" * 200_000 + b"]" * 200_000 + b"}"
    bodies_ = [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"code": "\xff"}', b'{"code": "\\ud800"}',
               deep, b'{"code": "echo", "code": 1}', b"[" * 1_000_000, b'"' + b"x" * 8_000_000,
               b'{"cells": [' + b'"",' * 2_000_000 + b'""]}',
               b'{"code": "echo", "run_timeout": NaN}', b'{"code": "echo", "args": 1}']  # fmt: skip
    for number, body in enumerate(bodies_):
        for path in PATHS if len(body) < 1000 else PATHS[number % 7 :][:1]:
            status, answer = server.post(path, body)
            assert status == 422, (path, body[:40], answer)
    for body in bodies_:
        server.post("/run_code", body)
    before = server.memory_bytes
    for _ in range(3):
        for body in bodies_:
            server.post("/run_code", body)
    assert server.memory_bytes < before + 64 * 2**20


def test_a_body_of_100_megabytes_is_refused_before_it_is_read(server):
    before = server.memory_bytes
    host, port = server.url.removeprefix("http://").split(":")
    for head in (b"Content-Length: 100000000", b"Transfer-Encoding: chunked"):
        with socket.create_connection((host, int(port)), timeout=30) as peer:
            peer.sendall(b"POST /run_code HTTP/1.1\r\nHost: x\r\n" + head + b"\r\n\r\n")
            chunk = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
            with contextlib.suppress(OSError):  # it is closed in the middle
                for _ in range(100 if b"chunked" in head else 0):
                    peer.sendall(chunk)
            answer = peer.recv(4096)
            assert answer.startswith(b"HTTP/1.1 413 "), answer
            assert b"connection: close" in answer
    assert server.memory_bytes < before + 64 * 2**20


def test_what_is_not_there_or_not_allowed_is_json_too(server):
    assert server.get("/nothing") == (404, {"detail": "Not Found"})
    assert server.get("/run_code")[0] == 405
    assert server.post("/health", {})[0] == 405
    assert server.delete("/sessions/" + "x" * 5000)[0] == 404
    assert 'azr_sandbox_http_requests_total{path="other"' in server.get("/metrics")[1]


def test_slow_heads_and_slow_bodies_are_shut_out(fake, monkeypatch):
    monkeypatch.setattr(bodies, "READ_S", 0.5)
    monkeypatch.setattr(visitors, "HEAD_S", 0.5)
    with served_here(fake) as url:
        host, port = url.removeprefix("http://").split(":")
        heads = (b"", b"POST /run_code HT", b"POST /run_code HTTP/1.1\r\nHost: x\r\nA: b\r\n")
        peers = [socket.create_connection((host, int(port)), timeout=30) for _ in range(60)]
        for number, peer in enumerate(peers):
            peer.sendall(heads[number % 3])
        slow = socket.create_connection((host, int(port)), timeout=30)
        slow.sendall(b"POST /run_code HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{")
        assert request(url, "POST", "/run_code", code("echo"))[0] == 200
        assert slow.recv(4096).startswith(b"HTTP/1.1 408 ")
        for peer in peers:
            with contextlib.suppress(ConnectionResetError):
                assert peer.recv(4096) == b""
            peer.close()
        slow.close()
        assert "azr_sandbox_http_shut_out_total 60\n" in request(url, "GET", "/metrics")[1]


def test_a_head_without_end_is_shut_out(server):
    host, port = server.url.removeprefix("http://").split(":")
    with (
        socket.create_connection((host, int(port)), timeout=30) as peer,
        contextlib.suppress(OSError),
    ):
        peer.sendall(b"GET /health HTTP/1.1\r\n")
        for number in range(100_000):
            peer.sendall(b"X-%d: %s\r\n" % (number, b"y" * 900))
        pytest.fail("ninety megabytes of head were read")


# ---------------------------------------------------------------- load


def test_half_of_the_clients_vanish_and_no_answer_is_lost(server):
    def stay(number: int) -> bool:
        connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=60)
        for turn in range(10):
            asked = code("echo", stdin=f"{number}-{turn}")
            connection.request("POST", "/run_code", json.dumps(asked))
            body = json.loads(connection.getresponse().read())
            if body["run_result"]["stdout"] != f"{number}-{turn}":
                return False
        connection.close()
        return True

    def vanish(number: int) -> bool:
        connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=60)
        connection.request("POST", "/run_code", json.dumps(code("sleep 0.01")))
        time.sleep(0.001 * (number % 5))
        connection.close()
        return True

    with ThreadPoolExecutor(64) as threads:
        asked = [threads.submit((stay, vanish)[number % 2], number) for number in range(200)]
        assert all(one.result() for one in asked)
    eventually(lambda: settled(server))
    eventually(lambda: server.figure("azr_sandbox_http_connections") <= 2)
    assert server.figure("azr_sandbox_failed_total") <= 20  # of the tests above, which ask for it
