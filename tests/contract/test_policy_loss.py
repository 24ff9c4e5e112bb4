"""Every engine against float64 on the same rounded inputs: one suite, the same for all.

Logits of standard deviation 4 and targets drawn from the softmax: with small random logits every
distribution is nearly uniform and hides errors.
"""

import functools
import os
import subprocess
import sys
import time
from dataclasses import dataclass

import pytest
import torch

from azr import _loss
from azr.errors import ConfigError, TrainingDiverged
from azr.loss import (
    VocabShard,
    count,
    differentiable_logprobs,
    engines,
    head_tensors,
    policy_loss,
)
from azr.loss import token_logprobs as token_logprobs_of
from azr.loss.native import NativeEngine
from azr.loss_config import Backend, LossConfig, LossKind

F32, BF16 = torch.float32, torch.bfloat16
LOGPROB, ENTROPY = 1e-5, 5e-5
GRADIENT = {F32: 2e-6, BF16: 3e-3}

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


@dataclass
class Case:
    """Inputs of one shape, rounded to a dtype, and what float64 makes of them."""

    hidden: torch.Tensor
    weight: torch.Tensor
    targets: torch.Tensor
    old: torch.Tensor
    advantages: torch.Tensor
    logprobs: torch.Tensor
    entropy: torch.Tensor

    def arguments(self):
        mask = torch.ones_like(self.targets, dtype=torch.bool)
        return (self.hidden, self.weight, self.targets, self.old, self.advantages, mask)


@functools.cache
def case_of(shape, dtype, std=4.0):
    torch.manual_seed(0)
    T, H, V = shape
    hidden = torch.randn(T, H).to(dtype)
    weight = (torch.randn(V, H) * std / H**0.5).to(dtype)
    log_p = (hidden.double() @ weight.double().T).log_softmax(-1)
    targets = torch.multinomial(log_p.exp(), 1)[:, 0]
    logprobs = log_p.gather(1, targets[:, None])[:, 0]
    return Case(
        hidden=hidden,
        weight=weight,
        targets=targets,
        old=(logprobs + 0.1 * torch.randn(T)).float(),
        advantages=torch.randn(T),
        logprobs=logprobs,
        entropy=-(log_p.exp() * log_p).sum(-1),
    )


def relative(actual, expected):
    return ((actual.double() - expected).norm() / expected.norm().clamp(min=1e-6)).item()


@pytest.fixture(params=["reference", *(f"native/{isa}" for isa in _loss.available_isas())])
def engine(request, monkeypatch):
    """Route every call through one engine, and the native ones through one instruction set."""
    backend, _, isa = request.param.partition("/")
    if isa:
        native = NativeEngine(isa, num_threads=2)
        monkeypatch.setattr(engines, "_loaded", lambda *_, **__: native)
    return Backend(backend)


def gradients_of(case, config, **others):
    """Return loss, grad_hidden, grad_weight (and grad_bias) of the policy loss."""
    leaves = [case.hidden.clone().requires_grad_(), case.weight.clone().requires_grad_()]
    if "bias" in others:
        others["bias"] = others["bias"].clone().requires_grad_()
        leaves.append(others["bias"])
    loss, _ = policy_loss(*leaves[:2], *case.arguments()[2:], config=config, **others)
    loss.backward()
    return [loss.detach(), *(leaf.grad for leaf in leaves)]


def exact_gradients_of(case, config, **others):
    """The same in float64, by autograd through the logits."""
    exact = Case(**{name: _exact(value) for name, value in vars(case).items()})
    others = {name: _exact(value) for name, value in others.items()}
    return gradients_of(exact, _replace(config, backend="reference"), **others)


def _exact(value):
    return value.double() if value.is_floating_point() else value


def _replace(config, **changes):
    values = {name: getattr(config, name) for name in config.__slots__}
    return LossConfig(**{**values, **changes})


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
    plain = gradients_of(case, _replace(config, backend="reference"))
    actual = gradients_of(case, config)
    for ours, torchs, exact in zip(actual[1:], plain[1:], expected[1:], strict=True):
        assert relative(ours, exact) < max(GRADIENT[dtype], relative(torchs, exact))


def test_error_is_near_that_of_plain_torch_in_float32(engine):
    """Compare errors, not values: float32 rounds, and the engine may not round much more."""
    case = case_of((64, 320, 2000), F32)
    config = LossConfig(loss="reinforce", backend=engine)
    expected = exact_gradients_of(case, config)
    plain = gradients_of(case, _replace(config, backend="reference"))
    actual = gradients_of(case, config)
    for ours, torchs, exact in zip(actual[1:], plain[1:], expected[1:], strict=True):
        assert relative(ours, exact) <= 1.5 * relative(torchs, exact) + 2e-7


@pytest.mark.parametrize("kind", LossKind)
def test_every_loss_gives_the_reference_s_gradient(engine, kind):
    case = case_of((40, 32, 300), F32)
    ids = torch.arange(40) // 7
    config = LossConfig(
        loss=kind,
        clip_low=0.05,
        clip_high=0.06,
        kl="k3",
        kl_coef=0.1,
        entropy_coef=0.01,
        importance="tis",
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


# ---------------------------------------------------------------- tokens that do not count


def test_masked_tokens_may_hold_anything_and_change_nothing(engine):
    case = case_of((40, 32, 300), F32)
    mask = torch.arange(40) % 3 != 0
    config = LossConfig(kl="k2", kl_coef=0.1, entropy_coef=0.1, backend=engine)
    poison = {"hidden": float("nan"), "old": float("nan"), "advantages": float("inf")}
    values = {name: value.clone() for name, value in vars(case).items()}
    for name, value in poison.items():
        values[name][~mask] = value
    values["targets"][~mask] = -100
    names = ("targets", "old", "advantages")
    kept = [getattr(case, name)[mask] for name in names]
    results = []
    for rows, tokens, keep in (
        (values["hidden"], [values[name] for name in names], mask),
        (case.hidden[mask], kept, mask[mask]),
    ):
        hidden = rows.clone().requires_grad_()
        weight = case.weight.clone().requires_grad_()
        loss, metrics = policy_loss(
            hidden, weight, *tokens, keep, ref_logprobs=tokens[1], config=config
        )
        loss.backward()
        results.append((hidden.grad, loss.detach(), weight.grad, metrics["entropy_sum"]))
    (grad_hidden, *others), (grad_alone, *others_alone) = results
    assert torch.equal(grad_hidden[mask], grad_alone)
    assert not grad_hidden[~mask].any()
    assert all(torch.equal(x, y) for x, y in zip(others, others_alone, strict=True))


@pytest.mark.parametrize("T", [0, 5])
def test_an_empty_or_fully_masked_batch_gives_zero_and_a_backward(engine, T):
    """A rank whose micro-batch is all prompt must still take part in the step."""
    hidden = torch.randn(T, 8, requires_grad=True)
    weight = torch.randn(30, 8, requires_grad=True)
    tokens = torch.zeros(T)
    loss, metrics = policy_loss(
        hidden, weight, tokens.long(), tokens, tokens, tokens, config=LossConfig(backend=engine)
    )
    loss.backward()
    assert loss == 0
    assert metrics["tokens"] == 0
    assert not hidden.grad.any()
    assert not weight.grad.any()


@pytest.mark.parametrize("dtype", [F32, BF16])
@pytest.mark.parametrize("chunk", [slice(0, 516), slice(300, 600)], ids=["first", "last"])
def test_tokens_without_a_gradient_are_left_out_of_the_backward(engine, dtype, chunk):
    """Clipped and zero-advantage tokens: zeros for them, and the right sum over the others.

    Chunks are of 300 tokens: the one without any has nothing to add, but may be the one that
    rounds the sum.
    """
    case = case_of((600, 32, 300), dtype)
    advantages = torch.where(torch.arange(600) % 5 == 0, case.advantages, 0.0)
    advantages[chunk] = 0
    case = Case(**{**vars(case), "advantages": advantages})
    config = LossConfig(loss="reinforce", backend=engine)
    bias = {"bias": torch.zeros(300)}
    actual, expected = gradients_of(case, config, **bias), exact_gradients_of(case, config, **bias)
    assert not actual[1][advantages == 0].any()
    for ours, theirs in zip(actual[1:], expected[1:], strict=True):
        assert relative(ours, theirs) < max(4e-6, GRADIENT[dtype])
    nothing = Case(**{**vars(case), "advantages": torch.zeros(600)})
    assert not any(value.any() for value in gradients_of(nothing, config, **bias))


@pytest.fixture
def one_thread():
    """A second thread's waiting is CPU time too."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.usefixtures("one_thread")
def test_masked_tokens_and_tokens_without_a_gradient_cost_little():
    """CPU time, the least of several. Without a gradient a third stays, masked nothing does."""
    case = case_of((1000, 256, 6000), BF16)
    weight = case.weight.clone().requires_grad_()
    some = torch.arange(1000) % 8 == 0
    config = LossConfig(loss="reinforce", backend="native")

    def cost(advantages, mask):
        times = []
        for _ in range(7):
            start = time.process_time()
            policy_loss(
                case.hidden, weight, case.targets, case.old, advantages, mask, config=config
            )
            times.append(time.process_time() - start)
        return min(times)

    everything = cost(case.advantages, some | True)
    assert cost(torch.where(some, case.advantages, 0.0), some | True) < 0.75 * everything
    assert cost(case.advantages, some) < 0.4 * everything


@pytest.mark.parametrize("num_threads", [1, 2])
def test_as_many_threads_work_as_omp_num_threads_says(num_threads):
    program = """
import os, torch
from azr.loss import token_logprobs
before = len(os.listdir("/proc/self/task"))
token_logprobs(torch.randn(64, 64), torch.randn(9000, 64), torch.zeros(64, dtype=torch.int64))
print(len(os.listdir("/proc/self/task")) - before)
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "OMP_NUM_THREADS": str(num_threads)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout) == num_threads - 1


def test_memory_kept_for_the_next_call_changes_nothing_and_can_be_given_back():
    """Scratch of an earlier, larger call holds old numbers, which must not matter."""
    config = LossConfig(loss="reinforce", backend="native")
    small, large = case_of((40, 64, 3000), BF16), case_of((523, 64, 3000), BF16)
    _loss.release_scratch()
    fresh = gradients_of(small, config)
    gradients_of(large, config)
    again = gradients_of(small, config)
    assert all(torch.equal(x, y) for x, y in zip(fresh, again, strict=True))
    assert 0 < _loss.release_scratch() <= 2**30
    assert _loss.release_scratch() == 0


# ---------------------------------------------------------------- autograd's contract


def test_a_frozen_weight_or_frozen_hidden_costs_no_gradient(engine):
    case = case_of((30, 24, 200), F32)
    config = LossConfig(loss="reinforce", backend=engine)
    both = gradients_of(case, config)
    for index, frozen in ((1, "weight"), (2, "hidden")):
        leaves = {"hidden": case.hidden.clone(), "weight": case.weight.clone()}
        trained = next(leaf for name, leaf in leaves.items() if name != frozen).requires_grad_()
        loss, _ = policy_loss(
            leaves["hidden"], leaves["weight"], *case.arguments()[2:], config=config
        )
        loss.backward()
        assert leaves[frozen].grad is None
        torch.testing.assert_close(trained.grad, both[index])


def test_without_gradients_the_loss_is_the_same(engine):
    case = case_of((30, 24, 200), F32)
    config = LossConfig(backend=engine)
    with torch.no_grad():
        loss, _ = policy_loss(*case.arguments(), config=config)
    assert not loss.requires_grad
    torch.testing.assert_close(loss, gradients_of(case, config)[0])


@pytest.mark.parametrize("kind", ["ppo", "gspo"])
def test_the_gradient_arriving_from_above_is_applied(engine, kind):
    """Loss scaling, or a loss that is one term of several."""
    case = case_of((30, 24, 200), F32)
    config = LossConfig(loss=kind, clip_low=0.5, clip_high=0.5, backend=engine)
    ids = torch.arange(30) // 10
    leaf = case.weight.clone().requires_grad_()
    loss, _ = policy_loss(case.hidden, leaf, *case.arguments()[2:], sequence_ids=ids, config=config)
    (loss * -2.5 + 1).backward()
    plain = gradients_of(case, config, sequence_ids=ids)
    torch.testing.assert_close(leaf.grad, plain[2] * -2.5)


def test_gradients_accumulate_and_micro_batches_add_up(engine):
    case = case_of((60, 24, 200), F32)
    config = LossConfig(backend=engine)
    whole = gradients_of(case, config)
    weight = case.weight.clone().requires_grad_()
    everything = case.arguments()
    counts = count(everything[5])
    for rows in (slice(0, 25), slice(25, 60)):
        tokens = (value[rows] for value in everything[2:])
        policy_loss(case.hidden[rows], weight, *tokens, normalizer=counts, config=config)[
            0
        ].backward()
    torch.testing.assert_close(weight.grad, whole[2], rtol=1e-4, atol=1e-7)


def test_tied_embeddings_get_both_gradients(engine):
    torch.manual_seed(0)
    words = torch.randint(0, 50, (20,))
    grads = []
    for backend in (Backend.REFERENCE, engine):
        torch.manual_seed(1)
        embedding = torch.randn(50, 12, requires_grad=True)
        hidden = embedding[words].tanh()
        tokens = torch.zeros(20)
        config = LossConfig(loss="reinforce", backend=backend)
        loss, _ = policy_loss(
            hidden, embedding, words.roll(-1), tokens, tokens + 1, tokens + 1, config=config
        )
        loss.backward()
        grads.append(embedding.grad)
    torch.testing.assert_close(*grads, rtol=1e-4, atol=1e-6)


def test_views_that_are_not_contiguous_are_read_right(engine):
    case = case_of((30, 24, 200), F32)
    hidden, weight = case.hidden.T.contiguous().T, case.weight.repeat(1, 2)[:, :24]
    config = LossConfig(backend=engine)
    ours, _ = policy_loss(hidden, weight, *case.arguments()[2:], config=config)
    torch.testing.assert_close(ours, policy_loss(*case.arguments(), config=config)[0])


def test_mixed_dtypes_are_computed_in_the_wider_one(engine):
    case = case_of((30, 24, 200), BF16)
    wide = Case(**{**vars(case), "weight": case.weight.float()})
    config = LossConfig(loss="reinforce", backend=engine)
    actual, expected = gradients_of(wide, config), exact_gradients_of(case, config)
    assert actual[1].dtype == BF16
    assert actual[2].dtype == F32
    assert relative(actual[2], expected[2]) < GRADIENT[F32]


def test_a_loss_of_one_s_own_gets_the_right_gradient(engine):
    """Plain torch over log-probabilities and entropies, of any coupling between tokens."""
    case = case_of((40, 24, 300), F32)
    results = []
    for backend, exact in ((engine, F32), (Backend.REFERENCE, torch.float64)):
        leaves = [x.to(exact, copy=True).requires_grad_() for x in (case.hidden, case.weight)]
        logprobs, entropy = differentiable_logprobs(
            *leaves, case.targets, config=LossConfig(temperature=0.9, backend=backend)
        )
        loss = (logprobs.mean().exp() * entropy.std()) + (logprobs * logprobs.roll(1)).sum()
        loss.backward()
        results.append([leaf.grad for leaf in leaves])
    for ours, theirs in zip(*results, strict=True):
        assert relative(ours, theirs) < 5e-6


def test_one_pass_and_two_passes_agree(engine):
    """The gradients made in the forward are those of the recomputed logits."""
    if engine is Backend.REFERENCE:
        pytest.skip("the reference has one way")
    case = case_of((523, 24, 200), BF16)
    config = LossConfig(loss="reinforce", backend=engine)
    one = gradients_of(case, config)
    leaves = [case.hidden.clone().requires_grad_(), case.weight.clone().requires_grad_()]
    logprobs, _ = differentiable_logprobs(*leaves, case.targets, config=config)
    (-(case.advantages * logprobs) / 523).sum().backward()
    torch.testing.assert_close(leaves[0].grad, one[1])
    torch.testing.assert_close(leaves[1].grad, one[2])


# ---------------------------------------------------------------- refused, never silent


@pytest.mark.parametrize("name", ["hidden", "weight", "old_logprobs", "advantages"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_number_that_is_not_finite_is_refused_by_the_tensor_s_name(engine, name, value):
    case = case_of((30, 24, 200), F32)
    names = ("hidden", "weight", "targets", "old_logprobs", "advantages", "mask")
    arguments = dict(zip(names, case.arguments(), strict=True))
    arguments[name] = arguments[name].clone()
    arguments[name].view(-1)[7] = value
    with pytest.raises(TrainingDiverged, match=f"^{name} is not finite"):
        policy_loss(**arguments, config=LossConfig(backend=engine))


def test_impossible_tensors_are_refused_by_name():
    case = case_of((30, 24, 200), F32)
    hidden, weight, *tokens = case.arguments()
    for bad, error, message in (
        ((hidden, torch.empty(0)), ValueError, "weight must have shape .V, H.*FSDP"),
        ((hidden, weight.to("meta")), TypeError, "weight is on the meta device"),
        ((hidden, weight[:, :5]), ValueError, "differ in features"),
        ((hidden[None], weight), ValueError, "hidden must have shape .T, H."),
        ((hidden, weight.to(torch.int8)), TypeError, "quantised"),
        ((hidden[:3], weight), ValueError, "targets must have shape .3."),
    ):
        with pytest.raises(error, match=message):
            policy_loss(*bad, *tokens)
    tokens[0] = tokens[0] + 200
    with pytest.raises(ValueError, match=r"targets must be in \[0, 200\)"):
        policy_loss(hidden, weight, *tokens)


def test_a_target_outside_the_vocabulary_is_refused_by_logprobs_too():
    with pytest.raises(ValueError, match=r"targets must be in \[0, 9\)"):
        token_logprobs_of(torch.randn(2, 4), torch.randn(9, 4), torch.tensor([3, 9]))


def test_an_argument_the_loss_needs_is_asked_for_by_name():
    arguments = case_of((30, 24, 200), F32).arguments()
    for config, name in (
        (LossConfig(kl="k1", kl_coef=0.1), "ref_logprobs"),
        (LossConfig(importance="tis"), "rollout_logprobs"),
        (LossConfig(loss="gspo"), "sequence_ids"),
        (LossConfig(aggregation="seq_mean_token_sum"), "sequence_ids"),
    ):
        with pytest.raises(ValueError, match=f"{name} must be given"):
            policy_loss(*arguments, config=config)


def test_an_adapter_on_the_head_is_refused():
    """Its own weights would silently be frozen."""
    head = torch.nn.Linear(4, 9, bias=False)
    assert head_tensors(head) == (head.weight, None)
    head.lora_A = torch.nn.Linear(4, 2)
    with pytest.raises(TypeError, match="adapter"):
        head_tensors(head)


def test_distributed_states_and_a_distributed_shard_are_refused():
    """What a rank holds of them is a part, and here nobody can know which (TRL #6372, #6859)."""

    class DTensor(torch.Tensor):
        def full_tensor(self):
            raise AssertionError

    hidden, weight, *tokens = case_of((30, 24, 200), F32).arguments()
    with pytest.raises(TypeError, match="hidden is a DTensor"):
        policy_loss(hidden.as_subclass(DTensor), weight, *tokens)
    with pytest.raises(TypeError, match=r"weight is a DTensor.*weight\.to_local"):
        policy_loss(hidden, weight.as_subclass(DTensor), *tokens, shard=VocabShard(start=0))


def test_an_engine_that_cannot_work_is_refused_when_asked_for_by_name():
    arguments = [
        x.double() if x.is_floating_point() else x for x in case_of((3, 4, 5), F32).arguments()
    ]
    with pytest.raises(ConfigError, match=r"loss\.backend must be .*float64"):
        policy_loss(*arguments, config=LossConfig(backend="native"))


def test_gradients_are_kept_for_one_backward(engine):
    if engine is Backend.REFERENCE:
        pytest.skip("plain autograd has its own rule")
    case = case_of((3, 4, 5), F32)
    leaf = case.hidden.clone().requires_grad_()
    loss, _ = policy_loss(leaf, *case.arguments()[1:], config=LossConfig(backend=engine))
    loss.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="call it again"):
        loss.backward()
