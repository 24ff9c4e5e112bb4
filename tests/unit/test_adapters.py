"""Adapters, called as TRL, verl and verifiers call them. The executor is scripted."""

import asyncio
import inspect
import time

import pytest

from sandbox_wasm.adapters import (
    ScoringStopped,
    agrade_all,
    grade,
    grade_all,
    parse_check,
    program_of,
    shares_of,
    trl_reward,
    verifiers_reward,
)
from sandbox_wasm.adapters.grading import Calls, Comparison, Stdin, Tests
from sandbox_wasm.errors import SandboxUnavailable
from sandbox_wasm.grading import ENDINGS
from sandbox_wasm.grading.guest.prelude import CONTEST_PRELUDE
from sandbox_wasm.types import CallResult, JobResult, Limits, Outcome

pytestmark = pytest.mark.timeout(30)


class Scripted:
    """Answers by what the source says: `good` passes, others do not; remembers its jobs."""

    def __init__(self) -> None:
        self.jobs = []

    def run(self, jobs):
        self.jobs += jobs
        return [JobResult(id=job.id, calls=tuple(self._calls(job))) for job in jobs]

    def _calls(self, job):
        if "broken machine" in job.source:
            raise SandboxUnavailable("no server")
        if "syntax" in job.source:
            return [CallResult(outcome=Outcome.SYNTAX_ERROR, error="SyntaxError: no")]
        good = "good" in job.source.split("def plain_of_check")[0]
        if job.tests is not None:
            outcome = Outcome.RETURNED if good else Outcome.RAISED
            return [CallResult(outcome=outcome)]
        if job.stdin is not None:
            stdout = job.stdin.upper() + " \n" if good else "no"
            return [CallResult(outcome=Outcome.RETURNED, stdout=stdout)]
        return [
            CallResult(outcome=Outcome.RETURNED, value=f"[{text}]" if good else text)
            for text in job.calls
        ]


def fenced(code: str) -> str:
    return f"I think:\n```python\nold = 1\n```\nNo, better:\n```python\n{code}\n```\ndone"


# ---------------------------------------------------------------------- grading


def test_a_program_is_the_last_fenced_block_or_the_whole_text():
    assert program_of(fenced("new = 2")) == "new = 2"
    assert program_of("x = 1") == "x = 1"
    assert (
        program_of([{"role": "user", "content": "?"}, {"role": "assistant", "content": "y = 1"}])
        == "y = 1"
    )
    assert (
        program_of([{"role": "assistant", "content": [{"type": "text", "text": "z = 1"}]}])
        == "z = 1"
    )
    assert program_of("I do not know.") == ""
    text = fenced("def f(x): ...") + fenced("f(3)")
    for check in (Tests("assert f(1)"), Tests("check(f)\nassert 1"), Calls("f", (("1", "2"),))):
        assert program_of(text, check) == "def f(x): ..."
    assert program_of(None) == ""
    assert program_of([]) == ""


@pytest.mark.parametrize("tag", ["", "python", "py", "Python3", " python  ", "\t"])
def test_a_fence_may_name_its_language(tag: str):
    assert program_of(f"so\n```{tag}\r\nx = 1\n```") == "x = 1"


@pytest.mark.parametrize(
    "text",
    ["```" + " " * 10**6, "```py" + "\t" * 10**6, "```\n" * 10**5, "`" * 10**6, "```py " * 10**5],
)
def test_no_completion_takes_long_to_read(text: str):
    started = time.thread_time()
    program_of(text)
    assert time.thread_time() - started < 10  # a second; what is not linear takes minutes


APPS = Comparison.APPS


def apps_calls(name, *cases):
    return Calls(name, cases, APPS, CONTEST_PRELUDE)


@pytest.mark.parametrize(
    ("truth", "check"),
    [
        ("assert f(1) == 2", Tests("assert f(1) == 2\n")),
        ({"tests": "assert 1"}, Tests("assert 1\n")),
        ('{"tests": "assert 1"}', Tests("assert 1\n")),
        ({"inputs": ["1\n"], "outputs": ["2\n"]}, Stdin((("1\n", "2\n"),), APPS, CONTEST_PRELUDE)),
        ('{"inputs": ["[1, 2]\\n3"], "outputs": ["null"], "fn_name": "g"}',
         apps_calls("g", ("[1, 2], 3", "None"))),
        ({"inputs": [[[1], "a"]], "outputs": [True], "fn_name": "g"},
         apps_calls("g", ("[1], 'a'", "True"))),
        ({"inputs": [{"n": 1, "queries": [[0]]}], "outputs": [[2, 3]], "fn_name": "g"},
         apps_calls("g", ("n=1, queries=[[0]]", "[2, 3]"))),
        ({"inputs": [["a"]], "outputs": ["b"], "fn_name": "g"}, apps_calls("g", ("'a'", "'b'"))),
        ({"calls": ["1, 2"], "expected": ["3"], "entry": "add"}, Calls("add", (("1, 2", "3"),))),
    ],
)  # fmt: skip
def test_every_usual_ground_truth_is_understood(truth, check):
    assert parse_check(truth) == check
    assert parse_check(check) is check


@pytest.mark.parametrize(
    "truth", [None, 5, {}, {"inputs": ["1"], "outputs": []}, {"calls": [], "expected": []}]
)
def test_a_ground_truth_that_is_none_is_an_error_and_not_a_score(truth):
    with pytest.raises(ValueError, match="ground truth"):
        parse_check(truth)


def test_scores_stay_with_their_programs_whatever_the_checks():
    programs = ["good", "bad", "syntax error", "good", "bad", "syntax", "good"]
    checks = [
        Tests("assert 1"), Tests("assert 1"), Tests("assert 1"),
        Stdin((("ab", "AB\n"), ("c", "C"))), Stdin((("ab", "AB"),)),
        Calls("f", (("1", "[1]"), ("2", "[2]"))), Calls("f", (("1", "[1]"), ("2", "[3]"))),
    ]  # fmt: skip
    assert grade(Scripted(), programs, checks) == [1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]
    partial = grade(Scripted(), programs, checks, is_partial=True)
    assert partial == [1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.5]


def test_each_program_is_told_what_became_of_it():
    executor = Scripted()
    programs = ["good", "bad", "syntax", "good", "\ud800"]
    checks = [
        Stdin((("a", "A"), ("b", "B"))), Stdin((("a", "A"), ("b", "B"))), Tests("assert 1"),
        Calls("f", (("1", "[1]"), ("2", "[3]"), ("3", "[3]"))), Tests("assert 1"),
    ]  # fmt: skip
    good, bad, syntax, half, unread = grade_all(executor, programs, checks, packages={"numpy"})
    assert all(job.packages == {"numpy"} for job in executor.jobs)
    assert (good.score, good.passed, good.first_error) == (1.0, (True, True), None)
    assert (bad.score, bad.passed, bad.num_tests) == (0.0, (False,), 2)  # no other was run
    assert (bad.first_error, bad.ending) == ("wrong answer", "wrong_answer")
    assert syntax.first_error == "syntax_error: SyntaxError: no"
    assert (syntax.outcomes, syntax.ending) == ((Outcome.SYNTAX_ERROR,), "syntax_error")
    assert (half.score, half.passed, half.ending) == (0.0, (True, False, True), "wrong_answer")
    assert (unread.score, unread.cases, unread.ending) == (0.0, (), "unreadable")
    shares = shares_of([good, bad, syntax, half, unread])
    assert (shares["passed"], shares["wrong_answer"], shares["out_of_fuel"]) == (0.2, 0.4, 0.0)
    assert set(shares) == set(ENDINGS)
    assert shares_of([])["passed"] == 0.0
    partial = grade_all(executor, programs, checks, is_partial=True)
    assert [one.score for one in partial] == [1.0, 0.0, 0.0, 2 / 3, 0.0]
    assert [one.score for one in asyncio.run(agrade_all(executor, programs, checks))] == [
        one.score for one in (good, bad, syntax, half, unread)
    ]


@pytest.mark.parametrize("separator", list("\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029\r"))
def test_a_line_of_output_ends_with_a_line_feed_and_nothing_else(separator):
    lines = FakeOutput({"same": f"a{separator}b\n", "split": "a\nb\n"})
    check = Stdin((("", f"a{separator}b"),))
    assert grade(lines, ["same", "split"], [check, check]) == [1.0, 0.0]


class FakeOutput:
    """Prints, for each source, what it was told."""

    def __init__(self, outputs):
        self.outputs = outputs

    def run(self, jobs):
        return [
            JobResult(
                id=job.id,
                calls=(CallResult(outcome=Outcome.RETURNED, stdout=self.outputs[job.source]),),
            )
            for job in jobs
        ]


def test_values_are_compared_with_their_types():
    programs = ["bad"] * 3  # the scripted executor gives the argument back
    checks = [Calls("f", (given,)) for given in (("1", "1"), ("1", "True"), ("[1,2]", "[1, 2]"))]
    assert grade(Scripted(), programs, checks) == [1.0, 0.0, 1.0]


def test_expected_values_never_reach_the_executor():
    executor = Scripted()
    checks = [Stdin((("in", "SECRET"),)), Calls("f", (("1", "'SECRET'"),))]
    grade(executor, ["good", "good"], checks, limits=Limits(fuel=5))
    assert "SECRET" not in repr(executor.jobs)
    assert all(job.limits.fuel == 5 for job in executor.jobs)


def test_a_method_of_a_solution_class_is_called_through_a_function():
    executor = Scripted()
    grade(executor, ["class Solution:\n    def g(self, x): ..."], [Calls("g", (("1", "1"),))])
    (job,) = executor.jobs
    assert f"def {job.entry}(" in job.source
    assert "'g'" in job.source
    with pytest.raises(ValueError, match="entry must be"):
        Calls("g(); evil", (("1", "1"),))


# ---------------------------------------------------------------------- TRL


def test_trl_calls_it_with_keywords_and_every_column_and_logs_its_name():
    reward = trl_reward(Scripted(), column="tests", name="passes")
    assert reward.__name__ == "passes"  # GRPOTrainer names its metrics by it
    assert not inspect.iscoroutinefunction(reward)
    scores = reward(
        prompts=["p", "p"],
        completions=[fenced("good"), fenced("bad")],
        completion_ids=[[1], [2]],
        tests=["assert 1", "assert 1"],
        trainer_state=object(),
        log_extra=None,
        log_metric=None,
        environments=None,
    )
    assert scores == [1.0, 0.0]
    chat = [[{"role": "assistant", "content": "good = 1"}]]
    assert reward([[{"role": "user", "content": "?"}]], chat, tests=["assert 1"]) == [1.0]
    with pytest.raises(ValueError, match=r"no column 'tests', only \['test'\]"):
        reward(prompts=["p"], completions=["c"], test=["x"])
    with pytest.raises(SandboxUnavailable):
        reward(prompts=["p"], completions=[fenced("broken machine")], tests=["assert 1"])


def test_trl_logs_what_became_of_the_completions():
    metrics, columns = {}, {}
    reward = trl_reward(Scripted(), column="tests", name="passes", packages=["numpy"])
    completions = [
        fenced("good"),
        fenced("bad"),
        fenced("syntax"),
        fenced("\ud800"),
        fenced("good"),
    ]
    reward(
        prompts=["p"] * 5,
        completions=completions,
        tests=["assert 1"] * 4 + [{"inputs": ["a"], "outputs": ["b"]}],
        log_extra=columns.__setitem__,
        log_metric=metrics.__setitem__,
    )
    endings = ["passed", "raised", "syntax_error", "unreadable", "wrong_answer"]
    assert columns == {"passes_ending": endings}
    assert {name for name, share in metrics.items() if share == 0.2} == {
        f"passes/{ending}" for ending in endings
    }
    assert sum(metrics.values()) == pytest.approx(1)
    assert {name.partition("/")[2] for name in metrics} == set(ENDINGS)  # whatever has happened


# ---------------------------------------------------------------------- verifiers


class Rubric:
    """How verifiers calls a reward function (Rubric._call_individual_reward_func)."""

    def __init__(self, func) -> None:
        self._func = func

    def score(self, **state) -> float:
        async def call():
            signature = inspect.signature(self._func)
            takes_all = any(p.kind is p.VAR_KEYWORD for p in signature.parameters.values())
            allowed = {k: v for k, v in state.items() if takes_all or k in signature.parameters}
            try:
                result = self._func(**allowed)
                return float(await result if inspect.isawaitable(result) else result)
            except Exception:  # noqa: BLE001 - as the library does
                return 0.0

        return asyncio.run(call())


def test_a_rubric_passes_by_name_what_it_has():
    reward = verifiers_reward(Scripted(), name="passes")
    plural = {"states", "prompts", "completions", "answers", "tasks", "infos"}
    assert not plural & set(inspect.signature(reward).parameters)  # else it is a group function
    assert reward.__name__ == "passes"
    rubric = Rubric(reward)
    message = [{"role": "assistant", "content": fenced("good")}]
    state = {"prompt": [], "completion": message, "task": "t", "state": {}, "parser": object()}
    assert rubric.score(**state, answer="assert 1", info={}) == 1.0
    assert rubric.score(**state, answer="", info={"tests": "assert 1"}) == 1.0
    assert rubric.score(**(state | {"completion": "bad"}), answer="assert 1", info={}) == 0.0


def test_a_broken_machine_never_becomes_a_rubrics_zero():
    rubric = Rubric(verifiers_reward(Scripted()))
    with pytest.raises(ScoringStopped, match="no server"):
        rubric.score(completion=fenced("broken machine"), answer="assert 1")
    with pytest.raises(ScoringStopped, match="ground truth"):
        rubric.score(completion="good = 1", answer="", info={"nothing": 1})
