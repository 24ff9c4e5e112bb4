"""The plan of a run: exact where it says so, within stated bounds of a real model elsewhere."""

import json
import struct
import tomllib
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoConfig, AutoModelForCausalLM

from azr.cli.main import main
from azr.config.run import LearnerConfig, ModelConfig, RolloutConfig, RunConfig, SelfPlayConfig
from azr.errors import ConfigError, ModelError
from azr.learner.learner import TorchLearner
from azr.learner.loss import native
from azr.learner.loss import triton as triton_engine
from azr.learner.packing import Sequence1, pack
from azr.models import gpu as gpu_module
from azr.run.display import Display
from azr.run.planning import Fit, describe, find_shape, refuse, verdict_of
from azr.run.planning.fit import least_gpu, on_gpus
from azr.run.planning.memory import (
    GIB,
    NATIVE_ROWS,
    TRITON_LOGITS,
    TRITON_SLICE,
    engine_memory,
    learner_memory,
)
from azr.run.planning.shape import PUBLISHED, count_parameters, read_shape
from azr.run.planning.tokens import Assumed, step_tokens
from azr.run.session import run_training
from azr.types import Mode, Prompt, Role, Rollout
from tests.tiny import make_tiny_model

CODER_3B = PUBLISHED["Qwen/Qwen2.5-Coder-3B"]
CODER_7B = PUBLISHED["Qwen/Qwen2.5-Coder-7B"]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("model"))


# ---------------------------------------------------------------- the model's shape

OF_THE_HUB = {
    "Qwen/Qwen2.5-Coder-3B": 3_085_938_688,
    "Qwen/Qwen2.5-7B": 7_615_616_512,
    "Qwen/Qwen2.5-Coder-7B": 7_615_616_512,
    "meta-llama/Llama-3.1-8B": 8_030_261_248,
    "Qwen/Qwen2.5-14B": 14_770_033_664,
    "Qwen/Qwen2.5-Coder-14B": 14_770_033_664,
    "Qwen/Qwen3-4B-Base": 4_022_468_096,
    "Qwen/Qwen2.5-Coder-0.5B": 494_032_768,
    "Qwen/Qwen2.5-Coder-1.5B": 1_543_714_304,
    "Qwen/Qwen2.5-Coder-32B": 32_763_876_352,
    "models/smollm2-135m-instruct": 134_515_008,
}
"""Parameters as the hub shows them for the weights."""


def test_the_published_shapes_have_as_many_parameters_as_the_hub_shows() -> None:
    assert {name: shape.parameters for name, shape in PUBLISHED.items()} == OF_THE_HUB


@pytest.mark.parametrize("name", ["Qwen/Qwen2.5-Coder-3B", "Qwen/Qwen3-4B-Base",
                                  "meta-llama/Llama-3.1-8B", "Qwen/Qwen2.5-14B"])  # fmt: skip
def test_transformers_builds_as_many_parameters(name: str) -> None:
    shape = PUBLISHED[name]
    config = AutoConfig.for_model(
        shape.family, num_hidden_layers=shape.layers, hidden_size=shape.hidden,
        intermediate_size=shape.intermediate, num_attention_heads=shape.heads,
        num_key_value_heads=shape.key_heads, head_dim=shape.head_dim,
        vocab_size=shape.vocabulary, tie_word_embeddings=shape.is_tied,
    )  # fmt: skip
    with torch.device("meta"):
        model: Any = AutoModelForCausalLM.from_config(config)
    assert sum(p.numel() for p in model.parameters()) == shape.parameters


def test_a_folder_is_counted_in_the_heads_of_its_files(tiny: Path) -> None:
    shape = read_shape(tiny)
    model: Any = AutoModelForCausalLM.from_pretrained(tiny)
    assert shape.parameters == sum(p.numel() for p in model.parameters())
    assert shape.parameters == count_parameters(shape)
    assert "counted" in shape.source


def test_a_folder_without_weights_is_counted_by_its_config(tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes((tiny / "config.json").read_bytes())
    assert read_shape(tmp_path).parameters == read_shape(tiny).parameters


def test_a_download_that_was_cut_off_is_counted_by_its_config(tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes((tiny / "config.json").read_bytes())
    (tmp_path / "model-1-of-2.safetensors").write_bytes(safetensors(x=[2, 3]))
    weights = {"x": "model-1-of-2.safetensors", "y": "model-2-of-2.safetensors"}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weights}))
    assert read_shape(tmp_path).parameters == read_shape(tiny).parameters
    (tmp_path / "model-2-of-2.safetensors").write_bytes(safetensors(y=[4]))
    assert read_shape(tmp_path).parameters == 2 * 3 + 4


def safetensors(**shapes: list[int]) -> bytes:
    head = {name: {"dtype": "F32", "shape": shape} for name, shape in shapes.items()}
    text = json.dumps(head).encode()
    return struct.pack("<Q", len(text)) + text


def test_a_tied_head_that_was_saved_twice_counts_once(tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes((tiny / "config.json").read_bytes())
    (tmp_path / "model.safetensors").write_bytes(
        safetensors(**{"model.embed_tokens.weight": [10, 4], "lm_head.weight": [10, 4]})
    )
    assert read_shape(tmp_path).parameters == 40


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff" * 64, struct.pack("<Q", 2) + b"[]",
                                     struct.pack("<Q", 2**40)])  # fmt: skip
def test_what_is_no_safetensors_file_is_an_error_that_names_it(
    tiny: Path, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "config.json").write_bytes((tiny / "config.json").read_bytes())
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(ModelError, match=r"model\.safetensors cannot be read"):
        read_shape(tmp_path)


def test_an_unknown_family_without_weights_is_an_error(tiny: Path, tmp_path: Path) -> None:
    config = json.loads((tiny / "config.json").read_text()) | {"model_type": "mamba"}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match="'mamba' is none of llama"):
        read_shape(tmp_path)


def test_a_model_that_nobody_knows_has_no_estimate() -> None:
    config = RunConfig(model=ModelConfig(name="nobody/nothing"))
    assert find_shape(config.model.name) is None
    assert "no estimate" in describe(config, None, 80 * GIB)


# ---------------------------------------------------------------- memory, beside the real thing


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_weights_gradients_and_moments_are_exact(tiny: Path, dtype: str) -> None:
    config = run_config(tiny, dtype=dtype)
    learner = TorchLearner(config, tiny)
    found = learner_memory(config, read_shape(tiny), on_gpu=False)
    learner.working.refresh()
    batch = pack([Sequence1(make_rollout(8, 8), 1.0)], 16)[0]
    learner.pupil.hidden(batch).sum().backward()
    computing = learner.pupil.model
    copies = [] if computing is learner.model else list(computing.parameters())
    assert found.copy_gradients == total([p.grad for p in copies if p.grad is not None])
    learner.working.collect_gradients()
    learner.optimizer.step()
    masters = list(learner.model.parameters())
    states = [learner.optimizer.state[p] for p in masters]
    assert found.weights == total(masters)
    assert found.copy == total(copies)
    assert found.gradients == total([p.grad for p in masters if p.grad is not None])
    assert found.moments == total([s[key] for s in states for key in ("exp_avg", "exp_avg_sq")])


@pytest.mark.parametrize("section", ["loss", "rewards"])
def test_the_reference_of_a_penalty_is_held_as_well(tiny: Path, section: str) -> None:
    config = run_config(tiny, dtype="bfloat16")
    assert learner_memory(config, read_shape(tiny), on_gpu=False).reference == 0
    penalised = replace(getattr(config, section), kl="k3", kl_coef=0.01)
    config = replace(config, **{section: penalised})
    shape = read_shape(tiny)
    learner = TorchLearner(config, tiny)
    assert learner.reference is not None
    frozen = list(learner.reference.model.parameters())
    assert learner_memory(config, shape, on_gpu=False).reference == total(frozen)


def total(tensors: list[Any]) -> int:
    return sum(tensor.untyped_storage().nbytes() for tensor in tensors)


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_activations_are_within_a_tenth(tiny: Path, dtype: str, checkpointing: bool) -> None:
    """SmolLM2-135M itself: docs/method/hardware.md."""
    config = run_config(tiny, dtype=dtype, checkpointing=checkpointing)
    learner = TorchLearner(config, tiny)
    learner.working.refresh()
    batch = pack([Sequence1(make_rollout(4, 512), 1.0)] * 2, 1024)[0]
    kept = kept_by(lambda: learner.pupil.hidden(batch), learner.pupil.model)
    config = replace(config, learner=LearnerConfig(micro_batch_tokens=batch.num_tokens))
    estimate = learner_memory(config, read_shape(tiny), on_gpu=False)
    assert estimate.tokens == batch.num_tokens
    assert estimate.activations == pytest.approx(kept, rel=0.1)


def kept_by(forward: Callable[[], torch.Tensor], model: Any) -> int:
    """Bytes of all tensors that a forward keeps for its backward, and of its result."""
    storages = {p.untyped_storage().data_ptr(): 0 for p in model.parameters()}
    alive: list[torch.Tensor] = []

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        alive.append(tensor)
        storages.setdefault(storage.data_ptr(), storage.nbytes())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        keep(forward())
    return sum(storages.values())


def run_config(folder: Path, *, dtype: str, checkpointing: bool = False) -> RunConfig:
    return RunConfig(
        model=ModelConfig(name=str(folder), dtype=dtype, gradient_checkpointing=checkpointing),
        rollout=RolloutConfig(max_prompt_tokens=256, max_completion_tokens=256),
    )


def make_rollout(num_prompt: int, num_completion: int) -> Rollout:
    return Rollout(
        prompt=Prompt(role=Role.SOLVER, mode=Mode.DEDUCTION, text=""),
        prompt_ids=tuple(range(5, 6 + num_prompt // 2)) * 2,
        completion_ids=(7,) * num_completion,
        rollout_logprobs=(-1.0,) * num_completion,
        completion="",
        policy_version=0,
        truncated=False,
    )


def test_the_loss_still_has_the_chunks_that_the_estimate_counts() -> None:
    assert NATIVE_ROWS == native.CHUNK_ROWS
    assert triton_engine.LOGITS_BYTES == TRITON_LOGITS
    assert triton_engine.SLICE == TRITON_SLICE


def test_keys_and_values_of_a_token() -> None:
    config = paper_run("Qwen/Qwen2.5-Coder-7B")
    engine = engine_memory(config, CODER_7B, 80 * GIB)
    assert engine.token == 2 * 28 * 4 * 128 * 2
    assert engine.sequence == engine.token * (6144 + 8096)
    assert engine.budget == int(0.4 * 80 * GIB)
    assert engine.weights == 2 * CODER_7B.parameters


# ---------------------------------------------------------------- the verdict


def paper_run(name: str, **rollout: Any) -> RunConfig:
    return RunConfig(
        model=ModelConfig(name=name, dtype="bfloat16", gradient_checkpointing=True),
        rollout=RolloutConfig(engine="vllm", dtype="bfloat16", **rollout),
    )


def test_seven_billion_cannot_fit_into_80_gib_and_the_reason_is_arithmetic() -> None:
    config = paper_run("Qwen/Qwen2.5-Coder-7B")
    verdict = verdict_of(config, CODER_7B, 80 * GIB)
    assert verdict.fit is Fit.CANNOT
    fixed = 18 * CODER_7B.parameters / GIB
    assert f"{fixed:.1f} GiB whatever the batch" in verdict.reason
    assert any("no setting makes it fit" in remedy for remedy in verdict.remedies)
    with pytest.raises(ConfigError, match="cannot fit"):
        refuse(config, CODER_7B, 80 * GIB, only_if_certain=True)


def test_what_fails_by_an_estimate_alone_may_try() -> None:
    config = paper_run("Qwen/Qwen2.5-Coder-3B", gpu_memory_utilization=0.3)
    verdict = verdict_of(config, CODER_3B, 80 * GIB)
    assert verdict.fit is Fit.WILL_NOT
    refuse(config, CODER_3B, 80 * GIB, only_if_certain=True)
    with pytest.raises(ConfigError, match="by the estimate"):
        refuse(config, CODER_3B, 80 * GIB, only_if_certain=False)


def test_a_run_that_cannot_fit_is_refused_before_anything_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = replace(paper_run("Qwen/Qwen2.5-Coder-7B"), runs=str(tmp_path / "runs"))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "mem_get_info", Mock(return_value=(79 * GIB, 80 * GIB)))
    with pytest.raises(ConfigError, match="cannot fit"):
        run_training(config, resume=False, overwrite=False, display=Display(config))
    assert not (tmp_path / "runs").exists()


def test_an_engine_without_room_for_one_sequence_is_told() -> None:
    config = paper_run("Qwen/Qwen2.5-Coder-3B", gpu_memory_utilization=0.04)
    verdict = verdict_of(config, CODER_3B, 140 * GIB)
    assert verdict.fit is Fit.CANNOT
    assert "rollout.gpu_memory_utilization = 0.04" in verdict.reason


@settings(deadline=None)
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
    shape = PUBLISHED[name]
    config = paper_run(name, gpu_memory_utilization=share)
    config = replace(config, model=replace(config.model, gradient_checkpointing=checkpointing))
    config = on_gpus(config, processes)
    verdict = verdict_of(config, shape, gpu_gib * GIB)
    if verdict.fit is Fit.FITS:
        assert not verdict.remedies
        assert least_gpu(config, shape, as_it_is=True) <= gpu_gib
        return
    assert verdict.remedies
    for remedy in verdict.remedies:
        if not remedy.startswith(("fits", "it would take")):
            continue
        for_gib = gpu_gib
        if remedy.startswith("it would take"):
            for_gib = int(remedy.partition("~")[2].split()[0])
            assert for_gib > gpu_gib
        changed = with_flags(config, remedy)
        assert verdict_of(changed, shape, for_gib * GIB).fit is Fit.FITS


def with_flags(config: RunConfig, text: str) -> RunConfig:
    """The configuration with the `--table.key value` pairs of a text."""
    words = text.split()
    for flag, value in pairwise(words):
        if flag.startswith("--") and "." in flag:
            table, _, field = flag.removeprefix("--").partition(".")
            new = value if field == "dtype" else tomllib.loads(f"x = {value}")["x"]
            section: Any = replace(getattr(config, table), **{field: new})
            config = replace(config, **{table: section})
    return config


# ---------------------------------------------------------------- tokens


def test_the_papers_step_has_1920_rollouts() -> None:
    """METHOD: 192 proposals, up to 1536 trials, 192 answers."""
    step = step_tokens(RunConfig())
    assert (step.proposals, step.trials, step.answers, step.rollouts) == (192, 1536, 192, 1920)
    assert step.sampled == 1920 * 8096
    assert step.read == 1920 * 6144
    assert step.trained == 384 * (6144 + 8096)


def test_trials_that_are_learnt_from_are_the_answers_to_new_tasks() -> None:
    selfplay = SelfPlayConfig(train_on_trials=True)
    step = step_tokens(RunConfig(selfplay=selfplay))
    assert (step.proposals, step.trials, step.answers) == (192, 1536, 0)
    assert step.trained == 1728 * (6144 + 8096)
    half = step_tokens(RunConfig(selfplay=selfplay), Assumed(valid=0.5, prompt=1, completion=1))
    assert (half.trials, half.answers) == (768, 96)
    alone = replace(selfplay, train_proposer=False)
    step = step_tokens(RunConfig(selfplay=alone, learner=LearnerConfig(epochs=2)))
    assert (step.trials, step.answers) == (0, 1536)
    assert step.trained == 2 * 1536 * (6144 + 8096)


def test_without_a_proposer_there_are_answers_alone() -> None:
    step = step_tokens(RunConfig(selfplay=SelfPlayConfig(train_proposer=False)))
    assert (step.proposals, step.trials, step.answers) == (0, 0, 192)


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_no_assumption_exceeds_the_bound(valid: float, prompt: float, completion: float) -> None:
    assumed = step_tokens(RunConfig(), Assumed(valid=valid, prompt=prompt, completion=completion))
    most = step_tokens(RunConfig())
    assert assumed.rollouts <= most.rollouts
    assert assumed.sampled <= most.sampled
    assert assumed.trained <= most.trained


# ---------------------------------------------------------------- the command


def test_a_dry_run_is_still_a_configuration(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["train", "--dry-run", "--gpu-memory", "80", "--steps", "7"]
    assert main(words) == 0
    text = capsys.readouterr().out
    assert tomllib.loads(text)["steps"] == 7
    assert "134,515,008 parameters" in text
    assert "verdict  fits" in text


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
