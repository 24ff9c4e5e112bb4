"""The update: right gradient, right bookkeeping, nothing half done."""

import json
import math
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from azr.config.loss import Backend, LossSection
from azr.config.run import LearnerConfig, LossConfig, ModelConfig, RolloutConfig, RunConfig
from azr.errors import ModelError, TrainingDiverged
from azr.learner.learner import TorchLearner
from azr.learner.loss.head import Head
from azr.learner.loss.native import NativeEngine
from azr.types import Experience, Mode, Prompt, Role, Rollout, Verdict
from tests.tiny import make_tiny_model

PROMPT = Prompt(role=Role.SOLVER, mode=Mode.DEDUCTION, text="")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("tiny"))


def experience(prompt_ids: Sequence[int], completion_ids: Sequence[int]) -> Experience:
    rollout = Rollout(
        prompt=PROMPT,
        prompt_ids=tuple(prompt_ids),
        completion_ids=tuple(completion_ids),
        rollout_logprobs=tuple(-3.0 for _ in completion_ids),
        completion="",
        policy_version=0,
    )
    return Experience(rollout=rollout, verdict=Verdict.PASSED, reward=0.0)


EXPERIENCES = [
    experience([5, 6, 7], [8, 9]),
    experience([50], [60, 61, 62, 63, 2]),
    experience(range(100, 120), [2]),
    experience([9, 8, 7, 6], range(30, 50)),
]
ADVANTAGES = [1.0, -0.5, 0.0, 0.7]


def run_config(**learner: object) -> RunConfig:
    return RunConfig(learner=LearnerConfig(**{"lr": 1e-2, **learner}))


def gradients(learner: TorchLearner, experiences: list[Experience], advantages: list[float]):
    """What the optimizer was given, by parameter."""
    seen: dict[str, torch.Tensor] = {}

    def keep(*_: object) -> None:
        for name, parameter in learner.model.named_parameters():
            seen[name] = parameter.grad.clone()

    learner.optimizer.register_step_pre_hook(keep)
    statistics = learner.update(experiences, advantages)
    return seen, statistics


def test_the_gradient_is_that_of_the_advantage_weighted_log_likelihood(folder: Path) -> None:
    """At ratio 1 PPO's gradient is REINFORCE's: -A grad log p, averaged over all tokens."""
    found, statistics = gradients(
        TorchLearner(run_config(max_grad_norm=1e9), folder), EXPERIENCES, ADVANTAGES
    )
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    total = torch.zeros(())
    for e, advantage in zip(EXPERIENCES, ADVANTAGES, strict=True):
        prompt, completion = e.rollout.prompt_ids, e.rollout.completion_ids
        logits = model(input_ids=torch.tensor([prompt + completion])).logits[0]
        logprobs = logits[len(prompt) - 1 : -1].log_softmax(-1)
        total = total - advantage * logprobs.gather(1, torch.tensor(completion)[:, None]).sum()
    num_tokens = sum(len(e.rollout.completion_ids) for e in EXPERIENCES)
    (total / num_tokens).backward()
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(found[name], parameter.grad, atol=2e-5, rtol=1e-3)
    assert statistics["clip_frac"] == 0.0


@pytest.mark.parametrize("aggregation", ["token_mean", "seq_mean_token_mean"])
def test_micro_batches_change_nothing(folder: Path, aggregation: str) -> None:
    loss = LossConfig(aggregation=aggregation)
    whole, first = gradients(TorchLearner(RunConfig(loss=loss), folder), EXPERIENCES, ADVANTAGES)
    one_by_one = RunConfig(loss=loss, learner=LearnerConfig(micro_batch_tokens=1))
    parts, second = gradients(TorchLearner(one_by_one, folder), EXPERIENCES, ADVANTAGES)
    for name, gradient in whole.items():
        torch.testing.assert_close(parts[name], gradient, atol=1e-6, rtol=1e-4)
    assert second["loss"] == pytest.approx(first["loss"], abs=1e-6)
    assert second["mismatch/mean_abs"] == pytest.approx(first["mismatch/mean_abs"], rel=1e-5)


@pytest.mark.parametrize("micro_batch_tokens", [10_000, 30])
def test_sharing_prompts_changes_nothing_but_what_is_read(
    folder: Path, micro_batch_tokens: int
) -> None:
    group = [experience(range(100, 120), [first, *range(5, 5 + first)]) for first in range(1, 9)]
    advantages = [0.1 * place - 0.35 for place in range(8)]
    results = [
        gradients(
            TorchLearner(
                run_config(share_prompts=share, micro_batch_tokens=micro_batch_tokens), folder
            ),
            [*EXPERIENCES, *group],
            [*ADVANTAGES, *advantages],
        )
        for share in (True, False)
    ]
    (shared, first), (alone, second) = results
    for name, gradient in alone.items():
        torch.testing.assert_close(shared[name], gradient, atol=1e-6, rtol=1e-4)
    assert first["loss"] == pytest.approx(second["loss"], abs=1e-6)
    assert first["tokens"] == second["tokens"]
    if micro_batch_tokens == 10_000:
        assert second["read_tokens"] - first["read_tokens"] == 7 * 20


def test_a_rollout_of_no_advantage_counts_in_the_mean(folder: Path) -> None:
    """It is not computed, but the others weigh less because it is there."""
    _, alone = gradients(TorchLearner(run_config(), folder), EXPERIENCES[:1], [1.0])
    both = [*EXPERIENCES[:1], experience([1], [3, 4])]
    _, beside = gradients(TorchLearner(run_config(), folder), both, [1.0, 0.0])
    assert beside["grad_norm"] == pytest.approx(alone["grad_norm"] / 2, rel=1e-5)


@pytest.mark.parametrize(("experiences", "advantages"), [([], []), (EXPERIENCES[:2], [0.0, 0.0])])
def test_nothing_to_learn_leaves_the_weights_alone(
    folder: Path, experiences: list[Experience], advantages: list[float]
) -> None:
    learner = TorchLearner(run_config(), folder)
    before = [parameter.clone() for parameter in learner.model.parameters()]
    assert learner.update(experiences, advantages)["skipped"] == 1.0
    assert all(map(torch.equal, before, learner.model.parameters()))


def test_an_empty_completion_is_legal(folder: Path) -> None:
    learner = TorchLearner(run_config(), folder)
    assert learner.update([experience([1, 2], [])], [1.0])["skipped"] == 1.0
    statistics = learner.update([experience([1, 2], []), EXPERIENCES[0]], [-1.0, 1.0])
    assert statistics["tokens"] == 2.0


def test_learning_raises_the_probability_of_what_was_good(folder: Path) -> None:
    learner = TorchLearner(run_config(lr=1e-3), folder)
    good, bad = EXPERIENCES[0].rollout, EXPERIENCES[1].rollout

    def logprob(rollout: Rollout) -> float:
        ids = rollout.prompt_ids + rollout.completion_ids
        return sum(learner.weights.probe_logprobs(ids)[len(rollout.prompt_ids) - 1 :])

    before = logprob(good), logprob(bad)
    for _ in range(5):
        learner.update(EXPERIENCES[:2], [1.0, -1.0])
    assert logprob(good) > before[0]
    assert logprob(bad) < before[1]


def test_the_same_update_twice_is_bitwise_the_same(folder: Path) -> None:
    learners = [TorchLearner(run_config(), folder) for _ in range(2)]
    statistics = [learner.update(EXPERIENCES, ADVANTAGES) for learner in learners]
    assert statistics[0] == statistics[1]
    first, second = (learner.model.parameters() for learner in learners)
    assert all(map(torch.equal, first, second))


@pytest.mark.parametrize("poison", ["advantage", "weight"])
def test_a_step_that_is_not_finite_is_not_taken(folder: Path, poison: str) -> None:
    learner = TorchLearner(run_config(), folder)
    advantages = list(ADVANTAGES)
    if poison == "advantage":
        advantages[0] = math.nan
    else:
        with torch.no_grad():
            learner.model.get_input_embeddings().weight[6, 0] = math.inf
    before = [parameter.clone() for parameter in learner.model.parameters()]
    with pytest.raises(TrainingDiverged):
        learner.update(EXPERIENCES, advantages)
    pairs = zip(before, learner.model.parameters(), strict=True)
    assert all(torch.equal(old, new) for old, new in pairs)
    assert all(parameter.grad is None for parameter in learner.model.parameters())
    assert not learner.optimizer.state


def test_the_step_size_rises_over_the_warmup(folder: Path) -> None:
    learner = TorchLearner(run_config(lr=0.4, warmup_steps=3), folder)
    rates = [learner.update([], [])["lr"] for _ in range(5)]
    assert rates == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.4])


def test_bfloat16_and_checkpointing_give_nearly_the_same_gradient(folder: Path) -> None:
    exact, _ = gradients(TorchLearner(run_config(), folder), EXPERIENCES, ADVANTAGES)
    model = ModelConfig(dtype="bfloat16", gradient_checkpointing=True)
    rough, _ = gradients(TorchLearner(RunConfig(model=model), folder), EXPERIENCES, ADVANTAGES)
    for name, gradient in exact.items():
        cosine = torch.cosine_similarity(gradient.flatten(), rough[name].flatten(), dim=0)
        assert cosine > 0.98, (name, cosine)


def test_an_update_uses_the_fused_loss_unless_told_otherwise(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a CPU that is the native engine, for every pass; on a GPU see the Triton suite."""
    opened: list[str] = []
    open_pass = NativeEngine.open

    def counted(self: NativeEngine, *arguments: object) -> object:
        opened.append("native")
        return open_pass(self, *arguments)

    monkeypatch.setattr(NativeEngine, "open", counted)
    monkeypatch.setattr(Head, "logits", None)  # the reference's, which must not be called
    learner = TorchLearner(RunConfig(), folder)
    assert learner.device.type == "cpu"
    learner.update(EXPERIENCES, ADVANTAGES)
    assert opened == ["native", "native"]  # log-probabilities before the update, then the loss


def test_the_temperature_of_the_sampler_is_the_learners(folder: Path) -> None:
    statistics = [
        TorchLearner(RunConfig(rollout=RolloutConfig(temperature=temperature)), folder).update(
            EXPERIENCES, ADVANTAGES
        )
        for temperature in (1.0, 3.0)
    ]
    assert statistics[1]["entropy"] > statistics[0]["entropy"] + 0.5


@pytest.mark.parametrize("backend", ["native", "reference"])
def test_each_rollout_has_the_temperature_and_the_words_that_it_was_sampled_with(
    folder: Path, backend: Backend
) -> None:
    """Against -A log softmax(logits / t) in float64, other words at -inf, all mixed."""
    temperatures = [0.5, None, 2.0, 0.5]
    dropped = [tuple(range(70, 250)), (), (), tuple(range(70, 250))]
    mixed = [
        replace(
            e,
            rollout=replace(
                e.rollout, prompt=replace(PROMPT, temperature=temperature), dropped=words
            ),
        )
        for e, temperature, words in zip(EXPERIENCES, temperatures, dropped, strict=True)
    ]
    config = run_config(max_grad_norm=1e9).changed(
        rollout=RolloutConfig(temperature=0.8), loss=LossSection(backend=backend)
    )
    advantages = [1.0, -0.5, 0.3, 0.7]
    found, _ = gradients(TorchLearner(config, folder), mixed, advantages)
    unmixed, _ = gradients(TorchLearner(config, folder), EXPERIENCES, advantages)
    assert max((found[name] - other).abs().max() for name, other in unmixed.items()) > 1e-3
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64)
    total = torch.zeros((), dtype=torch.float64)
    for e, advantage in zip(mixed, advantages, strict=True):
        prompt, completion = e.rollout.prompt_ids, e.rollout.completion_ids
        logits = model(input_ids=torch.tensor([prompt + completion])).logits[0]
        lost = torch.zeros_like(logits[0])
        lost[list(e.rollout.dropped)] = -torch.inf
        logprobs = (logits / (e.rollout.prompt.temperature or 0.8) + lost).log_softmax(-1)
        chosen = logprobs[len(prompt) - 1 : -1].gather(1, torch.tensor(completion)[:, None])
        total = total - advantage * chosen.sum()
    (total / sum(len(e.rollout.completion_ids) for e in mixed)).backward()
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(found[name].double(), parameter.grad, rtol=1e-3, atol=2e-5)


def test_a_folder_without_weights_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be read"):
        TorchLearner(RunConfig(), tmp_path)


def count_steps(learner: TorchLearner) -> list[int]:
    taken: list[int] = []
    learner.optimizer.register_step_post_hook(lambda *_: taken.append(1))
    return taken


@pytest.mark.parametrize(("mini_batches", "epochs"), [(1, 1), (2, 1), (1, 3), (2, 2), (9, 1)])
def test_optimizer_steps_are_as_many_as_asked_for(
    folder: Path, mini_batches: int, epochs: int
) -> None:
    """Feature 56: one by default. Mini-batches without a gradient take no step."""
    learner = TorchLearner(run_config(mini_batches=mini_batches, epochs=epochs), folder)
    taken = count_steps(learner)
    statistics = learner.update(EXPERIENCES, [1.0, -0.5, 0.2, 0.7])
    expected = min(mini_batches, len(EXPERIENCES)) * epochs
    assert statistics["optimizer_steps"] == len(taken) == expected
    assert statistics["tokens"] == sum(len(e.rollout.completion_ids) for e in EXPERIENCES)
    assert learner.num_updates == 1


def test_after_the_first_step_the_ratio_is_that_to_the_weights_before_the_update(
    folder: Path,
) -> None:
    """Feature 54: with one step the ratio is exactly 1 and no clip can act."""
    one = TorchLearner(run_config(), folder).update(EXPERIENCES, ADVANTAGES)
    assert (one["ratio"], one["kl_old"], one["clip_frac"]) == (1.0, 0.0, 0.0)
    several = TorchLearner(run_config(epochs=2), folder).update(EXPERIENCES, ADVANTAGES)
    assert several["kl_old"] > 1e-3
    assert several["clip_frac"] > 0


def test_the_second_of_two_epochs_is_ppo_with_the_first_log_probabilities(folder: Path) -> None:
    """Against a learner whose weights are where the first epoch ended, by hand."""
    learner = TorchLearner(run_config(epochs=2, max_grad_norm=1e9), folder)
    start = TorchLearner(run_config(), folder).weights
    seen: list[dict[str, torch.Tensor]] = []

    def keep(*_: object) -> None:
        seen.append({n: p.grad.clone() for n, p in learner.model.named_parameters()})

    learner.optimizer.register_step_pre_hook(keep)
    learner.update(EXPERIENCES, ADVANTAGES)

    moved = TorchLearner(run_config(max_grad_norm=1e9), folder)
    moved.update(EXPERIENCES, ADVANTAGES)
    model, total = moved.model, torch.zeros(())
    for e, advantage in zip(EXPERIENCES, ADVANTAGES, strict=True):
        prompt, completion = e.rollout.prompt_ids, e.rollout.completion_ids
        old = torch.tensor(start.probe_logprobs(prompt + completion)[len(prompt) - 1 :])
        logits = model(input_ids=torch.tensor([prompt + completion])).logits[0]
        logprobs = logits[len(prompt) - 1 : -1].log_softmax(-1)
        new = logprobs.gather(1, torch.tensor(completion)[:, None])[:, 0]
        ratio = (new - old).exp()
        clipped = ratio.clamp(1 - 0.2, 1 + 0.28)
        total = total - torch.minimum(ratio * advantage, clipped * advantage).sum()
    num_tokens = sum(len(e.rollout.completion_ids) for e in EXPERIENCES)
    (total / num_tokens).backward()
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(seen[1][name], parameter.grad, atol=2e-4, rtol=5e-3)


def with_kl(coef: float, kl: str = "k2", **learner: object) -> RunConfig:
    changed = run_config(**learner)
    return RunConfig(learner=changed.learner, loss=LossConfig(kl=kl, kl_coef=coef))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_reference_is_the_model_the_run_started_from(
    folder: Path, tmp_path: Path, dtype: str
) -> None:
    """Feature 55. Resumed, a learner is opened with a checkpoint's weights, but compares with
    the initial ones: its divergence is not 0 again."""
    config = with_kl(0.0, "k3").changed(model=ModelConfig(dtype=dtype))
    learner = TorchLearner(config, folder)
    divergences = [learner.update(EXPERIENCES, ADVANTAGES)["kl"] for _ in range(3)]
    assert divergences[0] == 0.0
    assert 0 < divergences[1] < divergences[2]
    (tmp_path / "trainer").mkdir()
    learner.save(tmp_path)
    resumed = TorchLearner(config, tmp_path / "model", initial=folder)
    assert resumed.update(EXPERIENCES, ADVANTAGES)["kl"] > divergences[2]
    own = TorchLearner(config, tmp_path / "model")
    assert own.update(EXPERIENCES, ADVANTAGES)["kl"] == 0.0


def test_without_a_penalty_no_reference_is_held(folder: Path) -> None:
    assert TorchLearner(RunConfig(), folder).reference is None


def test_a_penalty_holds_the_policy_near_its_start(folder: Path) -> None:
    """Same updates, weights that went less far; the reference itself never moves."""
    ends = []
    for coef in (0.0, 3.0):
        learner = TorchLearner(with_kl(coef, lr=1e-3), folder)
        before = [p.clone() for p in learner.reference.model.parameters()]
        for _ in range(6):
            last = learner.update(EXPERIENCES, ADVANTAGES)
        assert all(map(torch.equal, before, learner.reference.model.parameters()))
        ends.append(last["kl"])
    assert ends[1] < 0.7 * ends[0]


def test_an_entropy_target_lifts_the_entropy(folder: Path) -> None:
    """Without it the advantages alone narrow the distribution."""
    entropies = []
    for target in (0.0, 10.0):
        config = run_config(lr=1e-3, entropy_target=target, entropy_step=0.05, entropy_limit=0.5)
        learner = TorchLearner(config, folder)
        found = [learner.update(EXPERIENCES, ADVANTAGES) for _ in range(6)]
        entropies.append(found[-1]["entropy"])
        if target:
            coefficients = [one["entropy_coef"] for one in found]
            assert coefficients == pytest.approx([0.0, 0.05, 0.1, 0.15, 0.2, 0.25])
    assert entropies[1] > entropies[0] + 0.02


def test_streams_have_entropy_bonuses_of_their_own(folder: Path, tmp_path: Path) -> None:
    """Equal coefficients give the gradient of one bonus; then each follows its own tokens."""
    mixed = [
        replace(e, rollout=replace(e.rollout, prompt=replace(e.rollout.prompt, role=role)))
        for e, role in zip(EXPERIENCES, [Role.SOLVER, Role.PROPOSER] * 2, strict=True)
    ]
    steering = {"entropy_target": 10.0, "entropy_step": 0.05, "entropy_limit": 0.5}
    norms = []
    for scope in ("all", "stream"):
        learner = TorchLearner(run_config(entropy_scope=scope, **steering), folder)
        norms.append([learner.update(mixed, ADVANTAGES)["grad_norm"] for _ in range(2)])
    assert norms[0] == pytest.approx(norms[1], rel=1e-4)
    other = run_config(
        entropy_scope="stream", entropy_targets={"proposer/deduction": 0.001}, **steering
    )
    learner = TorchLearner(other, folder)
    learner.update(mixed, ADVANTAGES)
    found = learner.update(mixed, ADVANTAGES)
    assert found["entropy_coef/solver/deduction"] == pytest.approx(0.05)
    assert found["entropy_coef/proposer/deduction"] == 0.0
    assert found["exact_entropy/solver/deduction"] > 0


def test_layers_whose_state_runs_on_are_refused(folder: Path, tmp_path: Path) -> None:
    """Packed rollouts would not stay apart, and nothing would tell."""
    copied = shutil.copytree(folder, tmp_path / "hybrid")
    config = json.loads((copied / "config.json").read_text())
    config["layer_types"] = ["full_attention", "chunked_attention"]
    (copied / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match="chunked_attention"):
        TorchLearner(RunConfig(), copied)
