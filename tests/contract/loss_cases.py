"""Inputs of the policy loss, what float64 makes of them, and the engines that must agree.

Logits of standard deviation 4 and targets drawn from the softmax: with small random logits every
distribution is nearly uniform and hides errors.
"""

import functools
from dataclasses import dataclass

import torch

from azr import _loss
from azr.config.loss import Backend
from azr.learner.loss import engines, policy_loss
from azr.learner.loss.native import NativeEngine

F32, BF16 = torch.float32, torch.bfloat16
GRADIENT = {F32: 2e-6, BF16: 3e-3}


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


ENGINES = ("reference", *(f"native/{isa}" for isa in _loss.available_isas()))


def use_engine(name, monkeypatch):
    """Route every call through one engine, and the native ones through one instruction set."""
    backend, _, isa = name.partition("/")
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
    return gradients_of(exact, config.changed(backend="reference"), **others)


def _exact(value):
    return value.double() if value.is_floating_point() else value
