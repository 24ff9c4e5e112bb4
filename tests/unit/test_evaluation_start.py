"""evaluation.at_start: step 0 in the metrics, and what reads it."""

import io
import json
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from azr.config.run import EvaluationConfig, RunConfig
from azr.evaluation.in_training import TrainingEvaluation, training_suites
from azr.evaluation.suites.data import SuiteData
from azr.evaluation.suites.suites import SUITES
from azr.records.run_folder import RunFolder
from azr.report.html.arms import curve_of
from azr.report.html.data import collect, collect_history
from azr.report.terminal.overview import show_overview

SUITE = SuiteData(SUITES["easy-o"], (), "0", "x")
SCORES = {"eval/easy-o/pass@1": 0.25, "eval/easy-o/pass@1/low": 0.2, "eval/easy-o/pass@1/high": 0.3}


def evaluation(every: int, *, at_start: bool, knows: bool = False) -> TrainingEvaluation:
    config = RunConfig(evaluation=EvaluationConfig(every=every, at_start=at_start))
    return TrainingEvaluation(
        config=config, suites=[SUITE], policy=None, executor=None, folder=Path(),
        knows_untrained=knows,
    )  # fmt: skip


def test_what_is_due() -> None:
    due = [step for step in range(7) if evaluation(3, at_start=False).is_due(step)]
    assert due == [3, 6]
    assert [step for step in range(7) if evaluation(3, at_start=True).is_due(step)] == [0, 3, 6]
    assert [step for step in range(7) if evaluation(0, at_start=True).is_due(step)] == [0]
    assert not evaluation(0, at_start=True, knows=True).is_due(0)


def test_the_suites_are_read_for_the_start_alone() -> None:
    config = RunConfig(evaluation=EvaluationConfig(at_start=True, suites=("easy-o",), limit=3))
    [data] = training_suites(config)
    assert len(data.items) == 3
    assert training_suites(config.changed(evaluation=EvaluationConfig(suites=("easy-o",)))) == []


def with_step_0(run: Path) -> Path:
    file = run / "metrics.jsonl"
    file.write_text(json.dumps({"step": 0, **SCORES}) + "\n" + file.read_text())
    return run


def test_curves_begin_at_step_0(make_run: Callable[..., Path]) -> None:
    run = with_step_0(make_run("a"))
    series = collect_history(run)
    assert series.steps[0] == 0
    curve = curve_of([series], "eval/easy-o/pass@1")
    assert curve is not None
    assert curve.low is not None
    assert curve.high is not None
    assert (curve.mean[0], curve.low[0], curve.high[0]) == (0.25, 0.2, 0.3)
    assert collect(run, "a").history.steps[:2] == [0, 1]


def test_the_overview_of_tasks_begins_at_step_1(make_run: Callable[..., Path]) -> None:
    def shown(run: Path) -> str:
        console = Console(file=io.StringIO(), width=120)
        show_overview(run, console)
        assert isinstance(console.file, io.StringIO)
        return console.file.getvalue()

    run = make_run("a")
    before = shown(run)
    assert shown(with_step_0(run)) == before


def test_a_resume_knows_that_it_was_done(make_run: Callable[..., Path]) -> None:
    run = make_run("a")
    config = RunConfig(name="a", runs=str(run.parent))
    with RunFolder.open(config, resume=True, overwrite=False) as folder:
        assert not folder.knows_untrained()
        with_step_0(run)
        assert folder.knows_untrained()
        folder.rewind(0)
        assert folder.knows_untrained()
