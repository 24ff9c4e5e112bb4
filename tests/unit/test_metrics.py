"""Metrics: each number is what its name says, on experiences written by hand."""

import json
import math
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from azr.config.run import LoggingConfig, RunConfig
from azr.errors import CheckpointError, ConfigError
from azr.records.metrics import Stopwatch, step_metrics
from azr.records.sinks import MetricsWriter
from azr.types import Case, Experience, Mode, Prompt, Role, Rollout, Task, Verdict

PROPOSER, SOLVER = Role.PROPOSER, Role.SOLVER


def experience(
    role: Role,
    verdict: Verdict,
    reward: float,
    *,
    mode: Mode = Mode.DEDUCTION,
    tokens: int = 10,
    reason: str = "",
    rate: float | None = None,
    program: str = "",
    truncated: bool = False,
) -> Experience:
    rollout = Rollout(
        prompt=Prompt(role=role, mode=mode, text="p"),
        prompt_ids=(1, 2),
        completion_ids=(3,) * tokens,
        rollout_logprobs=(-0.5,) * tokens,
        completion="c",
        policy_version=0,
        truncated=truncated,
    )
    task = Task(mode=mode, program=program, cases=(Case("1", "1"),)) if program else None
    return Experience(
        rollout=rollout, verdict=verdict, reward=reward, reason=reason, task=task, solve_rate=rate
    )


SCRIPT = [
    experience(PROPOSER, Verdict.PASSED, 0.75, rate=0.25, program="def f(x):\n\n    return x"),
    experience(PROPOSER, Verdict.PASSED, 0.0, rate=0.0, program="def f(x):\n\n    return x"),
    experience(PROPOSER, Verdict.PASSED, 0.0, rate=1.0, program="a\nb\nc\nd", tokens=40),
    experience(PROPOSER, Verdict.FAILED, -1.0, reason="raised: ValueError: bad 17"),
    experience(PROPOSER, Verdict.FAILED, -1.0, reason="raised: ValueError: bad 18"),
    experience(PROPOSER, Verdict.FAILED, -1.0, reason="refused: import of os"),
    experience(PROPOSER, Verdict.ILL_FORMED, -1.0, reason="parse: no input block"),
    experience(PROPOSER, Verdict.ILL_FORMED, -1.0, reason="", truncated=True),
    experience(SOLVER, Verdict.PASSED, 1.0, tokens=4),
    experience(SOLVER, Verdict.FAILED, -0.5, tokens=8, reason="wrong"),
    experience(SOLVER, Verdict.PASSED, 1.0, mode=Mode.INDUCTION),
]
ADVANTAGES = [float(n) for n in range(len(SCRIPT))]


def test_every_number_is_what_its_name_says() -> None:
    metrics = step_metrics(SCRIPT, ADVANTAGES, {"loss": 0.5, "time/play": 2.0})
    expected = {
        "rollouts": 11,
        "reward/proposer/deduction/mean": -4.25 / 8,
        "reward/proposer/deduction/min": -1.0,
        "reward/proposer/deduction/max": 0.75,
        "reward/solver/deduction/mean": 0.25,
        "accuracy/solver/deduction": 0.5,
        "accuracy/solver/induction": 1.0,
        "well_formed/proposer/deduction": 6 / 8,
        "well_formed/solver/deduction": 1.0,
        "valid/deduction": 3 / 8,
        "solve_rate/deduction": 1.25 / 3,
        "learnable/deduction": 1 / 3,
        "learnability/deduction": 0.25,
        "distinct/deduction": 2 / 3,
        "lines/deduction": (2 + 2 + 4) / 3,
        "length/proposer/deduction/mean": 110 / 8,
        "length/proposer/deduction/max": 40,
        "length/solver/deduction/mean": 6,
        "truncated/proposer/deduction": 1 / 8,
        "truncated/solver/deduction": 0.0,
        "entropy/solver/deduction": 0.5,
        "advantage/proposer/deduction/mean": 3.5,
        "advantage/solver/induction/max": 10.0,
        "refused/raised.ValueError": 2,
        "refused/refused.import_of_os": 1,
        "refused/parse.no_input_block": 1,
        "refused/unknown": 1,
        "outcome/proposer/passed": 3 / 8,
        "outcome/proposer/raised": 2 / 8,
        "outcome/proposer/ill_formed": 1 / 8,
        "outcome/solver/passed": 2 / 3,
        "outcome/solver/wrong": 1 / 3,
        "perf/tokens_per_s": (110 + 4 + 8 + 10) / 2.0,
        "loss": 0.5,
        "time/play": 2.0,
    }
    assert {name: metrics[name] for name in expected} == pytest.approx(expected)


def test_the_learnability_of_the_script_by_hand() -> None:
    """Rates 0.25, 0 and 1 give (0.75 + 0 + 0) / 3."""
    assert step_metrics(SCRIPT, ADVANTAGES, {})["learnability/deduction"] == pytest.approx(0.25)


def test_what_a_step_has_no_data_for_is_left_out_and_not_zero() -> None:
    metrics = step_metrics(SCRIPT, ADVANTAGES, {})
    assert not [n for n in metrics if "abduction" in n]
    assert "valid/induction" not in metrics
    refused = step_metrics(SCRIPT[3:4], [0.0], {})
    assert refused["valid/deduction"] == 0.0
    assert not {"solve_rate/deduction", "learnability/deduction", "distinct/deduction"} & {*refused}
    assert step_metrics([], [], {}) == {"rollouts": 0}


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"time/play": 4.0, "rollout/busy_s": 3.0}, 0.75),
        ({"time/play": 4.0, "rollout/busy_s": 5.0}, None),  # it seeded as well
        ({"time/play": 4.0, "rollout/busy_s": 3.0, "time/evaluate": 2.0}, None),
        ({"time/play": 4.0, "rollout/busy_s": 0.0}, None),
        ({"time/play": 4.0}, None),
    ],
)
def test_the_engines_share_of_the_play_is_of_the_play_alone(
    said: dict[str, float], expected: float | None
) -> None:
    assert step_metrics(SCRIPT, ADVANTAGES, said).get("perf/engine_busy") == expected


def test_tokens_per_second_count_trials_when_the_policy_reports_them() -> None:
    said = {"time/play": 4.0, "rollout/completion_tokens": 1000.0}
    assert step_metrics(SCRIPT, ADVANTAGES, said)["perf/tokens_per_s"] == 250.0
    assert (
        step_metrics(SCRIPT, ADVANTAGES, {**said, "perf/tokens_per_s": 7.0})["perf/tokens_per_s"]
        == 7.0
    )


def test_outcomes_of_a_role_sum_to_one() -> None:
    metrics = step_metrics(SCRIPT, ADVANTAGES, {})
    for role in Role:
        shares = [v for n, v in metrics.items() if n.startswith(f"outcome/{role}/")]
        assert sum(shares) == pytest.approx(1.0)


def test_advantages_must_be_aligned_with_experiences() -> None:
    with pytest.raises(ValueError, match="zip"):
        step_metrics(SCRIPT, ADVANTAGES[1:], {})


def test_a_stopwatch_adds_up_phases_and_names_the_rest() -> None:
    ticks = iter([0.0, 1.0, 4.0, 5.0, 6.0, 7.0, 9.0, 10.0])
    watch = Stopwatch(lambda: next(ticks))
    with watch.phase("play"):
        pass
    with watch.phase("train"):
        pass
    with watch.phase("play"):
        pass
    assert watch.seconds() == {
        "time/play": 5.0,
        "time/train": 1.0,
        "time/other": 4.0,
        "time/step": 10.0,
    }


def test_a_phase_that_raises_is_still_counted() -> None:
    ticks = iter([0.0, 1.0, 4.0, 5.0])
    watch = Stopwatch(lambda: next(ticks))
    with pytest.raises(RuntimeError), watch.phase("play"):
        raise RuntimeError
    assert watch.seconds()["time/play"] == 3.0


# ---------------------------------------------------------------- writing


def config(**logging: Any) -> RunConfig:
    return RunConfig(logging=LoggingConfig(**{"tensorboard": False, **logging}))


def test_a_step_is_one_line_on_the_disk_when_write_returns(tmp_path: Path) -> None:
    writer = MetricsWriter(tmp_path, config())
    writer.write(1, {"a": 0.1, "b": math.nan, "c": math.inf})
    line = (tmp_path / "metrics.jsonl").read_text()
    assert json.loads(line) == {"step": 1, "a": 0.1, "b": None, "c": None}
    writer.write(2, {})
    writer.close()
    again = MetricsWriter(tmp_path, config(), first_step=3)
    again.write(3, {})
    again.close()
    steps = [
        json.loads(line)["step"] for line in (tmp_path / "metrics.jsonl").read_text().splitlines()
    ]
    assert steps == [1, 2, 3]


def test_tensorboard_reads_back_what_was_written_and_hides_what_a_resume_replays(
    tmp_path: Path,
) -> None:
    for first, value in ((1, 1.0), (3, 2.0)):
        writer = MetricsWriter(tmp_path, config(tensorboard=True), first_step=first)
        for step in range(first, 5):
            writer.write(step, {"reward/solver/deduction/mean": value * step, "bad": math.nan})
        writer.close()
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    board = events.EventAccumulator(str(tmp_path / "tensorboard"))
    board.Reload()
    assert board.Tags()["scalars"] == ["reward/solver/deduction/mean"]
    seen = [(e.step, e.value) for e in board.Scalars("reward/solver/deduction/mean")]
    assert seen == [(1, 1.0), (2, 2.0), (3, 6.0), (4, 8.0)]


def test_a_sink_that_is_not_installed_is_refused_with_both_remedies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(ConfigError, match="wandb is on, but wandb cannot be imported") as refusal:
        MetricsWriter(tmp_path, config(wandb=True))
    assert refusal.value.__notes__ == ["pip install wandb, or switch it off: --logging.wandb false"]


def test_a_resumed_run_continues_the_same_wandb_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, Any]] = []
    logged: list[tuple[int, dict[str, float]]] = []

    def init(**settings: Any) -> SimpleNamespace:
        asked.append(settings)
        return SimpleNamespace(
            id=settings["id"] or "new-id",
            log=lambda metrics, step: logged.append((step, metrics)),
            finish=lambda: None,
        )

    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(init=init))
    for step in (1, 2):
        writer = MetricsWriter(tmp_path, config(wandb=True))
        writer.write(step, {"a": 1.0, "b": math.nan})
        writer.close()
    assert [settings["id"] for settings in asked] == [None, "new-id"]
    assert logged == [(1, {"a": 1.0}), (2, {"a": 1.0})]
    assert asked[0]["config"]["steps"] == 500
    assert [settings["tags"] for settings in asked] == [None, None]


def test_wandb_is_given_the_tags_of_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Feature 63."""
    asked: list[dict[str, Any]] = []

    def init(**settings: Any) -> SimpleNamespace:
        asked.append(settings)
        return SimpleNamespace(id="new-id", finish=lambda: None)

    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(init=init))
    MetricsWriter(tmp_path, config(wandb=True, wandb_tags=["7b", "no seeds"])).close()
    assert asked[0]["tags"] == ("7b", "no seeds")


def test_a_resumed_run_continues_the_trackio_run_of_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FAKE: the calls are those that trackio 0.43.0 takes."""
    asked: list[dict[str, Any]] = []
    logged: list[tuple[int, dict[str, float]]] = []

    def init(project: str, name: str, resume: str, config: dict[str, Any]) -> SimpleNamespace:
        asked.append({"project": project, "name": name, "resume": resume, **config["logging"]})
        log = lambda metrics, step: logged.append((step, metrics))  # noqa: E731
        return SimpleNamespace(log=log, finish=lambda: logged.append((-1, {})))

    monkeypatch.setitem(sys.modules, "trackio", SimpleNamespace(init=init))
    for step in (1, 2):
        writer = MetricsWriter(tmp_path, config(trackio=True, trackio_project="study"))
        writer.write(step, {"a": 1.0, "b": math.nan})
        writer.close()
    assert [(a["project"], a["resume"], a["trackio"]) for a in asked] == [
        ("study", "allow", True)
    ] * 2
    assert logged == [(1, {"a": 1.0}), (-1, {}), (2, {"a": 1.0}), (-1, {})]


@pytest.mark.parametrize("tag", ["", "x" * 65])
def test_a_tag_that_wandb_would_not_take_is_refused_before_the_run(tag: str) -> None:
    with pytest.raises(
        ConfigError, match=r"logging\.wandb_tags must be texts of 1 to 64"
    ) as refusal:
        config(wandb_tags=["good", tag])
    assert repr(tag) in str(refusal.value)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_full_disk_is_an_error_of_ours_and_not_a_lost_step(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").symlink_to("/dev/full")
    writer = MetricsWriter(tmp_path, config())
    with pytest.raises(CheckpointError, match=r"metrics\.jsonl cannot be written: No space left"):
        writer.write(1, {"a": 1.0})
    writer.close()
