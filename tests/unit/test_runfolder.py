"""Run folders: a name is taken once, a process is alone, a resume loses and doubles nothing."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from azr.config.loading import load
from azr.config.run import LearnerConfig, LoggingConfig, RunConfig
from azr.errors import CheckpointError
from azr.records.metrics_file import read_metrics
from azr.records.rollouts import read_records, write_records
from azr.records.run_folder import RunFolder, export_model, rollout_files
from azr.records.sinks import MetricsWriter


def config(tmp_path: Path, name: str = "one") -> RunConfig:
    return RunConfig(name=name, runs=str(tmp_path), logging=LoggingConfig(tensorboard=False))


def test_a_new_folder_says_what_runs_where(tmp_path: Path) -> None:
    with RunFolder.open(config(tmp_path)) as folder:
        assert load([folder.path / "config.toml"]) == config(tmp_path)
        assert json.loads((folder.path / "resolved.json").read_text())["steps"] == 500
        environment = json.loads((folder.path / "env.json").read_text())
        assert folder.log_file.name == "attempt_1.log"
    assert environment["attempt"] == 1
    assert environment["cores"] == os.cpu_count()
    assert environment["versions"]["wasmtime"]


def test_no_environment_variable_and_no_secret_reaches_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "a-secret-of-mine")
    monkeypatch.setattr(sys, "argv", ["azr", "train", "--token", "a-secret-of-mine"])
    with RunFolder.open(config(tmp_path)) as folder:
        for file in folder.path.rglob("*"):
            assert not file.is_file() or b"a-secret-of-mine" not in file.read_bytes()


def test_a_taken_name_is_refused_with_every_remedy(tmp_path: Path) -> None:
    with RunFolder.open(config(tmp_path)) as folder:
        fill(folder, config(tmp_path), range(1, 2))
    with pytest.raises(CheckpointError, match="already holds a run") as refusal:
        RunFolder.open(config(tmp_path))
    (note,) = refusal.value.__notes__
    assert all(remedy in note for remedy in ("--resume", "--overwrite", "--name one-2"))


def test_resume_keeps_what_is_there_and_counts_attempts(tmp_path: Path) -> None:
    with RunFolder.open(config(tmp_path)) as folder:
        (folder.path / "tasks.sqlite").touch()
    with RunFolder.open(config(tmp_path), resume=True) as folder:
        assert folder.tasks_file.exists()
        assert folder.attempt == 2
        assert (folder.path / "logs/attempt_1.log").exists()


def test_resume_of_a_run_that_never_was_starts_it(tmp_path: Path) -> None:
    with RunFolder.open(config(tmp_path), resume=True) as folder:
        assert folder.attempt == 1


def test_a_resume_with_other_keys_names_each_and_loses_no_configuration(tmp_path: Path) -> None:
    first = config(tmp_path)
    second = first.changed(steps=600, learner=LearnerConfig(advantage="rloo"))
    with RunFolder.open(first) as folder:
        assert folder.news == ()
        fill(folder, first, range(1, 2))
    with RunFolder.open(second, resume=True) as folder:
        assert folder.news == (
            "changed since attempt 1: steps 500 -> 600",
            'changed since attempt 1: learner.advantage "trr++" -> "rloo"',
        )
        attempts = [folder.path / "logs" / f"attempt_{number}.toml" for number in (1, 2)]
    assert [load([file]) for file in attempts] == [first, second]
    with RunFolder.open(second, resume=True) as folder:
        assert folder.news == ()


def test_a_run_of_an_older_azr_keeps_its_configuration(tmp_path: Path) -> None:
    """It has no attempt_1.toml, and keys that are gone or not there yet."""
    with RunFolder.open(config(tmp_path)) as folder:
        fill(folder, config(tmp_path), range(1, 2))
        (folder.path / "logs" / "attempt_1.toml").unlink()
        resolved = json.loads((folder.path / "resolved.json").read_text())
        del resolved["seed"]
        resolved["old"] = {"key": 3}
        (folder.path / "resolved.json").write_text(json.dumps(resolved))
    with RunFolder.open(config(tmp_path), resume=True) as folder:
        assert folder.news == ()
        assert load([folder.path / "logs" / "attempt_1.toml"]) == config(tmp_path)


def test_a_resume_of_nothing_says_so_and_guesses_the_name(tmp_path: Path) -> None:
    with RunFolder.open(config(tmp_path, "qwen-7b")) as folder:
        fill(folder, config(tmp_path), range(1, 2))
    with RunFolder.open(config(tmp_path, "qwen-7"), resume=True) as folder:
        (line,) = folder.news
        assert line.startswith(f"no run to resume in {folder.path}: starting a new one (there is")
        assert line.endswith(f"{tmp_path / 'qwen-7b'})")
    with RunFolder.open(config(tmp_path, "other"), resume=True) as folder:
        assert folder.news == (f"no run to resume in {folder.path}: starting a new one",)


def test_overwrite_leaves_nothing_of_the_old_run(tmp_path: Path) -> None:
    with RunFolder.open(config(tmp_path)) as folder:
        fill(folder, config(tmp_path), range(1, 3))
        (folder.checkpoints / "step_1").mkdir(parents=True)
        (folder.path / "notes.txt").write_text("mine")
        (folder.path / "wandb").symlink_to(tmp_path)
    with RunFolder.open(config(tmp_path), overwrite=True) as folder:
        assert rollout_files(folder.path) == {}
        assert read_metrics(folder.path) == []
        assert not folder.checkpoints.exists()
        assert folder.attempt == 1
        assert not (folder.path / "wandb").is_symlink()
        assert (folder.path / "notes.txt").read_text() == "mine"
    assert tmp_path.exists()


def test_overwrite_never_deletes_a_folder_that_is_not_a_run(tmp_path: Path) -> None:
    precious = tmp_path / "one" / "checkpoints" / "thesis.txt"
    precious.parent.mkdir(parents=True)
    precious.write_text("years of work")
    with pytest.raises(CheckpointError, match="is not a run's folder"):
        RunFolder.open(config(tmp_path), overwrite=True)
    with pytest.raises(CheckpointError, match="already holds a run"):
        RunFolder.open(config(tmp_path))
    assert precious.exists()


def test_a_start_that_failed_before_its_first_checkpoint_does_not_take_the_name(
    tmp_path: Path,
) -> None:
    with RunFolder.open(config(tmp_path)) as folder:
        MetricsWriter(folder.path, config(tmp_path)).close()
    with RunFolder.open(config(tmp_path)) as folder:
        assert folder.attempt == 2


def test_two_processes_cannot_run_in_one_folder(tmp_path: Path) -> None:
    """Not even with --overwrite: what the other one writes must not be deleted."""
    with RunFolder.open(config(tmp_path)) as folder:
        write_records(folder.rollouts_file(1), [{"a": 1}])
        code = (
            "from azr.config.run import RunConfig; from azr.records.run_folder import RunFolder\n"
            "from azr.errors import CheckpointError\n"
            f"config = RunConfig(name='one', runs={str(tmp_path)!r})\n"
            "try: RunFolder.open(config, overwrite=True)\n"
            "except CheckpointError as error: print(error)\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=False
        )
        assert f"is in use by another process (pid {os.getpid()})" in done.stdout, done.stderr
        assert folder.rollouts_file(1).exists()
    RunFolder.open(config(tmp_path), resume=True).close()


def test_rollouts_that_cannot_be_written_are_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("where a folder should be")
    with pytest.raises(CheckpointError, match=r"step_1.* cannot be written: (File exists|Not a)"):
        write_records(tmp_path / "file" / "step_1.jsonl.gz", [{"a": 1}])


def test_a_folder_that_cannot_be_made_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "one").write_text("a file, not a folder")
    with pytest.raises(CheckpointError, match="cannot be written"):
        RunFolder.open(config(tmp_path))


def fill(folder: RunFolder, run: RunConfig, steps: range) -> None:
    writer = MetricsWriter(folder.path, run, first_step=steps.start)
    for step in steps:
        write_records(folder.rollouts_file(step), [{"step": step}])
        writer.write(step, {"reward": float(step)})
    writer.close()


@settings(deadline=None, max_examples=40)  # files, synced to the disk
@given(
    written=st.integers(0, 8),
    checkpoint=st.integers(0, 8),
    torn=st.integers(0, 40),
    partial=st.booleans(),
)
def test_a_resume_from_any_point_loses_nothing_and_keeps_nothing_twice(
    tmp_path_factory: pytest.TempPathFactory,
    written: int,
    checkpoint: int,
    torn: int,
    partial: bool,
) -> None:
    """Whatever a kill leaves behind after the newest checkpoint, the replay restores it once."""
    checkpoint = min(checkpoint, written)
    run = config(tmp_path_factory.mktemp("runs"))
    with RunFolder.open(run) as folder:
        fill(folder, run, range(1, written + 1))
        line = json.dumps({"step": written + 1, "reward": 1.0, "padding": "x" * 20})
        with folder.metrics_file.open("a") as file:
            file.write(line[:torn])
        if partial:
            (folder.path / "rollouts").mkdir(exist_ok=True)
            (folder.path / "rollouts/step_9.jsonl.gz.partial").touch()
    with RunFolder.open(run, resume=True) as folder:
        folder.rewind(checkpoint)
        assert [row["step"] for row in read_metrics(folder.path)] == [*range(1, checkpoint + 1)]
        assert list(rollout_files(folder.path)) == [*range(1, checkpoint + 1)]
        fill(folder, run, range(checkpoint + 1, 10))
        assert [row["step"] for row in read_metrics(folder.path)] == [*range(1, 10)]
        assert [row["reward"] for row in read_metrics(folder.path)] == [*map(float, range(1, 10))]
        assert list(rollout_files(folder.path)) == [*range(1, 10)]
        assert not list(folder.path.rglob("*.partial"))


def test_damage_before_the_last_line_is_told_and_costs_that_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "metrics.jsonl").write_text('{"step": 1}\n{"st\n{"step": 3}\n')
    assert [row["step"] for row in read_metrics(tmp_path)] == [1, 3]
    assert caplog.messages == [f"{tmp_path / 'metrics.jsonl'}, line 2: not JSON: left out"]


def test_equal_rollouts_give_equal_bytes_and_are_read_back(tmp_path: Path) -> None:
    records = [{"completion": "é\u2028\x00", "reward": -0.5}, {"task": None}]
    for name in ("a", "b"):
        write_records(tmp_path / name, records)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert list(read_records(tmp_path / "a")) == records


def test_of_a_torn_rollout_file_the_rest_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "step_1.jsonl.gz"
    write_records(file, [{"a": n} for n in range(100)])
    file.write_bytes(file.read_bytes()[:-20])
    list(read_records(file))
    assert "cannot be read" in caplog.text


def test_a_record_holds_what_the_report_needs(make_run: Callable[..., Path]) -> None:
    run = make_run(steps=1)
    records = list(read_records(run / "rollouts/step_1.jsonl.gz"))
    assert len(records) == 24
    assert set(records[0]) == {
        *("step", "stream", "verdict", "reason", "reward", "advantage", "solve_rate", "prompt"),
        *("prefill", "completion", "task", "prompt_tokens", "tokens", "truncated"),
        *("policy_version", "group", "merits"),
    }
    task = next(record["task"] for record in records if record["task"])
    assert set(task) == {"mode", "program", "cases", "message", "born_step"}


def make_checkpoint(run: Path, step: int) -> None:
    model = run / "checkpoints" / f"step_{step}" / "model"
    model.mkdir(parents=True)
    (model / "config.json").write_text(json.dumps({"step": step}))


def test_export_copies_the_newest_checkpoint_or_the_one_that_was_asked_for(tmp_path: Path) -> None:
    for step in (9, 10):
        make_checkpoint(tmp_path, step)
    for step, expected in ((None, 10), (9, 9)):
        folder = export_model(tmp_path, tmp_path / f"out{step}", step)
        assert json.loads((folder / "config.json").read_text())["step"] == expected


def test_export_refuses_a_taken_folder_and_a_missing_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="there are: none"):
        export_model(tmp_path, tmp_path / "out")
    make_checkpoint(tmp_path, 4)
    with pytest.raises(CheckpointError, match="no checkpoint of step 5; there are: 4"):
        export_model(tmp_path, tmp_path / "out", 5)
    with pytest.raises(CheckpointError, match="not an empty folder"):
        export_model(tmp_path, tmp_path)
