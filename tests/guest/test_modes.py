"""Error mode and composite proposals, judged by the real sandbox."""

import asyncio

import pytest

from azr.config.run import SandboxConfig
from azr.game.judge.judge import SandboxJudge
from azr.types import Answer, Demands, Mode, Proposal, Ruling, Verdict, prefix_of
from sandbox_wasm import Sandbox
from tests.direct import DirectExecutor
from tests.unit.test_structure import DOUBLE, MATCHING, RECURSIVE, WITH_HELPERS

pytestmark = pytest.mark.guest

CUSTOM = "class Oops(Exception):\n    pass\n\ndef f(x):\n    raise Oops(x)"


@pytest.fixture(scope="module")
def judge(sandbox: Sandbox) -> SandboxJudge:
    return SandboxJudge(DirectExecutor(sandbox), SandboxConfig())


def admit(judge: SandboxJudge, program: str, given: str = "1", *demands: object) -> Ruling:
    mode = Mode.DEDUCTION if demands else Mode.ERROR
    asked = Demands(*demands)  # type: ignore[arg-type]
    return asyncio.run(judge.admit(Proposal(mode, program, (given,), demands=asked), 1))


@pytest.mark.parametrize(
    ("program", "given", "name"),
    [
        ("def f(x):\n    return 1 / x", "0", "ZeroDivisionError"),
        ("def f(x):\n    return 1 / x", "2", "NoError"),
        (CUSTOM, "1", "Oops"),
        (CUSTOM.replace("Exception", "BaseException"), "1", "Oops"),
        (CUSTOM.replace("Oops(Exception)", "Oops(KeyError)"), "1", "Oops"),
        ("def f(x):\n    return {}[x]", "1", "KeyError"),
        ("def f(x):\n    assert x > 1, 'ValueError: no'", "1", "AssertionError"),
        ("def f(x):\n    return f(x)", "1", "RecursionError"),
        ("def f(x):\n    return int(x)", "'one'", "ValueError"),
        ("def f(x):\n    return x", "", "TypeError"),
        ("def f(x):\n    return y", "1", "NameError"),
        ("import json\ndef f(x):\n    return json.loads(x)", "'{'", "JSONDecodeError"),
        ("def f(x):\n    raise KeyboardInterrupt", "1", "KeyboardInterrupt"),
        ("def f(x):\n    raise ExceptionGroup('m', [ValueError(1)])", "1", "ExceptionGroup"),
        (("def f(x):\n    try:\n        return 1 / x\n    except ZeroDivisionError as e:\n"
         "        raise LookupError from e"), "0", "LookupError"),
        (("def f(x):\n    try:\n        return 1 / x\n    except ZeroDivisionError:\n"
         "        return x"), "0", "NoError"),
        (("class E(Exception):\n    def __str__(self):\n        raise OSError\n\n"
         "def f(x):\n    raise E"), "1", "E"),
        (("class E(Exception):\n    def __str__(self):\n        return ': NoError'\n\n"
         "def f(x):\n    raise E"), "1", "E"),
        ("import os\ndef f(x):\n    raise KeyError(os.urandom(4))", "1", "KeyError"),
    ],
)  # fmt: skip
def test_the_gold_is_the_class_of_what_the_call_raises(
    judge: SandboxJudge, program: str, given: str, name: str
):
    """Feature 4."""
    ruling = admit(judge, program, given)
    assert ruling.task is not None, ruling.reason
    assert ruling.task.cases[0].output == repr(name)
    right = asyncio.run(judge.grade(ruling.task, Answer(Mode.ERROR, f"{name.upper()}: so it is")))
    wrong = asyncio.run(judge.grade(ruling.task, Answer(Mode.ERROR, f"{name}s")))
    assert (right.verdict, wrong.verdict) == (Verdict.PASSED, Verdict.FAILED)


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("def f(x):\n    while True:\n        pass", "out of fuel"),
        (("def f(x):\n    try:\n        while True:\n            pass\n"
         "    except BaseException:\n        raise TimeoutError"), "out of fuel"),
        ("def f(x):\n    return [0] * 10**9", "out of memory"),
        ("def f(x):\n    raise MemoryError", "out of memory"),
        ("def f(x):\n    raise SystemExit(1)", "exited"),
        ("def f(x):\n    exit()", "exited"),
        ("import os\ndef f(x):\n    os._exit(0)", "exited"),
        ("def f(x):\n    raise [KeyError, ValueError, TypeError, OSError][hash('a') % 4]",
         "not deterministic"),
        (("class A(Exception): pass\nclass B(Exception): pass\n\ndef f(x):\n"
         "    raise (A if list({'a', 'b', 'c', 'd', 'e'})[0] in 'ab' else B)"),
         "not deterministic"),
        ("def f(x):\n    return hash('a')", "not deterministic"),
        ("class NoError(Exception):\n    pass\n\ndef f(x):\n    raise NoError", "raised: other"),
        ("class E(Exception):\n    pass\nE.__name__ = 'no error'\n\ndef f(x):\n    raise E",
         "raised: other"),
        ("class E(Exception):\n    pass\nE.__name__ = '\\n'\n\ndef f(x):\n    raise E",
         "raised: other"),
        ("def f(x:\n    return x", "syntax error"),
        ("import random\ndef f(x):\n    raise KeyError", "refused"),
        ("def f(x):\n    return f", "not a value"),
    ],
)  # fmt: skip
def test_what_the_machine_does_is_no_error_of_the_program(
    judge: SandboxJudge, program: str, reason: str
):
    """Never a TimeoutError; and nothing that another hash seed would change."""
    ruling = admit(judge, program)
    assert (ruling.verdict, ruling.reason, ruling.task) == (Verdict.FAILED, reason, None)


def compose(judge: SandboxJudge, *programs: str, count: int = 3) -> tuple[str, ...]:
    return asyncio.run(judge.compose(programs, count))


@pytest.mark.parametrize(
    ("program", "given"),
    [(DOUBLE, "4"), (WITH_HELPERS, "2.5"), (RECURSIVE, "9"), (MATCHING, "[1]")],
)
def test_a_function_made_in_the_guest_does_what_its_program_did(
    judge: SandboxJudge, program: str, given: str
):
    functions = compose(judge, program, DOUBLE)
    assert len(functions) == 2
    own = "def f(x):\n    return (g_0(x), len(str(g_1([x]))) - len(str(g_1([x]))))"
    composed = admit(judge, own, given, functions)
    plain = asyncio.run(judge.admit(Proposal(Mode.DEDUCTION, program, (given,)), 1))
    assert composed.task is not None, composed.reason
    assert plain.task is not None
    assert composed.task.cases[0].output == f"({plain.task.cases[0].output}, 0)"
    assert composed.task.program == prefix_of(functions) + own
    assert composed.task.own_program == own


HOSTILE = (
    "",
    "\x00",
    "\ud800",
    "def f(x):\n    return " + "(" * 15_000,
    "def f(x):\n    return " + "-" * 15_000 + "x",
    "def f(x):\n    return " + "x." * 7_000 + "y",
    "def f(x):\n    return " + "not " * 3_900 + "x",
    "def f(x):\n    return " + "+".join("x" * 8_000),
    "def f(x):\n" + "".join(f"{' ' * n}if x:\n" for n in range(1, 99)) + " " * 99 + "return x",
    "def f(x):\n    return f'" + "{" * 150 + "'",
    "@" * 10_000,
    "x = " + "9" * 15_000 + "\ndef f(x):\n    return x",
    "import os\nos._exit(3)\ndef f(x):\n    return x",
    "raise SystemExit\ndef f(x):\n    return x",
    "while True:\n    pass\ndef f(x):\n    return x",
    "'''\n", "\\", "\t\f\v\r", "é" * 10_000, "def " * 4000, "lambda:" * 2000,
)  # fmt: skip


@pytest.mark.hostile
@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_texts_are_parsed_by_the_guest_and_run_by_nobody(judge: SandboxJudge, text: str):
    """No text ends the run, none is run by the question about it, and the next is answered."""
    functions = compose(judge, DOUBLE, count=1)
    ruling = admit(judge, text, "1", functions)
    assert ruling.verdict is Verdict.FAILED
    assert ruling.reason in (
        "syntax error",
        "unreadable",
        "not one function f",
        "g_0 is not called",
    )
    made = compose(judge, text, RECURSIVE, count=2)
    assert len(made) in (0, 1, 2)  # none: the text took the whole answer along
    assert compose(judge, RECURSIVE) == compose(judge, RECURSIVE)


@pytest.mark.parametrize(
    ("own", "reason"),
    [
        ("def f(x):\n    return g_0(x) + 1", ""),
        ("def f(x):\n    return x + 1", "g_0 is not called"),
        ("def f(x):\n    return g_0(3)", "g_0 gets constants only"),
        ("def f(x):\n    return g_0(x)", "a mere wrapper"),
        ("def g_0(x):\n    return 1\n\ndef f(x):\n    return g_0(x) + 1",
         "redefines a given function"),
        ("globals()['g_0'] = abs\n\ndef f(x):\n    return g_0(x) + 1", "reaches around"),
        ("def f(x):\n    return g_0(x) + y", "raised: NameError"),
    ],
)  # fmt: skip
def test_composite_proposals_are_judged_in_the_guest(judge: SandboxJudge, own: str, reason: str):
    """Feature 33."""
    ruling = admit(judge, own, "4", compose(judge, DOUBLE), 1)
    assert ruling.reason == reason
    assert (ruling.task is not None) is (reason == "")


def test_asking_costs_little_fuel(judge: SandboxJudge):
    """A question is parsed anew each time: about a hundredth of a call's budget."""
    judge.stats()
    compose(judge, *[WITH_HELPERS] * 24, count=3)
    assert judge.stats()["judge/fuel"] < SandboxConfig().fuel / 20
