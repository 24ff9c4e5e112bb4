"""azr.learner.reward_kl: what is taken off, against transformers and the papers' formulas."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM

from azr.config.run import (
    LearnerConfig,
    LossConfig,
    ModelConfig,
    RewardConfig,
    RolloutConfig,
    RunConfig,
)
from azr.errors import ConfigError, TrainingDiverged
from azr.learner.learner import TorchLearner
from azr.learner.reward_kl import RewardKl
from azr.models.checkpoint import latest_checkpoint, save_checkpoint
from azr.types import Experience, Mode, Prompt, Role, Rollout, Verdict
from tests.fakes import make_experience
from tests.tiny import make_tiny_model

TEMPERATURE = 0.7


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("tiny"))


def experience(prompt_ids: Sequence[int], completion_ids: Sequence[int]) -> Experience:
    rollout = Rollout(
        prompt=Prompt(role=Role.SOLVER, mode=Mode.DEDUCTION, text=""),
        prompt_ids=tuple(prompt_ids),
        completion_ids=tuple(completion_ids),
        rollout_logprobs=tuple(-3.0 for _ in completion_ids),
        completion="",
        policy_version=0,
    )
    return Experience(rollout=rollout, verdict=Verdict.PASSED, reward=len(completion_ids) / 8)


EXPERIENCES = [
    experience([5, 6, 7], [8, 9]),
    experience([50], [60, 61, 62, 63, 2]),
    experience([5, 6, 7], [11]),  # packed beside the first, whose prompt it has
    experience(range(100, 120), []),
    experience([9, 8, 7, 6], range(30, 50)),
    experience([5, 6, 7], [8, 9]),
]
ADVANTAGES = [1.0, -0.5, 0.3, 0.0, 0.7, -1.0]


def run_config(dtype: str = "float32", **rewards: object) -> RunConfig:
    return RunConfig(
        model=ModelConfig(dtype=dtype),
        rollout=RolloutConfig(temperature=TEMPERATURE),
        learner=LearnerConfig(lr=1e-4, micro_batch_tokens=24),
        rewards=RewardConfig(**{"kl": "k1", "kl_coef": 0.5, **rewards}),
    )


def logprobs_of(model: torch.nn.Module, e: Experience) -> torch.Tensor:
    """Of the completion's tokens at the run's temperature, in float64, by transformers alone."""
    prompt, completion = e.rollout.prompt_ids, e.rollout.completion_ids
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([prompt + completion])).logits[0]
    logprobs = (logits[len(prompt) - 1 : -1] / TEMPERATURE).log_softmax(-1)
    return logprobs.gather(1, torch.tensor(completion)[:, None])[:, 0]


ESTIMATORS = {
    "k1": lambda d: -d,
    "abs": lambda d: d.abs(),
    "k2": lambda d: d * d / 2,
    "k3": lambda d: d.exp() - 1 - d,
}


@pytest.mark.parametrize("kl", ESTIMATORS)
def test_a_reward_is_less_by_the_coefficient_times_the_sum_over_the_tokens(
    folder: Path, tmp_path: Path, kl: str
) -> None:
    """Feature 55. Both models read anew in float64, by transformers, rollout by rollout."""
    learner = TorchLearner(run_config(kl=kl), folder)
    for _ in range(3):
        learner.update(EXPERIENCES, ADVANTAGES)
    (tmp_path / "trainer").mkdir()
    learner.save(tmp_path)
    policy, reference = (
        AutoModelForCausalLM.from_pretrained(path, dtype=torch.float64)
        for path in (tmp_path / "model", folder)
    )
    penalised, found = learner.penalised(EXPERIENCES)
    sums, means = list[float](), list[float]()
    for before, after in zip(EXPERIENCES, penalised, strict=True):
        assert replace(after, reward=before.reward) == before
        if not before.rollout.completion_ids:
            assert after.reward == before.reward
            sums.append(0.0)
            continue
        d = logprobs_of(reference, before) - logprobs_of(policy, before)
        estimate = ESTIMATORS[kl](d)
        sums.append(float(estimate.sum()))
        means.append(float(estimate.mean()))
        assert after.reward == pytest.approx(before.reward - 0.5 * sums[-1], rel=1e-4, abs=1e-5)
    assert max(map(abs, sums)) > 0.01
    assert found == {
        "reward_kl/coef": 0.5,
        "reward_kl/mean": pytest.approx(sum(means) / len(means), rel=1e-4),
        "reward_kl/penalty": pytest.approx(0.5 * sum(sums) / len(sums), rel=1e-4),
    }


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("kl", ["k1", "abs"])
def test_a_policy_that_has_not_moved_pays_exactly_nothing(
    folder: Path, dtype: str, kl: str
) -> None:
    """Else whitening would make advantages of rounding where all rewards of a stream are equal."""
    learner = TorchLearner(run_config(dtype, kl=kl), folder)
    penalised, found = learner.penalised(EXPERIENCES)
    assert penalised == EXPERIENCES
    assert found["reward_kl/mean"] == 0.0
    learner.update(EXPERIENCES, ADVANTAGES)
    assert learner.penalised(EXPERIENCES)[1]["reward_kl/mean"] != 0.0


def test_by_default_nothing_is_taken_off_and_no_reference_is_held(folder: Path) -> None:
    learner = TorchLearner(RunConfig(), folder)
    assert learner.penalised(EXPERIENCES) == (EXPERIENCES, {})
    assert learner.reference is None
    assert learner.state()["reward_kl"] is None


def test_where_nothing_is_learned_nothing_is_computed(folder: Path) -> None:
    config = run_config()
    learner = TorchLearner(config.changed(learner=config.learner.changed(lr=0.0)), folder)
    assert learner.penalised(EXPERIENCES) == (EXPERIENCES, {})


def test_the_update_itself_is_as_without(folder: Path) -> None:
    """Only rewards differ: with the same advantages the same is learned, and no kl is reported."""
    with_it, without = (
        TorchLearner(run_config().changed(rewards=RewardConfig(kl=kl)), folder)
        for kl in ("k1", "none")
    )
    for _ in range(2):
        with_it.penalised(EXPERIENCES)
        assert with_it.update(EXPERIENCES, ADVANTAGES) == without.update(EXPERIENCES, ADVANTAGES)
    pairs = zip(with_it.model.parameters(), without.model.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_in_reward_and_loss_it_is_the_same_reference(folder: Path) -> None:
    config = run_config(kl="k3").changed(loss=LossConfig(kl="k3"))
    learner = TorchLearner(config, folder)
    learner.update(EXPERIENCES, ADVANTAGES)
    sums = learner.divergences([])
    assert sums == []
    _, found = learner.penalised(EXPERIENCES[:1])
    reported = learner.update(EXPERIENCES[:1], [1.0])["kl"]
    assert reported == pytest.approx(found["reward_kl/mean"], rel=1e-4)


def test_divergence_of_what_is_no_number_ends_the_run(folder: Path) -> None:
    learner = TorchLearner(run_config(), folder)
    with torch.no_grad():
        next(learner.model.parameters()).fill_(torch.nan)
    with pytest.raises(TrainingDiverged):
        learner.penalised(EXPERIENCES)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_resumed_it_goes_on_bit_for_bit(folder: Path, tmp_path: Path, dtype: str) -> None:
    """The coefficient is where it had come to; the reference is still the initial model."""
    config = run_config(dtype, kl_target=0.01, kl_horizon=20)
    straight = TorchLearner(config, folder)

    def step(learner: TorchLearner) -> tuple[object, object]:
        found = learner.penalised(EXPERIENCES)
        learner.update(EXPERIENCES, ADVANTAGES)
        return found

    seen = [step(straight) for _ in range(3)]
    save_checkpoint(
        tmp_path, 3, learner=straight, backup_tasks=lambda path: path.write_bytes(b""), keep=1
    )
    cut = latest_checkpoint(tmp_path)
    assert cut is not None
    again = TorchLearner(config, cut.model, initial=folder)
    again.restore(cut)
    rest = [step(straight) for _ in range(2)]
    assert [step(again) for _ in range(2)] == rest
    coefs = [found["reward_kl/coef"] for _, found in [*seen, *rest]]
    assert len(set(coefs)) == 5
    other = config.changed(rewards=RewardConfig(kl="k1", kl_coef=0.25))
    constant = TorchLearner(other, cut.model, initial=folder)
    constant.restore(cut)
    assert constant.penalised(EXPERIENCES)[1]["reward_kl/coef"] == 0.25


# ---------------------------------------------------------------- the controller


def control(**rewards: object) -> RewardKl:
    config = RewardConfig(**{"kl": "k1", "kl_coef": 0.1, "kl_target": 0.02, **rewards})
    made = RewardKl.of(RunConfig(rewards=config))
    assert made is not None
    return made


@pytest.mark.parametrize(
    ("divergence", "num_rollouts", "coef"),
    [
        (0.02, 500, 0.1),  # at its target
        (0.022, 500, 0.1 * (1 + 0.1 * 500 / 10_000)),
        (0.018, 500, 0.1 * (1 - 0.1 * 500 / 10_000)),
        (9.0, 500, 0.1 * (1 + 0.2 * 500 / 10_000)),  # the error's largest
        (-9.0, 500, 0.1 * (1 - 0.2 * 500 / 10_000)),
        (0.021, 10_000, 0.1 * 1.05),
        (0.0, 90_000, 0.1 * 0.8),  # verl: 0.1 (1 - 0.2 * 9) < 0, a prize for diverging
    ],
)
def test_the_coefficient_moves_by_zieglers_rule(
    divergence: float, num_rollouts: int, coef: float
) -> None:
    """arXiv 1909.08593, section 2.2; K = rollouts / horizon is verl's."""
    moving = control()
    moving.observe(divergence, num_rollouts)
    assert moving.coef == pytest.approx(coef, rel=1e-9)


def test_the_step_that_moves_it_pays_the_old_one() -> None:
    """verl: beta is read before kl_ctrl.update, which gets the batch's size."""
    moving = control(kl_horizon=40)
    experiences = [make_experience(1.0, tokens=n) for n in (1, 3, 4)]
    penalised, found = moving.taken_off(experiences, [0.5, 0.6, -0.4])
    assert [e.reward for e in penalised] == pytest.approx([0.95, 0.94, 1.04])
    mean = (0.5 + 0.2 - 0.1) / 3
    assert found["reward_kl/mean"] == pytest.approx(mean)
    assert found["reward_kl/coef"] == 0.1
    assert found["reward_kl/penalty"] == pytest.approx(0.1 * 0.7 / 3)
    assert moving.coef == pytest.approx(0.1 * (1 + 0.2 * 3 / 40))


def test_a_step_without_tokens_moves_nothing() -> None:
    moving = control()
    experiences = [make_experience(1.0, tokens=0)]
    assert moving.taken_off(experiences, [0.0]) == (experiences, {"reward_kl/coef": 0.1})
    assert moving.taken_off([], []) == ([], {"reward_kl/coef": 0.1})
    assert moving.coef == 0.1


STEPS = st.lists(st.tuples(st.floats(-50, 50), st.integers(1, 10**6)), max_size=30)


@given(STEPS, STEPS)
def test_restored_it_goes_on_and_never_pays_for_diverging(
    before: list[tuple[float, int]], after: list[tuple[float, int]]
) -> None:
    straight, again = control(), control()
    for seen in before:
        straight.observe(*seen)
    again.restore(straight.state())
    for seen in after:
        straight.observe(*seen)
        again.observe(*seen)
        assert straight.coef > 0
    assert straight == again


@given(STEPS)
def test_without_a_target_it_is_constant(steps: list[tuple[float, int]]) -> None:
    constant = control(kl_target=0.0)
    for seen in steps:
        constant.observe(*seen)
    assert constant.coef == 0.1
    constant.restore({"coef": 3.0})  # another run's, or its own before it was resumed with 0.1
    assert constant.coef == 0.1


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kl": "k3+"}, r"rewards\.kl must be one of none, k1, abs, k2, k3, got 'k3\+'"),
        ({"kl_coef": -0.1}, r"rewards\.kl_coef must be a finite number, at least 0, got -0\.1"),
        ({"kl_horizon": 0}, r"rewards\.kl_horizon must be a whole number, at least 1, got 0"),
        ({"kl_target": 0.1}, r"rewards\.kl_target must be 0 unless .* got 0\.1 with 'none'"),
        ({"kl": "k1", "kl_target": 0.1, "kl_coef": 0.0}, r"with 'k1' and 0\.0: it moves kl_coef"),
    ],
)
def test_what_makes_no_sense_is_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        RewardConfig(**values)
