"""Our verdicts beside those of EvalPlus 0.3.1 on the same programs, the suites' own and mutants.

A part of the tasks, drawn by their ids, without those that take long; all of them with
AZR_EVALPLUS_WHOLE=1. EvalPlus' verdicts are recorded: scripts/evalplus_verdicts.py.
"""

import asyncio
import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest

from azr.evaluation.budgets import CANONICAL_GIGAFUEL
from azr.evaluation.code import CodeGrader, program_of
from azr.evaluation.data import load_suite
from azr.evaluation.items import CodeItem, Mark, Status
from azr.evaluation.suites import SUITES
from sandbox_wasm import Sandbox
from tests.direct import DirectExecutor
from tests.evalplus_golden import Golden, digest_of
from tests.mutants import programs_of

pytestmark = [pytest.mark.guest, pytest.mark.slow]

ONE_IN = 4
"""Of the tasks, in the normal run; the hash that chooses is the golden file's own."""

WHOLE = bool(os.environ.get("AZR_EVALPLUS_WHOLE"))

KNOWN: Mapping[tuple[str, int], str] = {}
"""By task and program (0: the canonical solution), why the verdicts differ."""


def items_of(data: Path, suite: str) -> list[CodeItem]:
    return [item for item in load_suite(SUITES[suite], data).items if isinstance(item, CodeItem)]


def chosen(items: list[CodeItem], golden: Golden, suite: str) -> list[CodeItem]:
    """A part that takes about a minute, and what is known to differ; or all."""
    if WHOLE:
        return items
    differing = {task for task, _ in KNOWN}
    return [
        item for item in items
        if item.id not in CANONICAL_GIGAFUEL
        and (item.id in differing or int(golden.suites[suite][item.id][0].digest, 16) % ONE_IN == 0)
    ]  # fmt: skip


def marks(sandbox: Sandbox, answers: list[tuple[CodeItem, str]]) -> list[Mark]:
    async def run() -> list[Mark]:
        grader = CodeGrader(DirectExecutor(sandbox))
        return await asyncio.gather(*(grader.grade(item, text) for item, text in answers))

    return asyncio.run(run())


def verdict(mark: Mark) -> tuple[bool, bool]:
    """Base; base and plus."""
    return mark.parts.get("base", False), mark.status is Status.PASSED


@pytest.mark.parametrize("suite", ["humaneval+", "mbpp+"])
def test_the_programs_are_those_that_evalplus_saw(shared_data: Path, suite: str) -> None:
    seen = Golden.read().suites[suite]
    made = {
        item.id: [digest_of(program_of(item, one)) for one in programs_of(item.id, item.gold)]
        for item in items_of(shared_data, suite)
    }
    assert made == {task: [one.digest for one in ones] for task, ones in seen.items()}, (
        "another generator or other data: have EvalPlus judge again, scripts/evalplus_verdicts.py"
    )


@pytest.mark.parametrize("suite", ["humaneval+", "mbpp+"])
def test_verdicts_are_those_of_evalplus(sandbox: Sandbox, shared_data: Path, suite: str) -> None:
    golden = Golden.read()
    items = chosen(items_of(shared_data, suite), golden, suite)
    programs = [
        (item, number, text)
        for item in items
        for number, text in enumerate(programs_of(item.id, item.gold))
    ]
    found = marks(sandbox, [(item, text) for item, _, text in programs])
    differing = {
        (item.id, number): f"{mark.parts} {mark.reason}; EvalPlus: {seen.base}, {seen.plus}"
        for (item, number, _), mark in zip(programs, found, strict=True)
        if verdict(mark) != (seen := golden.suites[suite][item.id][number]).verdict
    }
    ran = {item.id for item in items}
    assert set(differing) == {(task, n) for task, n in KNOWN if task in ran}, differing


def test_the_golden_file_has_programs_of_every_kind() -> None:
    """Agreement means little where all pass, or all fail."""
    kinds = Counter(
        one.verdict
        for tasks in Golden.read().suites.values() for ones in tasks.values() for one in ones
    )  # fmt: skip
    assert kinds[True, True] > 600
    assert kinds[True, False] > 30
    assert kinds[False, False] > 500
