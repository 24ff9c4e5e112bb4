"""Odd requests at every kind of door: an answer that names what is wrong, and a server that lives.

What is damaged at random, too long or too slow: test_http_door.py.
"""

import contextlib
import json
import socket
from collections.abc import Generator, Iterator

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.contract.http_client import FAKE, HttpServing

pytestmark = pytest.mark.slow
LONG = "x" * (8 * 2**20 + 1)
"""Longer than any text of a job."""
GRADED = {"provided_data": {"test_cases": {
    "type": "stdin_stdout", "input": [LONG], "output": ["1"], "fn_name": None}}}  # fmt: skip
TOO_LONG = {
    "/run_code": {"code": "echo", "stdin": LONG},
    "/run_jupyter": {"cells": [LONG]},
    "/execute": {"generated_code": "echo", "language": "python", "std_input": LONG},
    "/test_program": {"program": "echo", "tests": [LONG]},
    "/test_program_stdio": {"program": "echo", "tests": [{"input": LONG, "output": "1"}]},
    "/common_evaluate_batch": {
        "completion": "```python\necho\n```", "config": {"language": "python", **GRADED},
    },
    "/reward": {"prompt": "p", "response": "```python\necho\n```", "label": LONG},
}  # fmt: skip


@pytest.fixture(scope="module")
def server() -> Iterator[HttpServing]:
    with HttpServing(FAKE) as serving:
        yield serving
        assert serving.get("/health") == (200, {"status": "healthy"})


@pytest.mark.parametrize("path", TOO_LONG)
def test_what_is_too_long_for_a_job_is_a_422_that_says_so(server: HttpServing, path: str) -> None:
    status, body = server.post(path, TOO_LONG[path])
    assert status == 422, (status, str(body)[:300])
    assert all(fault["loc"][0] == "body" and fault["msg"] for fault in body["detail"])
    assert len(json.dumps(body)) < 2000


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: -1", b"Content-Length: 1e3", b"Content-Length: 1\r\nContent-Length: 2",
        b"Content-Length: " + b"9" * 400, b"Transfer-Encoding: gzip, chunked",
        b"Transfer-Encoding: chunked\r\nContent-Length: 3", b"Expect: 100-continue",
        b"Content-Encoding: gzip\r\nContent-Length: 1",
        b"Upgrade: websocket\r\nConnection: Upgrade",
        b"X-Session-ID: \xff\xfe\r\nContent-Length: 2", b"X: " + b"y" * 100_000, b"\0: a", b": a",
        b"Authorization: Bearer " + b"z" * 9000 + b"\r\nContent-Length: 2",
    ],
)  # fmt: skip
def test_odd_heads_are_4xx_or_shut_out(server: HttpServing, head: bytes) -> None:
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=60) as peer:
        peer.sendall(b"POST /run_code HTTP/1.1\r\nHost: x\r\n" + head + b"\r\n\r\n{}")
        with contextlib.suppress(OSError):
            peer.shutdown(socket.SHUT_WR)
        answer = b""
        with contextlib.suppress(ConnectionResetError):
            answer = peer.recv(4096)
    assert answer == b"" or answer.startswith((b"HTTP/1.1 4", b"HTTP/1.1 100 ")), answer


@pytest.mark.parametrize(
    "chunk", [b"zz\r\n", b"-5\r\n", b"1;" + b"e" * 200_000, b"f" * 40 + b"\r\n", b"3\r\nabcdef\r\n"]
)
def test_chunks_that_are_none_are_4xx_or_shut_out(server: HttpServing, chunk: bytes) -> None:
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=60) as peer:
        peer.sendall(b"POST /run_code HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        with contextlib.suppress(OSError):
            peer.sendall(chunk)
            peer.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionResetError):
            answer = peer.recv(4096)
            assert answer == b"" or answer.startswith(b"HTTP/1.1 4"), answer


@contextlib.contextmanager
def environment(server: HttpServing) -> Generator[ClientConnection]:
    address = server.url.replace("http", "ws") + "/ws"
    with connect(address, max_size=None, open_timeout=60, close_timeout=60) as peer:
        yield peer


def test_odd_messages_of_an_environment_are_errors_and_it_goes_on(server: HttpServing) -> None:
    odd: list[str | bytes] = [
        "", "{", "null", "[]", "7", "[" * 100_000, b"\xff\xfe", b"", b"{}", "\0", '"\\ud800"',
        '{"type": "step"}', '{"type": 1}', '{"type": "step", "data": {"code": 1}}',
        '{"type": "reset", "unknown": 1}', '{"type": "step", "data": {"code": "\\ud800"}}',
    ]  # fmt: skip
    with environment(server) as peer:
        for message in odd:
            peer.send(message)
            answer = json.loads(peer.recv(60))
            assert answer["type"] == "error", (message[:50], answer)
            assert len(answer["data"]["message"]) < 2000
        peer.send(b'{"type": "state"}')
        assert json.loads(peer.recv(60))["data"]["step_count"] == 0


def test_a_message_that_is_too_long_ends_its_connection_alone(server: HttpServing) -> None:
    before = server.memory_bytes
    with environment(server) as other:
        for _ in range(3):
            with environment(server) as peer:
                with contextlib.suppress(ConnectionClosed):  # it may be, before all is sent
                    peer.send("x" * (40 * 2**20))
                with pytest.raises(ConnectionClosed):
                    peer.recv(60)
        other.send('{"type": "state"}')
        assert json.loads(other.recv(60))["type"] == "state"
    assert server.memory_bytes < before + 64 * 2**20
