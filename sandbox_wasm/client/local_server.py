"""A server of our own in a process of its own: started, watched, restarted, and ended with us."""

import atexit
import contextlib
import logging
import os
import shutil
import subprocess
import tempfile
import threading
import time
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Self

from sandbox_wasm.children import PYTHON
from sandbox_wasm.client.client import SandboxClient
from sandbox_wasm.errors import SandboxUnavailable
from sandbox_wasm.wire.endpoints import MAX_IPC_PATH_BYTES

__all__ = ["LocalServer", "start_local_server"]

log = logging.getLogger(__name__)

SERVE_COMMAND: Final = (*PYTHON, "-m", "sandbox_wasm.cli.main", "serve")
MAX_QUICK_DEATHS: Final = 5
"""After so many deaths in a row, each within `QUICK_S` of a start, the server is given up."""
QUICK_S: Final = 10.0
STOP_S: Final = 10.0


class LocalServer:
    """A server subprocess on a private ipc socket.

    If it dies, it is started again on the same endpoint, and every client sends its unanswered jobs
    again: a kill -9 in the middle of a batch loses nothing. It ends when this object is closed, and
    when this process ends, however that happens. Its stderr is that of this process.
    """

    def __init__(
        self,
        workers: int | None = None,
        *,
        arguments: Sequence[str] = (),
        command: Sequence[str] = SERVE_COMMAND,
        ready_timeout_s: float = 900.0,
    ) -> None:
        """Start the server and wait until it answers.

        Args:
            workers: Worker threads; None for one per core.
            arguments: More arguments of `azr-sandbox serve`.
            command: What to run instead of the real server (for tests).
            ready_timeout_s: How long to wait. The first start on a machine compiles the guest
                image, which takes about a minute.

        Raises:
            SandboxUnavailable: The server did not start.
        """
        self._folder = _private_folder()
        self.endpoint = f"ipc://{self._folder}/s"
        self._argv = [*command, "--bind", self.endpoint, "--watch-parent", str(os.getpid())]
        if workers is not None:
            self._argv += ["--workers", str(workers)]
        self._argv += arguments
        self.num_restarts = 0
        self.failure: str | None = None
        """Why it was given up, or None."""
        self._closing = threading.Event()
        self._process = self._spawn()
        self._thread = threading.Thread(target=self._supervise, name="sandbox-server", daemon=True)
        self._thread.start()
        atexit.register(_close_weakly, weakref.ref(self))
        try:
            self._wait_ready(ready_timeout_s)
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        """The server's process id now; a restart changes it."""
        return self._process.pid

    def client(self, **options: Any) -> SandboxClient:
        """Make a client of this server; `options` are those of `SandboxClient`."""
        return SandboxClient(self.endpoint, **options)

    def close(self) -> None:
        """Stop the server (SIGTERM, then SIGKILL) and remove its folder; harmless twice."""
        if self._closing.is_set():
            return
        self._closing.set()
        self._end_process()
        self._thread.join()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _spawn(self) -> "subprocess.Popen[bytes]":
        # A session of its own: Ctrl-C on the terminal is for the trainer, which may want its last
        # results. stdout joins stderr: ours is for data.
        return subprocess.Popen(  # noqa: S603 - our own command
            self._argv, stdin=subprocess.DEVNULL, stdout=2, start_new_session=True
        )

    def _wait_ready(self, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        with SandboxClient(self.endpoint) as probe:
            while True:
                try:
                    probe.wait_ready(min(0.2, timeout_s))
                except SandboxUnavailable:
                    if self.failure is not None:
                        raise SandboxUnavailable(self.failure) from None
                    if time.monotonic() > deadline:
                        raise SandboxUnavailable(
                            f"the sandbox server was not ready after {timeout_s:g} s"
                        ) from None
                else:
                    return

    def _supervise(self) -> None:
        num_quick = 0
        while True:
            started_at = time.monotonic()
            status = self._process.wait()
            if self._closing.is_set():
                return
            num_quick = num_quick + 1 if time.monotonic() - started_at < QUICK_S else 0
            # Exit status 2 is bad input: the same command will not fare better.
            if status == 2 or num_quick >= MAX_QUICK_DEATHS:
                self.failure = f"the sandbox server ended with status {status}" + (
                    f", {num_quick} times within {QUICK_S:g} s of its start" if status != 2 else ""
                )
                log.error("event=server_given_up failure=%s", self.failure)
                return
            log.warning("event=server_died status=%d restarts=%d", status, self.num_restarts + 1)
            if self._closing.wait(0.05 * 2**num_quick):
                return
            self._process = self._spawn()
            self.num_restarts += 1
            if self._closing.is_set():  # close() may have ended the one before
                self._end_process()

    def _end_process(self) -> None:
        process = self._process
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def start_local_server(workers: int | None = None, **options: Any) -> LocalServer:
    """Start a `LocalServer` and wait until it is ready; its docstring describes the options."""
    return LocalServer(workers, **options)


def _close_weakly(reference: "weakref.ref[LocalServer]") -> None:
    server = reference()
    if server is not None:
        server.close()


def _private_folder() -> Path:
    """Make a folder of mode 0700 whose socket path fits into an address."""
    candidates = [os.environ.get("XDG_RUNTIME_DIR"), tempfile.gettempdir(), "/tmp"]  # noqa: S108 - mkdtemp makes it private
    for parent in candidates:
        if not parent or not Path(parent).is_dir() or not os.access(parent, os.W_OK):
            continue
        if len(os.fsencode(parent)) + len("/azr-sandbox-xxxxxxxx/s") <= MAX_IPC_PATH_BYTES:
            return Path(tempfile.mkdtemp(prefix="azr-sandbox-", dir=parent))
    raise SandboxUnavailable(
        "no writable folder for the sandbox's socket: its path may have at most"
        f" {MAX_IPC_PATH_BYTES} bytes; set TMPDIR to a shorter one"
    )
