"""Anchors: tasks of the user's own, with checks, that solvers are asked beside the curriculum's.

A few human tasks keep self-play from drifting (R-Few, arXiv 2512.02472: 1 to 5 %; anchored
self-play for code repair mixes in known bugs). An anchor is a line of JSON: `prompt`, the
statement, and `ground_truth`, a check in any form that the adapters read (stdin and stdout,
asserts, calls of a function). Its answer is a program.

Anchors are no tasks of the buffers: they are never references, and nobody proposes them.
"""

from dataclasses import dataclass
from functools import lru_cache
from random import Random
from typing import Any, cast

from azr.config.game import AnchorsConfig
from azr.errors import ConfigError
from azr.game.modes.parse import answer_body
from azr.game.rewards.rewards import answer_reward
from azr.game.table import Table
from azr.game.tasks.json_lines import lines_in, record_in
from azr.gather import all_or_nothing
from azr.seeds import derive_seed
from azr.types import ANCHORS, Experience, Grade, ParseFailure, Verdict
from sandbox_wasm.adapters.grading import program_of
from sandbox_wasm.grading import Check, parse_check

__all__ = [
    "Anchor",
    "anchors_in",
    "anchors_of",
    "check_anchors",
    "play_anchors",
    "prove_anchors",
]


@dataclass(frozen=True, slots=True)
class Anchor:
    """One task of the user's."""

    place: str
    """File and line, for errors."""
    name: str
    """`line 3`."""
    statement: str
    check: Check


def anchors_of(config: AnchorsConfig, num_answers: int, seed: int) -> list[Anchor]:
    """The anchors of a step: so many that they are anchors.share of all answers.

    Args:
        config: The file and the share.
        num_answers: Answers of the step that are to other tasks.
        seed: Of the draw. An anchor comes twice only where there are too few.
    """
    if not config.file:
        return []
    anchors, draws = anchors_in(config.file), Random(seed)  # noqa: S311 - not for secrets
    number = round(num_answers * config.share / (1 - config.share))
    rounds = -(-number // len(anchors))
    return [a for _ in range(rounds) for a in draws.sample(anchors, len(anchors))][:number]


def check_anchors(config: AnchorsConfig) -> None:
    """Read the file, if the run has one; see `anchors_in`."""
    if config.file:
        anchors_in(config.file)


@lru_cache(maxsize=4)
def anchors_in(path: str) -> tuple[Anchor, ...]:
    """Read the file; nothing is run.

    Raises:
        ConfigError: It cannot be read, is empty, or a line is no anchor.
    """
    numbered = lines_in(path, f"anchors.file {path}", "name another, or leave it out")
    return tuple(anchor_in(line, path, number) for number, line in numbered)


def anchor_in(line: str, path: str, number: int) -> Anchor:
    """The anchor of one line.

    Raises:
        ConfigError: It is none; file, line and field are named.
    """
    place = f"anchors.file {path}, line {number}"
    record = record_in(line, place)
    fields = cast(dict[str, Any], record) if isinstance(record, dict) else {}
    statement = fields.get("prompt")
    if not isinstance(statement, str) or not statement.strip():
        raise ConfigError(f"{place}, prompt: must be a text that is not blank")
    try:
        check = parse_check(fields.get("ground_truth"))
    except (ValueError, TypeError, RecursionError) as error:
        raise ConfigError(f"{place}, ground_truth: {error}") from error
    return Anchor(place, f"line {number}", statement.strip(), check)


async def play_anchors(table: Table, step: int) -> list[Experience]:
    """Let solvers answer some of the user's own tasks, an attempt each."""
    selfplay, seed = table.config.selfplay, derive_seed(table.config.seed, step, "anchors")
    num_answers = len(selfplay.modes) * selfplay.batch_size
    anchors = anchors_of(table.config.anchors, num_answers, seed)
    return await all_or_nothing(
        [solve_anchor(table, one, derive_seed(seed, n)) for n, one in enumerate(anchors)]
    )


async def solve_anchor(table: Table, anchor: Anchor, seed: int) -> Experience:
    """One attempt at a task of the user's own, paid as an induction answer is."""
    rollout = await table.policy.sample(table.prompts.anchor(anchor.statement, seed))
    body = answer_body(rollout)
    program = "" if isinstance(body, ParseFailure) else program_of(body, anchor.check)
    grade = (
        await table.judge.grade_program(program, anchor.check)
        if program
        else Grade(verdict=Verdict.ILL_FORMED, reason="parse: no program")
    )
    return Experience(
        rollout=rollout,
        verdict=grade.verdict,
        reward=answer_reward(grade, table.config.rewards),
        reason=grade.reason,
        group=f"{ANCHORS}{anchor.name}",
    )


async def prove_anchors(table: Table) -> None:
    """Refuse anchors that an empty program passes, that none can pass, or that are too long.

    Raises:
        ConfigError: There is one; file and line are named.
        ExecutorUnavailable: The machinery failed.
    """
    file = table.config.anchors.file
    await all_or_nothing([prove(table, anchor) for anchor in anchors_in(file)] if file else [])


async def prove(table: Table, anchor: Anchor) -> None:
    """The same of one."""
    try:
        table.prompts.anchor(anchor.statement, 0)
        grade = await table.judge.grade_program("", anchor.check)
    except ValueError as error:  # of the check; a ConfigError, of the prompt, is one
        raise ConfigError(f"{anchor.place}: {error}") from error
    if grade.verdict is Verdict.PASSED:
        raise ConfigError(f"{anchor.place}, ground_truth: an empty program passes it")
