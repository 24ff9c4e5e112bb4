"""A real browser, driven over its DevTools protocol: real keys and sizes, its own roles."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

__all__ = ["Browser", "browser_path", "browsing"]

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
PATIENCE_S = 60.0


def browser_path() -> str:
    """Where it is; only a person who says so may do without one."""
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None and os.environ.get("AZR_WITHOUT_BROWSER") == "1":
        pytest.skip("AZR_WITHOUT_BROWSER=1: pages are not tested in a browser")
    if found is None:
        pytest.fail("no chromium found: apt-get install chromium, or set AZR_WITHOUT_BROWSER=1")
    return found


class Browser:
    """One page of it."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._last = 0
        self.complaints: list[str] = []

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command of the protocol and its answer."""
        self._last += 1
        self._socket.send(json.dumps({"id": self._last, "method": method, "params": parameters}))
        while True:
            found = json.loads(self._socket.recv(timeout=PATIENCE_S))
            if found.get("method") in ("Runtime.exceptionThrown", "Log.entryAdded"):
                self.complaints.append(json.dumps(found["params"]))
            if found.get("id") == self._last:
                assert "error" not in found, found
                return found["result"]

    def open(self, url: str, width: int) -> None:
        """Go to the page, in a window of this width, until it says `data-ready`."""
        for domain in ("Page", "Runtime", "Log", "Accessibility"):
            self.call(f"{domain}.enable")
        size = {"width": width, "height": 1000, "deviceScaleFactor": 1, "mobile": False}
        self.call("Emulation.setDeviceMetricsOverride", **size)
        for address in ("about:blank", url):  # else another #part alone would load nothing
            self.call("Page.navigate", url=address)
        self.wait("document.documentElement?.dataset.ready === 'yes'")

    def value(self, expression: str) -> Any:
        """What an expression is in the page."""
        found = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def wait(self, expression: str) -> None:
        """Until it is true of the page."""
        until = time.monotonic() + PATIENCE_S
        while not self.value(expression):
            assert time.monotonic() < until, f"never came true: {expression}"
            time.sleep(0.05)

    def press(self, key: str) -> None:
        """Press a key where the focus is, as a person does."""
        codes = {"Tab": 9, "Enter": 13, " ": 32, "ArrowLeft": 37}
        text = {" ": " ", "Enter": "\r"}.get(key, "")
        for kind in ("keyDown", "keyUp"):
            self.call(
                "Input.dispatchKeyEvent", type=kind, key=key, code=key, text=text,
                windowsVirtualKeyCode=codes[key],
            )  # fmt: skip

    def roles(self) -> set[tuple[str, str]]:
        """(role, name) of everything that a screen reader is told of."""
        nodes = self.call("Accessibility.getFullAXTree")["nodes"]
        return {
            (node["role"]["value"], node.get("name", {}).get("value", ""))
            for node in nodes
            if not node.get("ignored")
        }


@contextmanager
def browsing(folder: Path) -> Iterator[Browser]:
    """A browser with an empty page; its profile lies in the folder."""
    flags = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "about:blank")
    process = subprocess.Popen(
        [browser_path(), "--remote-debugging-port=0", f"--user-data-dir={folder}", *flags],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        with connect(page_address(folder, process), max_size=None) as socket:
            yield Browser(socket)
    finally:
        process.terminate()
        process.wait(timeout=PATIENCE_S)


def page_address(folder: Path, process: subprocess.Popen[bytes]) -> str:
    """Where the page's protocol is spoken."""
    file, until = folder / "DevToolsActivePort", time.monotonic() + PATIENCE_S
    while not (file.exists() and file.read_text().count("\n")):
        assert process.poll() is None, "the browser ended"
        assert time.monotonic() < until, "the browser does not start"
        time.sleep(0.05)
    port, path = file.read_text().split()
    with connect(f"ws://127.0.0.1:{port}{path}", max_size=None) as socket:
        socket.send(json.dumps({"id": 1, "method": "Target.getTargets"}))
        targets = json.loads(socket.recv(timeout=PATIENCE_S))["result"]["targetInfos"]
    page = next(target["targetId"] for target in targets if target["type"] == "page")
    return f"ws://127.0.0.1:{port}/devtools/page/{page}"
