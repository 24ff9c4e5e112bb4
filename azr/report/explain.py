"""One rollout in plain words: the question, the right answer, the answer given, and why.

Question and right answer are asked of the mode's own rules, so a new mode explains itself. The
texts are for people; the verdict in the record is the judge's and is never decided again.
"""

import json
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, cast

from azr.game.modes import rules_of
from azr.game.tasks.task_json import content_hash
from azr.records.rollouts import mode_of, task_of
from azr.types import (
    Answer,
    Check,
    Mode,
    ParseFailure,
    ParseRules,
    Prompt,
    Role,
    Rollout,
    Task,
    Verdict,
)

__all__ = [
    "Explanation",
    "RunFormat",
    "explain",
    "format_of",
    "read_object",
    "resolved_config",
    "table_in",
    "task_name",
    "unfenced",
]

Record = Mapping[str, Any]

logger = logging.getLogger(__name__)

SOUGHT = "?"
"""Stands where the answer would, to see from a check what a mode asks for."""

WORDS = {
    "not a literal": "an input is not a Python literal",
    "not deterministic": "runs of it in different images gave different results",
    "out of fuel": "it ran too long (out of fuel)",
    "timed out": "it ran too long (the sandbox's safety net)",
    "out of memory": "it needed too much memory",
    "output too large": "its output is too large",
    "not a value": "it returned something that is not plain data",
    "syntax error": "it is not valid Python",
    "refused": "it imports or uses what is forbidden",
    "trapped": "it crashed the interpreter",
    "exited": "it ended the interpreter",
    "no value": "it returned nothing to keep",
    "truncated": "it was cut at the token limit",
    "too long to ask": "the solver's prompt would be too long",
    "over the curriculum": "it has more lines than the curriculum allows as yet",
    "not novel: copy": "not novel: the program is one that is there already",
    "not novel: too near": "not novel: too much like a recent program",
}
"""What the judge's short reasons mean; a reason that is not here stands for itself."""


@dataclass(frozen=True, slots=True)
class RunFormat:
    """How a run's completions are wrapped, and how what is in them is found."""

    envelope: str = "none"
    """selfplay.envelope"""
    reading: ParseRules = field(default_factory=ParseRules)
    """Of [parsing]: another one would find another answer, or none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What a person wants to know about one rollout; all texts are a model's, or quote one."""

    question: str
    """`f([1, 2]) = ?`, `f(?) = 3`, or the shown cases of a program that is sought."""
    expected: str
    given: str
    """The answer (or, of a proposal, the program) as the parser of the run's envelope reads it."""
    why: str
    """One sentence: `expected 6, answered 7`, `raised ValueError`, `no output block`."""
    shows_program: bool
    """The solver sees the program; else it is what is sought."""


def resolved_config(folder: Path) -> dict[str, Any]:
    """The run's configuration as plain values; empty if the run did not get that far."""
    return read_object(folder / "resolved.json")


def read_object(file: Path) -> dict[str, Any]:
    """The JSON object in the file; empty if there is none, which is told where there is a file."""
    if not file.exists():
        return {}
    try:
        found: object = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        logger.warning("%s: cannot be read as a JSON object: left out", file)
        return {}
    return cast(dict[str, Any], found)


def table_in(tree: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A table of a configuration that was read; empty if it is none."""
    found: object = tree.get(name)
    return cast(dict[str, Any], found) if isinstance(found, dict) else {}


def format_of(folder: Path) -> RunFormat:
    """The run's own; the defaults where it does not say."""
    config = resolved_config(folder)
    parsing = table_in(config, "parsing")
    known: dict[str, type] = {
        entry.name: type(cast(object, entry.default)) for entry in fields(ParseRules)
    }
    return RunFormat(
        envelope=str(table_in(config, "selfplay").get("envelope", "none")),
        reading=ParseRules(
            **{name: v for name, v in parsing.items() if type(v) is known.get(name)}
        ),
    )


def task_name(task: Task) -> str:
    """A short name, the same in the terminal and the report: `deduction-3f9a21c8`."""
    return f"{task.mode.value}-{content_hash(task).hex()[:8]}"


def explain(record: Record, run_format: RunFormat) -> Explanation:
    """Put a record into words."""
    task = task_of(record)
    text: str = record["prefill"] + record["completion"]
    if record["stream"].startswith(Role.PROPOSER):
        program = task.program if task else unfenced(text)
        return Explanation(
            question="", expected="", given=program, why=why_proposal(record), shows_program=True
        )
    given = read_answer(record, mode_of(record), run_format)
    if task is None:
        return Explanation(
            question="", expected="", given=given, why=in_words(record["reason"]),
            shows_program=True,
        )  # fmt: skip
    rules = rules_of(task.mode)
    check = rules.check_of(task, Answer(task.mode, SOUGHT))
    return Explanation(
        question=rules.question_of(task, SOUGHT),
        expected=rules.solution_of(task),
        given=given,
        why=why_answer(record, task, check, given),
        shows_program=check.program != SOUGHT,
    )


def read_answer(record: Record, mode: Mode, run_format: RunFormat) -> str:
    """The answer as the judge read it; for one that it could not read, what is left of the text."""
    prompt = Prompt(
        role=Role.SOLVER,
        mode=mode,
        text=record["prompt"],
        prefill=record["prefill"],
        envelope=run_format.envelope,
        reading=run_format.reading,
    )
    rollout = Rollout(
        prompt=prompt,
        prompt_ids=(),
        completion_ids=(),
        rollout_logprobs=(),
        completion=record["completion"],
        policy_version=0,
        truncated=record["truncated"],
    )
    answer = rules_of(mode).read_answer(rollout)
    return unfenced(rollout.text) if isinstance(answer, ParseFailure) else answer.content


def unfenced(text: str) -> str:
    """For display only: the answer part, without tags and fences around it."""
    answer = re.search(r"(?s).*<answer>(.*?)(?:</answer>|$)", text)
    text = (answer[1] if answer else text).strip()
    block = re.fullmatch(r"(?s)```\w*\n(.*?)(?:\n?```)?", text)
    return (block[1] if block else text).strip("\n")


def why_answer(record: Record, task: Task, check: Check, given: str) -> str:
    """Why the judge ruled as it did."""
    if record["verdict"] == Verdict.PASSED:
        return why_right(check, shown(given))
    if record["reason"] == "not a literal":
        return f"not a Python literal: {shown(given)}"
    if record["reason"] == "wrong value":
        return why_wrong(task, check, shown(given))
    return in_words(record["reason"])


def why_right(check: Check, given: str) -> str:
    """The answer again, or what it agrees with."""
    if check.program == SOUGHT:
        return f"agrees on all {len(check.calls)} hidden cases"
    return f"answered {given}" if check.claimed else f"f({given}) gives it"


def why_wrong(task: Task, check: Check, given: str) -> str:
    """Where the answer's value is another than the task's."""
    if check.program == SOUGHT:
        return f"another value than expected on at least one of {len(check.calls)} hidden cases"
    if check.claimed:
        return f"expected {shown(rules_of(task.mode).answer_of(task))}, answered {given}"
    return f"f({given}) does not give {shown(check.expected[0])}"


def why_proposal(record: Record) -> str:
    """What became of a proposal."""
    if record["verdict"] != Verdict.PASSED:
        return in_words(record["reason"])
    rate = record["solve_rate"]
    solved = "" if rate is None else f"; {rate:.0%} of its trials solved it"
    return f"valid: it runs, and gives the same every time{solved}"


def in_words(reason: str) -> str:
    """A short reason of judge or parser as a sentence."""
    kind, _, detail = reason.partition(": ")
    if kind == "raised":
        return f"raised {detail}"
    if kind == "parse":
        return f"could not be read: {WORDS.get(detail, detail)}"
    if kind == "refused" and detail:
        return f"forbidden: {detail}"
    return WORDS.get(reason, reason) or "no reason is recorded"


def shown(text: str, most: int = 80) -> str:
    """One line, cut in the middle if it is long."""
    line = " ".join(text[: 4 * most].split())
    if len(text) <= 4 * most and len(line) <= most:
        return line
    half = most // 2
    return f"{line[:half]} ... {text[-half:].strip()}" if len(text) > most else line
