"""How fast is the fused policy loss? Beside the three matrix products that nobody can leave out.

Each peer is timed in turn with the products, so both meet the same clock and the same heat. TFLOPS
count 6 T H V operations, what the gradients need, whatever a peer computes twice.
T tokens, H features, V words.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
# (torch, transformers and vllm are typed in part)

import importlib
from collections.abc import Callable, Iterator
from functools import cache, lru_cache, partial
from typing import Any, cast

import torch

from azr.cli.gpu.device import Place, Stopwatch
from azr.cli.gpu.parts import Case, Found
from azr.cli.gpu.peers import Batch, Peer, eager, exact, liger, liger_scaled, ours, products

__all__ = ["LIGER_H100_MS", "cases"]

Shape = tuple[int, int, int]
ON_GPU: tuple[Shape, ...] = (
    *((tokens, 4096, 131072) for tokens in (2048, 4096, 8192, 16384, 32768)),
    (8192, 3584, 152064),  # Qwen2.5-7B
    (8192, 1536, 151936),  # Qwen2.5-1.5B
)
OURS_ALONE = ((4096, 4096, 131072), (16384, 4096, 131072))
"""Between others: the eight minutes have no room for each peer there."""
ON_CPU: tuple[Shape, ...] = ((128, 64, 2048), (256, 64, 2048))
PRODUCTS_CHUNK = 4096
"""Rows: a GiB of 16-bit logits at the largest vocabulary."""
LIGER_H100_MS = {(8192, 4096, 131072): 50.4, (32768, 4096, 131072): 211.0}
"""Liger 0.8.2's own figures for its scaled cross entropy, forward and backward, on an H100. Its
authors say 666 to 701 TFLOPS: they count 8 T H V operations. So times are compared."""


def cases(place: Place) -> Iterator[Case]:
    """Ours in all shapes first, so that a slow machine has at least these; peers in some."""
    shapes = ON_GPU if place.on_gpu else ON_CPU
    for name, make in makers(on_gpu=place.on_gpu).items():
        for shape in shapes:
            is_foreign = name != "azr"
            if not (is_foreign and shape in OURS_ALONE):
                title = "{}: T={} H={} V={}".format(name, *shape)
                yield Case(title, partial(timed, make, shape, place), is_foreign=is_foreign)


def makers(*, on_gpu: bool) -> dict[str, Callable[[], Peer]]:
    """Each peer, made when it is its turn: one that is not installed says so in its own rows."""
    rounded: dict[str, Callable[[], Peer]] = {"compile": compiled(eager)} if on_gpu else {}
    return {
        "azr": lambda: ours,
        "liger, scaled cross entropy": cache(liger_scaled),
        "compile, float32 logits": compiled(exact),
        **rounded,
        "liger, GRPO": cache(partial(liger, compiled=on_gpu)),
    }


def compiled(function: Peer) -> Callable[[], Peer]:
    """Compile once for each head, for any number of tokens."""
    dynamo: Any = importlib.import_module("torch._dynamo")  # where torch's manual has it
    made = torch.compile(function, dynamic=False)

    def run(batch: Batch) -> Any:
        for tensor in (batch.hidden, batch.targets, batch.old_logprobs, batch.advantages):
            dynamo.mark_dynamic(tensor, 0)
        return made(batch)

    return lambda: run


@lru_cache(maxsize=1)
def drawn(shape: Shape, device: torch.device) -> Batch:
    """The inputs, in bfloat16."""
    return Batch.random(*shape, torch.bfloat16, device)


def timed(make: Callable[[], Peer], shape: Shape, place: Place) -> Found:
    """Forward and backward of one peer."""
    peer, batch = make(), drawn(shape, place.device)

    def work() -> None:
        batch.hidden.grad = batch.weight.grad = None
        cast(Any, peer(batch)).backward()

    def bare() -> None:
        batch.hidden.grad = batch.weight.grad = None
        products(batch, PRODUCTS_CHUNK)

    timing = Stopwatch(place.device).compare(work, bare)
    gradients = sum(x.numel() * x.element_size() for x in (batch.hidden, batch.weight))
    operations = 6.0 * shape[0] * shape[1] * shape[2]
    figures: dict[str, float | str] = {
        "ms": timing.median * 1e3,
        "ms_min": min(timing.seconds) * 1e3,
        "ms_max": max(timing.seconds) * 1e3,
        "rounds": float(len(timing.seconds)),
        "over_products": timing.ratio,
        "tflops": operations / timing.median / 1e12,
        "products_tflops": operations * timing.ratio / timing.median / 1e12,
        "first_s": timing.first_s,
    }
    if place.on_gpu:
        figures["extra_mib"] = (timing.extra_bytes - gradients) / 2**20
    if shape in LIGER_H100_MS:
        figures["liger_h100_ms"] = LIGER_H100_MS[shape]
    return Found(figures=figures)
