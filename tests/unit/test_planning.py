"""Does a run fit: the answer, what is said to help, and what a dry run prints."""

import tomllib
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from azr.cli.main import main
from azr.config.loading import load
from azr.config.run import ClusterConfig, ModelConfig, RolloutConfig, RunConfig, SelfPlayConfig
from azr.errors import ConfigError
from azr.models import gpu as gpu_module
from azr.run import machines
from azr.run.display import Display
from azr.run.machines import refuse_what_cannot_fit
from azr.run.planning.fit import (
    Fit,
    fit_of,
    least_gpu,
    least_gpus,
    on_gpus,
    refuse,
    remedies_for,
)
from azr.run.planning.memory import GIB, needs_of
from azr.run.planning.shape import PUBLISHED
from azr.run.planning.text import describe
from azr.run.session import run_training

ROOT = Path(__file__).parents[2]
CODER_3B = PUBLISHED["Qwen/Qwen2.5-Coder-3B"]
CODER_7B = PUBLISHED["Qwen/Qwen2.5-Coder-7B"]
LARGE = sorted(name for name, shape in PUBLISHED.items() if shape.parameters > 10**9)


def paper_run(name: str, processes: int = 1, share: float = 0.4) -> RunConfig:
    run = RunConfig(
        model=ModelConfig(name=name, dtype="bfloat16", gradient_checkpointing=True),
        rollout=RolloutConfig(engine="vllm", dtype="bfloat16", gpu_memory_utilization=share),
    )
    return on_gpus(run, processes)


# ---------------------------------------------------------------- the answer


def test_seven_billion_cannot_fit_into_80_gib_and_the_reason_is_arithmetic() -> None:
    config = paper_run("Qwen/Qwen2.5-Coder-7B")
    fit, reason = fit_of(config, CODER_7B, 80 * GIB)
    assert fit is Fit.CANNOT
    assert f"holds {18 * CODER_7B.parameters / GIB:.1f} GiB whatever the batch" in reason
    several, larger = remedies_for(config, CODER_7B, 80 * GIB)
    assert several.startswith(
        "fits, by the estimate, on 4 GPUs of 80 GiB with --cluster.learners 3"
    )
    assert larger.startswith("it would take one GPU of ~")
    with pytest.raises(ConfigError, match="cannot fit"):
        refuse(config, CODER_7B, 80 * GIB, only_if_certain=True)


def test_what_fails_by_an_estimate_alone_may_try() -> None:
    config = paper_run("Qwen/Qwen2.5-Coder-3B", share=0.25)
    assert fit_of(config, CODER_3B, 80 * GIB)[0] is Fit.WILL_NOT
    refuse(config, CODER_3B, 80 * GIB, only_if_certain=True)
    with pytest.raises(ConfigError, match="by the estimate"):
        refuse(config, CODER_3B, 80 * GIB, only_if_certain=False)


def test_an_engine_that_is_too_small_or_too_large_is_told() -> None:
    little = paper_run("Qwen/Qwen2.5-Coder-3B", share=0.04)
    fit, reason = fit_of(little, CODER_3B, 140 * GIB)
    assert fit is Fit.CANNOT
    assert "rollout.gpu_memory_utilization = 0.04" in reason
    name = "Qwen/Qwen2.5-Coder-32B"
    fit, reason = fit_of(paper_run(name, 32), PUBLISHED[name], 48 * GIB)
    assert fit is Fit.CANNOT
    assert "but the engine's weights take 61.0" in reason
    none, _ = remedies_for(paper_run(name, 32), PUBLISHED[name], 48 * GIB)
    assert none.startswith("no number of GPUs of 48 GiB holds it")


def test_a_run_that_cannot_fit_is_refused_before_anything_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = Mock(return_value=(79 * GIB, 80 * GIB))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "mem_get_info", asked)
    config = paper_run("Qwen/Qwen2.5-Coder-7B").changed(runs=str(tmp_path / "runs"))
    with pytest.raises(ConfigError, match="cannot fit"):
        run_training(config, resume=False, overwrite=False, display=Display(config))
    assert not (tmp_path / "runs").exists()
    monkeypatch.setattr(machines, "visible_gpu_bytes", lambda _: 80 * GIB)
    refuse_what_cannot_fit(on_gpus(config, 4))
    with pytest.raises(ConfigError, match="cannot fit"):
        refuse_what_cannot_fit(on_gpus(config, 2))


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        (3, "3 does not divide the 28 attention heads of .*: it can be 1, 2, 4$"),
        (7, "7 does not divide the 4 key and value heads of .*: it can be 1, 2, 4$"),
    ],
)
def test_gpus_that_cannot_share_an_engine_are_refused(parts: int, words: str) -> None:
    split = ClusterConfig(learners=1, engines=1, tensor_parallel=parts)
    config = paper_run("Qwen/Qwen2.5-Coder-7B").changed(cluster=split)
    with pytest.raises(ConfigError, match=words):
        refuse_what_cannot_fit(config)


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(sorted(PUBLISHED)),
    st.integers(8, 400),
    st.sampled_from([0.1, 0.25, 0.4, 0.9]),
    st.booleans(),
    st.integers(1, 20),
)
def test_remedies_are_true(
    name: str, gpu_gib: int, share: float, checkpointing: bool, processes: int
) -> None:
    """What is said to help does: with the flags that are named, the run fits."""
    shape, config = PUBLISHED[name], paper_run(name, processes, share)
    config = config.changed(model=config.model.changed(gradient_checkpointing=checkpointing))
    if fit_of(config, shape, gpu_gib * GIB)[0] is Fit.FITS:
        return
    remedies = remedies_for(config, shape, gpu_gib * GIB)
    assert remedies
    for remedy in remedies:
        if remedy.startswith("no number"):
            continue
        for_gib = int(remedy.partition("~")[2].split()[0]) if "would take" in remedy else gpu_gib
        assert for_gib > gpu_gib or remedy.startswith("fits")
        assert fit_of(with_flags(config, remedy), shape, for_gib * GIB)[0] is Fit.FITS


def with_flags(config: RunConfig, text: str) -> RunConfig:
    """The configuration with the `--table.key value` pairs of a text."""
    changes = dict[str, dict[str, Any]]()
    for flag, value in pairwise(text.split()):
        if flag.startswith("--") and "." in flag:
            table, _, field = flag.removeprefix("--").partition(".")
            new = value if field == "dtype" else tomllib.loads(f"x = {value}")["x"]
            changes.setdefault(table, {})[field] = new
    sections = {table: getattr(config, table).changed(**new) for table, new in changes.items()}
    return config.changed(**sections)


# ---------------------------------------------------------------- it must not turn round

ORDER = (Fit.CANNOT, Fit.WILL_NOT, Fit.FITS)


@settings(deadline=None)
@given(
    st.sampled_from(LARGE),
    st.integers(8, 300),
    st.integers(1, 40),
    st.sampled_from([0.2, 0.4, 0.8]),
)
def test_more_memory_or_more_gpus_never_make_an_answer_worse(
    name: str, gpu_gib: int, number: int, share: float
) -> None:
    def rank(number: int, gib: int) -> int:
        fit, _ = fit_of(paper_run(name, number, share), PUBLISHED[name], gib * GIB)
        return ORDER.index(fit)

    here = rank(number, gpu_gib)
    assert rank(number, gpu_gib + 1) >= here
    assert rank(number + 1, gpu_gib) >= here


@given(st.sampled_from(LARGE), st.integers(2, 10_000))
def test_an_engine_and_a_micro_batch_are_never_shared_and_the_rest_is(
    name: str, number: int
) -> None:
    shape = PUBLISHED[name]
    alone = needs_of(paper_run(name, 1), shape, 80 * GIB)
    several = needs_of(paper_run(name, number), shape, 80 * GIB)
    assert several.engine == alone.engine, "as long as it is on one GPU"
    assert several.budget == alone.budget
    batch = [part for part in alone.learner if not part.is_exact]
    assert [part for part in several.learner if not part.is_exact] == batch
    if number > 2:  # of two one learns alone
        assert several.certain < alone.certain


@settings(deadline=None, max_examples=10)
@given(st.sampled_from(sorted(PUBLISHED)), st.sampled_from([24, 48, 80, 141]))
def test_the_least_number_of_gpus_is_the_least(name: str, gib: int) -> None:
    config, shape = paper_run(name, 5), PUBLISHED[name]
    fewest = least_gpus(config, shape, gib * GIB)
    if fewest is None:
        assert least_gpu(on_gpus(config, 64), shape) > gib
        return
    assert least_gpu(on_gpus(config, fewest), shape) <= gib
    if fewest > 1:
        assert least_gpu(on_gpus(config, fewest - 1), shape) > gib


# ---------------------------------------------------------------- the command


@pytest.mark.parametrize(
    ("trains_proposer", "trains_on_trials", "rollouts", "trials"),
    [(True, False, 1920, 1536), (True, True, 1728, 1536), (False, False, 192, 0),
     (False, True, 1536, 0)],
)  # fmt: skip
def test_a_step_s_rollouts_are_bounded(
    trains_proposer: bool, trains_on_trials: bool, rollouts: int, trials: int
) -> None:
    """METHOD: 192 proposals, up to 1536 trials, 192 answers."""
    play = SelfPlayConfig(train_proposer=trains_proposer, train_on_trials=trains_on_trials)
    text = describe(RunConfig(selfplay=play), CODER_3B, 80 * GIB)
    assert f"at most {rollouts:,} rollouts, {trials:,} of them trials" in text


def test_the_plan_of_seven_billion_on_four_gpus() -> None:
    """Made by `describe`; if a formula changes, read the difference and write it anew."""
    config = load([ROOT / "configs" / "qwen2.5-7b.toml"], [])
    text = describe(config, PUBLISHED["Qwen/Qwen2.5-7B"], 80 * GIB)
    golden = ROOT / "tests" / "golden" / "plan_7b_on_4_gpus.txt"
    assert text == golden.read_text(encoding="utf-8")


def test_a_dry_run_is_still_a_configuration(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["train", "--dry-run", "--gpu-memory", "80", "--steps", "7"]
    assert main(words) == 0
    text = capsys.readouterr().out
    assert tomllib.loads(text)["steps"] == 7
    assert "134,515,008 parameters" in text
    assert "at most 1,920 rollouts, 1,536 of them trials" in text
    assert "verdict  fits" in text
    assert "3 processes on this CPU" in describe(
        on_gpus(RunConfig(), 3), PUBLISHED["models/smollm2-135m-instruct"], None
    )
    assert "no estimate" in describe(RunConfig(), None, 80 * GIB)


def test_a_dry_run_of_what_cannot_fit_says_so_and_fails(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["train", "--dry-run", "--gpu-memory", "80", "--model.name", "Qwen/Qwen2.5-Coder-7B",
             "--model.dtype", "bfloat16"]  # fmt: skip
    assert main(words) == 2
    streams = capsys.readouterr()
    assert "verdict  cannot fit" in streams.out
    assert streams.err.startswith("azr: error: Qwen/Qwen2.5-Coder-7B cannot fit")
    assert "hint: " in streams.err


@pytest.mark.parametrize("words", [["--dry-run", "--gpu-memory", "0"], ["--gpu-memory", "80"]])
def test_a_gpu_that_makes_no_sense_is_bad_input(words: list[str]) -> None:
    assert main(["train", *words]) == 2


def test_a_gpu_is_asked_of_the_driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\nprintf '24576\\n81559\\n'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert gpu_module.visible_gpu_bytes() == 81_559 * 2**20
    assert gpu_module.visible_gpu_bytes(2) == 24_576 * 2**20
    assert gpu_module.visible_gpu_bytes(8) == 24_576 * 2**20  # the others are elsewhere
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert gpu_module.visible_gpu_bytes() is None
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    tool.write_text("#!/bin/sh\necho No devices were found; exit 6\n")
    assert gpu_module.visible_gpu_bytes() is None
