"""Tokens that do not count: masked, clipped or without an advantage; and what a call costs."""

import os
import subprocess
import sys
import time

import pytest
import torch

from azr import _loss
from azr.config.loss import LossConfig
from azr.learner.loss import policy_loss
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


@pytest.fixture(params=ENGINES)
def engine(request, monkeypatch):
    return use_engine(request.param, monkeypatch)


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


@pytest.mark.slow
@pytest.mark.parametrize("num_threads", [1, 2])
def test_as_many_threads_work_as_omp_num_threads_says(num_threads):
    program = """
import os, torch
from azr.learner.loss import token_logprobs
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
