"""Experiences as lines of JSON: what a run folder keeps of every rollout, and reads back.

One `rollouts/step_N.jsonl.gz` a step, one experience a line, all values plain. The report and
`azr inspect` read nothing else, and neither they nor anybody else evaluates what a model wrote.
"""

import gzip
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

from azr.disk import whole
from azr.errors import CheckpointError
from azr.profile import Appraisal
from azr.types import Experience, Task, stream_name

__all__ = ["read_records", "rollout_records", "write_records"]

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


def task_record(task: Task) -> dict[str, Any]:
    """A task as plain values."""
    functions = {"functions": list(task.functions)} if task.functions else {}
    return functions | {
        "mode": task.mode.value,
        "program": task.program,
        "cases": [[case.input, case.output] for case in task.cases],
        "message": task.message,
        "born_step": task.born_step,
    }


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
    """The records of one file, in order.

    Raises:
        CheckpointError: The file is torn or not what `write_records` wrote.
    """
    try:
        with gzip.open(path, "rt", encoding="utf-8", newline="\n") as file:
            for line in file:
                yield cast(dict[str, Any], json.loads(line))
    except (OSError, EOFError, ValueError) as error:
        raise CheckpointError(f"{path}: cannot be read as rollouts: {error}") from error
