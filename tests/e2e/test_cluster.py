"""Runs of several processes on this machine's CPUs (gloo): what the leader does, all do.

Real parts throughout: `azr train` starts the processes, a real sandbox, sharded learners, an
engine in each process. The model is tiny, so that what takes time is the start of the processes.
"""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from tests.e2e.test_run import metrics_of, played, start, tasks_of, wait_for_step, write_run

pytestmark = [pytest.mark.slow, pytest.mark.guest, pytest.mark.timeout(420)]

STEPS = 4
TWO = ("--cluster.processes", "2")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def write_config(runs: Path, taught: Path) -> Callable[..., Path]:
    return lambda name, steps=STEPS: write_run(runs, taught, name, steps)


@pytest.fixture(scope="module")
def whole(runs: Path, write_config: Callable[..., Path]) -> Path:
    """A run of two processes that nothing disturbed."""
    finish(start(write_config("whole"), *TWO))
    return runs / "runs" / "whole"


def finish(process: "subprocess.Popen[str]", code: int = 0, timeout_s: float = 240) -> str:
    out, err = process.communicate(timeout=timeout_s)
    assert process.returncode == code, err[-4000:]
    assert out == "", "stdout is data, and a training run has none"
    return err


@contextmanager
def under_way(config: Path, folder: Path, step: int) -> Generator[tuple[Any, int, int]]:
    """A run of two processes that has finished a step, with the pids of leader and worker."""
    process = start(config, *TWO, "--steps", "200")
    try:
        wait_for_step(folder, step)
        leader = int((folder / ".lock").read_text())
        children = subprocess.run(
            ["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=True
        )
        [worker] = {int(pid) for pid in children.stdout.split()} - {leader}
        yield process, leader, worker
        wait_until_gone(leader)
        wait_until_gone(worker)
    finally:
        process.kill()
        process.communicate()


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + 30
    while Path(f"/proc/{pid}").exists():
        assert time.monotonic() < deadline, f"process {pid} is still there"
        time.sleep(0.05)


def test_two_processes_play_and_learn_what_one_does(
    whole: Path, runs: Path, write_config: Callable[..., Path]
) -> None:
    finish(start(write_config("alone")))
    alone = runs / "runs" / "alone"
    assert tasks_of(whole) == tasks_of(alone)
    for mine, theirs in zip(played(whole), played(alone), strict=True):
        imbalance = mine.pop("rollout/imbalance")
        assert 1 <= imbalance < 2, "both engines sampled"
        assert mine == pytest.approx(theirs, rel=1e-4, abs=1e-6)
    ours, theirs = (
        load_file(folder / "checkpoints" / f"step_{STEPS}" / "model" / "model.safetensors")
        for folder in (whole, alone)
    )
    assert ours.keys() == theirs.keys()
    # AdamW's first steps are as large for tiny gradients as for large ones: signs may differ
    differing = [((ours[name] - theirs[name]).abs() > 1e-5).float().mean() for name in ours]
    assert max(differing) < 0.01
    for row in metrics_of(whole):
        assert row["sync/probe_max_abs"] < 1e-3, "of the worker's engine too"


def test_two_processes_find_the_divergence_of_a_step_together(
    runs: Path, write_config: Callable[..., Path]
) -> None:
    finish(start(write_config("leash", 2), *TWO, "--rewards.kl", "k1"))
    first, second = [row["reward_kl/mean"] for row in metrics_of(runs / "runs" / "leash")]
    assert first == 0.0, "the policy has not moved"
    assert second != 0.0


def test_a_leader_killed_at_a_random_moment_resumes_with_two_or_with_one(
    whole: Path, runs: Path, write_config: Callable[..., Path]
) -> None:
    folder, config = runs / "runs" / "broken", write_config("broken")
    with under_way(config, folder, step=3) as (process, leader, _):
        time.sleep(float(os.urandom(1)[0]) / 256)
        os.kill(leader, signal.SIGKILL)
        assert "the leader was ended by SIGKILL" in finish(process, 128 + signal.SIGKILL, 30)
    assert "resuming after step" in finish(start(config, *TWO, "--resume"))
    assert played_evenly(folder) == played_evenly(whole)
    assert tasks_of(folder) == tasks_of(whole)
    name = f"checkpoints/step_{STEPS}/model/model.safetensors"
    assert (folder / name).read_bytes() == (whole / name).read_bytes()
    more = str(STEPS + 1)
    assert "resuming after step" in finish(start(config, "--resume", "--steps", more))
    assert [row["step"] for row in metrics_of(folder)] == list(range(1, STEPS + 2))


def played_evenly(folder: Path) -> list[dict[str, Any]]:
    """Without what depends on which engine was faster."""
    return [
        {name: value for name, value in row.items() if name != "rollout/imbalance"}
        for row in played(folder)
    ]


def test_a_killed_worker_is_told_within_seconds_and_ctrl_c_checkpoints(
    runs: Path, write_config: Callable[..., Path]
) -> None:
    folder, config = runs / "runs" / "wounded", write_config("wounded")
    with under_way(config, folder, step=1) as (process, _, worker):
        os.kill(worker, signal.SIGKILL)
        err = finish(process, 1, 60)
    assert re.search(rf"azr: error: rank 1 \(pid {worker} on .*\) is gone without a word", err)
    assert "hint: go on from the newest checkpoint: --resume" in err
    assert "Traceback" not in err
    with resumed(config, folder) as process:
        process.send_signal(signal.SIGINT)
        assert "go on with --resume" in finish(process, 130, 120)
    rows = metrics_of(folder)
    assert [row["step"] for row in rows] == list(range(1, len(rows) + 1))
    assert (folder / "checkpoints" / f"step_{len(rows)}").is_dir()


@contextmanager
def resumed(config: Path, folder: Path) -> Generator["subprocess.Popen[str]"]:
    """The run goes on, and has finished one step more."""
    before = len(metrics_of(folder))
    process = start(config, *TWO, "--steps", "200", "--resume")
    try:
        wait_for_step(folder, before + 1)
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.usefixtures("needs_vllm")
def test_vllm_starts_an_engine_in_each_process_also_under_torchrun(
    runs: Path, write_config: Callable[..., Path]
) -> None:
    config = write_config("vllm", 2)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    process = subprocess.Popen(
        [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port",
         port, "-m", "azr.cli.main", "train", str(config), "--rollout.engine", "vllm"],
        stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
    )  # fmt: skip
    finish(process)
    rows = metrics_of(runs / "runs" / "vllm")
    assert [row["step"] for row in rows] == [1, 2]
    for row in rows:
        assert row["rollout/imbalance"] < 2
        assert row["sync/probe_max_abs"] < 1e-3
