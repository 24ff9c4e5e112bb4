"""The judge in error mode, and of composite tasks."""

import asyncio

import pytest

from azr.config.run import SandboxConfig
from azr.errors import ExecutorUnavailable
from azr.game.judge.judge import SandboxJudge
from azr.types import Case, Demands, Proposal, Ruling, Verdict
from sandbox_wasm.errors import SandboxUnavailable
from sandbox_wasm.types import CallResult, Outcome
from tests.fakes import InProcessExecutor
from tests.unit.test_judge import (
    ADD,
    CONFIG,
    DEDUCTION,
    ERROR,
    admit,
    answering,
    failing,
    grade,
    task_of,
)

# ---------------------------------------------------------------- error mode


@pytest.mark.parametrize(
    ("result", "output"),
    [
        (CallResult(outcome=Outcome.RETURNED, value="3"), "'NoError'"),
        (CallResult(outcome=Outcome.RAISED, error="ValueError: no"), "'ValueError'"),
        (CallResult(outcome=Outcome.RAISED, error="StopIteration"), "'StopIteration'"),
        (CallResult(outcome=Outcome.RAISED, error="Oops_2: a\ncustom one"), "'Oops_2'"),
        (CallResult(outcome=Outcome.RAISED, error="MemoryError: raised by hand"), "'MemoryError'"),
    ],
)
def test_an_error_task_s_output_is_what_the_call_raises(result: CallResult, output: str):
    """Feature 4: the class name, as a string literal like every other output."""
    ruling = admit(ADD, "1", executor=answering(result), mode=ERROR)
    assert ruling.task is not None
    assert ruling.task.cases == (Case("1", output),)
    assert ruling.task.mode is ERROR


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        (CallResult(outcome=Outcome.RAISED, error="A: x", differs="outcome"), "not deterministic"),
        (CallResult(outcome=Outcome.RETURNED, value="3", differs="value"), "not deterministic"),
        (CallResult(outcome=Outcome.OUT_OF_FUEL, error="TimeoutError: x"), "out of fuel"),
        (CallResult(outcome=Outcome.OUT_OF_MEMORY, error="MemoryError"), "out of memory"),
        (CallResult(outcome=Outcome.EXITED, error="SystemExit: 0"), "exited"),
        (CallResult(outcome=Outcome.TRAPPED, error="x: y"), "trapped"),
        (CallResult(outcome=Outcome.TIMED_OUT, error="TimeoutError: x"), "timed out"),
        (CallResult(outcome=Outcome.SYNTAX_ERROR, error="SyntaxError: x"), "syntax error"),
        (CallResult(outcome=Outcome.REFUSED, error="ImportError: os"), "refused"),
        (CallResult(outcome=Outcome.NOT_A_VALUE), "not a value"),
        (CallResult(outcome=Outcome.RETURNED), "no value"),
        (CallResult(outcome=Outcome.RAISED), "raised: other"),
        (CallResult(outcome=Outcome.RAISED, error="NoError: ha"), "raised: other"),
        (CallResult(outcome=Outcome.RAISED, error="noerror"), "raised: other"),
        (CallResult(outcome=Outcome.RAISED, error="a b: c"), "raised: other"),
        (CallResult(outcome=Outcome.RAISED, error="Ärger: c"), "raised: other"),
        (CallResult(outcome=Outcome.RAISED, error="X" * 65), "raised: other"),
        (CallResult(outcome=Outcome.RAISED, error="X\n: c"), "raised: other"),
        (CallResult(outcome=Outcome.RAISED, error="'; 1"), "raised: other"),
    ],
)  # fmt: skip
def test_what_is_no_exception_of_the_program_is_no_error_task(result: CallResult, reason: str):
    """The machine's limits are not the program's errors: none of them becomes a TimeoutError."""
    ruling = admit(ADD, "1", executor=answering(result), mode=ERROR)
    assert (ruling.verdict, ruling.reason, ruling.task) == (Verdict.FAILED, reason, None)


@pytest.mark.parametrize(
    ("claimed", "right"),
    [
        ("ZeroDivisionError", True),
        ("zerodivisionerror", True),
        ("ZeroDivisionError: division by zero", True),
        ("'ZeroDivisionError'", True),
        ("builtins.ZeroDivisionError", True),
        ("ZeroDivisionError.", True),
        ("ArithmeticError", False),
        ("ZeroDivision", False),
        ("ZeroDivisionErrors", False),
        ("it is ZeroDivisionError", False),
        ("NoError", False),
        ("", False),
        ("1", False),
        ("\ud800", False),
        ("' or True", False),
        ("(" * 10**6, False),
    ],
)
def test_an_error_answer_is_the_first_word_blind_to_case(claimed: str, right: bool):
    """METHOD 1, code_e; the exact class, not one it derives from."""
    executor = InProcessExecutor()
    task = task_of(ERROR, "def f(x):\n    return 1 / x", ("0", "'ZeroDivisionError'"))
    verdict = grade(task, claimed, executor=executor).verdict
    assert verdict is (Verdict.PASSED if right else Verdict.FAILED)
    assert executor.jobs == []


@pytest.mark.parametrize(
    ("statement", "word"),
    [
        ("assert x", "assert"),
        ("raise ValueError", "raise"),
        ("try: pass\n    finally: pass", "try"),
        ("try: pass\n    except* ValueError: pass", "try"),
        ("try: pass\n    except ValueError: pass", "except"),
    ],
)
def test_banned_statements_are_found_on_the_syntax_tree(statement: str, word: str):
    """Not in texts and comments: a scan of the text would refuse those, or miss `assert(x)`."""
    program = f"def f(x):\n    {statement}\n    return x"
    harmless = f"def f(x):\n    # {word}\n    {word}_ = '{word}'\n    return x"

    def ruling(source: str) -> Ruling:
        proposal = Proposal(ERROR, source, ("1",), demands=Demands(banned_statements=(word,)))
        return asyncio.run(SandboxJudge(InProcessExecutor(), CONFIG).admit(proposal, 1))

    assert ruling(program).reason == f"uses {word}"
    assert ruling(harmless).verdict is Verdict.PASSED


# ---------------------------------------------------------------- composite tasks


def test_a_composite_task_holds_its_functions_and_remembers_them():
    function = "def g_0(x):\n    return x * 2"
    own = "def f(x):\n    return g_0(x) + 1"
    proposal = Proposal(DEDUCTION, own, ("4",), demands=Demands(functions=(function,)))
    executor = InProcessExecutor()
    ruling = asyncio.run(SandboxJudge(executor, CONFIG).admit(proposal, 1))
    assert ruling.task is not None
    assert ruling.task.program == f"{function}\n\n\n{own}"
    assert ruling.task.own_program == own
    assert ruling.task.functions == (function,)
    assert ruling.task.cases == (Case("4", "9"),)
    assert executor.jobs[0].entry == "objection"
    assert own not in executor.jobs[0].source  # a text for the guest to parse, not to run
    assert [job.images for job in executor.jobs] == [1, 10]


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        (CallResult(outcome=Outcome.RETURNED, value="'g_0 is not called'"), "g_0 is not called"),
        (CallResult(outcome=Outcome.RETURNED, value=repr("x" * 999)), "x" * 80),
        (CallResult(outcome=Outcome.RETURNED, value="3"), "unreadable"),
        (CallResult(outcome=Outcome.RAISED, error="RecursionError: deep"), "unreadable"),
        (CallResult(outcome=Outcome.OUT_OF_FUEL), "unreadable"),
        (CallResult(outcome=Outcome.TRAPPED), "unreadable"),
    ],
)
def test_a_program_that_the_guest_cannot_vouch_for_is_no_composite(result: CallResult, reason: str):
    proposal = Proposal(DEDUCTION, ADD, ("1",), demands=Demands(functions=("def g_0(): 0",)))
    ruling = asyncio.run(SandboxJudge(answering(result), CONFIG).admit(proposal, 1))
    assert (ruling.verdict, ruling.reason) == (Verdict.FAILED, reason)


def test_the_cap_on_programs_holds_for_functions_and_program_together():
    proposal = Proposal(DEDUCTION, ADD, ("1",), demands=Demands(functions=("#" * 90,)))
    executor = InProcessExecutor()
    judge = SandboxJudge(executor, SandboxConfig(max_program_chars=100))
    assert asyncio.run(judge.admit(proposal, 1)).reason == "program too long"
    assert executor.jobs == []


def test_a_broken_executor_is_no_reason_to_go_without_functions():
    with pytest.raises(ExecutorUnavailable):
        asyncio.run(SandboxJudge(failing(SandboxUnavailable("killed")), CONFIG).compose(("x",), 1))
