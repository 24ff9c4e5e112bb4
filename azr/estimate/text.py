"""The estimate as lines: each a TOML comment, so that a dry run's output is still a configuration.

A `~` marks what is estimated; a figure without it follows from sizes alone.
"""

import os
from collections.abc import Iterator

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
from azr.estimate.tokens import ASSUMED, StepTokens, step_tokens
from azr.estimate.verdict import FRAMEWORKS, Fit, least_gpu, verdict_of

__all__ = ["describe"]

HOST_PROCESSES = 3 * GIB
"""torch, vLLM and the sandbox of a run, without weights (estimate)."""


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
        *_head(config),
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


def _head(config: RunConfig) -> Iterator[str]:
    yield "estimate; ~ marks what is not exact. Of one process on one device"
    if config.cluster.processes > 1:
        yield (
            f"cluster.processes = {config.cluster.processes} share the learner's weights,"
            " gradients and moments: there is no estimate of that yet"
        )


def _commented(lines: list[str]) -> str:
    return "".join(f"# {line}".rstrip() + "\n" for line in lines)


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
    if gpu_bytes is not None and rollout.engine != "transformers":
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
    yield _row("  weights, float32", learner.weights)
    if learner.copy:
        yield _row(f"  their copy, {config.model.dtype}", learner.copy)
    if learner.reference:
        yield _row(f"  frozen reference, {config.model.dtype}", learner.reference)
    yield _row("  AdamW's two moments, float32", learner.moments)
    yield _row("  gradients, float32", learner.gradients)
    if learner.copy:
        yield _row(f"  gradients, {config.model.dtype}", learner.copy_gradients, " in a backward")
    how = "with" if config.model.gradient_checkpointing else "without"
    what = f" of {learner.tokens:,} tokens, {how} gradient checkpointing"
    yield _row("  activations", learner.activations, what, is_exact=False)
    yield _row("  one layer's backward", learner.layer, is_exact=False)
    loss = " (no logits of all tokens)" if config.loss.backend != "reference" else ""
    yield _row("  the loss's scratch", learner.loss, loss, is_exact=False)
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
    P, keep = shape.parameters, config.checkpoint.keep
    if gpu_bytes is not None:
        yield _row(
            "host memory",
            HOST_PROCESSES + 8 * P,
            " on --resume, which reads AdamW's moments; else half of the weights' part",
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
        # malloc keeps about as much as was freed of activations (docs/method/hardware.md)
        kept = learner.activations + learner.layer
        yield _row("freed memory that malloc keeps", kept, is_exact=False)
        needed = learner.peak + kept + engine.budget + HOST_PROCESSES
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        beside = f" of this machine's {memory / GIB:.1f}; ~{HOST_PROCESSES / GIB:.0f} for processes"
        yield _row("on a CPU, all together", needed, beside, is_exact=False)
        if needed > memory:
            yield "verdict  does not fit into this machine's memory, by the estimate"
            yield f"         it takes a GPU of ~{least_gpu(config, shape)} GiB (see --gpu-memory)"
        else:
            yield "verdict  fits this machine (--gpu-memory GIB plans for a GPU instead)"
        return
    verdict = verdict_of(config, shape, gpu_bytes)
    needed = learner.peak + engine.budget + FRAMEWORKS
    beside = f" of {gpu_bytes / GIB:.1f}; ~{FRAMEWORKS / GIB:.0f} of it for CUDA and the frameworks"
    yield _row("on the GPU, all together", needed, beside, is_exact=False)
    yield f"verdict  {verdict.fit}: {verdict.reason}"
    for remedy in verdict.remedies:
        yield f"         {remedy}"
    if verdict.fit is Fit.FITS:
        least = least_gpu(config, shape, as_it_is=True)
        yield f"         the smallest GPU for it has ~{least} GiB"


def _row(name: str, size: int, what: str = "", *, is_exact: bool = True) -> str:
    return f"{name:<32}{'' if is_exact else '~':>1}{size / GIB:>8.2f} GiB{what}"
