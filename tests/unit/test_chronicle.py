"""How tasks grow, what belongs to a task, and why an answer is right or wrong, in plain words."""

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azr.errors import CheckpointError
from azr.records.rollouts import read_records, rollout_records, task_of
from azr.records.run_folder import rollout_files
from azr.report import ORDERS
from azr.report.explain import shown, unfenced
from azr.report.stories import MeasuredTask
from azr.report.story import (
    Growth,
    RunFormat,
    all_measured,
    explain,
    format_of,
    ordered,
    stories_in,
    task_name,
)
from azr.types import Case, Experience, Mode, Role, Task, Verdict
from tests.fakes import make_rollout, make_task

MakeRun = Callable[..., Path]


def record(
    text: str,
    mode: Mode = Mode.DEDUCTION,
    role: Role = Role.SOLVER,
    verdict: Verdict = Verdict.FAILED,
    reason: str = "wrong value",
    task: Task | None = None,
    rate: float | None = None,
) -> dict[str, Any]:
    """One solver's or proposer's rollout, as a run keeps it."""
    experience = Experience(
        rollout=make_rollout(text, mode=mode, role=role),
        verdict=verdict,
        reward=0.0,
        reason=reason,
        task=task,
        solve_rate=rate,
    )
    [found] = rollout_records(1, [experience], [0.0])
    return json.loads(json.dumps(found))


def proposal(task: Task | None, rate: float | None = None) -> dict[str, Any]:
    mode = task.mode if task else Mode.DEDUCTION
    verdict = Verdict.PASSED if task else Verdict.FAILED
    return record("", mode, Role.PROPOSER, verdict, "" if task else "raised: X", task, rate)


@pytest.mark.parametrize(
    ("mode", "text", "verdict", "reason", "why"),
    [
        ("deduction", "```output\n7\n```", "failed", "wrong value", "expected 6, answered 7"),
        ("deduction", "```output\n6\n```", "passed", "", "answered 6"),
        ("deduction", "```output\nsix\n```", "failed", "not a literal",
         "not a Python literal: six"),
        ("abduction", "```input\n3\n```", "failed", "wrong value", "f(3) does not give 6"),
        ("abduction", "```input\n5\n```", "passed", "", "f(5) gives it"),
        ("abduction", "```input\n'a'\n```", "failed", "raised: TypeError", "raised TypeError"),
        ("abduction", "?", "failed", "out of fuel", "it ran too long (out of fuel)"),
        ("deduction", "?", "ill_formed", "parse: no output block",
         "could not be read: no output block"),
        ("deduction", "?", "failed", "something new", "something new"),
        ("deduction", "?", "failed", "", "no reason is recorded"),
    ],
)  # fmt: skip
def test_why_an_answer_is_right_or_wrong(
    mode: str, text: str, verdict: str, reason: str, why: str
) -> None:
    task = Task(mode=Mode(mode), program="def f(x):\n    return x + 1", cases=(Case("5", "6"),))
    found = record(text, Mode(mode), Role.SOLVER, Verdict(verdict), reason, task)
    assert explain(found, RunFormat("none")).why == why


def test_what_was_asked_and_expected_is_said_in_the_terms_of_the_mode() -> None:
    case = (Case("5", "6"),)
    deduction = Task(mode=Mode.DEDUCTION, program="p", cases=case)
    abduction = Task(mode=Mode.ABDUCTION, program="p", cases=case)
    induction = make_task(Mode.INDUCTION, 1)
    asked = [
        explain(record("", task.mode, task=task), RunFormat("none"))
        for task in (deduction, abduction, induction)
    ]
    assert [found.question for found in asked] == ["f(5) = ?", "f(?) = 6", "f(0) = 1\nf(1) = 2"]
    assert [found.expected for found in asked] == [
        "6",
        "any input giving 6\n# for example 5",
        "f(2) = 3\nf(3) = 4",
    ]
    assert [found.shows_program for found in asked] == [True, True, False]


def test_error_mode_is_explained_by_names_as_they_were_seen() -> None:
    """The judge compares them blind to case; nobody wants to read `keyerror`."""
    task = Task(mode=Mode.ERROR, program="p", cases=(Case("5", "'KeyError'"),))
    wrong = explain(record("```output\nIndexError\n```", Mode.ERROR, task=task), RunFormat("none"))
    right = record("```output\nkeyerror: 5\n```", Mode.ERROR, Role.SOLVER, Verdict.PASSED, "", task)
    assert (wrong.question, wrong.expected) == ("f(5) raises ?", "KeyError")
    assert wrong.why == "expected KeyError, answered IndexError"
    assert explain(right, RunFormat("none")).why == "answered keyerror"


def test_a_composite_task_keeps_what_it_was_given() -> None:
    task = replace(make_task(), program="def g_0(): pass\n\n\np", functions=("def g_0(): pass",))
    assert task_of(proposal(task)) == task


def test_induction_says_on_how_many_cases() -> None:
    task = make_task(Mode.INDUCTION, 1)
    text = "```python\ndef f(x):\n    return x\n```"
    wrong = record(text, Mode.INDUCTION, task=task)
    right = record(text, Mode.INDUCTION, verdict=Verdict.PASSED, reason="", task=task)
    assert "at least one of 2 hidden cases" in explain(wrong, RunFormat("none")).why
    assert explain(right, RunFormat("none")).why == "agrees on all 2 hidden cases"
    assert explain(wrong, RunFormat("none")).given == "def f(x):\n    return x"


def test_what_became_of_a_proposal() -> None:
    assert "25% of its trials" in explain(proposal(make_task(), 0.25), RunFormat("none")).why
    assert explain(proposal(None), RunFormat("none")).why == "raised X"


def test_the_answer_is_read_as_the_judge_read_it() -> None:
    text = "<think>5?</think> <answer>So ```output\n7\n``` it is.</answer>"
    found = record(text, task=make_task())
    assert explain(found, RunFormat("r1")).given == "7"


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("```python\ndef f(): pass\n```", "def f(): pass"),
        ("```output\n[1]", "[1]"),
        ("<think>x</think> <answer>```output\n3\n```</answer>", "3"),
        ("<answer>1</answer> no <answer>2</answer>", "2"),
        ("plain", "plain"),
    ],
)
def test_an_answer_that_cannot_be_read_is_shown_without_its_wrapping(
    text: str, answer: str
) -> None:
    assert unfenced(text) == answer


@given(st.text(max_size=600), st.sampled_from(list(Mode)), st.sampled_from(["none", "r1", "boxed"]))
def test_any_text_can_be_explained(text: str, mode: Mode, envelope: str) -> None:
    for role in Role:
        found = explain(record(text, mode, role, task=make_task(mode)), RunFormat(envelope))
        assert len(found.why) < 400


@given(st.text(max_size=2000))
def test_a_quotation_is_one_short_line(text: str) -> None:
    assert len(shown(text)) < 100
    assert "\n" not in shown(text)


def test_growth_counts_what_is_new_and_how_hard_it_is() -> None:
    growth = Growth()
    one, two = make_task(number=1), make_task(number=2)
    growth.take(1, [proposal(one, 0.0), proposal(two, 0.5), proposal(None)])
    growth.take(2, [proposal(one, 1.0), proposal(make_task(number=3), 0.5)])
    first, second = (growth.steps[step][Mode.DEDUCTION] for step in (1, 2))
    assert (first.proposals, first.valid, first.novel, first.distinct) == (3, 2, 2, 2)
    assert (second.valid, second.novel, second.distinct) == (2, 1, 3)
    assert growth.metrics(1) == {
        "curriculum/tasks/deduction": 2,
        "curriculum/distinct/deduction": 2,
        "curriculum/different/deduction": 2,
        "curriculum/novel/deduction": 1.0,
        "curriculum/novel_form/deduction": 1.0,
        "curriculum/fresh/deduction": 1,
        "curriculum/none/deduction": 0.5,
        "curriculum/some/deduction": 0.5,
        "curriculum/all/deduction": 0.0,
    }
    assert growth.metrics(2)["curriculum/novel/deduction"] == 0.5
    assert growth.metrics(3) == {}
    assert len(growth.programs) == 3


def test_a_program_that_is_only_renamed_is_novel_by_its_text_alone() -> None:
    growth = Growth()
    texts = (
        "def f(x): return x + 1",
        "def f(y):  # the next\n    return y + 1",
        "def f(y): return y",
    )
    tasks = [Task(mode=Mode.DEDUCTION, program=text, cases=(Case("1", "2"),)) for text in texts]
    growth.take(1, [proposal(tasks[0], 0.5), proposal(tasks[0], 0.5)])
    growth.take(2, [proposal(task, 0.5) for task in tasks[1:]])
    first, second = (growth.steps[step][Mode.DEDUCTION] for step in (1, 2))
    assert (first.valid, first.different, first.novel_form, first.fresh) == (2, 1, 1, 1)
    assert (second.novel, second.novel_form, second.fresh) == (2, 2, 2), "a line is no blank"
    renamed = Task(mode=Mode.DEDUCTION, program="def f(z):return z+1 # so", cases=(Case("1", "2"),))
    growth.take(3, [proposal(renamed, 0.5)])
    third = growth.steps[3][Mode.DEDUCTION]
    assert (third.novel, third.novel_form, third.fresh) == (1, 0, 0)


def test_where_the_program_is_given_the_whole_task_decides_what_is_new() -> None:
    growth = Growth()
    task = make_task(Mode.INDUCTION, 1)
    other = Task(mode=task.mode, program=task.program, cases=task.cases[:2], message="new")
    growth.take(1, [proposal(task, 0.5), proposal(other, 0.5), proposal(task, 0.5)])
    assert growth.steps[1][Mode.INDUCTION].novel == 2
    growth.take(2, [proposal(Task(mode=Mode.ABDUCTION, program="a", cases=(Case("1", "1"),)), 0)])
    growth.take(3, [proposal(Task(mode=Mode.ABDUCTION, program="a", cases=(Case("2", "2"),)), 0)])
    assert growth.steps[3][Mode.ABDUCTION].novel == 0, "another input, but the same program"
    assert growth.steps[3][Mode.ABDUCTION].distinct == 2


def test_stories_keep_answers_with_their_task() -> None:
    one, two = make_task(number=1), make_task(number=2)
    stories = stories_in(
        [
            proposal(one, 0.5),
            record("", task=one),
            proposal(None),
            record("", task=two),
            record("", task=one),
            proposal(one, 1.0),
        ]
    )
    assert [(bool(s.proposal), len(s.answers)) for s in stories] == [
        (True, 2),
        (True, 0),
        (False, 1),
        (True, 0),
    ]
    assert stories[0].name == task_name(one) == stories[3].name
    assert stories[1].name == ""


def measured(folder: Path) -> list[MeasuredTask]:
    return list(all_measured(folder))


def test_tasks_are_ordered_by_what_was_asked_for(made_curriculum: Path) -> None:
    found = measured(made_curriculum)
    latest = {task_name(task.task): task for task in found}.values()
    rates = [task.solve_rate for task in latest]
    assert ordered(found, "easiest", 1)[0].solve_rate == max(rates)
    assert [t.solve_rate for t in ordered(found, "hardest", 4)] == sorted(rates)[:4]
    assert ordered(found, "newest", 1)[0].step == 12
    longest = ordered(found, "longest", 1)[0].task.program
    assert len(longest.splitlines()) == max(len(t.task.program.splitlines()) for t in found)
    for order in ORDERS:
        names = [task_name(task.task) for task in ordered(found, order, 50)]
        assert len(names) == len(set(names))


def test_a_record_of_an_unknown_mode_is_refused_by_name() -> None:
    found = {**record("", task=make_task()), "stream": "solver/telepathy"}
    with pytest.raises(CheckpointError, match="does not know the mode 'telepathy'"):
        task_of(found)


def test_a_run_that_does_not_say_its_envelope(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert format_of(tmp_path) == RunFormat("none")
    (tmp_path / "resolved.json").write_text('{"selfplay": {"envelope": "r1"}}')
    assert format_of(tmp_path) == RunFormat("r1")
    (tmp_path / "resolved.json").write_text("{")
    assert format_of(tmp_path) == RunFormat("none")
    assert "resolved.json: cannot be read as a JSON object: left out" in caplog.text


def test_growth_agrees_with_the_metrics_of_the_run(make_run: MakeRun) -> None:
    """Two ways to the same number: the recorder's metrics, and the records."""
    run = make_run(steps=4)
    rows: Iterable[dict[str, Any]] = map(
        json.loads, (run / "metrics.jsonl").read_text().splitlines()
    )
    growth = Growth()
    for step, file in rollout_files(run).items():
        growth.take(step, read_records(file))
    for row in rows:
        for mode, counts in growth.steps[row["step"]].items():
            assert counts.valid / counts.proposals == row[f"valid/{mode}"]
            assert counts.right / counts.answers == row[f"accuracy/solver/{mode}"]
            if counts.measured:
                assert counts.some / counts.measured == row[f"learnable/{mode}"]
                assert counts.rates / counts.measured == pytest.approx(row[f"solve_rate/{mode}"])


@pytest.mark.parametrize(
    ("format_", "given"), [("strict", "7"), ("exact", "so: ```output\n7\n```")]
)
def test_answers_are_read_as_the_run_read_them(make_run: MakeRun, format_: str, given: str) -> None:
    """parsing.format decides what an answer is; the run folder says which."""
    run = make_run()
    resolved = json.loads((run / "resolved.json").read_text())
    resolved["selfplay"]["envelope"], resolved["parsing"]["format"] = "r1", format_
    (run / "resolved.json").write_text(json.dumps(resolved))
    text = "<think>t</think> <answer>so: ```output\n7\n```</answer> and more"
    assert explain(record(text, task=make_task()), format_of(run)).given == given
