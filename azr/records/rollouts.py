"""Experiences as lines of JSON: what a run folder keeps of every rollout, and reads back.

One `rollouts/step_N.jsonl.gz` a step, one experience a line, all values plain. The report and
`azr inspect` read nothing else, and neither they nor anybody else evaluates what a model wrote.
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
    """One plain record per experience, in order."""
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
    """The intrinsic values that a task has, and the hash that copies of its program share."""
    merits = {name: value for name, value in asdict(appraisal.merits).items() if value is not None}
    structure = None if appraisal.profile is None else appraisal.profile.structure
    return {**merits, "structure": structure}


def task_of(record: Record) -> Task | None:
    """The record's task, if it has one.

    Raises:
        CheckpointError: The record was written by another version, with a mode unknown here.
        ValueError: The task is no task record.
    """
    found = record["task"]
    return None if found is None else task_in({**found, "mode": mode_of(record)})


def mode_of(record: Record) -> Mode:
    """The mode of the record's stream."""
    name = record["stream"].partition("/")[2]
    try:
        return Mode(name)
    except ValueError as error:
        raise CheckpointError(f"this azr does not know the mode {name!r} of a rollout") from error


def write_records(path: Path, records: Iterable[Record]) -> None:
    """Write the file whole or not at all: it appears under its name when complete.

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
    """The objects of one file, in order; what cannot be read is told and left out."""
    yield from told(path, lambda _: "")


def read_rollouts(path: Path) -> Iterator[dict[str, Any]]:
    """The rollouts of one step: records of another form are told and left out as well."""
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
"""What a reader counts on; the other keys are of some versions alone."""


def fault_in(record: Record) -> str:
    """What of a record is not as `rollout_records` writes it; empty if nothing is."""
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
