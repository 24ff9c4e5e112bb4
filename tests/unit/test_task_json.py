"""One form of a task in buffers, rollouts and seed files, with one reader."""

import json
from typing import Any

import pytest

from azr.game.tasks.task_json import task_from_json, task_in, task_record, task_to_json
from azr.types import Mode
from tests.fakes import make_task

RECORD = task_record(make_task(Mode.INDUCTION, 1))


def test_an_older_run_folder_s_cases_are_pairs() -> None:
    pairs = [[case["input"], case["output"]] for case in RECORD["cases"]]
    assert task_in({**RECORD, "cases": pairs}) == make_task(Mode.INDUCTION, 1)


def test_what_a_hand_made_record_leaves_out_has_a_default() -> None:
    line = '{"mode": "deduction", "program": "p", "cases": [{"input": "1", "output": "2"}]}'
    task = task_from_json(line)
    assert (task.message, task.born_step, task.functions) == ("", 0, ())
    assert task_from_json(task_to_json(task)) == task
    assert "functions" not in json.loads(task_to_json(task))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"mode": "telepathy"}, "telepathy"),
        ({"mode": None}, "mode is no text"),
        ({"program": 3}, "program is no text"),
        ({"cases": []}, "no cases"),
        ({"cases": {"input": "1"}}, "no cases"),
        ({"cases": [["1"]]}, "a case is no input with its output"),
        ({"cases": [["1", 2]]}, "output is no text"),
        ({"cases": [{"input": "1"}]}, "output is no text"),
        ({"message": None}, "message is no text"),
        ({"born_step": "1"}, "born_step is no whole number"),
        ({"functions": "f"}, "functions is no list of texts"),
    ],
)
def test_another_record_is_refused_by_its_field(change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        task_in({**RECORD, **change})


def test_what_is_no_object_is_refused() -> None:
    with pytest.raises(ValueError, match="no JSON object"):
        task_from_json("[1]")
