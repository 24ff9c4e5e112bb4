"""Is the fused policy loss right? Every loss against float64, beside the reference's own error.

Two roundings of one computation differ, so no fixed bound decides alone. An error passes if it is
at most ALLOWED times what plain torch makes of the same inputs in the same precision, or under the
bound of docs/policy_loss.md. Inputs are drawn on the host: they are the same on every machine.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
# (torch, transformers and vllm are typed in part)

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, cast

import torch
from torch import Tensor

from azr.cli.gpu.device import Place
from azr.cli.gpu.parts import Case, Found
from azr.config.loss import Backend, Importance, Kl, LossConfig, LossKind
from azr.learner.loss import policy_loss, token_logprobs

__all__ = ["Inputs", "cases", "judged"]

ALLOWED = {torch.float32: 1.5, torch.bfloat16: 2.0}
"""Times the reference's error. In bfloat16 an engine rounds twice, the logits' gradient and its
products, where the reference rounds once; over few numbers the two may add up to more."""
BOUNDS = {
    torch.float32: {"logprob": 1e-5, "entropy": 5e-5, "d_hidden": 2e-6, "d_weight": 2e-6},
    torch.bfloat16: {"logprob": 1e-5, "entropy": 5e-5, "d_hidden": 3e-3, "d_weight": 3e-3},
}
"""docs/policy_loss.md. The first two are largest differences in nats, the gradients' relative."""
SEQUENCE = 30
GAIN = 8.0
"""What a tied embedding is multiplied with: a power of two, which rounds nothing."""

Shape = tuple[int, int, int]
ON_GPU: tuple[Shape, ...] = ((1, 1, 1), (37, 40, 300), (4500, 64, 5000), (64, 896, 151936))
"""Tiles are 128 rows, 128 columns and 64 features, splits 4,096 columns; the third is two chunks.
"""
ON_CPU: tuple[Shape, ...] = ((1, 1, 1), (37, 40, 300))
FORMULAS: Mapping[bool, Shape] = {True: (300, 576, 9001), False: (60, 64, 1501)}
"""In which all losses are tried, on a GPU or not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What a loss is computed of, rounded to a dtype; T tokens, H features, V words."""

    hidden: Tensor  # [T, H]
    weight: Tensor  # [V, H]
    words: Tensor | None  # [T] the embeddings that are the states, if head and embedding are tied
    targets: Tensor  # [T]
    logprobs: Tensor  # [T] float32, near the exact ones; likewise the next two
    sampled: Tensor  # [T]
    reference: Tensor  # [T]
    advantages: Tensor  # [T]
    sequence_ids: Tensor  # [T]
    bias: Tensor | None = None  # [V]


@lru_cache(maxsize=1)
def drawn(shape: Shape, dtype: torch.dtype, device: torch.device, is_tied: bool) -> Inputs:
    """Logits of standard deviation about 4, targets from their softmax: others hide errors."""
    T, H, V = shape
    draw = torch.Generator().manual_seed(0)
    weight = (torch.randn(V, H, generator=draw) * 4 / H**0.5).to(dtype).to(device)
    states = torch.randn(T, H, generator=draw).to(dtype).to(device)
    words = torch.randint(0, V, (T,), generator=draw).to(device) if is_tied else None
    hidden = states if words is None else weight[words] * GAIN
    log_p = (hidden.double() @ weight.double().T).log_softmax(-1)
    noise = torch.randn(4, T, generator=draw).to(device)
    targets = (log_p - torch.rand(T, V, generator=draw).to(device).log().neg().log()).argmax(-1)
    exact = log_p.gather(1, targets[:, None])[:, 0].float()
    return Inputs(
        hidden=hidden,
        weight=weight,
        words=words,
        targets=targets,
        logprobs=exact + 0.1 * noise[0],
        sampled=exact + 0.1 * noise[1],
        reference=exact + 0.3 * noise[2],
        advantages=noise[3],
        sequence_ids=torch.arange(T, device=device) // SEQUENCE,
    )


def computed(inputs: Inputs, config: LossConfig, dtype: torch.dtype) -> dict[str, Tensor]:
    """Log-probabilities, entropies and both gradients, computed in this precision; float64 then."""
    weight = inputs.weight.to(dtype, copy=True).requires_grad_()
    if inputs.words is None:
        hidden = inputs.hidden.to(dtype, copy=True).requires_grad_()
    else:
        hidden = weight[inputs.words] * GAIN
        hidden.retain_grad()
    bias = None if inputs.bias is None else inputs.bias.to(dtype)
    loss, _ = policy_loss(
        hidden,
        weight,
        inputs.targets,
        inputs.logprobs,
        inputs.advantages,
        torch.ones_like(inputs.targets, dtype=torch.bool),
        ref_logprobs=inputs.reference,
        rollout_logprobs=inputs.sampled,
        sequence_ids=inputs.sequence_ids,
        bias=bias,
        config=config,
    )
    cast(Any, loss).backward()
    states, head = hidden.detach(), weight.detach()
    logprobs, entropy = token_logprobs(states, head, inputs.targets, bias=bias, config=config)
    assert hidden.grad is not None
    assert weight.grad is not None
    found = {"logprob": logprobs, "entropy": entropy}
    found |= {"d_hidden": hidden.grad, "d_weight": weight.grad}
    return {name: value.double() for name, value in found.items()}


def errors(found: Mapping[str, Tensor], exact: Mapping[str, Tensor]) -> dict[str, float]:
    """The largest difference by token, and the relative norm of a gradient's difference."""
    measured: dict[str, float] = {}
    for name, value in exact.items():
        difference = found[name] - value
        if name.startswith("d_"):
            measured[name] = float(difference.norm() / value.norm().clamp(min=1e-6))
        else:
            measured[name] = float(difference.abs().max())
    return measured


def judged(ours: Mapping[str, float], reference: Mapping[str, float], dtype: torch.dtype) -> Found:
    """Errors beside the reference's; a fault names the first that is too large, or no number."""
    figures: dict[str, float | str] = {**ours}
    figures |= {f"{name}_reference": value for name, value in reference.items()}
    for name, value in ours.items():
        limit = max(BOUNDS[dtype][name], ALLOWED[dtype] * reference[name])
        if not value <= limit:  # nan is never within
            fault = f"{name} is {value:.2g} off float64; {limit:.2g} is allowed"
            return Found(figures=figures, fault=f"{fault} (plain torch: {reference[name]:.2g})")
    return Found(figures=figures)


def compared(inputs: Inputs, config: LossConfig, backend: Backend) -> Found:
    """The fused loss and the reference, both against float64 through all logits."""
    dtype = inputs.hidden.dtype
    plain = config.changed(backend=Backend.REFERENCE)
    exact = computed(inputs, plain, torch.float64)
    reference = errors(computed(inputs, plain, dtype), exact)
    ours = errors(computed(inputs, config.changed(backend=backend), dtype), exact)
    return judged(ours, reference, dtype)


def cases(place: Place) -> Iterator[Case]:
    """Every loss with both kinds of heads, then shapes, then what is done to logits."""
    backend = Backend.TRITON if place.on_gpu else Backend.NATIVE
    bonus = LossConfig(loss=LossKind.REINFORCE, entropy_coef=0.05)

    def case(
        name: str, config: LossConfig, shape: Shape, dtype: torch.dtype, is_tied: bool
    ) -> Case:
        def measure() -> Found:
            inputs = drawn(shape, dtype, place.device, is_tied)
            return compared(inputs, config, backend)

        return Case(f"{name}, {str(dtype).removeprefix('torch.')}", measure)

    formulas = FORMULAS[place.on_gpu]
    for dtype in BOUNDS:
        for is_tied in (False, True):
            head = "tied" if is_tied else "own head"
            for kind in LossKind:
                yield case(f"{kind.value}, {head}", LossConfig(loss=kind), formulas, dtype, is_tied)
        for shape in ON_GPU if place.on_gpu else ON_CPU:
            yield case("T={} H={} V={}".format(*shape), bonus, shape, dtype, False)
        yield Case(
            f"bias, softcap, temperature, penalty, correction, {str(dtype).removeprefix('torch.')}",
            partial(with_everything, formulas, dtype, place, backend),
        )


def with_everything(shape: Shape, dtype: torch.dtype, place: Place, backend: Backend) -> Found:
    """A head with a bias, logits that are capped and scaled, and every term of the loss."""
    bare = drawn(shape, dtype, place.device, False)
    bias = torch.randn(shape[2], generator=torch.Generator().manual_seed(1)).to(place.device)
    inputs = Inputs(
        **{name: getattr(bare, name) for name in Inputs.__slots__ if name != "bias"},
        bias=bias.to(dtype),
    )
    config = LossConfig(
        temperature=0.8,
        softcap=30.0,
        logit_scale=0.9,
        entropy_coef=0.01,
        kl=Kl.K3_PLUS,
        kl_coef=0.1,
        importance=Importance.TIS,
    )
    return compared(inputs, config, backend)
