"""Programs and answers that try to be right without being right, against the real sandbox.

Each is taken from REFERENCE_WEAKNESSES, sections A to C, where it was reproduced against the
reference implementation.
"""

import asyncio
from collections.abc import Iterator

import pytest

from azr.config.run import SandboxConfig
from azr.game.judge.judge import SandboxJudge
from azr.types import Answer, Case, Grade, Mode, Proposal, Ruling, Task, Verdict
from sandbox_wasm import Sandbox
from tests.direct import DirectExecutor

pytestmark = [pytest.mark.guest, pytest.mark.hostile]

DEDUCTION, ABDUCTION, INDUCTION = Mode.DEDUCTION, Mode.ABDUCTION, Mode.INDUCTION
SQUARE = "def f(x):\n    return x * x"


@pytest.fixture(scope="module")
def judge() -> Iterator[SandboxJudge]:
    with Sandbox(workers=1, images=10) as sandbox:
        yield SandboxJudge(DirectExecutor(sandbox), SandboxConfig())


def admit(judge: SandboxJudge, program: str, *inputs: str, mode: Mode = DEDUCTION) -> Ruling:
    return asyncio.run(judge.admit(Proposal(mode, program, inputs or ("1",), "m"), 1))


def grade(judge: SandboxJudge, task: Task, content: str) -> Grade:
    return asyncio.run(judge.grade(task, Answer(task.mode, content)))


def task_of(mode: Mode, program: str, *cases: tuple[str, str]) -> Task:
    return Task(mode=mode, program=program, cases=tuple(Case(*case) for case in cases))


SQUARES = task_of(INDUCTION, SQUARE, ("1", "1"), ("2", "4"), ("3", "9"), ("4", "16"))


def test_honest_play_passes(judge: SandboxJudge):
    ruling = admit(judge, SQUARE, "3")
    assert ruling.task is not None
    assert ruling.task.cases == (Case("3", "9"),)
    assert grade(judge, ruling.task, "9").verdict is Verdict.PASSED
    assert grade(judge, task_of(ABDUCTION, SQUARE, ("3", "9")), "-3").verdict is Verdict.PASSED
    assert grade(judge, SQUARES, "def f(x):\n    return x ** 2").verdict is Verdict.PASSED


@pytest.mark.parametrize(
    "program",
    [
        "def f(x, seen=[]):\n    seen.append(x)\n    import os\n    return os.urandom(4).hex()",
        "import os\ndef f(x):\n    return list(os.urandom(4))",
        "def f(x):\n    return (i for i in range(x))",
        "def f(x):\n    raise Exception('boom')",
        "def f(x):\n    raise StopIteration",
        "def f(x):\n    raise KeyboardInterrupt",
        "def f(x):\n    raise SystemExit",
        "def f(x):\n    exit()",
        "class Oops(BaseException):\n    pass\n\ndef f(x):\n    raise Oops",
        "def f(x):\n    return hash('text')",
        "def f(x):\n    return list({'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'})",
        "def f(x):\n    return str(object())",
        "def f(x):\n    return object()",
        "def f(x):\n    return f",
        "def f(x):\n    return iter([1])",
        "def f(x:\n    return 1",
        "import uuid\ndef f(x):\n    return str(uuid.uuid4())",
        "import secrets\ndef f(x):\n    return secrets.token_hex(4)",
        "import random\ndef f(x):\n    return random.random()",
        "from time import time\ndef f(x):\n    return time()",
        "import datetime\ndef f(x):\n    return str(datetime.datetime.now())",
        "def f(x):\n    return __import__('random').random()",
        "import importlib\ndef f(x):\n    return importlib.import_module('time').time()",
    ],
)
def test_what_has_no_fixed_value_is_no_task(judge: SandboxJudge, program: str):
    """A1, A3, C: all of the first group are VALID in the reference, with output ''."""
    ruling = admit(judge, program)
    assert ruling.verdict is Verdict.FAILED
    assert ruling.reason


def test_a_counter_in_a_default_argument_starts_afresh_in_every_call(judge: SandboxJudge):
    """A1: two calls in one namespace differ; here each call has a fresh state, so it is a value."""
    program = "def f(x, seen=[]):\n    seen.append(x)\n    return len(seen)"
    ruling = admit(judge, program, "1", "2", mode=INDUCTION)
    assert ruling.task is not None
    assert [case.output for case in ruling.task.cases] == ["1", "1"]


@pytest.mark.parametrize(
    "program",
    [
        "def f(x):\n    while True:\n        pass",
        (
            "def f(x):\n    while True:\n        try:\n            while True:\n"
            "                pass\n        except BaseException:\n            pass"
        ),
        "def f(x):\n    return 10 ** 10 ** 10",
        "def f(x):\n    return [0] * 10 ** 12",
        "def f(x):\n    return f(x)",
        "def f(x):\n    return 'x' * 10 ** 7",
        "def f(x):\n    print('x' * 10 ** 7)\n    return 1",
        "import ctypes\ndef f(x):\n    return ctypes.string_at(0)",
        "import os\ndef f(x):\n    os._exit(0)",
        "import socket\ndef f(x):\n    socket.create_connection(('127.0.0.1', 80))\n    return 1",
        "import subprocess\ndef f(x):\n    return subprocess.check_output('id')",
        "def f(x):\n    open('/azr_was_here', 'w').write('x')\n    return 1",
        "def f(x):\n    return open('/etc/passwd').read()",
        "def f(x):\n    return input()",
    ],
)
def test_what_hangs_floods_crashes_or_reaches_out_is_no_task(judge: SandboxJudge, program: str):
    """C: the reference lets a valid task write files and allocate without limit."""
    assert admit(judge, program).verdict is Verdict.FAILED


@pytest.mark.parametrize(
    "answer",
    [
        "1]) or (True",
        "1) or (True",
        "0) == 9 or print(True",
        "print(True)",
        "(lambda: 3)()",
        "type('E', (), {'__eq__': lambda s, o: True, '__mul__': lambda s, o: s})()",
        "*[3]",
        "x := 3",
        "3 if True else 4",
        "__import__('os').system('id')",
    ],
)
def test_an_abduction_answer_cannot_be_code(judge: SandboxJudge, answer: str):
    """B: several of these are worth 1.0 in the reference."""
    task = task_of(ABDUCTION, SQUARE, ("3", "9"))
    assert grade(judge, task, answer).verdict is Verdict.FAILED


@pytest.mark.parametrize(
    "answer",
    [
        "eval(gold)",
        "gold_output",
        "expected",
        "type('E', (), {'__eq__': lambda s, o: True})()",
        "__import__('os').system('touch /tmp/azr_was_here')",
        "9 ** 9 ** 9 ** 9",
        "(" * 5000 + "9" + ")" * 5000,
        "[" * 100_000,
        "9" * 100_000,
        "{**{}, **{}}",
        "9 or 8",
    ],
)
def test_a_deduction_answer_is_only_ever_a_literal(judge: SandboxJudge, answer: str):
    """B, C: the reference evaluates it in the trainer, names, calls, powers and all."""
    task = task_of(DEDUCTION, SQUARE, ("3", "9"))
    assert grade(judge, task, answer).verdict is Verdict.FAILED


@pytest.mark.parametrize(
    "program",
    [
        (
            "class E:\n    def __eq__(self, other):\n        return True\n"
            "    def __repr__(self):\n        return '9'\n\ndef f(x):\n    return E()"
        ),
        (
            "class E(int):\n    def __eq__(self, other):\n        return True\n"
            "    def __repr__(self):\n        return str(9)\n\ndef f(x):\n    return E(1)"
        ),
        "import builtins\nbuiltins.repr = lambda v: '9'\n\ndef f(x):\n    return 1",
        (
            "import sys\n\ndef f(x):\n    frame = sys._getframe()\n    while frame.f_back:\n"
            "        frame = frame.f_back\n        for name, value in frame.f_locals.items():\n"
            "            if 'expected' in name or 'gold' in name:\n                return value\n"
            "    return None"
        ),
        (
            "import gc\n\ndef f(x):\n    for o in gc.get_objects():\n"
            "        if isinstance(o, dict) and 'expected' in o:\n"
            "            return o['expected']\n"
        ),
        "def f(x):\n    print('9')\n    print('True')\n",
        "import sys\ndef f(x):\n    sys.exit(0)",
        "import os\ndef f(x):\n    os._exit(0)",
    ],
)
def test_a_program_cannot_claim_to_be_right(judge: SandboxJudge, program: str):
    """B: an object whose __eq__ is always True passes every hidden pair of the reference."""
    found = grade(judge, SQUARES, program)
    assert (found.verdict, found.score) == (Verdict.FAILED, 0.0)


def test_a_program_cannot_poison_the_judgement_of_the_next(judge: SandboxJudge):
    """B: in the reference a patched `sorted` lives on in the worker until the pool is reborn."""
    poison = (
        "import builtins\nbuiltins.sorted = lambda *a, **k: [0]\n"
        "builtins.len = lambda x: 7\n\ndef f(x):\n    return sorted([3, 1, 2])"
    )
    admit(judge, poison)
    ruling = admit(judge, "def f(x):\n    return sorted(x), len(x)", "[3, 1, 2]")
    assert ruling.task is not None
    assert ruling.task.cases[0].output == "([1, 2, 3], 3)"


def test_names_of_modules_in_texts_and_identifiers_are_no_imports(judge: SandboxJudge):
    """C: the policy reads the syntax tree; the word `time` alone harms nobody."""
    program = "def f(x):\n    time = 'random logging'\n    return time + str(x)"
    assert admit(judge, program).verdict is Verdict.PASSED


def test_programs_of_solvers_are_under_the_same_policy(judge: SandboxJudge):
    """C: the reference scans neither solver programs nor answers."""
    program = "import random\n\ndef f(x):\n    return x * x"
    assert grade(judge, SQUARES, program).verdict is Verdict.FAILED


def test_a_custom_class_inside_a_program_is_fine_and_as_an_output_is_no_value(
    judge: SandboxJudge,
):
    """A11, A15: classes are welcome; a task whose output has no literal could never be solved."""
    inside = (
        "class P:\n    def __init__(self, x):\n        self.x = x\n\ndef f(x):\n    return P(x).x"
    )
    assert admit(judge, inside).verdict is Verdict.PASSED
    as_output = inside.replace("P(x).x", "P(x)")
    assert admit(judge, as_output).verdict is Verdict.FAILED
