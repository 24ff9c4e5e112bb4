"""Results on disk, in formats that readers of evaluations expect.

plan.json says what was asked of which model. Each suite has a folder with data.json (the digest of
its data), attempts.jsonl (every attempt as it came, azr.evaluation.ledger), result.json (figures,
intervals, attempts by item, versions) and, if EvalPlus knows the suite, samples.jsonl
({task_id, solution}). azr.evaluation.lm_eval writes the same for readers of lm-eval.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from azr.atomic_write import write_text
from azr.errors import CheckpointError
from azr.evaluation.grading.code import program_of
from azr.evaluation.ledger import attempt_to_json
from azr.evaluation.suites.data import SuiteData
from azr.evaluation.suites.items import Attempt, CodeItem, Item, Status
from azr.evaluation.summary import Summary

__all__ = ["SuiteResult", "agree_on_plan", "write_suite"]

FORMAT = 1

SuiteResult = tuple[SuiteData, Summary, Sequence[Sequence[Attempt]]]
"""A suite, its figures, and the attempts by item, in the items' order."""


def agree_on_plan(folder: Path, plan: Mapping[str, Any], name: str = "plan.json") -> None:
    """Write down what is asked of which model, or check that it is the same as before.

    Args:
        folder: The file's folder.
        plan: What must be the same.
        name: The file's name.

    Raises:
        CheckpointError: The folder holds another evaluation.
    """
    file = folder / name
    text = json.dumps(plan, indent=2) + "\n"
    if not file.exists():
        write_text(file, text)
        return
    try:
        there = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise CheckpointError(f"{file} is not JSON: {error}") from error
    differing = [key for key in plan if there.get(key) != plan[key]]
    if differing:
        key = differing[0]
        refusal = CheckpointError(
            f"{folder} holds another evaluation: its {key} is {there[key]!r}, not {plan[key]!r}"
            if key in there
            else f"{file} does not say its {key}, which is {plan[key]!r} here: another azr wrote it"
        )
        refusal.add_note("start it anew with --overwrite, or keep both with --output FOLDER")
        raise refusal


def write_suite(
    folder: Path, result: SuiteResult, plan: Mapping[str, Any], environment: Mapping[str, Any]
) -> Path:
    """Write result.json, and samples.jsonl if EvalPlus knows the suite."""
    data, summary, attempts_by_item = result
    there = folder / data.suite.name
    pairs = list(zip(data.items, attempts_by_item, strict=True))
    content = {
        "format": FORMAT,
        "suite": data.suite.name,
        "title": data.suite.title,
        "data": data.origin,
        "data_sha256": data.sha256,
        "left_out": list(data.left_out),
        "plan": plan,
        **summary_to_json(summary),
        "environment": environment,
        "by_item": [
            {
                "item": item.id,
                "right": sum(attempt.mark.status is Status.PASSED for attempt in attempts),
                "attempts": [attempt_to_json(attempt) for attempt in attempts],
            }
            for item, attempts in pairs
        ],
    }
    file = there / "result.json"
    write_text(file, json.dumps(content, indent=1) + "\n")
    if data.suite.evalplus:
        lines = [evalplus_line(item, attempt) for item, attempts in pairs for attempt in attempts]
        write_text(there / "samples.jsonl", "".join(lines))
    return file


def summary_to_json(summary: Summary) -> dict[str, Any]:
    """Figures first, each with its 95 % interval."""
    return {
        "items": summary.items,
        "attempts_per_item": summary.attempts,
        "metrics": {name: asdict(value) for name, value in summary.metrics.items()},
        "by_seed": {str(seed): value for seed, value in summary.by_seed.items()},
        "statuses": dict(summary.statuses),
        "truncated": summary.truncated,
    }


def evalplus_line(item: Item, attempt: Attempt) -> str:
    """Return the very program that was graded; an empty one if there was no answer."""
    assert isinstance(item, CodeItem), "EvalPlus has suites of code only"
    solution = "" if attempt.answer is None else program_of(item, attempt.answer)
    return json.dumps({"task_id": item.id, "solution": solution}) + "\n"
