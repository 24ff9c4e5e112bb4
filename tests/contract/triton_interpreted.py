"""The Triton engine against float64 in Triton's interpreter; run by test_policy_loss_triton.py.

Interpreted, a program takes 0.3 ms, so these shapes are as small as the edges allow. What it cannot
show (speed, registers, shared memory) is left to bench/triton_build.py and tests/gpu.
"""

import pytest
import torch

from azr.config.loss import LossConfig
from azr.learner.loss import engines, policy_loss, token_logprobs
from azr.learner.loss.triton import ENGINE

F32, BF16 = torch.float32, torch.bfloat16
# The interpreter cuts a float off to bfloat16 where a GPU rounds: twice the error, hence 6e-3.
GRADIENT = {F32: 2e-6, BF16: 6e-3}
# Tiles are 16 rows, 64 columns, 32 features; splits 256 columns.
SHAPES = [(1, 1, 1), (7, 13, 31), (37, 40, 300)]


@pytest.fixture(autouse=True)
def _interpreted(monkeypatch):
    monkeypatch.setattr(engines, "_loaded", lambda *_, **__: ENGINE)


def tensors(shape, dtype):
    torch.manual_seed(0)
    T, H, V = shape
    hidden = torch.randn(T, H).to(dtype)
    weight = (torch.randn(V, H) * 4 / H**0.5).to(dtype)
    log_p = (hidden.double() @ weight.double().T).log_softmax(-1)
    targets = torch.multinomial(log_p.exp(), 1)[:, 0]
    old = log_p.gather(1, targets[:, None])[:, 0] + 0.1 * torch.randn(T)
    return [hidden, weight, targets, old, torch.randn(T), torch.arange(T) % 4 != 3]


def exact(values):
    return [value.double() if value.is_floating_point() else value for value in values]


def gradients(values, config, bias=None):
    leaves = [value.clone().requires_grad_() for value in values[:2]]
    if bias is not None:
        bias = bias.clone().requires_grad_()
        leaves.append(bias)
    loss, _ = policy_loss(*leaves[:2], *values[2:], bias=bias, config=config)
    loss.backward()
    return [loss.detach(), *(leaf.grad for leaf in leaves)]


def relative(actual, expected):
    return ((actual.double() - expected).norm() / expected.norm().clamp(min=1e-6)).item()


@pytest.mark.parametrize("dtype", [F32, BF16])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_logprobs_and_gradients_are_those_of_float64(shape, dtype):
    values = tensors(shape, dtype)
    settings = {"loss": "reinforce", "entropy_coef": 0.05}
    actual = gradients(values, LossConfig(**settings, backend="triton"))
    expected = gradients(exact(values), LossConfig(**settings, backend="reference"))
    assert (actual[0] - expected[0]).abs() < 2e-5
    for ours, theirs in zip(actual[1:], expected[1:], strict=True):
        assert relative(ours, theirs) < GRADIENT[dtype]
    config = LossConfig(backend="triton")
    logprobs, entropy = token_logprobs(*values[:3], config=config)
    log_p = (values[0].double() @ values[1].double().T).log_softmax(-1)
    assert (logprobs - log_p.gather(1, values[2][:, None])[:, 0]).abs().max() < 1e-5
    assert (entropy + (log_p.exp() * log_p).sum(-1)).abs().max() < 5e-5


def test_bias_softcap_scale_and_temperature_act_on_logits_and_gradients():
    values = tensors((20, 24, 270), F32)
    head = {"temperature": 0.6, "logit_scale": 1.5, "softcap": 7.0}
    settings = {"loss": "reinforce", "entropy_coef": 0.05, **head}
    bias = torch.randn(270)
    actual = gradients(values, LossConfig(**settings, backend="triton"), bias)
    expected = gradients(exact(values), LossConfig(**settings, backend="reference"), bias.double())
    for ours, theirs in zip(actual, expected, strict=True):
        assert relative(ours, theirs) < 5e-6


@pytest.mark.parametrize("offset", [-1000.0, 1000.0])
def test_a_common_offset_of_the_logits_changes_nothing(offset):
    values = tensors((9, 16, 300), F32)
    config = LossConfig(loss="reinforce", entropy_coef=0.1, backend="triton")
    shifted = gradients(values, config, torch.full((300,), offset))
    for ours, theirs in zip(shifted[:3], gradients(values, config), strict=True):
        assert relative(ours, theirs.double()) < 3e-3


def test_words_of_probability_zero_have_no_gradient_and_no_entropy():
    values = tensors((9, 16, 600), F32)
    bias = torch.zeros(600)
    bias[:400] = -torch.inf  # a whole split and more
    bias[values[2]] = 0
    config = LossConfig(loss="reinforce", entropy_coef=0.1, backend="triton")
    actual = gradients(values, config, bias)
    assert all(value.isfinite().all() for value in actual)
    assert actual[2][bias.isinf()].abs().max() < 1e-30


def test_the_logprob_of_a_token_does_not_depend_on_the_batch():
    hidden, weight, targets, *_ = tensors((37, 40, 300), BF16)
    config = LossConfig(backend="triton")
    whole = token_logprobs(hidden, weight, targets, config=config)
    part = token_logprobs(hidden[5:9], weight, targets[5:9], config=config)
    assert torch.equal(part[0], whole[0][5:9])
    assert torch.equal(part[1], whole[1][5:9])


def test_gspo_goes_the_way_of_two_passes():
    values = tensors((20, 24, 270), F32)
    ids = torch.arange(20) // 5
    results = []
    for backend, inputs in (("triton", values), ("reference", exact(values))):
        leaf = inputs[1].clone().requires_grad_()
        config = LossConfig(loss="gspo", clip_low=0.5, clip_high=0.5, backend=backend)
        loss, _ = policy_loss(inputs[0], leaf, *inputs[2:], sequence_ids=ids, config=config)
        loss.backward()
        results.append(leaf.grad)
    assert relative(results[0], results[1]) < 5e-6
