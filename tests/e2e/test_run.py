"""Whole runs through the real parts: `azr train` as a process, the real sandbox, a real update.

The engine is transformers (vLLM has its own tests): what is tested here is what a run keeps.
"""

import gzip
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from azr.game.tasks.task_json import task_to_json
from azr.types import Case, Mode, Task

pytestmark = [pytest.mark.slow, pytest.mark.guest, pytest.mark.timeout(420)]

STEPS = 5
CONFIG = """
steps = {steps}
name = "{name}"
runs = "{runs}"
[model]
name = "{model}"
[selfplay]
envelope = "completion"
modes = ["deduction", "abduction"]
batch_size = 4
trials_per_task = 2
references = 3
[buffers]
seed_tasks = 6
seed_file = "{seeds}"
[rollout]
engine = "transformers"
max_prompt_tokens = 640
max_completion_tokens = 56
[learner]
lr = 1e-4
[checkpoint]
every = 2
[logging]
tensorboard = false
[sandbox]
workers = 1
"""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, taught: Path) -> Path:
    """The folder of a run that nothing disturbed; a trace of its second step changes nothing."""
    root = tmp_path_factory.mktemp("whole")
    finish(start(write_run(root, taught, "whole", STEPS), "--logging.profile_steps", "2"))
    folder = root / "runs" / "whole"
    assert [file.name for file in (folder / "profile").iterdir()] == ["step_2.json.gz"]
    return folder


@pytest.fixture
def write_config(tmp_path: Path, taught: Path) -> Callable[..., Path]:
    """Write a run's configuration file."""

    return lambda name, steps=STEPS: write_run(tmp_path, taught, name, steps)


def write_run(root: Path, model: Path, name: str, steps: int) -> Path:
    """A run's configuration file; the run's folder will be `root`/runs/NAME."""
    file, seeds = root / f"{name}.toml", root / "seeds.jsonl"
    file.write_text(
        CONFIG.format(steps=steps, name=name, runs=root / "runs", model=model, seeds=seeds)
    )
    seeds.write_text("".join(task_to_json(task) + "\n" for task in seed_tasks()))
    return file


def seed_tasks() -> list[Task]:
    """Tasks of the kind the model was taught to write."""
    return [
        Task(
            mode=mode,
            program=f"def f(x):\n    return x + {add}",
            cases=(Case(str(given), str(given + add)),),
        )
        for mode in (Mode.DEDUCTION, Mode.ABDUCTION)
        for add, given in [(1, 4), (2, 3), (3, 3), (4, 0), (5, 2), (6, 1)]
    ]


def start(config: Path, *more: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "azr.cli.main", "train", str(config), *more],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
    )


def finish(process: "subprocess.Popen[str]") -> str:
    out, err = process.communicate(timeout=240)
    assert process.returncode == 0, err[-4000:]
    assert out == "", "stdout is data, and a training run has none"
    return err


def metrics_of(folder: Path) -> list[dict[str, Any]]:
    """Of a run that may be under way: what follows the last end of a line is half a line."""
    *lines, _ = (folder / "metrics.jsonl").read_text().split("\n")
    return [json.loads(line) for line in lines]


def played(folder: Path) -> list[dict[str, Any]]:
    """What a run's metrics say, without what depends on the machine's speed."""
    speed = ("time/", "perf/", "idle/", "judge/waited", "rollout/busy", "rollout/tokens_per_s",
             "rollout/occupancy", "sync/")  # fmt: skip
    noise = ("mismatch", "entropy/")  # the engine's last digits depend on what runs beside
    memory = ("judge/profiles", "judge/unprofiled")  # a new process asks for them again
    return [
        {name: value for name, value in row.items() if not name.startswith(speed + noise + memory)}
        for row in metrics_of(folder)
    ]


def tasks_of(folder: Path) -> list[Any]:
    with sqlite3.connect(folder / "tasks.sqlite") as database:
        return database.execute("select * from tasks order by 1").fetchall()


def wait_for_step(
    folder: Path, step: int, process: "subprocess.Popen[str]", limit_s: float = 200.0
) -> None:
    """Returns when the run has recorded the step; a run that ended before is told at once."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline and process.poll() is None:
        if (folder / "metrics.jsonl").exists() and len(metrics_of(folder)) >= step:
            return
        time.sleep(0.02)
    process.kill()
    raise AssertionError(f"step {step} was not reached: {process.communicate()[1][-4000:]}")


EVERYTHING = (
    *("--selfplay.train_on_trials", "true", "--learner.advantage", "two_level"),
    *("--loss.kl", "k3", "--loss.kl_coef", "0.01", "--learner.entropy_target", "3"),
    *("--learner.mini_batches", "2", "--learner.epochs", "2"),
    *("--rewards.kl", "k1", "--rewards.kl_target", "0.02", "--rewards.kl_horizon", "40"),
)
"""What else an update can depend on: the initial model, two controllers, a shuffle."""


def test_a_run_killed_at_a_random_moment_resumes_as_if_nothing_had_happened(
    write_config: Callable[..., Path], tmp_path: Path, whole: Path
) -> None:
    """kill -9 in mid-step, then --resume: the same steps, the same tasks, the same weights."""
    kill_and_resume(write_config, tmp_path, whole)


def test_so_does_a_run_with_everything_on(
    write_config: Callable[..., Path], tmp_path: Path
) -> None:
    finish(start(write_config("whole"), *EVERYTHING))
    kill_and_resume(write_config, tmp_path, tmp_path / "runs" / "whole", *EVERYTHING)


def kill_and_resume(
    write_config: Callable[..., Path], tmp_path: Path, whole: Path, *options: str
) -> None:
    broken = tmp_path / "runs" / "broken"
    config = write_config("broken")
    process = start(config, *options)
    wait_for_step(broken, 3, process)  # past the checkpoint of step 2, before that of step 4
    time.sleep(float(os.urandom(1)[0]) / 256)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert "resuming after step" in finish(start(config, "--resume", *options))
    assert [row["step"] for row in metrics_of(broken)] == list(range(1, STEPS + 1))
    assert played(broken) == played(whole)
    assert tasks_of(broken) == tasks_of(whole)
    assert len(tasks_of(whole)) > 8, "the run made tasks of its own, or nothing could be lost"
    names = [f"checkpoints/step_{STEPS}/model/model.safetensors", f"rollouts/step_{STEPS}.jsonl.gz"]
    for name in names:
        assert (broken / name).read_bytes() == (whole / name).read_bytes(), name


def test_the_sandbox_server_killed_in_mid_step_changes_nothing(
    write_config: Callable[..., Path], tmp_path: Path, whole: Path
) -> None:
    """kill -9 of the server while a run plays, twice: every step is as without that."""
    process = start(write_config("stormy"))
    stormy = tmp_path / "runs" / "stormy"
    server = f"sandbox_wasm.cli.main serve .*--watch-parent {process.pid}"
    for step in (1, 3):
        wait_for_step(stormy, step, process)
        subprocess.run(["pkill", "-KILL", "-f", server], check=True)
    finish(process)
    assert played(stormy) == played(whole)
    assert tasks_of(stormy) == tasks_of(whole)


@pytest.mark.parametrize("staleness", [0, 1])
def test_an_interrupt_leaves_a_checkpoint_and_exits_with_130(
    write_config: Callable[..., Path], tmp_path: Path, staleness: int
) -> None:
    """Ctrl-C in mid-step: the last finished step is kept, and --resume goes on from it.

    So it is with steps under way; none of their tokens is older than the run says.
    """
    steps = 4
    config = write_config("stopped", steps)
    ahead = ("--rollout.max_staleness", str(staleness))
    process = start(config, *ahead)
    wait_for_step(tmp_path / "runs" / "stopped", 1, process)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130, err[-4000:]
    assert "--resume" in err
    assert "Traceback" not in err
    finish(start(config, "--resume", *ahead))
    rows = metrics_of(tmp_path / "runs" / "stopped")
    assert [row["step"] for row in rows] == list(range(1, steps + 1))
    assert max(row["staleness/max"] for row in rows) == staleness
    written = (tmp_path / "runs/stopped/config.toml").read_text()
    assert ('importance = "tis"' in written) == bool(staleness), "weighed against the sampler"
    for step in range(1, steps + 1):
        with gzip.open(tmp_path / f"runs/stopped/rollouts/step_{step}.jsonl.gz", "rt") as file:
            versions = {json.loads(line)["policy_version"] for line in file}
        assert versions <= set(range(max(0, step - 1 - staleness), step))
