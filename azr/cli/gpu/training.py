"""How fast does a model learn? One packed micro-batch forward and backward, and a whole update.

The model is random, in the shape of a real one. C completion tokens of a micro-batch.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
# (torch, transformers and vllm are typed in part)

import gc
import time
from collections.abc import Iterator, Mapping
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, cast

import torch

from azr.cli.gpu.device import PEAK_TFLOPS, Place, Stopwatch
from azr.cli.gpu.models import (
    QWEN_0_5B,
    QWEN_1_5B,
    TINY,
    Shape,
    random_model,
    rollouts,
    write_model,
)
from azr.cli.gpu.parts import Case, Found
from azr.config.loss import Backend, LossConfig, LossKind
from azr.config.run import LearnerConfig, ModelConfig, RunConfig
from azr.learner.learner import TorchLearner
from azr.learner.loss import Normalizer
from azr.learner.mini_batch import ScoredBatch, batch_loss
from azr.learner.packed_model import PackedModel
from azr.learner.packing import MicroBatch, pack, sequences_of

__all__ = ["operations", "throughput", "updates"]

PROMPT, COMPLETION = 512, 1536
"""Tokens of a rollout on a GPU; a CPU gets a sixteenth."""
LARGEST_DIFFERENCE = {"float32": 1e-3, "bfloat16": 2e-2}
"""Of an update's loss and of its gradient's norm, fused and plain, relative: both round, and the
weights after a first step differ by what rounding decides."""


def throughput(place: Place) -> Iterator[Case]:
    """Micro-batches of several sizes, then the largest with activations computed again."""
    numbers = (2, 4, 8) if place.on_gpu else (2,)
    for number in numbers:
        yield Case(f"{number} rollouts", partial(passed, place, number, checkpointing=False))
    last = numbers[-1]
    name = f"{last} rollouts, gradient checkpointing"
    yield Case(name, partial(passed, place, last, checkpointing=True))


@lru_cache(maxsize=1)
def drawn(place: Place) -> Any:
    """The model, in bfloat16 as a run's forward and backward are on a GPU."""
    return random_model(shape_of(place), place.device, torch.bfloat16).train()


def shape_of(place: Place) -> Shape:
    """Qwen2.5-1.5B's on a GPU."""
    return QWEN_1_5B if place.on_gpu else TINY


def batch_of(place: Place, number: int, shape: Shape) -> MicroBatch:
    """That many rollouts in one row."""
    short = 1 if place.on_gpu else 16
    experiences = rollouts(number, PROMPT // short, COMPLETION // short, shape.words, seed=0)
    sequences = sequences_of(experiences, [(-1.0) ** i for i in range(number)])
    [batch] = pack(sequences, sum(sequence.num_tokens for sequence in sequences))
    return batch.to(place.device)


def passed(place: Place, number: int, *, checkpointing: bool) -> Found:
    """Forward, loss and backward of one micro-batch, timed in turn with its forward alone."""
    model, shape = drawn(place), shape_of(place)
    if checkpointing:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    else:
        model.gradient_checkpointing_disable()
    pupil, batch = PackedModel(model, LossConfig()), batch_of(place, number, shape)
    whole = Normalizer(num_tokens=float(len(batch.targets)), num_sequences=float(number))
    scored = ScoredBatch(batch, old=None, ref=None)

    def work() -> None:
        model.zero_grad(set_to_none=True)
        loss, _ = batch_loss(pupil, scored, whole, pupil.config)
        cast(Any, loss).backward()

    def forward() -> None:
        model.zero_grad(set_to_none=True)
        pupil.logprobs(batch)

    timing = Stopwatch(place.device).compare(work, forward)
    model.zero_grad(set_to_none=True)
    figures: dict[str, float | str] = {
        "tokens": float(batch.num_tokens),
        "ms": timing.median * 1e3,
        "tokens_per_s": batch.num_tokens / timing.median,
        "over_forward": timing.ratio,
        "first_s": timing.first_s,
    }
    if place.on_gpu:
        rate = operations(shape, batch) / timing.median / 1e12
        figures |= {"extra_mib": timing.extra_bytes / 2**20, "tflops": rate}
        figures |= share_of_peak(rate, cast(Any, torch.cuda).get_device_name(place.device))
    return Found(figures=figures)


def share_of_peak(tflops: float, name: str) -> dict[str, float | str]:
    """MFU, or why there is none."""
    peak = PEAK_TFLOPS.get(name)
    return (
        {"mfu": f"none: the peak of {name} is not known"}
        if peak is None
        else {"mfu": tflops / peak}
    )


def operations(shape: Shape, batch: MicroBatch) -> float:
    """What forward and backward must compute, once: products of the layers, the head, attention.

    A token attends to half of its rollout on average. Nothing that is computed again counts.
    """
    pairs = sum(tree.stem**2 for tree in batch.trees) / 2
    attention = 12.0 * shape.layers * shape.heads * shape.head_size * pairs
    head = 6.0 * len(batch.targets) * shape.hidden * shape.words
    return 6.0 * batch.num_tokens * shape.body + head + attention


def updates(place: Place) -> Iterator[Case]:
    """A real learner in both precisions, with the fused loss and with plain torch."""
    for dtype in ("float32", "bfloat16"):
        yield Case(dtype, partial(updated, place, dtype))


def updated(place: Place, dtype: str) -> Found:
    """Two updates with each loss; the second meets an optimizer that has moments."""
    shape = QWEN_0_5B if place.on_gpu else TINY
    folder = write_model(place.folder / f"model-{shape.hidden}", shape, place.device)
    experiences = rollouts(4, 64, 192, shape.words, seed=1)
    figures: dict[str, float | str] = {}
    found: list[Mapping[str, float]] = []
    fused = Backend.TRITON if place.on_gpu else Backend.NATIVE
    for word, backend in (("fused", fused), ("plain", Backend.REFERENCE)):
        gc.collect()  # the learner before it has cycles
        if place.on_gpu:
            torch.cuda.reset_peak_memory_stats()
        learner = learner_of(folder, dtype, backend)
        learner.update(experiences, [1.0, -1.0, 0.5, -0.5])
        start = time.perf_counter()
        statistics = learner.update(experiences, [1.0, -1.0, 0.5, -0.5])
        figures[f"{word}_s"] = time.perf_counter() - start  # all is done: statistics are here
        found.append(statistics)
        figures |= {f"{word}_{name}": statistics[name] for name in ("loss", "grad_norm")}
        if place.on_gpu:
            figures[f"{word}_peak_mib"] = torch.cuda.max_memory_allocated() / 2**20
        del learner
    return Found(figures=figures, fault=difference(found[0], found[1], LARGEST_DIFFERENCE[dtype]))


def learner_of(folder: Path, dtype: str, backend: Backend) -> TorchLearner:
    """As a run has it."""
    config = RunConfig(
        model=ModelConfig(name=str(folder), dtype=cast(Any, dtype)),
        learner=LearnerConfig(lr=1e-5, micro_batch_tokens=1024),
        loss=LossConfig(loss=LossKind.REINFORCE, entropy_coef=0.01, backend=backend),
    )
    return TorchLearner(config, folder)


def difference(fused: Mapping[str, float], plain: Mapping[str, float], limit: float) -> str:
    """What is wrong with the fused update; empty if nothing is."""
    for name in ("loss", "grad_norm"):
        a, b = fused[name], plain[name]
        if not abs(a - b) <= limit * max(1e-3, abs(b)):
            return f"{name} is {a:.6g} with the fused loss and {b:.6g} with plain torch"
    return ""
