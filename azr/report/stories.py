"""Single tasks: who made them, how hard they were, and everything that was answered to them."""

import heapq
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from azr.records.rollouts import read_rollouts, task_of
from azr.records.run_folder import rollout_files
from azr.report.explain import task_name
from azr.types import ANCHORS, Role, Task

__all__ = ["MeasuredTask", "Story", "all_measured", "ordered", "stories_in"]

Record = Mapping[str, Any]


@dataclass(slots=True, kw_only=True)
class Story:
    """What happened around one task in one step, or one proposal that became no task."""

    name: str
    """`azr.report.story.task_name`; empty for a proposal that became no task."""
    task: Task | None
    proposal: Record | None = None
    """None for a task of an earlier step that was asked again."""
    answers: list[Record] = field(default_factory=list[Record])
    """Solver rollouts, trials too where the records hold them, in the records' order."""


@dataclass(frozen=True, slots=True)
class MeasuredTask:
    """A valid proposal with its solve rate."""

    step: int
    task: Task
    solve_rate: float
    reward: float


def stories_in(records: Iterable[Record]) -> list[Story]:
    """Group one step's records by task, in the order in which the tasks first come."""
    stories: dict[object, Story] = {}
    for place, record in enumerate(records):
        if record.get("group", "").startswith(ANCHORS):  # no task of the curriculum
            continue
        task = task_of(record)
        name = task_name(task) if task else ""
        key = name or place
        is_proposal = record["stream"].startswith(Role.PROPOSER)
        if is_proposal and key in stories and stories[key].proposal is not None:
            key = place  # the same task twice in a step: two proposals, two stories
        story = stories.setdefault(key, Story(name=name, task=task))
        if is_proposal:
            story.proposal = record
        else:
            story.answers.append(record)
    return list(stories.values())


def all_measured(folder: Path) -> Iterator[MeasuredTask]:
    """Every valid proposal of a run that was measured, oldest step first.

    Raises:
        CheckpointError: A file of rollouts is torn.
    """
    for step, file in rollout_files(folder).items():
        for record in read_rollouts(file):
            task, rate = task_of(record), record["solve_rate"]
            if task is not None and rate is not None:
                yield MeasuredTask(step, task, rate, record["reward"])


def ordered(tasks: Iterable[MeasuredTask], order: str, limit: int) -> list[MeasuredTask]:
    """The first `limit` different tasks in one of azr.report.ORDERS; of equals, the newer first."""
    latest = {task_name(found.task): found for found in tasks}
    return heapq.nsmallest(limit, latest.values(), key=lambda found: sort_key(found, order))


def sort_key(found: MeasuredTask, order: str) -> tuple[float, ...]:
    """Smallest first."""
    length = len(found.task.program.splitlines())
    keys: dict[str, tuple[float, ...]] = {
        "easiest": (-found.solve_rate, -found.step),
        "hardest": (found.solve_rate, -found.step),
        "newest": (-found.step,),
        "longest": (-length, -len(found.task.program), -found.step),
    }
    return keys[order]
