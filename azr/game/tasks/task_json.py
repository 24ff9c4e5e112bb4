"""A task as JSON: in the buffers, in a run's rollouts and, one per line, in seed files.

Older run folders write a case as a pair, [input, output]; both forms are read.
"""

import json
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, cast

from azr.types import Case, Mode, Task

__all__ = [
    "content_hash",
    "task_from_json",
    "task_in",
    "task_record",
    "task_to_json",
    "text_in",
    "texts_in",
]


def task_record(task: Task) -> dict[str, Any]:
    """Return the task as plain values."""
    record: dict[str, Any] = {
        "mode": task.mode.value,
        "program": task.program,
        "cases": [{"input": case.input, "output": case.output} for case in task.cases],
        "message": task.message,
        "born_step": task.born_step,
    }
    return record | ({"functions": list(task.functions)} if task.functions else {})


def task_in(record: object) -> Task:
    """Read what `task_record` returned.

    Raises:
        ValueError: It is not such a record.
    """
    if not isinstance(record, dict):
        raise ValueError("not a task record: no JSON object")  # noqa: TRY004 - of a file
    fields = cast(dict[str, Any], record)
    mode, program = Mode(text_in(fields, "mode")), text_in(fields, "program")
    found, born = fields.get("cases"), fields.get("born_step", 0)
    cases = tuple(map(_case_in, cast(list[object], found))) if isinstance(found, list) else ()
    if not cases:
        raise ValueError("not a task record: it has no cases")
    if not isinstance(born, int):
        raise ValueError("not a task record: born_step is no whole number")  # noqa: TRY004
    return Task(
        mode=mode,
        program=program,
        cases=cases,
        message=text_in({"message": "", **fields}, "message"),
        born_step=born,
        functions=tuple(texts_in({"functions": [], **fields}, "functions")),
    )


def _case_in(case: object) -> Case:
    if isinstance(case, list) and len(cast(list[object], case)) == 2:
        case = dict(zip(("input", "output"), cast(list[object], case), strict=True))
    if not isinstance(case, dict):
        raise ValueError("not a task record: a case is no input with its output")  # noqa: TRY004
    fields = cast(dict[str, Any], case)
    return Case(text_in(fields, "input"), text_in(fields, "output"))


def text_in(record: Mapping[str, Any], key: str) -> str:
    """Read a field of a record.

    Raises:
        ValueError: It is not a text.
    """
    value = record.get(key)
    if not isinstance(value, str):
        raise ValueError(f"not a task record: {key} is no text")  # noqa: TRY004 - of a file
    return value


def texts_in(record: Mapping[str, Any], key: str) -> list[str]:
    """Read a field that holds several texts.

    Raises:
        ValueError: It is not a list of texts.
    """
    value = record.get(key)
    items = cast(list[object], value) if isinstance(value, list) else [None]
    texts = [item for item in items if isinstance(item, str)]
    if len(texts) != len(items):
        raise ValueError(f"not a task record: {key} is no list of texts")
    return texts


def task_to_json(task: Task) -> str:
    """Write the task as one line of JSON."""
    return json.dumps(task_record(task))


def task_from_json(line: str) -> Task:
    """Read what `task_to_json` wrote.

    Raises:
        ValueError: The line is not such a record.
    """
    return task_in(json.loads(line))


def content_hash(task: Task) -> bytes:
    """Hash all that a solver could be shown; the time of birth does not matter."""
    parts = (
        task.program,
        task.message,
        *(text for c in task.cases for text in (c.input, c.output)),
    )
    return blake2b(json.dumps(parts).encode(), digest_size=16).digest()
