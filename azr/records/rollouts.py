"""Experiences as lines of JSON: a run folder keeps every rollout in this form, and reads it back.

There is one `rollouts/step_N.jsonl.gz` per step, with one experience per line, all values plain.
The report and `azr inspect` read nothing else. Nobody evaluates what a model wrote.
"""

import gzip
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from azr.atomic_write import whole
from azr.errors import CheckpointError
from azr.game.tasks.task_json import task_in, task_record
from azr.records.lines import objects_in, say_left_out
from azr.types import STREAMS, Appraisal, Experience, Mode, Task, stream_name

__all__ = [
    "mode_of",
    "read_records",
    "read_rollouts",
    "rollout_records",
    "task_of",
    "write_records",
]

Record = Mapping[str, Any]


def rollout_records(
    step: int, experiences_N: Sequence[Experience], advantages_N: Sequence[float]
) -> Iterator[dict[str, Any]]:
    """Return one plain record per experience, in order."""
    for experience, advantage in zip(experiences_N, advantages_N, strict=True):
        rollout = experience.rollout
        yield {
            "step": step,
            "stream": stream_name(experience.stream),
            "verdict": experience.verdict.value,
            "reason": experience.reason,
            "reward": experience.reward,
            "advantage": advantage,
            "solve_rate": experience.solve_rate,
            "merits": None if experience.appraisal is None else merits_record(experience.appraisal),
            "group": experience.group,
            "prompt": rollout.prompt.text,
            "prefill": rollout.prompt.prefill,
            "completion": rollout.completion,
            "task": None if experience.task is None else task_record(experience.task),
            "prompt_tokens": len(rollout.prompt_ids),
            "tokens": len(rollout.completion_ids),
            "truncated": rollout.truncated,
            "policy_version": rollout.policy_version,
        }


def merits_record(appraisal: Appraisal) -> dict[str, Any]:
    """Return the task's intrinsic values, and the hash that copies of its program share."""
    merits = {name: value for name, value in asdict(appraisal.merits).items() if value is not None}
    structure = None if appraisal.profile is None else appraisal.profile.structure
    return {**merits, "structure": structure}


def task_of(record: Record) -> Task | None:
    """Return the record's task, if it has one.

    Raises:
        CheckpointError: Another version wrote the record, with a mode that is unknown here.
        ValueError: The task is not a task record.
    """
    found = record["task"]
    return None if found is None else task_in({**found, "mode": mode_of(record)})


def mode_of(record: Record) -> Mode:
    """Return the mode of the record's stream."""
    name = record["stream"].partition("/")[2]
    try:
        return Mode(name)
    except ValueError as error:
        raise CheckpointError(f"this azr does not know the mode {name!r} of a rollout") from error


def write_records(path: Path, records: Iterable[Record]) -> None:
    """Write the file completely or not at all: it appears under its name when it is complete.

    Raises:
        CheckpointError: The disk is full or gone.
    """
    # no name and time 0 in the header: equal rollouts give equal bytes
    with (
        whole(path) as partial,
        partial.open("wb") as raw,
        gzip.GzipFile("", "wb", 6, raw, mtime=0) as file,
    ):
        for record in records:
            file.write(json.dumps(record).encode() + b"\n")


def read_records(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the objects of one file, in order; report and leave out what cannot be read."""
    yield from told(path, lambda _: "")


def read_rollouts(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the rollouts of one step; report and leave out records of another form, too."""
    yield from told(path, fault_in)


def told(path: Path, wrong: Callable[[Record], str]) -> Iterator[dict[str, Any]]:
    """What `records_in` gives; the faults are said when all are read."""
    faults: list[str] = []
    yield from records_in(path, faults, wrong)
    say_left_out(path, faults)


def records_in(
    path: Path, faults: list[str], wrong: Callable[[Record], str]
) -> Iterator[dict[str, Any]]:
    """The records that are not `wrong`; the others, and lines that are none, become faults."""
    try:
        with gzip.open(path, "rb") as file:
            for number, record in objects_in(file, faults):
                if why := wrong(record):
                    faults.append(f"line {number}: {why}")
                else:
                    yield record
    except OSError as error:
        faults.append(f"line 1 and after: cannot be read ({error.strerror or error})")


NUMBER, TEXT = (int, float), (str,)
STREAM_NAMES = frozenset(map(stream_name, STREAMS))
FORM: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("stream", "verdict", "reason", "prompt", "prefill", "completion"), TEXT),
    **dict.fromkeys(("reward", "advantage"), NUMBER),
    **dict.fromkeys(("step", "prompt_tokens", "tokens"), (int,)),
    "solve_rate": (int, float, type(None)),
    "truncated": (bool,),
    "task": (dict, type(None)),
}
"""Keys that a reader can rely on; other keys exist only in some versions."""


def fault_in(record: Record) -> str:
    """Say how a record differs from what `rollout_records` writes; empty if it does not."""
    for name, kinds in FORM.items():
        value = record.get(name, ...)
        if not isinstance(value, kinds) or (kinds is NUMBER and not math.isfinite(value)):
            return f"no rollout, its {name} is {'missing' if value is ... else 'of another kind'}"
    if record["stream"] not in STREAM_NAMES:
        return f"this azr does not know the stream {record['stream'][:40]!r}"
    try:
        task_of(record)
    except ValueError as error:
        return f"no rollout, {error}"
    return ""
