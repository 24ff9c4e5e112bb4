"""The estimate as lines: each a TOML comment, so that a dry run's output is still a configuration.

A `~` marks what is estimated; a figure without it follows from sizes alone.
"""

import os
from collections.abc import Iterator

from azr.config.engines import engine_named
from azr.config.run import RunConfig
from azr.run.planning.fit import (
    Fit,
    frameworks,
    least_gpu,
    least_gpus,
    verdict_of,
)
from azr.run.planning.memory import (
    GIB,
    EngineMemory,
    LearnerMemory,
    engine_memory,
    learner_memory,
    longest_sequence,
)
from azr.run.planning.shape import ModelShape
from azr.run.planning.tokens import ASSUMED, StepTokens, step_tokens

__all__ = ["describe"]

HOST_PROCESSES = 3 * GIB
"""torch and vLLM of one process, and the run's sandbox, without weights (estimate)."""

TIGHT = 0.95
"""A larger share of a GPU's memory is at the mercy of torch's allocator, whose gaps are not counted
(no source: a GPU has not been measured)."""


def describe(config: RunConfig, shape: ModelShape | None, gpu_bytes: int | None) -> str:
    """All lines; `gpu_bytes` is None for a run on this machine's CPU."""
    if shape is None:
        name = config.model.name
        return _commented(
            [
                f"no estimate: {name} is no folder here, not in the Hugging Face cache, and none",
                f"of the paper's models. `hf download {name} config.json` is enough for one.",
            ]
        )
    learner = learner_memory(config, shape, on_gpu=gpu_bytes is not None)
    engine = engine_memory(config, shape, gpu_bytes)
    lines = [
        *_processes(config.cluster.processes),
        "",
        *_model(config, shape),
        "",
        *_engine(config, engine, gpu_bytes),
        "",
        *_learner(config, learner),
        "",
        *_tokens(config),
        "",
        *_beside(config, shape, gpu_bytes),
        "",
        *_verdict(config, shape, learner, engine, gpu_bytes),
    ]
    return _commented(lines)


def _commented(lines: list[str]) -> str:
    return "".join(f"# {line}".rstrip() + "\n" for line in lines)


def _processes(number: int) -> Iterator[str]:
    yield "estimate; ~ marks what is not exact"
    if number > 1:
        yield f"{number} processes (cluster.processes), a GPU each. Sizes are of one of them: a"
        yield f"whole engine, 1/{number} of the learner's weights, gradients and moments, and the"
        yield "activations of its own micro-batches"


def _model(config: RunConfig, shape: ModelShape) -> Iterator[str]:
    yield f"model  {config.model.name}: {shape.parameters:,} parameters, {shape.source}"
    yield (
        f"       {shape.family}, {shape.layers} layers, hidden {shape.hidden}, feed-forward"
        f" {shape.intermediate}, {shape.heads} heads ({shape.key_heads} of keys),"
        f" vocabulary {shape.vocabulary:,}"
    )


def _engine(config: RunConfig, engine: EngineMemory, gpu_bytes: int | None) -> Iterator[str]:
    rollout = config.rollout
    share = ""
    if gpu_bytes is not None and engine_named(rollout.engine).reserves_memory:
        share = (
            f" = rollout.gpu_memory_utilization {rollout.gpu_memory_utilization}"
            f" of {gpu_bytes / GIB:.1f} GiB"
        )
    yield _row("engine", engine.budget, share, is_exact=bool(share))
    yield _row(f"  weights, {rollout.dtype}", engine.weights)
    yield _row("  working memory", engine.working, is_exact=False)
    yield _row("  keys and values", engine.cache, is_exact=gpu_bytes is None)
    longest = longest_sequence(rollout)
    yield (
        f"    {engine.token:,} bytes a token, {engine.sequence / GIB:.2f} GiB for the longest"
        f" sequence ({longest:,} tokens): room for ~{engine.sequences:.1f} of"
        f" rollout.max_concurrent = {rollout.max_concurrent}"
    )
    if engine.sequences < 1:
        yield "    TOO LITTLE: not one of the longest sequences fits"


def _learner(config: RunConfig, learner: LearnerMemory) -> Iterator[str]:
    yield _row("learner, at its worst moment", learner.peak, is_exact=False)
    number = config.cluster.processes
    part = f" 1/{number} of them" if number > 1 else ""
    yield _row("  weights, float32", learner.weights, part)
    if learner.copy:
        yield _row(f"  their copy, {config.model.dtype}", learner.copy)
    if learner.reference:
        yield _row(f"  frozen reference, {config.model.dtype}", learner.reference)
    yield _row("  AdamW's two moments, float32", learner.moments, part)
    yield _row("  gradients, float32", learner.gradients, part)
    if number > 1:
        whole = f" whole, {config.model.dtype}"
        yield _row("  embedding, head, last norm", learner.root, whole)
        yield _row("  layers put together", learner.gathered, whole, is_exact=False)
        summed = " and one's that are being summed, float32"
        yield _row("  a layer's gradients", learner.reduced, summed, is_exact=False)
        yield _row("  embedding's and head's", learner.root_gradients, summed, is_exact=False)
    if learner.copy:
        yield _row(f"  gradients, {config.model.dtype}", learner.copy_gradients, " in a backward")
    how = "with" if config.model.gradient_checkpointing else "without"
    what = f" of {learner.tokens:,} tokens, {how} gradient checkpointing"
    yield _row("  activations", learner.activations, what, is_exact=False)
    yield _row("  one layer's backward", learner.layer, is_exact=False)
    loss = " (no logits of all tokens)" if config.loss.backend != "reference" else ""
    yield _row("  the loss's scratch", learner.loss, loss, is_exact=False)
    if learner.optimizer:
        yield _row("  AdamW's temporaries", learner.optimizer, is_exact=False)
    for moment, size in learner.peaks.items():
        yield _row(f"  at the {moment}".replace("the AdamW", "AdamW"), size, is_exact=False)
    if learner.tokens > config.learner.micro_batch_tokens:
        yield (
            "    (the longest sequence is one micro-batch, though longer than"
            f" learner.micro_batch_tokens = {config.learner.micro_batch_tokens:,})"
        )


def _tokens(config: RunConfig) -> Iterator[str]:
    yield "a step, at most"
    yield from _counts(step_tokens(config))
    yield (
        f"a step, ~ if {ASSUMED.valid:.0%} of the proposals are valid, prompts fill"
        f" {ASSUMED.prompt:.0%} and completions {ASSUMED.completion:.1%}"
    )
    yield "of their budgets (assumed; a run's metrics tell: valid/*, length/*)"
    yield from _counts(step_tokens(config, ASSUMED))
    number = config.cluster.processes
    if number > 1:
        yield f"each process samples and trains on about 1/{number} of it; the first alone plays"


def _counts(step: StepTokens) -> Iterator[str]:
    yield (
        f"  {step.rollouts:,.0f} rollouts: {step.proposals} proposals, {step.trials:,.0f} trials,"
        f" {step.answers:,.0f} answers"
    )
    yield (
        f"  {_millions(step.sampled)} tokens sampled, {_millions(step.read)} of prompts read,"
        f" {_millions(step.trained)} trained on"
    )


def _millions(number: float) -> str:
    return f"{number / 1e6:,.2f} million" if number >= 1e6 else f"{number:,.0f}"


def _beside(config: RunConfig, shape: ModelShape, gpu_bytes: int | None) -> Iterator[str]:
    P, keep, number = shape.parameters, config.checkpoint.keep, config.cluster.processes
    if gpu_bytes is not None and number == 1:
        yield _row(
            "host memory",
            HOST_PROCESSES + 8 * P,
            " on --resume, which reads AdamW's moments; else half of the weights' part",
            is_exact=False,
        )
    elif gpu_bytes is not None:
        yield _row(
            "host memory, all processes",
            number * HOST_PROCESSES + 4 * P,
            f" {HOST_PROCESSES / GIB:.0f} each; the first reads and writes the float32 weights,"
            f" {4 * P / GIB:.2f}",
            is_exact=False,
        )
    written = " float32 weights and AdamW's moments, and the tasks"
    yield _row("one checkpoint on disk", 12 * P, written, is_exact=False)
    yield _row(
        "checkpoints on disk",
        12 * P * (keep + 1),
        f" checkpoint.keep = {keep}, and the one that is being written",
        is_exact=False,
    )


def _verdict(
    config: RunConfig,
    shape: ModelShape,
    learner: LearnerMemory,
    engine: EngineMemory,
    gpu_bytes: int | None,
) -> Iterator[str]:
    if gpu_bytes is None:
        yield from _on_this_machine(config, shape, learner, engine)
        return
    verdict, number = verdict_of(config, shape, gpu_bytes), config.cluster.processes
    kept = frameworks(number)
    needed = learner.peak + engine.budget + kept
    what = "CUDA and the frameworks" if number == 1 else "CUDA, NCCL and the frameworks"
    beside = f" of {gpu_bytes / GIB:.1f}; ~{kept / GIB:.0f} of it for {what}"
    where = "on the GPU, all together" if number == 1 else f"on each of {number} GPUs, together"
    yield _row(where, needed, beside, is_exact=False)
    yield f"verdict  {verdict.fit}: {verdict.reason}"
    for remedy in verdict.remedies:
        yield f"         {remedy}"
    if verdict.fit is Fit.FITS:
        if needed > TIGHT * gpu_bytes:
            yield f"         but tight: {needed / gpu_bytes:.0%}, and gaps between tensors are not"
            yield "         counted; PYTORCH_ALLOC_CONF=expandable_segments:True makes fewer"
        least = least_gpu(config, shape, as_it_is=True)
        of = "the smallest GPU for it has" if number == 1 else f"the smallest {number} GPUs have"
        yield f"         {of} ~{least} GiB"
        plain = least_gpus(config, shape, gpu_bytes, as_it_is=True)
        fewest = least_gpus(config, shape, gpu_bytes)
        if plain is not None and fewest != plain:
            yield f"         {fewest} of this size are enough with the settings that a dry run with"
            yield f"         --cluster.processes {fewest} names; as it stands it takes {plain}"


def _on_this_machine(
    config: RunConfig, shape: ModelShape, learner: LearnerMemory, engine: EngineMemory
) -> Iterator[str]:
    """A CPU's verdict: its processes share the machine's memory."""
    number = config.cluster.processes
    # malloc keeps about as much as was freed of activations (docs/method/hardware.md)
    kept = learner.activations + learner.layer
    yield _row("freed memory that malloc keeps", kept, is_exact=False)
    needed = number * (learner.peak + kept + engine.budget + HOST_PROCESSES)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    beside = (
        f" of this machine's {memory / GIB:.1f}; ~{number * HOST_PROCESSES / GIB:.0f} for processes"
    )
    where = "on a CPU" if number == 1 else f"{number} processes on a CPU"
    yield _row(f"{where}, all together", needed, beside, is_exact=False)
    if needed > memory:
        yield "verdict  does not fit into this machine's memory, by the estimate"
        of = "a GPU" if number == 1 else f"{number} GPUs"
        yield f"         it takes {of} of ~{least_gpu(config, shape)} GiB (see --gpu-memory)"
    else:
        yield "verdict  fits this machine (--gpu-memory GIB plans for GPUs instead)"


def _row(name: str, size: int, what: str = "", *, is_exact: bool = True) -> str:
    return f"{name:<32}{'' if is_exact else '~':>1}{size / GIB:>8.2f} GiB{what}"
