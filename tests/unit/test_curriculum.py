"""What a run says of its curriculum while it is training: the report's own figures."""

from pathlib import Path
from typing import Any, cast

import pytest

from azr.config.run import LoggingConfig, RunConfig
from azr.records.rollouts import read_rollouts
from azr.records.run_folder import RunFolder, rollout_files
from azr.report.curriculum import Curriculum, decay_metrics
from azr.report.html.data import history_of
from azr.report.html.decay import DEATH, falls_of
from azr.report.story import Growth
from azr.run.recorder import RunRecorder
from tests.curricula import Skill, make_curriculum
from tests.unit.test_new_tasks import NEW, Quiet

Metrics = dict[str, float]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that solves ever more, until all trials solve all tasks."""
    folder = tmp_path_factory.mktemp("runs") / "decays"
    return make_curriculum(folder, steps=30, skill=Skill(right=(0.4, 1.6)))


def told(run: Path) -> list[Metrics]:
    """What a run that was never interrupted writes, step by step."""
    curriculum = Curriculum()
    files = rollout_files(run).items()
    return [curriculum.metrics(step, list(read_rollouts(file))) for step, file in files]


def test_a_runs_metrics_are_the_figures_of_its_report(run: Path) -> None:
    growth, metrics = Growth(), told(run)
    for step, file in rollout_files(run).items():
        growth.take(step, read_rollouts(file))
        assert growth.metrics(step).items() <= metrics[step - 1].items()
    history = history_of([{"step": step} for step in growth.steps], growth)
    fall = falls_of(history)[0]
    assert fall.step is not None, "else this run does not show what it is for"
    assert metrics[-1]["decay/step"] == fall.step
    assert metrics[-1]["decay/half_life"] == fall.half_life
    assert metrics[-1]["decay/left"] == pytest.approx(fall.last / fall.best)
    assert "decay/step" not in metrics[0], "the first step is the best so far"
    assert history.metrics[DEATH]


def test_a_resumed_run_remembers_what_it_had_made(run: Path, tmp_path: Path) -> None:
    behind = tmp_path / "rollouts"
    behind.mkdir()
    for step, file in rollout_files(run).items():
        if step <= 12:
            (behind / file.name).write_bytes(file.read_bytes())
    curriculum = Curriculum.of(tmp_path)
    last = read_rollouts(rollout_files(run)[13])
    assert curriculum.metrics(13, last) == told(run)[12]


def test_a_resume_that_reads_for_long_says_how_far_it_is(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(100))
    monkeypatch.setattr("azr.report.curriculum.monotonic", lambda: float(next(clock)))
    lines: list[str] = []
    Curriculum.of(run, lines.append)
    assert lines[0] == "reading stored rollouts: 1 of 30 steps"
    assert 5 < len(lines) < 20
    lines.clear()
    monkeypatch.setattr("azr.report.curriculum.monotonic", lambda: 0.0)
    Curriculum.of(run, lines.append)
    assert not lines


def test_what_never_was_has_no_decay() -> None:
    assert decay_metrics([], []) == {}
    assert decay_metrics([1, 2, 3], [0.0, 0.0, 0.0]) == {}
    assert decay_metrics([1], [2.0]) == {"decay/left": 1.0}


@pytest.mark.parametrize("rollouts", [True, False])
def test_they_are_written_where_rollouts_are_kept(tmp_path: Path, *, rollouts: bool) -> None:
    config = RunConfig(
        name="r",
        runs=str(tmp_path),
        logging=LoggingConfig(rollouts=rollouts, tensorboard=False),
    )
    written: list[Metrics] = []

    class Writer:
        """Notes what is written."""

        def write(self, _: int, metrics: Metrics) -> None:
            written.append(metrics)

    quiet = cast(Any, Quiet())
    with RunFolder.open(config) as folder:
        recorder = RunRecorder(
            config=config, folder=folder, writer=cast(Any, Writer()), learner=quiet,
            buffers=quiet, policy=quiet, judge=quiet, display=quiet,
        )  # fmt: skip
        recorder.record(1, NEW, [0.0] * len(NEW), {})
    assert any(name.startswith("curriculum/") for name in written[0]) == rollouts
