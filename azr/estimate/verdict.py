"""Does a run fit into a GPU's memory; if not, why not, and what to change.

Two kinds of no. CANNOT follows from exact sizes alone: the weights, gradients and moments that
every update holds, beside what the engine takes when it starts. WILL_NOT needs the estimates.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from azr.config import RunConfig
from azr.estimate.memory import (
    GIB,
    EngineMemory,
    LearnerMemory,
    engine_memory,
    learner_memory,
    longest_sequence,
)
from azr.estimate.shape import ModelShape

__all__ = ["FRAMEWORKS", "Fit", "Verdict", "least_gpu", "verdict_of"]

FRAMEWORKS = GIB
"""CUDA's context, libraries' workspaces, vLLM's captured graphs, in one process (estimate)."""

BYTES_A_PARAMETER = 24
"""AdamW's step (weights 4, copy 2, gradients 4, moments 8, a square root 4), and the engine's 2."""

CONCURRENT = 4
"""Longest sequences an engine should have room for when its share of the memory is lowered."""


class Fit(StrEnum):
    """Whether it fits."""

    FITS = "fits"
    WILL_NOT = "does not fit, by the estimate"
    CANNOT = "cannot fit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The answer for one GPU."""

    fit: Fit
    reason: str
    remedies: tuple[str, ...] = ()
    """What to change, with dotted keys; empty when it fits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """A configuration on a GPU."""

    config: RunConfig
    learner: LearnerMemory
    engine: EngineMemory

    @classmethod
    def of(cls, config: RunConfig, shape: ModelShape, gpu_bytes: int) -> "Sizes":
        """Work them out."""
        return cls(
            config=config,
            learner=learner_memory(config, shape, on_gpu=True),
            engine=engine_memory(config, shape, gpu_bytes),
        )

    @property
    def needed(self) -> int:
        """At the worst moment of an update."""
        return self.learner.peak + self.engine.budget + FRAMEWORKS

    @property
    def certain(self) -> int:
        """Of that, what does not rest on an estimate."""
        takes_share = self.config.rollout.engine != "transformers"
        return self.learner.fixed + (self.engine.budget if takes_share else self.engine.weights)


def verdict_of(config: RunConfig, shape: ModelShape, gpu_bytes: int) -> Verdict:
    """For one process on one GPU of so many bytes."""
    sizes = Sizes.of(config, shape, gpu_bytes)
    fit, reason = _judged(sizes, gpu_bytes)
    if fit is Fit.FITS:
        return Verdict(fit=fit, reason=reason)
    return Verdict(fit=fit, reason=reason, remedies=_remedies(config, shape, gpu_bytes))


def least_gpu(config: RunConfig, shape: ModelShape, *, as_it_is: bool = False) -> int:
    """Whole GiB of the smallest GPU that holds the run, by the estimate.

    Args:
        config: The run.
        shape: Its model.
        as_it_is: Change nothing; else every memory key may be set to what takes least.
    """
    sizes = range(1, 4096)
    for gib in sizes:
        changed = config if as_it_is else _changed(config, shape, gib * GIB, CHANGES)[0]
        if _judged(Sizes.of(changed, shape, gib * GIB), gib * GIB)[0] is Fit.FITS:
            return gib
    return sizes.stop


def _judged(sizes: Sizes, gpu_bytes: int) -> tuple[Fit, str]:
    learner, engine, rollout = sizes.learner, sizes.engine, sizes.config.rollout
    if sizes.certain > gpu_bytes:
        copy = f", their bfloat16 copy {gib(learner.copy)}" if learner.copy else ""
        copy += f", loss.kl's reference {gib(learner.reference)}" if learner.reference else ""
        return Fit.CANNOT, (
            f"an update of {learner.weights // 4:,} parameters holds {gib(learner.fixed)} GiB"
            f" whatever the batch (float32 weights {gib(learner.weights)}{copy}, gradients"
            f" {gib(learner.gradients)}, AdamW's moments {gib(learner.moments)}) and the engine"
            f" {gib(sizes.certain - learner.fixed)} beside it: {gib(sizes.certain)} of"
            f" {gib(gpu_bytes)} GiB"
        )
    share = (
        f"rollout.gpu_memory_utilization = {rollout.gpu_memory_utilization} gives the engine"
        f" {gib(engine.budget)} GiB"
    )
    if engine.weights + engine.sequence > engine.budget:
        return Fit.CANNOT, (
            f"{share}, but its weights take {gib(engine.weights)} and one sequence of"
            f" {longest_sequence(rollout):,} tokens {gib(engine.sequence)}"
        )
    if engine.least > engine.budget:
        return Fit.WILL_NOT, (
            f"{share}, but it needs about {gib(engine.least)} for its weights, its working memory"
            " and a single sequence"
        )
    worst = max(learner.peaks, key=lambda moment: learner.peaks[moment])
    used = f"about {gib(sizes.needed)} of {gib(gpu_bytes)} GiB at the worst moment ({worst})"
    return (Fit.WILL_NOT if sizes.needed > gpu_bytes else Fit.FITS), used


# ---------------------------------------------------------------- what to change

Change = Callable[[RunConfig, ModelShape, int], RunConfig]


def _checkpoint_activations(config: RunConfig, _shape: ModelShape, _gpu: int) -> RunConfig:
    return replace(config, model=replace(config.model, gradient_checkpointing=True))


def _shorten_micro_batches(config: RunConfig, _shape: ModelShape, _gpu: int) -> RunConfig:
    least = min(config.learner.micro_batch_tokens, longest_sequence(config.rollout))
    return replace(config, learner=replace(config.learner, micro_batch_tokens=least))


def _halve_the_engines_weights(config: RunConfig, _shape: ModelShape, _gpu: int) -> RunConfig:
    return replace(config, rollout=replace(config.rollout, dtype="bfloat16"))


def _give_the_engine_enough(config: RunConfig, shape: ModelShape, gpu_bytes: int) -> RunConfig:
    """Its weights, working memory and a few sequences, rounded up to a hundredth."""
    engine = engine_memory(config, shape, gpu_bytes)
    wanted = engine.least + (CONCURRENT - 1) * engine.sequence
    share = min(0.95, math.ceil(100 * wanted / gpu_bytes) / 100)
    return replace(config, rollout=replace(config.rollout, gpu_memory_utilization=share))


CHANGES: tuple[tuple[str, Change], ...] = (
    ("rollout.gpu_memory_utilization", _give_the_engine_enough),
    ("model.gradient_checkpointing", _checkpoint_activations),
    ("learner.micro_batch_tokens", _shorten_micro_batches),
    ("rollout.dtype", _halve_the_engines_weights),
)
"""Those that leave a run's results as they are but for rounding, the cheapest first."""


def _changed(
    config: RunConfig, shape: ModelShape, gpu_bytes: int, changes: Sequence[tuple[str, Change]]
) -> tuple[RunConfig, list[str]]:
    """The configuration with the changes, and those that changed something, as flags."""
    changed = config
    for _, change in changes:
        changed = change(changed, shape, gpu_bytes)
    changed = CHANGES[0][1](changed, shape, gpu_bytes)  # the engine's share follows its dtype
    flags: list[str] = []
    for key, _ in changes:
        table, _, field = key.partition(".")
        old, new = (getattr(getattr(c, table), field) for c in (config, changed))
        if old != new:
            flags.append(f"--{key} {str(new).lower() if isinstance(new, bool) else new}")
    return changed, flags


def _remedies(config: RunConfig, shape: ModelShape, gpu_bytes: int) -> tuple[str, ...]:
    for count in range(1, len(CHANGES) + 1):
        changed, flags = _changed(config, shape, gpu_bytes, CHANGES[:count])
        if _judged(Sizes.of(changed, shape, gpu_bytes), gpu_bytes)[0] is Fit.FITS:
            return (f"fits, by the estimate, with {' '.join(flags)}",)
    least = least_gpu(config, shape)
    _, flags = _changed(config, shape, least * GIB, CHANGES)
    beside = f" with {' '.join(flags)}" if flags else ""
    a_parameter = f"{BYTES_A_PARAMETER} bytes a parameter, activations, keys and values aside"
    billions = gpu_bytes / BYTES_A_PARAMETER / 1e9
    return (
        f"no setting makes it fit here: it takes one GPU of ~{least} GiB{beside}",
        "or several GPUs, for which there is no estimate yet: cluster.processes, docs/cluster.md",
        f"or a model of less than {billions:.1f} billion ({a_parameter})",
    )


def gib(number: float) -> str:
    """Bytes in GiB, to a tenth."""
    return f"{number / GIB:.1f}"
