"""Grades maths: math-verify runs in processes of its own, with a deadline for each answer.

A process that is late, or that an answer has broken, is killed and replaced. The answer is then
UNDECIDED: it counts as wrong and is reported separately. Only a worker that does not start is a
failure of the machinery.
"""

import asyncio
import json
from collections.abc import Sequence
from contextlib import suppress
from typing import Self

from azr.errors import ExecutorUnavailable
from azr.evaluation.maths.claims import Undecidable, pairs_to_compare
from azr.evaluation.maths.spelling import bare
from azr.evaluation.maths.text import gold_text, same_in_base, target_text
from azr.evaluation.suites.items import Mark, MathsItem, Status
from sandbox_wasm.children import PYTHON

__all__ = ["MathsGrader"]

DEADLINE_S = 10.0
"""For one comparison, which usually takes 4-16 ms."""
START_S = 120.0
"""For a worker's start: it imports sympy, perhaps on a busy machine."""
MAX_ANSWER_CHARS = 4_000
"""Longer answers are not numbers; parsing them could take the whole deadline."""

Worker = asyncio.subprocess.Process


class MathsGrader:
    """A pool of workers; open it with `async with`.

    Args:
        workers: Processes; they start when they are first needed.
        deadline_s: For one answer, in seconds of wall clock. On a slower machine more answers may
            be undecided, so these are reported separately.
    """

    def __init__(self, workers: int = 2, deadline_s: float = DEADLINE_S) -> None:
        self._deadline_s = deadline_s
        self._idle: asyncio.LifoQueue[Worker | None] = asyncio.LifoQueue()
        for _ in range(workers):
            self._idle.put_nowait(None)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        while not self._idle.empty():
            worker = self._idle.get_nowait()
            if worker is not None:
                await stop(worker)

    async def grade(self, item: MathsItem, answer: str) -> Mark:
        """Decide whether the answer equals the gold; not symmetric, see math-verify's docstring.

        Raises:
            ExecutorUnavailable: A worker cannot be started.
        """
        if len(answer) > MAX_ANSWER_CHARS:
            return Mark(status=Status.WRONG, reason="answer too long")
        same = same_in_base(item.gold, bare(answer))
        if same is not None:
            return mark_of(same)
        try:
            pairs = pairs_to_compare(item.gold, answer, item.statement)
        except Undecidable as unclear:
            return Mark(status=Status.UNDECIDED, reason=str(unclear))
        return mark_of(pairs) if isinstance(pairs, bool) else await self._all_same(pairs)

    async def _all_same(self, pairs: Sequence[tuple[str, str]]) -> Mark:
        """Right if all pairs are equal, wrong at the first that is not."""
        for gold, target in pairs:
            same = await self._compare(gold_text(gold), target_text(target))
            if same is None:
                return Mark(status=Status.UNDECIDED, reason=f"no verdict in {self._deadline_s:g} s")
            if not same:
                return mark_of(same)
        return mark_of(bool(pairs))

    async def _compare(self, gold: str, target: str) -> bool | None:
        """True, false, or None if the worker had to be given up."""
        worker = await self._idle.get()
        kept: Worker | None = None
        try:
            worker = worker or await start()
            verdict = await ask(worker, gold, target, self._deadline_s)
            kept = worker if verdict is not None else None
            return verdict
        finally:
            if kept is None and worker is not None:
                await stop(worker)
            self._idle.put_nowait(kept)


def mark_of(same: bool) -> Mark:
    """Right or wrong."""
    return Mark(status=Status.PASSED if same else Status.WRONG)


async def start() -> Worker:
    """Return a worker that has said that it is ready."""
    worker = await asyncio.create_subprocess_exec(
        *PYTHON,
        "-m",
        "azr.evaluation.maths.worker",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,  # libraries warn here; a full pipe would stop it
    )
    assert worker.stdout is not None
    line = b""
    with suppress(TimeoutError):
        line = await asyncio.wait_for(worker.stdout.readline(), START_S)
    if line.strip() == b"ready":
        return worker
    await stop(worker)
    said = line.decode(errors="replace").strip() or "no answer"
    failure = ExecutorUnavailable(f"the grader of maths did not start: {said}")
    failure.add_note("pip install 'azr[eval]' brings math-verify")
    raise failure


async def ask(worker: Worker, gold: str, target: str, deadline_s: float) -> bool | None:
    """Return one comparison, or None if there is no verdict in time."""
    assert worker.stdin is not None
    assert worker.stdout is not None
    worker.stdin.write(json.dumps([gold, target]).encode() + b"\n")
    line = b""
    with suppress(TimeoutError, ConnectionError):
        line = await asyncio.wait_for(worker.stdout.readline(), deadline_s)
    return {b"true": True, b"false": False}.get(line.strip())


async def stop(worker: Worker) -> None:
    """Kill the worker, whatever it is computing."""
    with suppress(ProcessLookupError):
        worker.kill()
    await worker.wait()
