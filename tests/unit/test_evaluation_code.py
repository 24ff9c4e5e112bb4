"""Grading code, with an executor that is told what to answer."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from azr.config.run import SandboxConfig
from azr.errors import ConfigError, ExecutorUnavailable
from azr.evaluation.grading.budgets import (
    BASE_FUEL,
    CANONICAL_GIGAFUEL,
    HEAVY_CHECKS,
    fuel_of,
    limits_of_part,
)
from azr.evaluation.grading.code import CodeGrader, program_of
from azr.evaluation.grading.graders import Graders, evaluation_sandbox
from azr.evaluation.maths.grader import MathsGrader
from azr.evaluation.suites.items import CodeItem, ExecutionItem, Mark, Part, Status
from azr.types import Case, Mode, Task
from sandbox_wasm.errors import BadJob, SandboxUnavailable
from sandbox_wasm.grading.checks import Calls, Comparison, Stdin, Tests
from sandbox_wasm.grading.compare import same_output, same_value
from sandbox_wasm.grading.grader import jobs_of
from sandbox_wasm.grading.soundness import EMPTY
from sandbox_wasm.jobs.fields import MAX_CALLS, MAX_IMAGES, MAX_TEXT_BYTES
from sandbox_wasm.server.queues import QueueLimits, too_costly
from sandbox_wasm.types import CallResult, Job, JobResult, Limits, Outcome
from sandbox_wasm.wire.codec import pack_job
from sandbox_wasm.wire.protocol import DEFAULT_MAX_MESSAGE_BYTES
from tests.fakes import InProcessExecutor, ScriptedExecutor

ITEM = CodeItem(
    id="x/1", checks=(Part("base", Tests("assert f() == 1")), Part("plus", Tests("assert f()")))
)
LCB = Comparison.LIVECODEBENCH


def grade(item: CodeItem, script: Callable[[Job], CallResult], answer: str = "p") -> Mark:
    return asyncio.run(CodeGrader(scripted(script)).grade(item, answer))


def scripted(script: Callable[[Job], CallResult]) -> ScriptedExecutor:
    """Answers with one result a job; an empty program fails its tests."""

    def answer(job: Job) -> JobResult:
        nothing = CallResult(outcome=Outcome.RAISED, error="NameError: f")
        return JobResult(id=job.id, calls=(nothing if job.source == EMPTY else script(job),))

    return ScriptedExecutor(answer)


def test_all_checks_must_pass_and_each_is_a_part() -> None:
    mark = grade(ITEM, lambda _: CallResult(outcome=Outcome.RETURNED, fuel=7))
    assert mark == Mark(status=Status.PASSED, parts={"base": True, "plus": True}, fuel=14)


def test_the_first_failed_check_is_the_last_that_runs() -> None:
    jobs: list[Job] = []

    def fail(job: Job) -> CallResult:
        jobs.append(job)
        return CallResult(outcome=Outcome.RAISED, error="AssertionError: a\n b")

    mark = grade(ITEM, fail)
    assert len(jobs) == 1
    assert mark.status is Status.WRONG
    assert mark.parts == {"base": False}
    assert mark.reason == "base: raised: AssertionError: a b"


@pytest.mark.parametrize("outcome", [Outcome.OUT_OF_FUEL, Outcome.TIMED_OUT])
def test_out_of_fuel_is_a_status_of_its_own(outcome: Outcome) -> None:
    assert grade(ITEM, lambda _: CallResult(outcome=outcome)).status is Status.OUT_OF_FUEL


def test_heavy_items_get_four_times_what_their_canonical_solution_takes() -> None:
    assert fuel_of("HumanEval/139", "plus") == 4 * 294 * 10**9
    assert fuel_of("HumanEval/139", "base") == BASE_FUEL
    assert fuel_of("HumanEval/0", "plus") == BASE_FUEL


class BrokenExecutor:
    def __init__(self, error: Exception) -> None:
        self.error = error

    async def arun(self, jobs: Sequence[Job]) -> list[JobResult]:
        raise self.error


def test_a_broken_machine_is_an_exception_never_a_mark() -> None:
    grader = CodeGrader(BrokenExecutor(SandboxUnavailable("gone")))
    with pytest.raises(ExecutorUnavailable, match="gone"):
        asyncio.run(grader.grade(ITEM, "p"))


def test_a_broken_contract_is_an_exception_too() -> None:
    executor = ScriptedExecutor(lambda job: JobResult(id=job.id, calls=()))
    with pytest.raises(ExecutorUnavailable, match="1 cases were answered with 0"):
        asyncio.run(CodeGrader(executor).grade(ITEM, "p"))


class Rejecting:
    """Rejects jobs that hold a text."""

    def __init__(self, text: str) -> None:
        self.text = text

    async def arun(self, jobs: Sequence[Job]) -> list[JobResult]:
        if any(self.text in repr(job) for job in jobs):
            raise BadJob("source too long")
        return [
            JobResult(
                id=job.id,
                calls=(CallResult(outcome=Outcome.RETURNED if job.source else Outcome.RAISED),),
            )
            for job in jobs
        ]


def test_a_text_that_cannot_be_sent_is_wrong_and_ends_nothing() -> None:
    grader = CodeGrader(Rejecting("LONG"))
    assert asyncio.run(grader.grade(ITEM, "LONG")).status is Status.WRONG
    assert asyncio.run(grader.grade(ITEM, "short")).status is Status.PASSED


@pytest.mark.parametrize("check", [Calls("f", (("'TEST'", "1"),)), Stdin((("TEST", "1"),))])
def test_a_case_that_cannot_be_sent_is_an_error_never_a_mark(check: Calls | Stdin) -> None:
    grader = CodeGrader(Rejecting("TEST"))
    item = replace(ITEM, checks=(Part("base", check),))
    with pytest.raises(ConfigError, match=r"x/1: base cannot be sent: source too long"):
        asyncio.run(grader.grade(item, "p"))


def test_an_item_that_cannot_be_sent_is_an_error_never_a_mark() -> None:
    grader = CodeGrader(Rejecting("assert f()"))
    with pytest.raises(ConfigError, match=r"x/1: .*base.* source too long"):
        asyncio.run(grader.grade(ITEM, "p"))


def test_tests_that_do_not_compile_are_an_error_never_a_mark() -> None:
    def script(job: Job) -> CallResult:
        return CallResult(outcome=Outcome.SYNTAX_ERROR, error="SyntaxError: invalid syntax")

    executor = ScriptedExecutor(lambda job: JobResult(id=job.id, calls=(script(job),)))
    with pytest.raises(ConfigError, match=r"x/1: .*base.* do not compile: SyntaxError"):
        asyncio.run(CodeGrader(executor).grade(ITEM, "p"))


def test_a_program_that_does_not_compile_is_wrong_and_the_tests_are_looked_at_once() -> None:
    def script(job: Job) -> CallResult:
        broken = "SECRET" in job.source
        outcome = Outcome.SYNTAX_ERROR if broken else Outcome.RETURNED
        return CallResult(outcome=outcome, error="SyntaxError: x" if broken else None)

    executor = scripted(script)
    grader = CodeGrader(executor)
    for _ in range(3):
        assert asyncio.run(grader.grade(ITEM, "SECRET")).status is Status.WRONG
    assert len(executor.jobs) == 4


def test_an_item_that_nothing_checks_is_an_error_never_a_mark() -> None:
    executor = ScriptedExecutor(lambda job: JobResult(id=job.id, calls=()))
    with pytest.raises(ConfigError, match=r"x: .*no test"):
        asyncio.run(CodeGrader(executor).grade(CodeItem(id="x", checks=()), "p"))


def test_tests_that_an_empty_program_passes_are_an_error_never_a_mark() -> None:
    executor = ScriptedExecutor(
        lambda job: JobResult(id=job.id, calls=(CallResult(outcome=Outcome.RETURNED),))
    )
    with pytest.raises(ConfigError, match=r"x/1: its check base is none: an empty program passes"):
        asyncio.run(CodeGrader(executor).grade(ITEM, "p"))


def test_an_expected_value_that_is_no_literal_is_an_error_never_a_mark() -> None:
    item = CodeItem(id="x", checks=(Part("samples", Calls("g", (("1", "Counter()"),), LCB)),))
    with pytest.raises(ConfigError, match=r"x: .*no literal"):
        grade(item, lambda _: CallResult(outcome=Outcome.RETURNED, value="1"))


def test_context_stands_before_an_answer_that_does_not_repeat_it() -> None:
    item = CodeItem(id="x", context="import os\n\n", checks=())
    assert program_of(item, "def f(): pass") == "import os\n\ndef f(): pass"
    assert program_of(item, "import os\ndef f(): pass") == "import os\ndef f(): pass"


def test_whole_programs_are_judged_by_their_output_however_they_end() -> None:
    item = CodeItem(id="x", checks=(Part("samples", Stdin((("1\n", "2\n"),), LCB)),))
    for outcome, stdout, status in (
        (Outcome.RETURNED, " 2 \n\n", Status.PASSED),
        (Outcome.EXITED, "2", Status.PASSED),
        (Outcome.RAISED, "2", Status.WRONG),
        (Outcome.RETURNED, "3", Status.WRONG),
        (Outcome.RETURNED, "2\n2", Status.WRONG),
    ):
        result = CallResult(outcome=outcome, stdout=stdout)
        assert grade(item, lambda _, r=result: r).status is status, (outcome, stdout)


def test_expected_values_and_outputs_never_enter_the_guest() -> None:
    executor = ScriptedExecutor(
        lambda job: JobResult(id=job.id, calls=(CallResult(outcome=Outcome.RETURNED, value="1"),))
    )
    item = CodeItem(
        id="x",
        checks=(
            Part("a", Stdin((("in", "SECRET"),), LCB)),
            Part("b", Calls("solve", (("x=1", "'SECRET'"),), LCB)),
        ),
    )
    asyncio.run(CodeGrader(executor).grade(item, "p"))
    item = CodeItem(id="x", checks=item.checks[1:])
    asyncio.run(CodeGrader(executor).grade(item, "p"))
    assert len(executor.jobs) == 2
    assert not any("SECRET" in repr(job) for job in executor.jobs)


@pytest.mark.parametrize(
    ("given", "expected", "same"),
    [
        ("1 2\n3", "1 2\n3\n", True),
        ("  a ", "a", True),
        ("0.50", "0.5", True),
        ("1e3", "1000", True),
        ("0.5000001", "0.5", False),
        ("a  b", "a b", False),
        ("yes", "YES", False),
        ("1\n\n2", "1\n2", False),
    ],
)
def test_outputs_are_compared_as_livecodebench_does(given: str, expected: str, same: bool) -> None:
    assert same_output(given, expected, LCB) is same


@pytest.mark.parametrize(
    ("given", "expected", "same"),
    [
        ("(1, [2, [3]])", "[1, [2, [3]]]", True),
        ("[1, (2, 3)]", "[1, [2, 3]]", False),
        ("1.0", "1", True),
        ("True", "1", True),
        ("'1'", "1", False),
        ("[1, 2]", "[2, 1]", False),
        ("not a literal", "1", False),
    ],
)
def test_values_are_compared_as_livecodebench_does(given: str, expected: str, same: bool) -> None:
    assert same_value(given, expected, Calls("f", (("", expected),), LCB)) is same


def execution_mark(mode: Mode, answer: str) -> Mark:
    task = Task(mode=mode, program="def f(x):\n    return x % 5", cases=(Case("7", "2"),))

    async def run() -> Mark:
        async with MathsGrader() as maths:
            executor: Any = InProcessExecutor()
            graders = Graders(executor, SandboxConfig(), maths)
            return await graders.grade(ExecutionItem(id="x", task=task), answer)

    return asyncio.run(run())


def test_execution_items_are_graded_by_the_judge_of_self_play() -> None:
    assert execution_mark(Mode.DEDUCTION, "2").status is Status.PASSED
    assert execution_mark(Mode.DEDUCTION, "2.0").reason == "wrong value"
    assert execution_mark(Mode.DEDUCTION, "1 + 1").reason == "not a literal"
    assert execution_mark(Mode.ABDUCTION, "12").status is Status.PASSED
    assert execution_mark(Mode.ABDUCTION, "13").status is Status.WRONG


MOST_CALLS = Calls("f", (("1", "1"),) * MAX_CALLS)


@pytest.mark.parametrize("item", ["x/1", *CANONICAL_GIGAFUEL])
@pytest.mark.parametrize("check", ["base", *HEAVY_CHECKS])
def test_a_server_takes_what_evaluation_asks_for(item: str, check: str) -> None:
    part = Part(check, Tests("assert f() == 1"))
    [job] = jobs_of(item, "p", part.check, limits_of_part(item, part))
    assert too_costly(job, QueueLimits()) is None


@pytest.mark.parametrize("check", ["base", "samples", "hidden"])
def test_a_server_takes_a_whole_job_of_calls_as_evaluation_makes_them(check: str) -> None:
    part = Part(check, MOST_CALLS)
    jobs = jobs_of("x/1", "p", part.check, limits_of_part("x/1", part))
    assert sum(len(job.calls) for job in jobs) == MAX_CALLS
    for job in jobs:
        assert pack_job(1, job, DEFAULT_MAX_MESSAGE_BYTES)
        assert too_costly(job, QueueLimits()) is None


@pytest.mark.parametrize("check", [MOST_CALLS, Tests("assert f() == 1")], ids=["calls", "tests"])
def test_a_server_takes_what_trainers_rewards_ask_for(check: Calls | Tests) -> None:
    for job in jobs_of("x", "p", check):
        assert pack_job(1, job, DEFAULT_MAX_MESSAGE_BYTES)
        assert too_costly(job, QueueLimits()) is None


def test_long_arguments_are_sent_in_messages_that_a_server_takes() -> None:
    long = f"'{'x' * (MAX_TEXT_BYTES - 100)}'"
    jobs = jobs_of("x", "p", Calls("f", (("1", "1"), (long, "1"), (long, "1"), ("2", "1"))))
    assert [len(job.calls) for job in jobs] == [2, 2]
    assert all(pack_job(1, job, DEFAULT_MAX_MESSAGE_BYTES) for job in jobs)


@pytest.mark.parametrize("config", [SandboxConfig(), evaluation_sandbox(SandboxConfig())])
def test_a_server_takes_what_the_judge_asks_for(config: SandboxConfig) -> None:
    limits = Limits(fuel=config.fuel)
    job = Job("x", "p", calls=["1"] * 100, entry="f", limits=limits, images=MAX_IMAGES)
    assert too_costly(job, QueueLimits()) is None


DEFINED = 'def f(x: "Unknown") -> int:\n    return 1\n'
FUTURE = "from __future__ import annotations"
HEADS = [
    f"{FUTURE}\n", f'"""Doc."""\n{FUTURE}\n', f"'Doc.'\n{FUTURE}\n", f'"Doc."\n{FUTURE}\n',
    f"#!/usr/bin/env python\n# -*- coding: utf-8 -*-\n\n{FUTURE}\n", f"\n\n{FUTURE}\n",
    f'r"""Do\\c."""\n# c\n{FUTURE}\n', f"{FUTURE}; import math\n", f"{FUTURE}  # why\n",
    "from __future__ import (\n    annotations,  # c)\n    division,\n)\n", f"\x0c{FUTURE}\n",
    "from __future__ import \\\n    annotations\n", f'"""Doc."""  # c\n{FUTURE}\n',
    f"{FUTURE}\nfrom __future__ import division\n", f'"""Doc."""\r\n{FUTURE}\r\n',
    f'# c\n"""D\n"""\n\n# d\n{FUTURE}\n', f'"a" "b"\n{FUTURE}\n', f'"""D"""; {FUTURE}\n',
    f"\ufeff{FUTURE}\n", f'"""As {FUTURE}\n"""\n{FUTURE}\n', f"# {FUTURE}\n{FUTURE}\n",
]  # fmt: skip


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize(
    "context",
    [
        "import math\n\ndef helper():\n    return 1\n",
        f"{FUTURE}\nimport math\n",
        f'"""Docs."""\n{FUTURE}\nimport math\n',
        '"""Docs."""\nimport math\n',
    ],
)
def test_imports_from_the_future_stay_first_after_a_context(context: str, head: str) -> None:
    whole = program_of(CodeItem(id="x", context=context, checks=()), head + DEFINED)
    compile(whole, "joined", "exec", dont_inherit=True)
    assert whole.index("from __future__") <= whole.index("import math")
    assert whole.endswith(DEFINED)


def test_a_text_about_the_future_is_left_where_it_stands() -> None:
    answer = f'"""As {FUTURE}\n"""\nx = 1\n'
    item = CodeItem(id="x", context="import math\n", checks=())
    assert program_of(item, answer) == f"import math\n\n{answer}"
