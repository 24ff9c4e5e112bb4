"""Measures each part in a process of its own, so that one that fails hides none of the others.

A crash, an error that ruins a GPU's context, or a collective that waits for ever ends one process
and is one row. Frameworks are loaded there alone.
"""

import importlib.util
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Timer
from typing import Any

from azr.cli.doctor import ask
from azr.cli.gpu.parts import FAILED, OK, SKIPPED, Part, Row
from azr.errors import ModelError
from sandbox_wasm.children import PYTHON

__all__ = ["BUDGET_S", "facts_of_machine", "failed_parts", "measured"]

BUDGET_S = 480.0
GRACE_S = 15.0
"""Beyond its time a part may finish the case that it is at."""
TRACE = 4000
"""Characters of its last words that a row keeps."""
CACHES = ("TRITON_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR")


def facts_of_machine() -> dict[str, Any]:
    """What the device and the versions are.

    Raises:
        ModelError: torch cannot be used at all.
    """
    said, error = ask("from azr.cli.gpu.device import told; print(told())")
    if not said:
        failed = ModelError(f"the device cannot be asked what it is: {error}")
        failed.add_note("azr doctor: it says what is missing, and how to get it")
        raise failed
    return json.loads(said)


def measured(
    parts: Sequence[Part], device: str, budget_s: float, say: Callable[[str], None]
) -> Iterator[Row]:
    """Measure parts one after the other; what a part does not use of its time is the next one's.

    Compiled kernels are kept for this one command: the first call always counts the compiler.

    Args:
        parts: Which, in order.
        device: `cuda` or `cpu`.
        budget_s: Seconds for all.
        say: Told what goes on.
    """
    end = time.monotonic() + budget_s
    left = list(parts)
    with TemporaryDirectory(prefix="azr-gpu-") as folder:
        while left:
            part, share = left[0], left[0].share / sum(one.share for one in left)
            left = left[1:]
            if reason := reason_to_skip(part, device):
                yield Row(part=part.name, case="all", status=SKIPPED, detail=reason)
                continue
            limit_s = max(1.0, (end - time.monotonic()) * share)
            say(f"{part.name}: {part.title}, at most {limit_s:.0f} s")
            yield from in_a_process(part, Path(folder), limit_s, say)


def reason_to_skip(part: Part, device: str) -> str:
    """What a part cannot do without; empty where all of it is here."""
    if part.only_on_gpus and device != "cuda":
        return part.only_on_gpus
    wanted = (*part.needs.get("any", ()), *part.needs.get(device, ()))
    lacking = [name for name in wanted if importlib.util.find_spec(name) is None]
    return f"not installed: {', '.join(lacking)}" if lacking else ""


def in_a_process(
    part: Part, folder: Path, limit_s: float, say: Callable[[str], None]
) -> Iterator[Row]:
    """Start the part, and pass on its rows as they come."""
    log, seen = folder / f"{part.name}.log", 0
    with log.open("wb") as noise:
        child = subprocess.Popen(  # noqa: S603 - our own module, our own interpreter
            [*PYTHON, "-m", "azr.cli.gpu", part.name, str(folder), str(limit_s)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=noise,
            text=True,
            env=environment_of(part, folder),
            start_new_session=True,
        )
    assert child.stdout is not None
    timer = Timer(limit_s + GRACE_S, end, [child])
    timer.start()
    start = time.monotonic()
    try:
        for line in child.stdout:
            row = Row(**json.loads(line))
            seen += 1
            say(f"  {row.case}: {row.status}{f', {row.detail}' if row.detail else ''}")
            yield row
        code = child.wait()
    finally:
        timer.cancel()
        end(child)
        child.stdout.close()
    if code != 0 or not seen:
        is_late = code == -signal.SIGKILL and time.monotonic() - start >= limit_s
        why = f"ended after {limit_s + GRACE_S:.0f} s" if is_late else f"its process ended ({code})"
        said = log.read_text(errors="replace").strip()
        last = said.rpartition("\n")[2] or "it said nothing"
        yield Row(
            part=part.name,
            case="the rest",
            status=FAILED,
            detail=f"{why}: {last}",
            trace=said[-TRACE:],
        )


def environment_of(part: Part, folder: Path) -> Mapping[str, str]:
    """This process's, with caches that are cold when the command begins."""
    caches = {name: str(folder / name.lower()) for name in CACHES}
    return {**os.environ, **caches, **part.environment}


def end(child: "subprocess.Popen[str]") -> None:
    """End the process and all that it started."""
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def failed_parts(rows: Sequence[Row]) -> list[str]:
    """Parts of which something failed, or nothing had room."""
    names = dict.fromkeys(row.part for row in rows)
    return [
        name
        for name in names
        if any(row.status == FAILED for row in rows if row.part == name)
        or all(row.status not in (OK, SKIPPED) for row in rows if row.part == name)
    ]
