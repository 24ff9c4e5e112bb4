"""A Hugging Face hub on this machine, of data sets, and for models to be sent to: real HTTP."""

import base64
import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

__all__ = ["COMMIT", "TOKEN", "FakeHub", "serving"]

TOKEN = "hf_of_the_fake"
COMMIT = "c0ffee" * 6 + "c0ff"
"""What `main` is."""


@dataclass(slots=True)
class FakeHub:
    """Files by the data set's name and their own."""

    repos: dict[str, dict[str, bytes]] = field(default_factory=dict[str, dict[str, bytes]])
    gated: set[str] = field(default_factory=set[str])
    requests: list[str] = field(default_factory=list[str])
    made: dict[str, dict[str, object]] = field(default_factory=dict[str, dict[str, object]])
    """What repositories were asked to be, by OWNER/NAME; a token is needed to ask."""
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

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            path = self.path.partition("?")[0].lstrip("/")
            hub.requests.append(path)
            is_known = self.headers["Authorization"] == f"Bearer {TOKEN}"
            status, found = taken(hub, path, body) if is_known else (401, {"error": "who are you"})
            answer = json.dumps(found).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

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


def taken(hub: FakeHub, path: str, body: bytes) -> tuple[int, dict[str, object]]:
    """What is sent: repositories, then commits whose files are all small enough to be in them."""
    words = path.removeprefix("api/").split("/")
    if path == "api/repos/create":
        asked = json.loads(body)
        name = f"{asked['organization']}/{asked['name']}"
        hub.made.setdefault(name, asked)
        hub.repos.setdefault(name, {})
        return 200, {"url": f"{hub.url}/{name}"}
    if path == "api/validate-yaml":
        return 200, {"errors": [], "warnings": []}
    repo, kind = "/".join(words[1:3]), words[3]
    if kind == "preupload":
        files = [{"path": f["path"], "uploadMode": "regular", "shouldIgnore": False}
                 for f in json.loads(body)["files"]]  # fmt: skip
        return 200, {"files": files}
    for entry in map(json.loads, body.splitlines()):
        if entry["key"] == "file":
            content = base64.b64decode(entry["value"]["content"])
            hub.repos[repo][entry["value"]["path"]] = content
    return 200, {
        "success": True,
        "commitOid": COMMIT,
        "commitUrl": f"{hub.url}/{repo}/commit/{COMMIT}",
    }


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
