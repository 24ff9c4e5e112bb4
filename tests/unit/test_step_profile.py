"""azr.run.torch_trace: a real update under torch.profiler, and the file read back."""

import asyncio
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from azr.config.run import LearnerConfig, LoggingConfig, RewardConfig, RunConfig, SelfPlayConfig
from azr.errors import CheckpointError, ConfigError
from azr.learner.learner import TorchLearner
from azr.run.torch_trace import StepProfiler
from azr.run.trainer import Run, train
from azr.types import Mode
from tests.fakes import FakeRecorder, ScriptedPolicy, make_table
from tests.tiny import make_tiny_model
from tests.unit.test_selfplay import well_formed

CONFIG = RunConfig(
    steps=3,
    selfplay=SelfPlayConfig(
        modes=[Mode.DEDUCTION], batch_size=2, trials_per_task=2, envelope="none", references=1
    ),
    learner=LearnerConfig(epochs=2, advantage="none"),
    rewards=RewardConfig(kl="k1"),
)


class KeepingRecorder(FakeRecorder):
    """FAKE recorder: keeps what is said of a step, but for its times."""

    def __init__(self) -> None:
        super().__init__()
        self.statistics: list[dict[str, float]] = []

    def record(self, step: int, *more: Any) -> None:
        super().record(step)
        self.statistics.append({k: v for k, v in more[-1].items() if not k.startswith("time/")})


def played(model: Path, traces: Path, steps: tuple[int, ...]) -> KeepingRecorder:
    """Three steps by the real learner and the real loop; policy and judge are fakes."""
    policy, recorder = ScriptedPolicy(well_formed), KeepingRecorder()
    run = Run(
        table=make_table(CONFIG, policy),
        policy=policy,
        learner=TorchLearner(CONFIG, model),
        recorder=recorder,
        profiled=StepProfiler(traces, steps).over,
    )
    asyncio.run(train(run))
    return recorder


def ranges_of(file: Path) -> dict[str, list[tuple[float, float]]]:
    """Start and end of each complete event of a trace, in microseconds, by name."""
    found: dict[str, list[tuple[float, float]]] = {}
    for event in json.loads(gzip.decompress(file.read_bytes()))["traceEvents"]:
        if event.get("ph") == "X":
            start = float(event["ts"])
            found.setdefault(event["name"], []).append((start, start + float(event["dur"])))
    return found


def test_the_chosen_steps_are_traced_and_no_others_and_learn_the_same(tmp_path: Path) -> None:
    """Feature 74."""
    model = make_tiny_model(tmp_path / "tiny")
    traces = tmp_path / "profile"
    traced = played(model, traces, (2,))
    assert traced.statistics == played(model, tmp_path / "none", ()).statistics
    assert [file.name for file in traces.iterdir()] == ["step_2.json.gz"]
    assert not (tmp_path / "none").exists()
    ranges = ranges_of(traces / "step_2.json.gz")
    [update], [penalised] = ranges["azr/update"], ranges["azr/penalised"]
    assert penalised[1] <= update[0]
    for name in ("azr/forward", "azr/backward", "Optimizer.step#AdamW.step"):
        assert len(ranges[name]) == 2, name
        assert all(update[0] <= start <= end <= update[1] for start, end in ranges[name])
    assert all(f[1] <= b[0] for f, b in zip(ranges["azr/forward"], ranges["azr/backward"]))  # noqa: B905
    assert len(ranges["azr/logprobs"]) == 2 + 1  # for the penalty; for the second epoch's ratio
    assert "aten::mm" in ranges


def test_a_step_that_fails_leaves_no_trace(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), StepProfiler(tmp_path / "profile", (1,)).over(1):
        _ = 1 / 0
    assert not (tmp_path / "profile").exists()


def test_a_trace_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "profile").write_text("in the way")
    with (
        pytest.raises(CheckpointError, match=r"step_1\.json\.gz cannot be written: File exists"),
        StepProfiler(tmp_path / "profile", (1,)).over(1),
    ):
        pass


@pytest.mark.parametrize("step", [0, 4])
def test_steps_that_the_run_does_not_have_are_refused(step: int) -> None:
    with pytest.raises(ConfigError, match=rf"profile_steps must be .* 1 to 3, got {step}"):
        RunConfig(steps=3, logging=LoggingConfig(profile_steps=[1, step, 3]))
