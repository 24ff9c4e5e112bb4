"""A Hugging Face hub of data sets on this machine: real HTTP, for the real client."""

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

__all__ = ["COMMIT", "FakeHub", "serving"]

COMMIT = "c0ffee" * 6 + "c0ff"
"""What `main` is."""


@dataclass(slots=True)
class FakeHub:
    """Files by the data set's name and their own."""

    repos: dict[str, dict[str, bytes]] = field(default_factory=dict[str, dict[str, bytes]])
    gated: set[str] = field(default_factory=set[str])
    requests: list[str] = field(default_factory=list[str])
    url: str = ""

    def add(self, repo: str, files: Mapping[str, bytes]) -> None:
        self.repos[repo] = dict(files)


@contextmanager
def serving(hub: FakeHub) -> Iterator[FakeHub]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.answer(with_body=True)

        def do_HEAD(self) -> None:
            self.answer(with_body=False)

        def log_message(self, format: str, *args: object) -> None:
            pass

        def answer(self, *, with_body: bool) -> None:
            path = self.path.partition("?")[0].lstrip("/")
            hub.requests.append(path)
            status, headers, body = reply(hub, path)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if with_body:
                self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    hub.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def reply(hub: FakeHub, path: str) -> tuple[int, dict[str, str], bytes]:
    words = path.removeprefix("api/").split("/")
    repo, rest = "/".join(words[1:3]), words[3:]
    if repo not in hub.repos:
        return 401, {"X-Error-Code": "RepoNotFound"}, b"{}"
    if repo in hub.gated:
        return 403, {"X-Error-Code": "GatedRepo"}, b"{}"
    files = hub.repos[repo]
    commit = COMMIT if rest[1] == "main" else rest[1]
    if rest[0] == "revision":
        return 200, {"Content-Type": "application/json"}, json.dumps(
            {"id": repo, "sha": commit, "siblings": [{"rfilename": name} for name in files]}
        ).encode()  # fmt: skip
    if rest[0] == "tree":
        return 200, {"Content-Type": "application/json"}, json.dumps(
            [{"type": "file", "path": name, "size": len(content), "oid": sha1(content)}
             for name, content in files.items()]
        ).encode()  # fmt: skip
    name = "/".join(rest[2:])
    if rest[0] != "resolve" or name not in files:
        return 404, {"X-Error-Code": "EntryNotFound"}, b""
    content = files[name]
    return 200, {"ETag": f'"{sha1(content)}"', "X-Repo-Commit": commit}, content


def sha1(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
