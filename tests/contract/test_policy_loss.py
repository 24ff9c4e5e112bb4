"""Every engine against float64 on the same rounded inputs: one suite, the same for all."""

import pytest
import torch

from azr.config.loss import Backend, LossConfig, LossKind
from azr.learner.loss import token_logprobs as token_logprobs_of
from tests.contract.loss_cases import (
    BF16,
    ENGINES,
    F32,
    GRADIENT,
    Case,
    case_of,
    exact_gradients_of,
    gradients_of,
    relative,
    use_engine,
)

LOGPROB, ENTROPY = 1e-5, 5e-5

# Why these: (T, H, V). Tiles are 12 rows, 32 columns, 32 features, panels 192 words, chunks 516.
SHAPES = {
    "one of each": (1, 1, 1),
    "all prime, below one tile": (7, 13, 31),
    "just past a panel, odd features": (37, 33, 193),
    "whole tiles and panels": (24, 64, 384),
    "SmolLM2's features, not a multiple of 128": (29, 576, 1009),
    "two chunks of unequal length": (523, 24, 200),
    "features of several slices": (13, 1411, 205),
}


@pytest.fixture(params=ENGINES)
def engine(request, monkeypatch):
    return use_engine(request.param, monkeypatch)


# ---------------------------------------------------------------- the numbers


@pytest.mark.parametrize("dtype", [F32, BF16])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_logprobs_and_entropies_are_those_of_float64(engine, shape, dtype):
    case = case_of(shape, dtype)
    config = LossConfig(backend=engine)
    logprobs, entropy = token_logprobs_of(case.hidden, case.weight, case.targets, config=config)
    assert logprobs.dtype == entropy.dtype == F32
    assert (logprobs - case.logprobs).abs().max() < LOGPROB
    assert (entropy - case.entropy).abs().max() < ENTROPY


@pytest.mark.parametrize("dtype", [F32, BF16])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_gradients_are_those_of_float64(engine, shape, dtype):
    """REINFORCE with an entropy bonus: a and b both matter, and no clip is near a boundary."""
    case = case_of(shape, dtype)
    config = LossConfig(loss="reinforce", entropy_coef=0.05, backend=engine)
    actual = gradients_of(case, config)
    expected = exact_gradients_of(case, config)
    assert relative(actual[0], expected[0]) < 1e-5
    for ours, theirs in zip(actual[1:], expected[1:], strict=True):
        assert ours.dtype == dtype
        assert relative(ours, theirs) < GRADIENT[dtype]


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [F32, BF16])
@pytest.mark.parametrize("shape", [(5, 576, 49152), (3, 896, 151936)], ids=["SmolLM2", "Qwen2.5"])
def test_the_vocabularies_of_real_models(shape, dtype):
    """The default engine: offsets beyond 2^27 values, sums of hundreds of panels."""
    case = case_of.__wrapped__(shape, dtype)  # too large to be kept
    logprobs, entropy = token_logprobs_of(case.hidden, case.weight, case.targets)
    assert (logprobs - case.logprobs).abs().max() < LOGPROB
    assert (entropy - case.entropy).abs().max() < ENTROPY
    config = LossConfig(loss="reinforce", entropy_coef=0.05)
    expected = exact_gradients_of(case, config)
    plain = gradients_of(case, config.changed(backend="reference"))
    actual = gradients_of(case, config)
    for ours, torchs, exact in zip(actual[1:], plain[1:], expected[1:], strict=True):
        assert relative(ours, exact) < max(GRADIENT[dtype], relative(torchs, exact))


def test_error_is_near_that_of_plain_torch_in_float32(engine):
    """Compare errors, not values: float32 rounds, and the engine may not round much more."""
    case = case_of((64, 320, 2000), F32)
    config = LossConfig(loss="reinforce", backend=engine)
    expected = exact_gradients_of(case, config)
    plain = gradients_of(case, config.changed(backend="reference"))
    actual = gradients_of(case, config)
    for ours, torchs, exact in zip(actual[1:], plain[1:], expected[1:], strict=True):
        assert relative(ours, exact) <= 1.5 * relative(torchs, exact) + 2e-7


@pytest.mark.parametrize("kind", LossKind)
def test_every_loss_gives_the_reference_s_gradient(engine, kind):
    case = case_of((40, 32, 300), F32)
    ids = torch.arange(40) // 7
    compares = kind in {LossKind.DPPO, LossKind.IPO}  # with the sampler by itself
    config = LossConfig(
        loss=kind,
        clip_low=0.05,
        clip_high=0.06,
        kl="k3",
        kl_coef=0.1,
        entropy_coef=0.01,
        importance="none" if compares else "tis",
        aggregation="seq_mean_token_mean",
        temperature=0.8,
        backend=engine,
    )
    others = {
        "ref_logprobs": case.old + 0.1 * case.advantages,
        "rollout_logprobs": case.old - 0.05 * case.advantages,
        "sequence_ids": ids,
    }
    actual = gradients_of(case, config, **others)
    expected = exact_gradients_of(case, config, **others)
    for ours, theirs in zip(actual, expected, strict=True):
        assert relative(ours, theirs) < 1e-5


@pytest.mark.parametrize(
    "head",
    [
        {"temperature": 0.6},
        {"logit_scale": 0.25},
        {"softcap": 5.0},
        {"bias": True},
        {"temperature": 0.6, "logit_scale": 1.5, "softcap": 7.0, "bias": True},
    ],
    ids=str,
)
def test_bias_softcap_scale_and_temperature_act_on_logits_and_gradients(engine, head):
    case = case_of((30, 40, 205), F32)
    bias = {"bias": torch.randn(205)} if head.get("bias") else {}
    settings = {name: value for name, value in head.items() if name != "bias"}
    config = LossConfig(loss="reinforce", entropy_coef=0.05, backend=engine, **settings)
    actual = gradients_of(case, config, **bias)
    expected = exact_gradients_of(case, config, **bias)
    assert len(actual) == 3 + len(bias)
    for ours, theirs in zip(actual, expected, strict=True):
        assert relative(ours, theirs) < 4e-6


# ---------------------------------------------------------------- complaints about others


def test_the_logprob_of_a_token_does_not_depend_on_the_batch(engine):
    """Bitwise: alone, in another place, or among a thousand others (batch invariance)."""
    if engine is Backend.REFERENCE:
        pytest.skip("plain torch picks its matrix product by shape")
    case = case_of((523, 24, 200), BF16)
    whole = token_logprobs_of(
        case.hidden, case.weight, case.targets, config=LossConfig(backend=engine)
    )
    for rows in (slice(0, 1), slice(5, 18), slice(300, 523)):
        part = token_logprobs_of(
            case.hidden[rows], case.weight, case.targets[rows], config=LossConfig(backend=engine)
        )
        assert torch.equal(part[0], whole[0][rows])
        assert torch.equal(part[1], whole[1][rows])


def test_results_are_bitwise_reproducible(engine):
    case = case_of((100, 64, 1000), BF16)
    config = LossConfig(entropy_coef=0.01, backend=engine)
    first, second = gradients_of(case, config), gradients_of(case, config)
    assert all(torch.equal(x, y) for x, y in zip(first, second, strict=True))


@pytest.mark.parametrize("offset", [-1e3, -80.0, 80.0, 1e3])
def test_a_common_offset_of_the_logits_changes_nothing(engine, offset):
    """Neither underflow when all logits are very negative, nor overflow when all are large."""
    case = case_of((20, 32, 300), F32)
    config = LossConfig(loss="reinforce", entropy_coef=0.1, backend=engine)
    bias = torch.full((300,), offset)
    shifted = gradients_of(case, config, bias=bias)
    plain = gradients_of(case, config)
    rounding = 3e-6 + abs(offset) * 2e-6  # a logit of 1000 has steps of 6e-5
    for ours, theirs in zip(shifted[:3], plain, strict=True):
        assert relative(ours, theirs.double()) < rounding


def test_the_vocabulary_s_tail_is_not_counted(engine):
    """A tile reaches beyond the last word: those columns are not words of logit 0 (verl #2656)."""
    case = case_of((20, 32, 193), F32)
    bias = torch.full((193,), -50.0)
    actual = gradients_of(case, LossConfig(loss="reinforce", backend=engine), bias=bias)
    expected = exact_gradients_of(case, LossConfig(loss="reinforce"), bias=bias)
    assert relative(actual[0], expected[0]) < 1e-5


def test_words_of_probability_zero_have_no_gradient_and_no_entropy(engine):
    case = case_of((20, 32, 400), F32)
    bias = torch.zeros(400)
    bias[:250] = -torch.inf  # a whole panel of 192 and more
    bias[case.targets] = 0
    config = LossConfig(loss="reinforce", entropy_coef=0.1, backend=engine)
    loss, grad_hidden, grad_weight, _ = gradients_of(case, config, bias=bias)
    assert loss.isfinite()
    assert grad_hidden.isfinite().all()
    assert grad_weight.isfinite().all()
    assert grad_weight[bias.isinf()].abs().max() < 1e-30


def test_the_weight_s_gradient_is_rounded_once_not_once_a_chunk(engine):
    """Rounding to bfloat16 between chunks loses small tokens (Liger #512, #827, #1391)."""
    case = case_of((2100, 16, 64), BF16)
    config = LossConfig(loss="reinforce", backend=engine)
    actual = gradients_of(case, config)
    expected = exact_gradients_of(case, config)
    assert relative(actual[2], expected[2]) < GRADIENT[BF16]


def test_the_entropy_s_gradient_is_not_dropped(engine):
    """With no other term the bonus alone must move the weights (TRL PR 6625)."""
    case = case_of((30, 24, 200), F32)
    case = Case(**{**vars(case), "advantages": torch.zeros(30)})
    config = LossConfig(loss="reinforce", entropy_coef=1.0, backend=engine)
    actual, expected = gradients_of(case, config), exact_gradients_of(case, config)
    assert expected[2].norm() > 0
    for ours, theirs in zip(actual, expected, strict=True):
        assert relative(ours, theirs) < 4e-6


def test_more_than_65535_tokens_in_one_call(engine):
    """A grid dimension of a GPU ends there (Liger)."""
    T = 65_600
    case = Case(
        hidden=torch.randn(T, 2),
        weight=torch.randn(5, 2),
        targets=torch.randint(0, 5, (T,)),
        old=torch.full((T,), -1.6),
        advantages=torch.randn(T),
        logprobs=torch.empty(0),
        entropy=torch.empty(0),
    )
    config = LossConfig(loss="reinforce", backend=engine)
    actual, expected = gradients_of(case, config), exact_gradients_of(case, config)
    assert relative(actual[2], expected[2]) < 1e-5
