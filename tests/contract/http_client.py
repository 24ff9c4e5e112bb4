"""A server with an HTTP door, in a process of its own, and requests to it."""

import http.client
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from tests.contract.numbered_jobs import FAKE

REAL = (sys.executable, "-m", "sandbox_wasm.cli", "serve")

__all__ = ["FAKE", "REAL", "HttpServing", "request"]


def request(
    url: str, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None,
    timeout_s: float = 120,
) -> tuple[int, Any]:  # fmt: skip
    """One request on a connection of its own: status, and the JSON, text or bytes of the answer."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout_s)
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    try:
        connection.request(
            method, path, data, {"Content-Type": "application/json", **(headers or {})}
        )
        answer = connection.getresponse()
        content = answer.read()
    finally:
        connection.close()
    kind = answer.headers["Content-Type"]
    if kind == "application/octet-stream":
        return answer.status, content
    return answer.status, json.loads(content) if kind == "application/json" else content.decode()


class HttpServing:
    """`with HttpServing(REAL, "--workers", "2") as server: server.post("/run_code", {...})`."""

    def __init__(self, command: tuple[str, ...], *arguments: str, env: dict | None = None) -> None:
        self._argv = [*command, "--http", "127.0.0.1:*", *arguments]
        self._env = env

    def __enter__(self) -> Self:
        self.popen = subprocess.Popen(self._argv, stderr=subprocess.PIPE, text=True, env=self._env)
        self.lines: list[str] = []
        self.endpoints: list[str] = []
        doors = 2 if "--bind" in self._argv else 1
        while len(self.endpoints) < doors:
            line = self.popen.stderr.readline()
            assert line, self.lines
            self.lines.append(line)
            if line.startswith("READY"):
                self.endpoints.append(line.split()[1])
        self.url = next(end for end in self.endpoints if end.startswith("http"))
        return self

    def __exit__(self, *_: object) -> None:
        if self.popen.returncode is None:
            self.popen.kill()
            self.popen.wait()
        self.popen.stderr.close()

    def post(self, path: str, body: Any, **headers: str) -> tuple[int, Any]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return request(self.url, "POST", path, body, named)

    def get(self, path: str, **headers: str) -> tuple[int, Any]:
        return request(self.url, "GET", path, None, headers)

    def delete(self, path: str) -> tuple[int, Any]:
        return request(self.url, "DELETE", path)

    def figure(self, name: str) -> float:
        """One figure of the metrics page."""
        lines = self.get("/metrics")[1].splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith(name))

    @property
    def memory_bytes(self) -> int:
        """Resident now."""
        status = Path(f"/proc/{self.popen.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) * 1024
