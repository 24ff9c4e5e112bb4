"""Starts the processes of a run on this machine, as torchrun would, and waits for the leader.

The leader decides: signals are passed on to it alone, its exit code is the run's, and when it has
ended the others end by themselves. Several machines are torchrun's business (docs/cluster.md).
"""

import atexit
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Final, NoReturn

from azr.errors import ConfigError
from azr.models.gpu import visible_gpus
from sandbox_wasm.children import PYTHON
from sandbox_wasm.cores import available_cores

__all__ = ["is_leader", "is_ranked", "launch", "leave", "watch_launcher"]

LAUNCHER: Final = "AZR_LAUNCHER"
"""Environment variable with the launcher's process id: a leader that has lost it stops the run."""
POLL_S: Final = 0.1
PARENT_POLL_S: Final = 0.5
FAREWELL_S: Final = 20.0
"""The workers may take so long to end after the leader."""
PATIENCE_S: Final = 60.0
"""The leader may take so long to tell what a failed worker died of."""

Process = subprocess.Popen[bytes]


def launch(processes: int, words: Sequence[str]) -> int:
    """Run `azr WORDS` in so many processes; returns the exit code of the leader's.

    Raises:
        ConfigError: There are fewer GPUs than processes.
    """
    num_gpus = visible_gpus()
    if num_gpus and processes > num_gpus:
        raise ConfigError(
            f"cluster.processes = {processes}, but this machine has {num_gpus} GPUs: one process"
            " needs one. Lower it; several machines want torchrun, see docs/cluster.md"
        )
    shared = {**os.environ, **shared_environment(processes)}
    command = [*PYTHON, "-m", "azr.cli.main", *words]
    children: list[Process] = []
    with signals_to(children):
        try:
            for rank in range(processes):
                place = {"RANK": str(rank), "LOCAL_RANK": str(rank)}
                # a session of its own: Ctrl-C on the terminal reaches the launcher alone
                children.append(
                    subprocess.Popen(  # noqa: S603 - azr itself, with the words it was given
                        command, env={**shared, **place}, start_new_session=True
                    )
                )
            return wait(children)
        finally:
            for child in children:
                child.kill()
                child.wait()


def shared_environment(processes: int) -> dict[str, str]:
    """What every process is told, in torchrun's words."""
    told = {
        "WORLD_SIZE": str(processes),
        "LOCAL_WORLD_SIZE": str(processes),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(free_port()),
        LAUNCHER: str(os.getpid()),
    }
    if "OMP_NUM_THREADS" not in os.environ:  # else each would take all cores
        told["OMP_NUM_THREADS"] = str(max(1, available_cores() // processes))
    return told


def wait(children: Sequence[Process]) -> int:
    """Wait for the leader, then a moment for the others; returns the leader's exit code."""
    leader, *workers = children
    broken_since: float | None = None
    while leader.poll() is None:
        time.sleep(POLL_S)
        if broken_since is None and any(child.poll() for child in workers):
            broken_since = time.monotonic()
        if broken_since is not None and time.monotonic() - broken_since > PATIENCE_S:
            for rank, child in enumerate(workers, start=1):
                if child.poll():
                    say(f"rank {rank} ended with code {child.returncode} and the leader hangs")
            leader.kill()
    deadline = time.monotonic() + FAREWELL_S
    while any(child.poll() is None for child in workers) and time.monotonic() < deadline:
        time.sleep(POLL_S)
    code = leader.returncode
    if code < 0:
        say(f"the leader was ended by {signal.Signals(-code).name}")
    return code if code >= 0 else 128 - code


@contextmanager
def signals_to(children: Sequence[Process]) -> Generator[None]:
    """Pass signals on to the first child: it stops where nothing is torn."""

    def pass_on(number: int, _frame: object) -> None:
        if children and children[0].poll() is None:
            children[0].send_signal(number)

    numbers = (signal.SIGINT, signal.SIGTERM)
    old = {number: signal.signal(number, pass_on) for number in numbers}
    try:
        yield
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


def free_port() -> int:
    """A port that nobody uses now; torch.distributed binds it in a moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_ranked() -> bool:
    """Whether a launcher, ours or torchrun, started this process as one of several."""
    return "RANK" in os.environ and os.environ.get("WORLD_SIZE") != "1"


def is_leader() -> bool:
    """Whether this process is the one that runs the run."""
    return not is_ranked() or os.environ["RANK"] == "0"


def watch_launcher() -> None:
    """Stop this run, as Ctrl-C would, when the launcher that started it is gone.

    Asking for our parent is what is left: it cannot tell us that it was killed.
    """
    pid = os.environ.get(LAUNCHER, "")
    if not pid.isdecimal():
        return

    def watch() -> None:
        while os.getppid() == int(pid):
            time.sleep(PARENT_POLL_S)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="azr-launcher", daemon=True).start()


def leave(code: int) -> NoReturn:
    """End this process, which was one of several, with `code`; exit handlers run, as always.

    The interpreter is not taken apart. A thread of gloo's may still hold the tensor of a collective
    that is over; when it lets go of it in an interpreter that is ending, the process dies of
    SIGABRT ("terminate called without an active exception"), and a run that went well has failed.
    One of four processes did so that shared a core (docs/LOG.md, pytorch/pytorch#179291).
    """
    # the only way to run them and yet choose how to end
    atexit._run_exitfuncs()  # pyright: ignore[reportPrivateUsage]
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def say(text: str) -> None:
    """One line for the person who waits."""
    sys.stderr.write(f"azr: {text}\n")
