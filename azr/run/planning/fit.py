"""Does a run fit into its GPUs' memory; if not, why not, and what to change.

All processes hold as much as each other, so the answer for one GPU is the answer for all of them.
"""

import math
from enum import StrEnum
from typing import Any

from azr.config.engines import engine_named
from azr.config.run import RunConfig
from azr.errors import ConfigError
from azr.run.planning.memory import GIB, Needs, longest_sequence, needs_of
from azr.run.planning.shape import ModelShape

__all__ = [
    "Fit",
    "fit_of",
    "least_gpu",
    "least_gpus",
    "num_gpus",
    "on_gpus",
    "refuse",
    "remedies_for",
]

MOST_GPUS = 64
"""As many as are looked at when the least number is asked for."""

CONCURRENT = 4
"""Longest sequences an engine should have room for when its share of the memory is changed."""

ALONE_SHARE = 0.9
"""Of a GPU that an engine has for itself."""

SHARE = "rollout.gpu_memory_utilization"


class Fit(StrEnum):
    """Whether it fits."""

    FITS = "fits"
    WILL_NOT = "does not fit, by the estimate"
    """What is exact would; what is counted of a batch, or the margin, does not."""
    CANNOT = "cannot fit"
    """By exact sizes alone."""


def refuse(config: RunConfig, shape: ModelShape, gpu_bytes: int, *, only_if_certain: bool) -> None:
    """Stop a run that would only run out of memory.

    Args:
        config: The run.
        shape: Its model.
        gpu_bytes: All memory of each of its GPUs.
        only_if_certain: Let pass what fails by an estimate alone.

    Raises:
        ConfigError: It does not fit; its notes say what to change.
    """
    fit, reason = fit_of(config, shape, gpu_bytes)
    if fit is Fit.FITS or (fit is Fit.WILL_NOT and only_if_certain):
        return
    refusal = ConfigError(f"{config.model.name} {fit}: {reason}")
    for remedy in remedies_for(config, shape, gpu_bytes):
        refusal.add_note(remedy)
    raise refusal


def fit_of(config: RunConfig, shape: ModelShape, gpu_bytes: int) -> tuple[Fit, str]:
    """The answer for GPUs of so many bytes each, as many as the run names, and its reason.

    On a single one learner and engine are together; on several the fuller kind decides.
    """
    needs = needs_of(config, shape, gpu_bytes)
    weights, sequence, _ = (part.bytes for part in needs.engine)
    reserves = engine_named(config.rollout.engine).reserves_memory
    beside = needs.budget if reserves else weights
    is_apart = (n := config.cluster.learners) > 0
    together = max if is_apart else sum
    certain, needed = (
        together((needs.certain, beside)),
        together((needs.updating, needs.budget)),
    )
    if certain > gpu_bytes:
        holds = f", on each of {n} learners' GPUs," if is_apart else ""
        also = "" if is_apart else f", and the engine {gib(beside)} beside it"
        return Fit.CANNOT, (
            f"an update holds{holds} {gib(needs.certain)} GiB whatever the batch{also}:"
            f" {gib(certain)} of {gib(gpu_bytes)} GiB"
        )
    parts = config.cluster.tensor_parallel
    each = f", on each of {parts} GPUs," if parts > 1 else ""
    given = f"{SHARE} = {config.rollout.gpu_memory_utilization} is {gib(needs.budget)} GiB, but"
    if weights + sequence > needs.budget:
        return Fit.CANNOT, (
            f"{given} the engine's weights{each} take {gib(weights)} and a sequence of"
            f" {longest_sequence(config):,} tokens {gib(sequence)}"
        )
    if needs.sampling > needs.budget:
        return Fit.WILL_NOT, f"{given} with one sequence the engine needs ~{gib(needs.sampling)}"
    fit = Fit.WILL_NOT if needed > gpu_bytes else Fit.FITS
    return fit, f"about {gib(needed)} of {gib(gpu_bytes)} GiB"


def remedies_for(config: RunConfig, shape: ModelShape, gpu_bytes: int) -> tuple[str, ...]:
    """What to change in a run that does not fit, as flags; none changes what the run computes."""
    flags = flags_that_fit(config, shape, gpu_bytes)
    if flags is not None:
        return (f"fits, by the estimate, with {flags}",)
    number, least = least_gpus(config, shape, gpu_bytes), least_gpu(config, shape)
    size, flags = gib(gpu_bytes).removesuffix(".0"), flags_that_fit(config, shape, least * GIB)
    larger = f"it would take {_gpus(num_gpus(config))} of ~{least} GiB with {flags}"
    if number is None:
        weights = gib(needs_of(config, shape, gpu_bytes).engine[0].bytes)
        whole = f"an engine's GPU its weights ({weights} GiB, {config.rollout.dtype})"
        reason = f"no number of GPUs of {size} GiB holds it: a learner has its own batch, {whole}"
        return (reason, larger)
    several = on_gpus(config, number)
    flags = f"{_flags_of(several)} {flags_that_fit(several, shape, gpu_bytes)}".rstrip()
    return (f"fits, by the estimate, on {_gpus(number)} of {size} GiB with {flags}", larger)


def least_gpu(config: RunConfig, shape: ModelShape) -> int:
    """Whole GiB of the smallest GPU of which as many as the run names hold it, by the estimate.

    Every key that `flags_that_fit` names may be set to what takes least.
    """
    sizes = range(1, 4096)
    return next((n for n in sizes if flags_that_fit(config, shape, n * GIB) is not None), 4096)


def least_gpus(config: RunConfig, shape: ModelShape, gpu_bytes: int) -> int | None:
    """How many GPUs of one size hold the run, likewise; None: not even MOST_GPUS do."""
    for number in range(1, MOST_GPUS + 1):
        if flags_that_fit(on_gpus(config, number), shape, gpu_bytes) is not None:
            return number
    return None


def flags_that_fit(config: RunConfig, shape: ModelShape, gpu_bytes: int) -> str | None:
    """The fewest changes with which it fits, the cheapest first; None: it does not with all."""
    if fit_of(config, shape, gpu_bytes)[0] is Fit.FITS:
        return ""
    tokens = min(config.learner.micro_batch_tokens, longest_sequence(config))
    changes = {
        "model.gradient_checkpointing": True,
        "learner.micro_batch_tokens": tokens,
        "rollout.dtype": "bfloat16",
    }
    for count in range(len(changes) + 1):
        wanted: dict[str, Any] = dict(list(changes.items())[:count])
        changed = _with_keys(config, wanted)
        wanted[SHARE] = _share_of(changed, needs_of(changed, shape, gpu_bytes), gpu_bytes)
        if fit_of(_with_keys(changed, wanted), shape, gpu_bytes)[0] is Fit.FITS:
            new = {key: value for key, value in wanted.items() if value != _value(config, key)}
            return " ".join(f"--{key} {str(value).lower()}" for key, value in new.items())
    return None


def _share_of(config: RunConfig, needs: Needs, gpu_bytes: int) -> float:
    """The engine's: enough for a few sequences, rounded up to a hundredth.

    A share that is smaller than that and holds one sequence stays as it is. A GPU of its own an
    engine may fill.
    """
    if config.cluster.learners:
        return ALONE_SHARE
    now = config.rollout.gpu_memory_utilization
    wanted = needs.sampling + (CONCURRENT - 1) * needs.engine[1].bytes
    share = min(0.95, math.ceil(100 * wanted / gpu_bytes) / 100)
    return now if now < share and needs.sampling <= needs.budget else share


def on_gpus(config: RunConfig, number: int) -> RunConfig:
    """The same run on so many GPUs: on several there is one engine, and the others learn."""
    parts = min(config.cluster.tensor_parallel, number - 1)
    several = {"learners": number - parts, "engines": 1, "tensor_parallel": parts}
    alone = {"learners": 0, "engines": 0, "tensor_parallel": 1}
    return config.changed(cluster=config.cluster.changed(**(several if number > 1 else alone)))


def num_gpus(config: RunConfig) -> int:
    """How many the run names."""
    cluster = config.cluster
    return cluster.learners + cluster.engines * cluster.tensor_parallel or 1


def _flags_of(config: RunConfig) -> str:
    cluster = config.cluster
    flags = f"--cluster.learners {cluster.learners} --cluster.engines {cluster.engines}"
    parts = cluster.tensor_parallel
    return flags if parts == 1 else f"{flags} --cluster.tensor_parallel {parts}"


def _with_keys(config: RunConfig, values: dict[str, Any]) -> RunConfig:
    for key, value in values.items():
        table, _, field = key.partition(".")
        section = getattr(config, table).changed(**{field: value})
        config = config.changed(**{table: section})
    return config


def _value(config: RunConfig, key: str) -> object:
    table, _, field = key.partition(".")
    return getattr(getattr(config, table), field)


def _gpus(number: int) -> str:
    return "one GPU" if number == 1 else f"{number} GPUs"


def gib(number: float) -> str:
    """Bytes in GiB, to a tenth."""
    return f"{number / GIB:.1f}"
