"""N + M steps equal N steps, save, load, M steps: bit for bit, and in Hugging Face format."""

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from azr.config.run import LearnerConfig, LossConfig, ModelConfig, RunConfig
from azr.errors import CheckpointError
from azr.learner.learner import TorchLearner
from azr.models.checkpoint import Checkpoint, latest_checkpoint, save_checkpoint
from azr.types import Experience, Mode, Prompt, Role, Rollout, Verdict
from tests.tiny import make_tiny_model

CONFIG = RunConfig(learner=LearnerConfig(lr=1e-2, warmup_steps=4))


def experience(step: int, index: int) -> Experience:
    rollout = Rollout(
        prompt=Prompt(role=Role.SOLVER, mode=Mode.DEDUCTION, text=""),
        prompt_ids=tuple(range(10 + step, 20 + step + index)),
        completion_ids=tuple(range(100 + index, 106 + index)),
        rollout_logprobs=(-2.0,) * 6,
        completion="",
        policy_version=step,
    )
    return Experience(rollout=rollout, verdict=Verdict.PASSED, reward=0.0)


def train(learner: TorchLearner, steps: range) -> list[float]:
    return [
        learner.update([experience(step, index) for index in range(3)], [1.0, -1.0, 0.5])[
            "grad_norm"
        ]
        for step in steps
    ]


def save(learner: TorchLearner, folder: Path, step: int) -> Checkpoint:
    save_checkpoint(
        folder, step, learner=learner, backup_tasks=lambda path: path.write_bytes(b""), keep=1
    )
    found = latest_checkpoint(folder)
    assert found is not None
    return found


EVERYTHING = RunConfig(
    learner=CONFIG.learner.changed(mini_batches=2, epochs=2, entropy_target=9.0, entropy_step=0.01),
    loss=LossConfig(kl="k3", kl_coef=0.1),
)
"""All that has a state or draws: mini-batches, the entropy's integrator, the reference."""


@pytest.mark.parametrize(
    "config",
    [
        CONFIG,
        RunConfig(learner=CONFIG.learner, model=ModelConfig(dtype="bfloat16")),
        EVERYTHING,
    ],
)
def test_a_restored_learner_goes_on_bit_for_bit(tmp_path: Path, config: RunConfig) -> None:
    folder = make_tiny_model(tmp_path / "tiny")
    straight = TorchLearner(config, folder)
    first = train(straight, range(3))
    cut = save(straight, tmp_path / "checkpoints", 3)
    rest = train(straight, range(3, 6))

    again = TorchLearner(config, cut.model, initial=folder)
    again.restore(cut)
    assert train(again, range(3, 6)) == rest
    assert first != rest
    pairs = zip(straight.model.parameters(), again.model.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_a_checkpoint_is_a_hugging_face_model(tmp_path: Path) -> None:
    folder = make_tiny_model(tmp_path / "tiny")
    learner = TorchLearner(CONFIG, folder)
    train(learner, range(1))
    cut = save(learner, tmp_path / "checkpoints", 1)
    model = AutoModelForCausalLM.from_pretrained(cut.model)
    assert model.lm_head.weight is model.model.embed_tokens.weight
    ids = torch.tensor([[5, 6, 7]])
    with torch.no_grad():
        logprobs = model(input_ids=ids).logits[0, :-1].log_softmax(-1)
    found = logprobs.gather(1, ids[0, 1:, None])[:, 0].tolist()
    assert found == pytest.approx(learner.weights.probe_logprobs([5, 6, 7]), abs=1e-5)
    tokenizer, original = (AutoTokenizer.from_pretrained(f) for f in (cut.model, folder))
    assert tokenizer.chat_template == original.chat_template
    assert tokenizer("a b\n    1")["input_ids"] == original("a b\n    1")["input_ids"]


def test_the_optimizer_of_another_model_is_refused(tmp_path: Path) -> None:
    learner = TorchLearner(CONFIG, make_tiny_model(tmp_path / "tiny"))
    cut = save(learner, tmp_path / "checkpoints", 1)
    other = TorchLearner(CONFIG, make_tiny_model(tmp_path / "other"))
    other.model.lm_head.weight = torch.nn.Parameter(torch.zeros(7, 64))
    with pytest.raises(CheckpointError, match="another model"):
        other.restore(cut)
