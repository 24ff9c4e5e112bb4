"""Adapters are trained and nothing else; merged, switched off or read back, they are the same."""

import json
import sys
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from azr.cli.main import main
from azr.config.loss import LoraConfig
from azr.config.run import LearnerConfig, LossConfig, ModelConfig, RunConfig
from azr.errors import CheckpointError, ConfigError
from azr.learner.learner import TorchLearner
from azr.learner.loss import head_tensors
from azr.learner.packing import MicroBatch, pack, sequences_of
from azr.models.checkpoint import Checkpoint, save_checkpoint
from azr.models.lora.merging import whole_model, write_merged
from azr.models.weights import TorchWeights
from azr.rollout.prompt_tokens import load_tokenizer
from azr.rollout.transformers_engine import TransformersEngine
from azr.rollout.weight_proof import Probe
from azr.run.machines import refuse_what_cannot_fit
from azr.run.restart import refuse_other_adapters
from tests.tiny import make_tiny_model
from tests.unit.test_learner import ADVANTAGES, EXPERIENCES

LORA = LoraConfig(rank=4)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("tiny"))


def run_of(folder: Path, lora: LoraConfig = LORA, **sections: object) -> RunConfig:
    model = ModelConfig(name=str(folder), dtype=str(sections.pop("dtype", "float32")))
    return RunConfig(model=model, learner=LearnerConfig(lr=1e-2), lora=lora, **sections)


def trained(folder: Path, updates: int = 2, **sections: object) -> TorchLearner:
    learner = TorchLearner(run_of(folder, **sections), folder)
    for _ in range(updates):
        learner.update(EXPERIENCES, ADVANTAGES)
    return learner


def batch() -> MicroBatch:
    return pack(sequences_of(EXPERIENCES, ADVANTAGES), 10_000)[0]


def checkpoint(learner: TorchLearner, folder: Path, step: int) -> Checkpoint:
    return save_checkpoint(
        folder, step, learner=learner, backup_tasks=lambda path: path.write_bytes(b""), keep=9
    )


def test_only_adapters_are_trained_and_the_rest_stays_bit_for_bit(folder: Path) -> None:
    learner = TorchLearner(run_of(folder), folder)
    base = load_file(folder / "model.safetensors")
    learner.update(EXPERIENCES, ADVANTAGES)
    names = {id(p): name for name, p in learner.model.named_parameters()}
    groups = learner.optimizer.param_groups
    optimized = [names[id(p)] for group in groups for p in group["params"]]
    assert len(optimized) == 2 * 2 * 7  # A and B of seven layers in each of two
    assert all(".lora_" in name for name in optimized)
    for name, parameter in learner.model.named_parameters():
        if ".lora_" not in name:
            assert parameter.grad is None
            assert torch.equal(parameter, base[name.replace(".base_layer.", ".")]), name


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_merged_weights_compute_what_the_adapters_do(folder: Path, dtype: str) -> None:
    """To rounding: 32 bits, or 16, in which merged weights are rounded once more."""
    learner = trained(folder, dtype=dtype)
    learner.working.refresh()
    plain = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    kept = {name: value.to(getattr(torch, dtype)) for name, value in plain.named_parameters()}
    before = {name: value.float() for name, value in kept.items()}
    merged = dict(learner.weights.named_parameters())
    assert list(merged) == list(before) == list(learner.weights.shapes())
    assert sum(not torch.equal(merged[name], before[name]) for name in merged) == 2 * 7
    plain.load_state_dict(merged, strict=False)  # but for the tied head
    ids = list(range(20, 60))
    expected = torch.tensor(TorchWeights(plain).probe_logprobs(ids))
    found = torch.tensor(learner.weights.probe_logprobs(ids))
    assert (found - expected).abs().max() < (2e-5 if dtype == "float32" else 0.2)
    at_start = TorchLearner(run_of(folder, dtype=dtype), folder).weights.probe_logprobs(ids)
    assert (found - torch.tensor(at_start)).abs().max() > 0.3  # two updates are no rounding


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_reference_is_the_base_bit_for_bit_and_no_second_model(
    folder: Path, dtype: str
) -> None:
    kl = LossConfig(kl="k3", kl_coef=0.1)
    plain = TorchLearner(run_of(folder, LoraConfig(), loss=kl, dtype=dtype), folder)
    learner = TorchLearner(run_of(folder, loss=kl, dtype=dtype), folder)
    assert learner.update(EXPERIENCES, ADVANTAGES)["kl"] == 0.0
    assert learner.update(EXPERIENCES, ADVANTAGES)["kl"] > 0.0
    assert learner.reference is not None
    assert plain.reference is not None
    assert learner.reference.model is learner.pupil.model
    learner.working.refresh()
    with_adapters = learner.pupil.logprobs(batch())
    assert torch.equal(learner.reference.logprobs(batch()), plain.reference.logprobs(batch()))
    assert torch.equal(learner.pupil.logprobs(batch()), with_adapters)  # they are on again
    assert not torch.equal(learner.reference.logprobs(batch()), with_adapters)


def test_the_base_is_held_once(folder: Path) -> None:
    """In bfloat16 too: the copy that computes shares what is frozen, which is not float32."""
    learner = trained(folder, 1, dtype="bfloat16")
    masters = dict(learner.model.named_parameters())
    for name, mine in learner.pupil.model.named_parameters():
        is_adapter = ".lora_" in name
        assert (mine is masters[name]) is not is_adapter
        assert masters[name].dtype is (torch.float32 if is_adapter else torch.bfloat16)
        assert mine.dtype is torch.bfloat16


def test_the_head_gets_no_gradient_and_no_adapter(folder: Path) -> None:
    learner = trained(folder, 1, lora=LoraConfig(rank=2, targets=("all-linear",)))
    weight, _ = head_tensors(learner.model.get_output_embeddings())
    assert not weight.requires_grad
    assert {n.split(".")[-4] for n, p in learner.model.named_parameters() if p.requires_grad} == {
        *("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"),
    }


def test_an_engine_is_proved_to_have_the_merged_weights(folder: Path) -> None:
    for dtype in ("float32", "bfloat16"):
        learner = trained(folder, dtype=dtype)
        rollout = RunConfig().rollout.changed(dtype=dtype)
        engine = TransformersEngine(folder, rollout, load_tokenizer(folder))
        engine.load(learner.weights, 2)
        Probe(range(20, 60), rollout).check(engine, learner.weights, 2)
        engine.close()


def test_a_learner_goes_on_as_if_it_had_not_stopped(folder: Path, tmp_path: Path) -> None:
    learner = trained(folder, loss=LossConfig(kl="k3", kl_coef=0.1))
    cut = checkpoint(learner, tmp_path, 2)
    files = {file.name for file in cut.model.iterdir()}
    assert {"adapter_config.json", "adapter_model.safetensors", "tokenizer.json"} <= files
    assert not {"model.safetensors", "config.json"} & files
    resumed = TorchLearner(run_of(folder, loss=LossConfig(kl="k3", kl_coef=0.1)), cut.model, folder)
    resumed.restore(cut)
    for _ in range(2):
        assert resumed.update(EXPERIENCES, ADVANTAGES) == learner.update(EXPERIENCES, ADVANTAGES)
    pairs = zip(resumed.model.parameters(), learner.model.parameters(), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)


def test_a_checkpoint_is_peft_s_and_its_export_what_was_pushed(
    folder: Path, tmp_path: Path
) -> None:
    learner = trained(folder)
    cut = checkpoint(learner, tmp_path / "cuts", 2)
    base = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    peft = PeftModel.from_pretrained(base, cut.model).eval()
    ids = torch.arange(20, 60)[None]
    with torch.no_grad():
        expected = learner.model.eval()(input_ids=ids).logits
        assert torch.equal(peft(input_ids=ids).logits, expected)
    settings = json.loads((cut.model / "adapter_config.json").read_text())
    assert (settings["r"], settings["lora_alpha"]) == (4, 32)
    assert settings["target_modules"] == sorted(LORA.targets)
    assert settings["base_model_name_or_path"] == str(folder)
    exported = load_file(write_merged(cut.model, tmp_path / "model") / "model.safetensors")
    pushed = dict(learner.weights.named_parameters())
    assert exported.keys() == pushed.keys()
    assert all(torch.equal(exported[name], pushed[name]) for name in pushed)
    assert (tmp_path / "model" / "tokenizer.json").is_file()
    (tmp_path / ".merged-killed" / "model").mkdir(parents=True)  # of an evaluation that was killed
    with whole_model(cut.model, tmp_path) as merged:
        assert load_file(merged / "model.safetensors").keys() == pushed.keys()
        assert list(tmp_path.glob(".merged-*")) == [merged.parent]
    assert not list(tmp_path.glob(".merged-*"))


def test_other_adapters_than_the_runs_are_refused(folder: Path, tmp_path: Path) -> None:
    """A run says so before it is opened (`refuse_other_adapters`); this is the last fence."""
    cut = checkpoint(trained(folder, 1), tmp_path / "lora", 1)
    whole = checkpoint(trained(folder, 1, lora=LoraConfig()), tmp_path / "whole", 1)
    for lora, saved, said in (
        (LoraConfig(rank=2), cut, "holds other adapters"),
        (LoraConfig(rank=4, targets=("q_proj",)), cut, "holds other adapters"),
        (LoraConfig(), cut, r"holds adapters, and the run has lora\.rank = 0"),
        (LORA, whole, r"holds all weights, and the run has lora\.rank = 4"),
    ):
        with pytest.raises(CheckpointError, match=said):
            TorchLearner(run_of(folder, lora), saved.model, folder)


def test_adapters_of_another_base_are_refused(folder: Path, tmp_path: Path) -> None:
    """It has the same shapes, so nothing else would tell."""
    cut = checkpoint(trained(folder, 1), tmp_path / "cuts", 1)
    other = make_tiny_model(tmp_path / "other", seed=1)
    resumed = TorchLearner(run_of(folder), cut.model, other)
    with pytest.raises(CheckpointError, match=r"of another model than .*/other: resume with"):
        resumed.restore(cut)


@pytest.mark.parametrize(
    ("lora", "said"),
    [
        ({"rank": -1}, r"lora.rank must be a whole number, at least 0, got -1"),
        ({"targets": []}, r"lora.targets must be a list of texts, at least one, got \[\]"),
        ({"rank": 4, "targets": ["q_proj", "c_attn"]},
         r"names 'c_attn', .*: down_proj, gate_proj, k_proj, o_proj, q_proj, up_proj, v_proj; "),
        ({"rank": 4, "targets": ["lm_head"]}, "names 'lm_head'.* the head are not adapted"),
        ({"rank": 33}, r"at most 32, the smaller dimension of .*self_attn.k_proj in .*, got 33"),
    ],
)  # fmt: skip
def test_adapters_that_cannot_be_are_refused_in_a_line(
    folder: Path, lora: dict[str, object], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        TorchLearner(run_of(folder, LoraConfig(**lora)), folder)


def test_a_run_goes_on_with_the_adapters_that_it_has(folder: Path, tmp_path: Path) -> None:
    """Also told of a run that had none, before anything of it is opened."""
    for name, lora in (("lora", LORA), ("whole", LoraConfig())):
        checkpoint(trained(folder, 1, lora=lora), tmp_path / name / "checkpoints", 1)
    for name, lora, said in (
        ("whole", LORA, r"lora.rank = 4, but .*step_1 was trained with lora.rank = 0"),
        ("lora", LoraConfig(), r"lora.rank = 0, but .*step_1 was trained with lora.rank = 4"),
        ("lora", LORA.changed(alpha=8), r"lora.alpha = 8, but .* with lora.alpha = 32"),
        ("lora", LORA.changed(targets=("q_proj",)), r'lora.targets = \["q_proj"\], but '),
    ):
        config = RunConfig(runs=str(tmp_path), name=name, lora=lora)
        for step in (None, 1):
            with pytest.raises(ConfigError, match=said):
                refuse_other_adapters(config, step)
    refuse_other_adapters(RunConfig(runs=str(tmp_path), name="lora", lora=LORA), None)
    (tmp_path / "copied" / "checkpoints" / "step_1.old").mkdir(parents=True)  # is no checkpoint
    refuse_other_adapters(RunConfig(runs=str(tmp_path), name="copied"), None)
    plain = LoraConfig(alpha=1)  # of adapters that there are not
    refuse_other_adapters(RunConfig(runs=str(tmp_path), name="whole", lora=plain), None)


def test_without_peft_a_run_is_refused_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(ConfigError, match=r"lora.rank = 4 wants PEFT.*pip install 'azr\[lora\]'"):
        refuse_what_cannot_fit(RunConfig(lora=LORA))


def test_a_run_without_adapters_has_none_to_export(tmp_path: Path) -> None:
    (tmp_path / "checkpoints" / "step_1" / "model").mkdir(parents=True)
    words = ["export", str(tmp_path), str(tmp_path / "out"), "--adapter"]
    assert main(words) == 2
    assert not (tmp_path / "out").exists()
