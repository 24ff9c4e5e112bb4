"""Whole runs over learners and engines on this machine's CPUs, some of whose processes are killed.

Real parts throughout: `azr train` starts Ray, a real sandbox, sharded learners, two vLLM engines.
The model is tiny, so that what takes time is the start of the processes.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import psutil
import pytest
import torch
from safetensors.torch import load_file

from azr.models.checkpoint import latest_checkpoint
from tests.e2e.one_process import run_commands
from tests.e2e.test_lora_run import LORA
from tests.e2e.test_run import metrics_of, played, start, tasks_of, wait_for_step, write_run

pytestmark = [pytest.mark.slow, pytest.mark.guest, pytest.mark.timeout(1800)]

STEPS = 4
LIMIT_S = 600.0
"""For what takes a minute on a machine that does nothing else."""
VLLM = ("--rollout.engine", "vllm", "--rollout.kv_cache_gib", "0.1")
CLUSTER = (
    *VLLM,
    *("--cluster.learners", "2", "--cluster.engines", "2", "--cluster.address", "local"),
)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def write_config(runs: Path, taught: Path) -> Callable[..., Path]:
    return lambda name: write_run(runs, taught, name, STEPS)


def finish(process: "subprocess.Popen[str]", code: int = 0) -> str:
    out, err = process.communicate(timeout=LIMIT_S)
    assert process.returncode == code, err[-4000:]
    assert out == "", "stdout is data, and a training run has none"
    return err


def descendants(process: "subprocess.Popen[str]", words: str) -> list[psutil.Process]:
    """Ray's actors of this name, which are the driver's children by way of Ray's own."""
    found = psutil.Process(process.pid).children(recursive=True)
    return [child for child in found if words in " ".join(child.cmdline())]


def test_a_cluster_plays_and_learns_what_one_process_does(
    runs: Path, write_config: Callable[..., Path]
) -> None:
    finish(start(write_config("whole"), *CLUSTER))
    finish(start(write_config("alone"), *VLLM))
    whole, alone = (runs / "runs" / name for name in ("whole", "alone"))
    assert tasks_of(whole) == tasks_of(alone)
    for mine, theirs in zip(played(whole), played(alone), strict=True):
        mine.pop("rollout/imbalance", None)
        cached = "rollout/cached_tokens"  # which engine knew a prompt
        assert mine.pop(cached) >= 0
        assert theirs.pop(cached) >= 0
        assert mine == pytest.approx(theirs, rel=1e-3, abs=1e-5)
    for row in metrics_of(whole):
        assert row["sync/probe_max_abs"] < 1e-3, "of both engines"


def test_adapters_are_trained_by_sharded_learners_pushed_resumed_and_exported(
    runs: Path, write_config: Callable[..., Path], taught: Path
) -> None:
    """Checksums of the merged weights prove each push; the probe reads them unmerged."""
    command = (write_config("lora"), *CLUSTER, "--cluster.engines", "1", *LORA, "--steps")
    finish(start(*command, "2"))
    assert "resuming after step 2" in finish(start(*command, "3", "--resume"))
    folder = runs / "runs" / "lora"
    rows = metrics_of(folder)
    assert [row["step"] for row in rows] == [1, 2, 3]
    assert all(row["sync/probe_max_abs"] < 1e-3 for row in rows)
    divergences = [row["kl"] for row in rows if "kl" in row]
    assert divergences[0] == 0.0 < divergences[-1], "the reference is the model without adapters"
    adapter = load_file(folder / "checkpoints/step_3/model/adapter_model.safetensors")
    [done] = run_commands(runs, [["export", folder, "model"]])
    assert done.code == 0, done.err[-4000:]
    merged, base = (load_file(at / "model.safetensors") for at in (runs / "model", taught))
    layer = "model.layers.0.self_attn.q_proj"
    a, b = (adapter[f"base_model.model.{layer}.lora_{part}.weight"] for part in "AB")
    added = merged[f"{layer}.weight"] - base[f"{layer}.weight"]
    torch.testing.assert_close(added, 32 / 4 * (b @ a), atol=1e-6, rtol=1e-5)
    assert added.abs().max() > 1e-4


def test_a_run_outlives_a_learner_then_its_driver_and_stops_at_ctrl_c(
    runs: Path, write_config: Callable[..., Path]
) -> None:
    folder = runs / "runs" / "wounded"
    command = (write_config("wounded"), *CLUSTER, "--steps", "200", "--checkpoint.every", "2")
    first = start(*command)
    wait_for_step(folder, 3, first, LIMIT_S)
    [*_, learner] = descendants(first, "LearnerActor")
    learner.kill()
    # one step may have been learned already, and none after it
    wait_for_step(folder, len(metrics_of(folder)) + 2, first, LIMIT_S)
    assert "(restart 1 of cluster.restarts = 3)" in killed_in_a_checkpoint(first, folder)
    [half] = half_written(folder)
    cut = latest_checkpoint(folder / "checkpoints")
    assert cut is not None, "it is whole: all hashes are compared"
    second = start(*command, "--resume")
    wait_for_step(folder, len(metrics_of(folder)) + 1, second, LIMIT_S)
    everything = psutil.Process(second.pid).children(recursive=True)
    second.send_signal(signal.SIGINT)
    said = finish(second, 130)
    assert f"resuming after step {cut.step}" in said
    assert "go on with --resume" in said
    all_end(everything)
    rows = metrics_of(folder)
    assert [row["step"] for row in rows] == list(range(1, len(rows) + 1))
    assert (folder / "checkpoints" / f"step_{len(rows)}").is_dir()
    assert not half.exists()


def killed_in_a_checkpoint(driver: "subprocess.Popen[str]", folder: Path) -> str:
    """What it said until it was killed, with a checkpoint half written.

    It is stopped when one has been begun, and goes on if that was whole before it stopped.
    """
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline and driver.poll() is None:
        if any(half_written(folder)):
            driver.send_signal(signal.SIGSTOP)
            if any(half_written(folder)):
                return killed(driver)
            driver.send_signal(signal.SIGCONT)
        time.sleep(0.001)
    raise AssertionError("no checkpoint was seen under way")


def half_written(folder: Path) -> Iterator[Path]:
    return (folder / "checkpoints").glob(".step_*.partial")


def killed(driver: "subprocess.Popen[str]") -> str:
    """What it said until it was killed; its actors end with it."""
    actors = [child for name in ("Actor", "VLLM::") for child in descendants(driver, name)]
    assert len(actors) >= 4
    os.kill(driver.pid, signal.SIGKILL)
    _, said = driver.communicate()
    all_end(actors)
    assert "Traceback" not in said
    return said


def all_end(processes: Sequence[psutil.Process]) -> None:
    """Ray ends them: nobody waits for them here."""
    deadline = time.monotonic() + LIMIT_S
    while any(one.is_running() for one in processes):
        assert time.monotonic() < deadline
        time.sleep(0.1)
