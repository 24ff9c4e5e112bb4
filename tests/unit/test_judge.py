"""judge: what is admitted, what is right, and who is to blame; the executor is a fake here."""

import asyncio
from dataclasses import replace

import pytest

from azr.config.run import SandboxConfig
from azr.errors import ExecutorUnavailable
from azr.game.judge.judge import SandboxJudge
from azr.types import Answer, Case, Grade, Mode, Proposal, Ruling, Task, Verdict
from sandbox_wasm.errors import BadJob, SandboxUnavailable
from sandbox_wasm.types import CallResult, Job, JobResult, Outcome
from tests.fakes import InProcessExecutor, ScriptedExecutor, make_task

CONFIG = SandboxConfig()
ADD = "def f(a, b=1, *, k=0):\n    return a + b + k"
DEDUCTION, ABDUCTION, INDUCTION = Mode.DEDUCTION, Mode.ABDUCTION, Mode.INDUCTION
ERROR = Mode.ERROR


def admit(
    program: str, *inputs: str, config: SandboxConfig = CONFIG, executor=None, mode=DEDUCTION
) -> Ruling:
    judge = SandboxJudge(executor or InProcessExecutor(), config)
    return asyncio.run(judge.admit(Proposal(mode, program, inputs, "message"), 3))


def grade(task: Task, content: str, config: SandboxConfig = CONFIG, executor=None) -> Grade:
    judge = SandboxJudge(executor or InProcessExecutor(), config)
    return asyncio.run(judge.grade(task, Answer(task.mode, content)))


def task_of(mode: Mode, program: str, *cases: tuple[str, str]) -> Task:
    return Task(mode=mode, program=program, cases=tuple(Case(*case) for case in cases))


def answering(*calls: CallResult) -> ScriptedExecutor:
    return ScriptedExecutor(lambda job: JobResult(id=job.id, calls=calls))


def failing(error: Exception) -> ScriptedExecutor:
    def script(job: Job) -> JobResult:
        raise error

    return ScriptedExecutor(script)


def test_a_program_that_runs_becomes_a_task():
    ruling = admit(ADD, "1, 2")
    assert ruling.verdict is Verdict.PASSED
    assert ruling.task == Task(mode=DEDUCTION, program=ADD, cases=(Case("1, 2", "3"),), born_step=3)


@pytest.mark.parametrize("given", ["1, 2", "1, b=2", "1, 2, k=0", " 1 ,\n 2 # two\n"])
def test_inputs_with_several_arguments_are_stored_on_one_line(given: str):
    """Feature 40; A15: the reference stores multi-line inputs that no answer can match."""
    ruling = admit(ADD, given)
    assert ruling.task is not None
    assert "\n" not in ruling.task.cases[0].input
    assert ruling.task.cases[0].output == "3"


@pytest.mark.parametrize(
    "given",
    ["g(1)", "__import__('os')", "x", "1 +", "[i for i in (1,)]", "*[1, 2]", "lambda: 1",
     "1]) or (", "open('x')", "f'{1}'", "1; 2"],
)  # fmt: skip
def test_inputs_are_literals_and_nothing_runs_otherwise(given: str):
    """B: in the reference the input text is arbitrary expression code."""
    executor = InProcessExecutor()
    ruling = admit(ADD, given, executor=executor)
    assert (ruling.verdict, ruling.reason) == (Verdict.FAILED, "not a literal")
    assert executor.jobs == []


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        (CallResult(outcome=Outcome.RAISED, error="ValueError: no"), "raised: ValueError"),
        (CallResult(outcome=Outcome.RAISED, error="Exception: boom"), "raised: Exception"),
        (CallResult(outcome=Outcome.RAISED, error="StopIteration"), "raised: StopIteration"),
        (CallResult(outcome=Outcome.RAISED, error="KeyboardInterrupt: "),
         "raised: KeyboardInterrupt"),
        (CallResult(outcome=Outcome.RAISED, error="Oops: a custom one"), "raised: other"),
        (CallResult(outcome=Outcome.RAISED, error="print: a function"), "raised: other"),
        (CallResult(outcome=Outcome.RAISED, error="x" * 9999), "raised: other"),
        (CallResult(outcome=Outcome.RAISED), "raised: other"),
        (CallResult(outcome=Outcome.REFUSED, error="import os"), "refused"),
        (CallResult(outcome=Outcome.SYNTAX_ERROR, error="SyntaxError: x"), "syntax error"),
        (CallResult(outcome=Outcome.OUT_OF_FUEL), "out of fuel"),
        (CallResult(outcome=Outcome.OUT_OF_MEMORY), "out of memory"),
        (CallResult(outcome=Outcome.OUTPUT_TOO_LARGE), "output too large"),
        (CallResult(outcome=Outcome.NOT_A_VALUE), "not a value"),
        (CallResult(outcome=Outcome.EXITED, error="SystemExit: 0"), "exited"),
        (CallResult(outcome=Outcome.TRAPPED), "trapped"),
        (CallResult(outcome=Outcome.TIMED_OUT, error="used up"), "timed out"),
        (CallResult(outcome=Outcome.RETURNED), "no value"),
        (CallResult(outcome=Outcome.RETURNED, value="''", differs="value"), "not deterministic"),
        (CallResult(outcome=Outcome.RAISED, error="X: y", differs="outcome"),
         "not deterministic"),
    ],
)  # fmt: skip
def test_whatever_does_not_return_the_same_value_is_refused_for_a_stable_reason(
    result: CallResult, reason: str
):
    """A1: the reference calls a run valid unless its status contains the letters "error"."""
    ruling = admit(ADD, "1", executor=answering(result))
    assert (ruling.verdict, ruling.reason, ruling.task) == (Verdict.FAILED, reason, None)


def test_programs_run_in_as_many_images_as_configured_under_the_static_policy():
    """A3: two runs in one process agree about hash order; two images do not. Features 36, 37."""
    executor = InProcessExecutor()
    admit(ADD, "1", executor=executor, config=SandboxConfig(images=3))
    grade(INDUCTION_TASK, ADD, executor=executor, config=SandboxConfig(images=3))
    assert [job.images for job in executor.jobs] == [3, 3]
    assert "random" in executor.jobs[0].banned_modules
    admit(ADD, "1", executor=executor, config=SandboxConfig(banned_modules=("json",)))
    assert executor.jobs[2].banned_modules == {"json"}


def test_an_answer_that_differs_between_images_is_wrong_and_counted():
    right = CallResult(outcome=Outcome.RETURNED, value="3", differs="value")
    judge = SandboxJudge(answering(right), CONFIG)
    task = task_of(ABDUCTION, ADD, ("1", "3"))
    found = asyncio.run(judge.grade(task, Answer(ABDUCTION, "1")))
    assert (found.score, found.reason) == (0.0, "not deterministic")
    asyncio.run(judge.admit(Proposal(DEDUCTION, ADD, ("1",)), 1))
    stats = judge.stats()
    assert stats["judge/not_deterministic/grading"] == 1
    assert stats["judge/not_deterministic/admission"] == 1


def test_limits_reach_the_executor():
    executor = InProcessExecutor()
    config = SandboxConfig(fuel=7, memory_bytes=64 * 2**20, output_bytes=99)
    admit(ADD, "1", executor=executor, config=config)
    limits = executor.jobs[0].limits
    assert (limits.fuel, limits.memory_bytes, limits.output_bytes) == (7, 64 * 2**20, 99)


@pytest.mark.parametrize(
    ("program", "given", "reason"),
    [
        ("def f(x):\n    return x\n" + "#" * 200, "1", "program too long"),
        ("def f(x):\n    return x", "1" * 60, "input too long"),
        ("def f(x):\n    return [x] * 300", "1", "output too large"),
    ],
)
def test_what_is_too_large_is_refused_and_never_cut(program: str, given: str, reason: str):
    """A2: the reference cuts golds at 400 characters, and no answer is ever right again."""
    config = SandboxConfig(max_program_chars=100, max_input_chars=50, output_bytes=400)
    assert admit(program, given, config=config).reason == reason


def test_a_long_output_within_the_cap_is_kept_whole_and_can_be_answered():
    """A2: list(range(300)) has 1,490 characters."""
    task = admit("def f(n):\n    return list(range(n))", "300").task
    assert task is not None
    assert grade(task, str(list(range(300)))).verdict is Verdict.PASSED
    assert grade(replace(task, mode=ABDUCTION), "300").verdict is Verdict.PASSED


def test_every_input_of_an_induction_proposal_must_run():
    program = "def f(x):\n    return 10 // x"
    assert admit(program, "1", "2", mode=INDUCTION).verdict is Verdict.PASSED
    ruling = admit(program, "1", "0", mode=INDUCTION)
    assert (ruling.verdict, ruling.reason) == (Verdict.FAILED, "raised: ZeroDivisionError")


def test_inputs_that_mean_the_same_are_repetitions():
    """A hidden case must not be one that is shown in another spelling."""
    ruling = admit(ADD, "1, 2", "1,2", mode=INDUCTION)
    assert (ruling.verdict, ruling.reason) == (Verdict.FAILED, "inputs repeat")


@pytest.mark.parametrize(
    ("gold", "claimed", "right"),
    [
        ("[1, 2]", "[1,2]", True),
        ("{1, 2}", "{2, 1}", True),
        ("{'a': 1, 'b': 2}", "{'b': 2, 'a': 1}", True),
        ("'[1, 2]'", "'[1,2]'", False),
        ("'[1, 2]'", "[1, 2]", False),
        ("True", "1", False),
        ("1", "1.0", False),
        ("1", "True", False),
        ("(1, 2)", "[1, 2]", False),
        ("'a'", '"a"', True),
        ("[1, [True]]", "[1, [1]]", False),
        ("0", "-0", True),
    ],
)
def test_values_are_equal_by_type_and_content(gold: str, claimed: str, right: bool):
    """A15, feature 41: no True == 1, no second evaluation of the contents of strings."""
    verdict = grade(task_of(DEDUCTION, ADD, ("1", gold)), claimed).verdict
    assert verdict is (Verdict.PASSED if right else Verdict.FAILED)


def test_deduction_runs_nothing():
    """B, C: no evaluation in the trainer, no execution anywhere."""
    executor = InProcessExecutor()
    assert grade(make_task(), "0", executor=executor).verdict is Verdict.PASSED
    assert executor.jobs == []


def test_any_input_with_the_same_output_is_right():
    """Feature 2."""
    task = task_of(ABDUCTION, "def f(x):\n    return x * x", ("3", "9"))
    assert grade(task, "-3").verdict is Verdict.PASSED
    assert grade(task, "3").verdict is Verdict.PASSED
    assert grade(task, "4").verdict is Verdict.FAILED


@pytest.mark.parametrize("answer", ["-3\n", "-3  # minus three", "\n-3"])
def test_answers_with_comments_and_line_ends_are_read(answer: str):
    """A15: in the reference such answers fail whatever they say."""
    task = task_of(ABDUCTION, "def f(x):\n    return x * x", ("3", "9"))
    assert grade(task, answer).verdict is Verdict.PASSED


INDUCTION_TASK = task_of(
    INDUCTION, "def f(x):\n    return x * x", ("1", "1"), ("2", "4"), ("3", "9"), ("4", "16")
)


@pytest.mark.parametrize(
    ("program", "verdict", "score"),
    [
        ("def f(x):\n    return x ** 2", Verdict.PASSED, 1.0),
        ("def f(x):\n    return {3: 9, 4: 16}[x]", Verdict.PASSED, 1.0),
        ("def f(x):\n    return {1: 1, 2: 4}[x]", Verdict.FAILED, 0.0),
        ("def f(x):\n    return 9", Verdict.FAILED, 0.5),
        ("def f(x):\n    return x * x if x < 4 else 1 / 0", Verdict.FAILED, 0.5),
        ("def g(x):\n    return x * x", Verdict.FAILED, 0.0),
    ],
)
def test_a_program_is_graded_on_the_hidden_cases_only(program: str, verdict: Verdict, score: float):
    """Features 3 and 42; one wrong case does not shift the others (STYLE 3.11)."""
    found = grade(INDUCTION_TASK, program)
    assert (found.verdict, found.score) == (verdict, score)


def test_what_is_expected_never_reaches_the_executor():
    """H: no gold in the agent's namespace."""
    executor = InProcessExecutor()
    task = task_of(INDUCTION, "secret program", ("1", "'shown'"), ("2", "'hidden gold'"))
    grade(task, "def f(x):\n    return x", executor=executor)
    grade(task_of(ABDUCTION, ADD, ("1", "'hidden gold'")), "5", executor=executor)
    sent = repr(executor.jobs)
    assert "gold" not in sent
    assert "secret" not in sent


@pytest.mark.parametrize(
    "executor",
    [
        failing(SandboxUnavailable("killed")),
        answering(),
        answering(*[CallResult(outcome=Outcome.RETURNED, value="1")] * 2),
        ScriptedExecutor(
            lambda job: JobResult(
                id="another", calls=(CallResult(outcome=Outcome.RETURNED, value="1"),)
            )
        ),
    ],
)
def test_a_failure_of_the_machinery_is_never_a_verdict(executor: ScriptedExecutor):
    """METHOD 5: there an exception of the executor counts as 0; a wrong result too."""
    with pytest.raises(ExecutorUnavailable):
        admit(ADD, "1", executor=executor)
    with pytest.raises(ExecutorUnavailable):
        grade(task_of(ABDUCTION, ADD, ("1", "2")), "1", executor=executor)


def test_a_program_that_fails_before_its_calls_has_one_result():
    broken = CallResult(outcome=Outcome.SYNTAX_ERROR, error="SyntaxError: invalid syntax")
    assert admit("def f(", "1", "2", mode=INDUCTION, executor=answering(broken)).reason == (
        "syntax error"
    )
    found = grade(INDUCTION_TASK, "def f(", executor=answering(broken))
    assert (found.verdict, found.score) == (Verdict.FAILED, 0.0)


def test_text_that_makes_no_job_fails_the_program_not_the_run():
    assert admit(ADD, "1", executor=failing(BadJob("no"))).reason == "bad job"
    assert admit(ADD + "# \ud800", "1").reason == "not unicode"


def test_the_judge_counts_what_it_asked_for_and_starts_again():
    judge = SandboxJudge(InProcessExecutor(), CONFIG)
    asyncio.run(judge.admit(Proposal(DEDUCTION, ADD, ("1",)), 0))
    asyncio.run(judge.admit(Proposal(DEDUCTION, ADD, ("'a'",)), 0))
    stats = judge.stats()
    assert stats["judge/jobs"] == stats["judge/calls"] == 2
    assert stats["judge/outcome/returned"] == stats["judge/outcome/raised"] == 1
    assert stats["judge/waited_s"] > 0
    assert judge.stats()["judge/jobs"] == 0
