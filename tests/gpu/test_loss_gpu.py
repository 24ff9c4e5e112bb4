"""The Triton engine on a real GPU against float64, where there is one."""

import pytest
import torch

from azr.config.loss import LossConfig
from azr.learner.loss import policy_loss, token_logprobs

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]

GRADIENT = {torch.float32: 2e-6, torch.bfloat16: 3e-3}
# Tiles are 128 rows, 128 columns, 64 features; splits 4096 columns; the last is two chunks.
SHAPES = [(1, 1, 1), (37, 40, 300), (300, 576, 9001), (4500, 64, 5000)]


@pytest.mark.parametrize("dtype", GRADIENT)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_logprobs_and_gradients_are_those_of_float64(shape, dtype):
    torch.manual_seed(0)
    T, H, V = shape
    hidden = torch.randn(T, H, device="cuda").to(dtype)
    weight = (torch.randn(V, H, device="cuda") * 4 / H**0.5).to(dtype)
    log_p = (hidden.double() @ weight.double().T).log_softmax(-1)
    targets = torch.multinomial(log_p.exp(), 1)[:, 0]
    exact = log_p.gather(1, targets[:, None])[:, 0]
    tokens = (targets, exact.float(), torch.randn(T, device="cuda"), targets >= 0)
    logprobs, entropy = token_logprobs(hidden, weight, targets)
    assert (logprobs - exact).abs().max() < 1e-5
    assert (entropy + (log_p.exp() * log_p).sum(-1)).abs().max() < 5e-5
    results = []
    for backend, wide in (("triton", dtype), ("reference", torch.float64)):
        leaves = [x.to(wide, copy=True).requires_grad_() for x in (hidden, weight)]
        config = LossConfig(loss="reinforce", entropy_coef=0.05, backend=backend)
        policy_loss(*leaves, *tokens, config=config)[0].backward()
        results.append([leaf.grad.double() for leaf in leaves])
    for ours, theirs in zip(*results, strict=True):
        assert (ours - theirs).norm() / theirs.norm().clamp(min=1e-6) < GRADIENT[dtype]
