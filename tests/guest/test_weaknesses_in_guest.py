"""The reference's weaknesses A1-A3, A11, A15, B and C, by their letters, against real programs.

One or two programs each, so that a reader finds every item; the whole collections are in
tests/hostile/test_reward_hacking.py. Items of section B and C are numbered in their order there.
"""

import asyncio
import re
from pathlib import Path

import pytest

from azr.config.run import ParsingConfig, SandboxConfig
from azr.game.judge.judge import SandboxJudge
from azr.types import Answer, Case, Grade, Mode, Proposal, Ruling, Task, Verdict
from sandbox_wasm import Sandbox
from tests.direct import DirectExecutor

pytestmark = [pytest.mark.guest]

DEDUCTION, ABDUCTION, INDUCTION = Mode.DEDUCTION, Mode.ABDUCTION, Mode.INDUCTION
SQUARE = "def f(x):\n    return x * x"


@pytest.fixture
def executor(sandbox: Sandbox) -> DirectExecutor:
    return DirectExecutor(sandbox)


@pytest.fixture
def judge(executor: DirectExecutor) -> SandboxJudge:
    return SandboxJudge(executor, SandboxConfig())


def admit(judge: SandboxJudge, program: str, given: str = "3") -> Ruling:
    return asyncio.run(judge.admit(Proposal(DEDUCTION, program, (given,)), 1))


def grade(
    judge: SandboxJudge,
    mode: Mode,
    content: str,
    *cases: tuple[str, str],
    program: str = SQUARE,
) -> Grade:
    cases = cases or (("3", "9"),)
    task = Task(mode=mode, program=program, cases=tuple(Case(*case) for case in cases))
    return asyncio.run(judge.grade(task, Answer(mode, content)))


# ---------------------------------------------------------------- A


@pytest.mark.parametrize(
    "body",
    [
        "import os\n    return os.urandom(4)",
        "return (i for i in range(x))",
        "raise Exception('boom')",
        "raise StopIteration",
        "raise KeyboardInterrupt",
        "raise SystemExit",
        "raise type('Oops', (BaseException,), {})",
    ],
)
def test_a01_what_has_no_value_or_another_one_each_time_is_no_task(
    judge: SandboxJudge, body: str
) -> None:
    """Each is valid there, with the gold text ''."""
    assert admit(judge, f"def f(x):\n    {body}").task is None


def test_a01_a_counter_starts_afresh_and_nan_is_a_value(judge: SandboxJudge) -> None:
    """Two more of its list: here both are tasks, because both can be answered."""
    counter = "def f(x, seen=[]):\n    seen.append(x)\n    return len(seen)"
    for program, value in ((counter, "1"), ("def f(x):\n    return float('nan')", "nan")):
        task = admit(judge, program).task
        assert task is not None
        assert task.cases[0].output == value
        assert grade(judge, DEDUCTION, value, ("3", value)).verdict is Verdict.PASSED


def test_a02_outputs_are_whole_in_both_modes(judge: SandboxJudge) -> None:
    """There, a repr of more than 400 characters is cut in the middle."""
    program = "def f(n):\n    return list(range(n))"
    task = admit(judge, program, "300").task
    assert task is not None
    output = task.cases[0].output
    assert output == repr(list(range(300)))
    assert grade(judge, DEDUCTION, output, ("300", output)).verdict is Verdict.PASSED
    found = grade(judge, ABDUCTION, "300", ("300", output), program=program)
    assert found.verdict is Verdict.PASSED


@pytest.mark.parametrize(
    "value", ["list({'ab', 'cd', 'ef', 'gh', 'ij'})", "hash('text')", "str(object())"]
)
def test_a03_what_depends_on_the_process_is_not_deterministic(
    judge: SandboxJudge, value: str
) -> None:
    """There, two runs in one process agree about them."""
    assert admit(judge, f"def f(x):\n    return {value}").task is None


def test_a11_helpers_methods_and_nested_functions_make_a_task(judge: SandboxJudge) -> None:
    program = (
        "class P:\n    def __init__(self, x):\n        self.x = x\n\ndef up(p):\n"
        "    return p.x + 1\n\ndef f(x):\n    def inner(y):\n        return up(P(y))\n"
        "    return inner(x)"
    )
    assert admit(judge, program).verdict is Verdict.PASSED


def test_a11_the_reference_s_rule_is_an_option(executor: DirectExecutor) -> None:
    strict = SandboxJudge(executor, SandboxConfig(), ParsingConfig(reject_multiple_functions=True))
    assert admit(strict, "def g(x): ...\n\n" + SQUARE).reason == "several functions"
    assert admit(strict, SQUARE).verdict is Verdict.PASSED


def test_a15_an_object_is_no_output_and_its_values_are(judge: SandboxJudge) -> None:
    """There, an output P(3) is stored and can never be answered."""
    program = (
        "class P:\n    def __init__(self, x):\n        self.x = x\n\ndef f(x):\n    return P(x)"
    )
    assert admit(judge, program).task is None
    assert admit(judge, program + ".x").verdict is Verdict.PASSED


def test_a15_an_induction_answer_is_compared_by_type(judge: SandboxJudge) -> None:
    cases = (("1", "True"), ("2", "False"))
    as_int = "def f(x):\n    return int(x == 1)"
    assert grade(judge, INDUCTION, as_int, *cases).score == 0.0
    assert grade(judge, INDUCTION, "def f(x):\n    return x == 1", *cases).score == 1.0


# ---------------------------------------------------------------- B


@pytest.mark.parametrize("answer", ["1]) or (True", "0) == 9 or print(True", "print(True)"])
def test_b1_an_abduction_answer_cannot_close_the_call(judge: SandboxJudge, answer: str) -> None:
    assert grade(judge, ABDUCTION, answer).verdict is Verdict.FAILED


@pytest.mark.parametrize("answer", ["gold", "expected", "type('E', (), {'__eq__': print})()"])
def test_b2_a_deduction_answer_has_no_names(judge: SandboxJudge, answer: str) -> None:
    assert grade(judge, DEDUCTION, answer).verdict is Verdict.FAILED


def test_b3_an_object_that_equals_everything_equals_nothing(judge: SandboxJudge) -> None:
    program = "class E(int):\n    __eq__ = lambda s, o: True\n\ndef f(x):\n    return E(1)"
    assert grade(judge, INDUCTION, program, ("1", "1"), ("2", "4")).score == 0.0


def test_b4_a_patched_builtin_is_gone_with_the_program(judge: SandboxJudge) -> None:
    poison = "import builtins\nbuiltins.sorted = lambda x: [0]\n\ndef f(x):\n    return 1"
    admit(judge, poison)
    task = admit(judge, "def f(x):\n    return sorted(x)", "[2, 1]").task
    assert task is not None
    assert task.cases[0].output == "[1, 2]"


def test_b5_a_message_cannot_hold_the_program_and_comments_can_be_stripped(
    executor: DirectExecutor,
) -> None:
    """The rest of the item is open in the paper too: a message may paraphrase the program."""
    judge = SandboxJudge(executor, SandboxConfig(), ParsingConfig(strip=["comments"]))
    told = Proposal(INDUCTION, SQUARE, ("1", "2"), f"It is {SQUARE}")
    assert asyncio.run(judge.admit(told, 1)).reason == "message holds the program"
    task = admit(judge, "def f(x):\n    return x * x  # 9").task
    assert task is not None
    assert task.program == SQUARE


def test_b5_a_program_that_hangs_is_no_task(judge: SandboxJudge) -> None:
    hanging = (
        "def f(x):\n    while True:\n        try:\n            while True: pass\n"
        "        except BaseException: pass"
    )
    assert admit(judge, hanging).reason == "out of fuel"


@pytest.mark.parametrize("given", ["__import__('os').getpid()", "[i for i in range(3)]", "f(1)"])
def test_b6_an_input_is_a_literal(
    judge: SandboxJudge, executor: DirectExecutor, given: str
) -> None:
    assert admit(judge, SQUARE, given).reason == "not a literal"
    assert executor.jobs == []


# ---------------------------------------------------------------- C


@pytest.mark.parametrize(
    "body",
    [
        "import os\n    return os.listdir('/')",
        "import socket\n    return socket.create_connection(('127.0.0.1', 80))",
        "import ctypes\n    return ctypes.string_at(0)",
        "return __import__('random').random()",
        "import importlib\n    return importlib.import_module('time').time()",
        "import shutil\n    return shutil.which('sh') or shutil.rmtree('/')",
    ],
)
def test_c1_no_way_of_importing_reaches_anything(judge: SandboxJudge, body: str) -> None:
    assert admit(judge, f"def f(x):\n    {body}").task is None


def test_c1_a_task_writes_no_file_and_a_solver_is_under_the_same_policy(
    judge: SandboxJudge, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    writes = f"def f(x):\n    open({str(mark)!r}, 'w').write('x')\n    return x * x"
    assert admit(judge, writes).task is None
    assert grade(judge, INDUCTION, writes, ("1", "1"), ("2", "4")).score == 0.0
    assert grade(judge, INDUCTION, f"import random\n\n{SQUARE}", ("1", "1")).score == 0.0
    assert not mark.exists()


@pytest.mark.parametrize("answer", ["9 ** 9 ** 9 ** 9", "__import__('os').system('id')"])
def test_c2_no_answer_is_evaluated_by_the_trainer(
    judge: SandboxJudge, executor: DirectExecutor, answer: str
) -> None:
    assert grade(judge, DEDUCTION, answer).reason == "not a literal"
    assert executor.jobs == []


def test_c3_memory_is_bounded(judge: SandboxJudge) -> None:
    """There, 3 GB are allocated."""
    assert admit(judge, "def f(x):\n    return len([0] * 10 ** 9)").task is None


def test_c3_what_a_run_keeps_is_not_pickled() -> None:
    """Its buffers and checkpoints are; here no module of ours imports pickle.

    pickletools lists a pickle's instructions and carries none out
    (sandbox_wasm.grading.forms.packed).
    """
    root = Path(__file__).parents[2]
    for path in [*(root / "azr").rglob("*.py"), *(root / "sandbox_wasm").rglob("*.py")]:
        lines = path.read_text(encoding="utf-8").split("\n")
        assert not [n for n in lines if re.match(r"\s*(import|from) pickle\b", n)], path
