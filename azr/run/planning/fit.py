"""Does a run fit into its GPUs' memory; if not, why not, and what to change.

All processes hold as much as each other, so the answer for one GPU is the answer for all of them.
Two kinds of no. CANNOT follows from exact sizes alone: the weights, gradients and moments that
every update holds, beside what the engine takes when it starts. WILL_NOT needs the estimates.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from azr.config.engines import engine_named
from azr.config.run import RunConfig
from azr.run.planning.memory import (
    GIB,
    EngineMemory,
    LearnerMemory,
    engine_memory,
    learner_memory,
    longest_sequence,
)
from azr.run.planning.shape import ModelShape

__all__ = [
    "MOST_GPUS",
    "Fit",
    "Verdict",
    "frameworks",
    "least_gpu",
    "least_gpus",
    "on_gpus",
    "verdict_of",
]

FRAMEWORKS = GIB
"""CUDA's context, libraries' workspaces, vLLM's captured graphs, in one process (estimate)."""

COLLECTIVES = GIB
"""NCCL's buffers and channels, beside that, where there are several processes (estimate)."""

BYTES_A_PARAMETER = 22
"""One GPU's backward (weights 4, copy 2, gradients 4 and 2, moments 8), and the engine's 2."""

MOST_GPUS = 64
"""As many as are looked at when the least number is asked for."""

CONCURRENT = 4
"""Longest sequences an engine should have room for when its share of the memory is lowered."""


class Fit(StrEnum):
    """Whether it fits."""

    FITS = "fits"
    WILL_NOT = "does not fit, by the estimate"
    CANNOT = "cannot fit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The answer for each GPU of a run."""

    fit: Fit
    reason: str
    remedies: tuple[str, ...] = ()
    """What to change, with dotted keys; empty when it fits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """A configuration on one of its GPUs."""

    config: RunConfig
    parameters: int
    learner: LearnerMemory
    engine: EngineMemory

    @classmethod
    def of(cls, config: RunConfig, shape: ModelShape, gpu_bytes: int) -> "Sizes":
        """Work them out."""
        return cls(
            config=config,
            parameters=shape.parameters,
            learner=learner_memory(config, shape, on_gpu=True),
            engine=engine_memory(config, shape, gpu_bytes),
        )

    @property
    def needed(self) -> int:
        """At the worst moment of an update."""
        processes = self.config.cluster.processes
        return self.learner.peak + self.engine.budget + frameworks(processes)

    @property
    def certain(self) -> int:
        """Of that, what does not rest on an estimate."""
        takes_share = engine_named(self.config.rollout.engine).reserves_memory
        return self.learner.certain + (self.engine.budget if takes_share else self.engine.weights)


def verdict_of(config: RunConfig, shape: ModelShape, gpu_bytes: int) -> Verdict:
    """For `cluster.processes` GPUs of so many bytes each."""
    sizes = Sizes.of(config, shape, gpu_bytes)
    fit, reason = _judged(sizes, gpu_bytes)
    if fit is Fit.FITS:
        return Verdict(fit=fit, reason=reason)
    return Verdict(fit=fit, reason=reason, remedies=_remedies(config, shape, gpu_bytes))


def frameworks(processes: int) -> int:
    """What the frameworks keep for themselves in one of so many processes, in bytes."""
    return FRAMEWORKS + (COLLECTIVES if processes > 1 else 0)


def least_gpu(config: RunConfig, shape: ModelShape, *, as_it_is: bool = False) -> int:
    """Whole GiB of the smallest GPU of which `cluster.processes` hold the run, by the estimate.

    Args:
        config: The run.
        shape: Its model.
        as_it_is: Change nothing; else every memory key may be set to what takes least.
    """
    sizes = range(1, 4096)
    for gib in sizes:
        if _fits(config, shape, gib * GIB, as_it_is=as_it_is):
            return gib
    return sizes.stop


def least_gpus(
    config: RunConfig, shape: ModelShape, gpu_bytes: int, *, as_it_is: bool = False
) -> int | None:
    """How many GPUs of one size hold the run, by the estimate; None: not even MOST_GPUS do.

    Args:
        config: The run; its own `cluster.processes` does not matter.
        shape: Its model.
        gpu_bytes: All memory of each.
        as_it_is: Change nothing else; else every memory key may be set to what takes least.
    """
    for number in range(1, MOST_GPUS + 1):
        if _fits(on_gpus(config, number), shape, gpu_bytes, as_it_is=as_it_is):
            return number
    return None


def on_gpus(config: RunConfig, number: int) -> RunConfig:
    """The same run on so many GPUs."""
    return replace(config, cluster=replace(config.cluster, processes=number))


def _fits(config: RunConfig, shape: ModelShape, gpu_bytes: int, *, as_it_is: bool) -> bool:
    changed = config if as_it_is else _changed(config, shape, gpu_bytes, CHANGES)[0]
    return _judged(Sizes.of(changed, shape, gpu_bytes), gpu_bytes)[0] is Fit.FITS


def _judged(sizes: Sizes, gpu_bytes: int) -> tuple[Fit, str]:
    learner, engine, rollout = sizes.learner, sizes.engine, sizes.config.rollout
    if sizes.certain > gpu_bytes:
        return Fit.CANNOT, (
            f"{_holds(sizes)} and the engine {gib(sizes.certain - learner.certain)} beside it:"
            f" {gib(sizes.certain)} of {gib(gpu_bytes)} GiB"
        )
    share = (
        f"rollout.gpu_memory_utilization = {rollout.gpu_memory_utilization} gives the engine"
        f" {gib(engine.budget)} GiB"
    )
    whole = ", whole on each GPU," if sizes.config.cluster.processes > 1 else ""
    if engine.weights + engine.sequence > engine.budget:
        return Fit.CANNOT, (
            f"{share}, but its weights{whole} take {gib(engine.weights)} and one sequence of"
            f" {longest_sequence(rollout):,} tokens {gib(engine.sequence)}"
        )
    if engine.least > engine.budget:
        return Fit.WILL_NOT, (
            f"{share}, but it needs about {gib(engine.least)} for its weights{whole} its working"
            " memory and a single sequence"
        )
    worst = max(learner.peaks, key=lambda moment: learner.peaks[moment])
    used = f"about {gib(sizes.needed)} of {gib(gpu_bytes)} GiB at the worst moment ({worst})"
    return (Fit.WILL_NOT if sizes.needed > gpu_bytes else Fit.FITS), used


def _holds(sizes: Sizes) -> str:
    """What an update has in memory whatever is in its batch."""
    learner, processes = sizes.learner, sizes.config.cluster.processes
    parts = [f"float32 weights {gib(learner.weights)}"]
    if learner.copy:
        parts.append(f"their bfloat16 copy {gib(learner.copy)}")
    if learner.reference:
        parts.append(f"the reference {gib(learner.reference)}")
    parts.append(f"gradients {gib(learner.gradients)}")
    parts.append(f"AdamW's moments {gib(learner.moments)}")
    if learner.root:
        parts.append(f"embedding and head, whole, {gib(learner.root)}")
    where = f", on each of {processes} GPUs," if processes > 1 else ""
    what = f"an update of {sizes.parameters:,} parameters holds{where}"
    return f"{what} {gib(learner.certain)} GiB whatever the batch ({', '.join(parts)})"


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
    """Its weights, working memory and a few sequences, rounded up to a hundredth.

    A share that is smaller than that and holds one sequence stays as it is.
    """
    engine, now = engine_memory(config, shape, gpu_bytes), config.rollout.gpu_memory_utilization
    wanted = engine.least + (CONCURRENT - 1) * engine.sequence
    share = min(0.95, math.ceil(100 * wanted / gpu_bytes) / 100)
    if now < share and engine.least <= engine.budget:
        return config
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
    several = _on_more_gpus(config, shape, gpu_bytes)
    for count in range(1, len(CHANGES) + 1):
        changed, flags = _changed(config, shape, gpu_bytes, CHANGES[:count])
        if _judged(Sizes.of(changed, shape, gpu_bytes), gpu_bytes)[0] is Fit.FITS:
            return (f"fits, by the estimate, with {' '.join(flags)}", *several)
    if several:
        here = f"no setting makes it fit {_here(config, gpu_bytes)}"
        return (*several, here, *_larger_gpu(config, shape))
    engine = gib(engine_memory(config, shape, gpu_bytes).weights)
    reason = (
        f"no number of GPUs of {gib(gpu_bytes)} GiB holds it: each has an engine with all weights"
        f" ({engine} GiB, {config.rollout.dtype}), embedding and head, and the activations of a"
        " micro-batch; only the rest is shared"
    )
    return (reason, *_larger_gpu(config, shape))


def _on_more_gpus(config: RunConfig, shape: ModelShape, gpu_bytes: int) -> tuple[str, ...]:
    """With the least changes, and, where that takes more GPUs, with none."""
    plain = least_gpus(config, shape, gpu_bytes, as_it_is=True)
    least = least_gpus(config, shape, gpu_bytes)
    if least is None:
        return ()
    lines: list[str] = []
    if least > config.cluster.processes and (plain is None or least < plain):
        _, flags = _changed(on_gpus(config, least), shape, gpu_bytes, CHANGES)
        flags = [f"--cluster.processes {least}", *flags]
        lines.append(f"fits, by the estimate, {_gpus(least, gpu_bytes)} with {' '.join(flags)}")
    if plain is not None and plain > config.cluster.processes:
        flag = f"--cluster.processes {plain}"
        lines.append(f"fits, by the estimate, {_gpus(plain, gpu_bytes)} with {flag}")
    return tuple(lines)


def _larger_gpu(config: RunConfig, shape: ModelShape) -> tuple[str, ...]:
    """What the same number of larger GPUs would have to be, or the model."""
    least, number = least_gpu(config, shape), config.cluster.processes
    _, flags = _changed(config, shape, least * GIB, CHANGES)
    beside = f" with {' '.join(flags)}" if flags else ""
    of = "one GPU" if number == 1 else f"{number} GPUs"
    return (f"it would take {of} of ~{least} GiB{beside}",)


def _here(config: RunConfig, gpu_bytes: int) -> str:
    return _gpus(config.cluster.processes, gpu_bytes)


def _gpus(number: int, gpu_bytes: int) -> str:
    size = gib(gpu_bytes).removesuffix(".0")
    return f"on {number} GPU{'s' if number > 1 else ''} of {size} GiB"


def gib(number: float) -> str:
    """Bytes in GiB, to a tenth."""
    return f"{number / GIB:.1f}"
