"""The plan as lines: each a TOML comment, so that a dry run's output is still a configuration."""

import os
from collections.abc import Iterator

from azr.config.engines import engine_named
from azr.config.run import RunConfig
from azr.run.planning.adapters import adapter_tensors
from azr.run.planning.fit import Fit, fit_of, remedies_for
from azr.run.planning.memory import GIB, Need, Needs, needs_of
from azr.run.planning.shape import ModelShape

__all__ = ["describe"]


def describe(config: RunConfig, shape: ModelShape | None, gpu_bytes: int | None) -> str:
    """All lines; `gpu_bytes` is None for a run on this machine's CPU."""
    if shape is None:
        name = config.model.name
        lines = [
            f"no estimate: {name} is no folder here, not in the Hugging Face cache, and none",
            f"of the paper's models. `hf download {name} config.json` is enough for one.",
        ]
    else:
        needs = needs_of(config, shape, gpu_bytes)
        lines = [
            *_model(config, shape),
            "",
            *_memory(config, needs, has_share=gpu_bytes is not None),
            "",
            *_step(config, shape),
            "",
            *_answer(config, shape, needs, gpu_bytes),
        ]
    return "".join(f"# {line}".rstrip() + "\n" for line in lines)


def _model(config: RunConfig, shape: ModelShape) -> Iterator[str]:
    yield "what a run needs; ~ marks what is not exact"
    adapters = trained_numbers(config, shape)
    trained = f", and {adapters:,} in adapters, which are trained" if config.lora.rank else ""
    yield f"model  {config.model.name}: {shape.parameters:,} parameters{trained}"
    cluster = config.cluster
    if cluster.learners:
        yield f"sizes are of one GPU: a learner's, one of {cluster.learners} that share weights,"
        yield f"gradients and moments, or an engine's, one of {cluster.engines}"


def _memory(config: RunConfig, needs: Needs, *, has_share: bool) -> Iterator[str]:
    rollout, note = config.rollout, ""
    has_share = has_share and engine_named(rollout.engine).reserves_memory
    if has_share:
        note = f"rollout.gpu_memory_utilization = {rollout.gpu_memory_utilization}"
    yield _row(Need("engine", needs.budget, note, has_share))
    yield from (_row(part, "  ") for part in needs.engine)
    room = max(0, (needs.budget - needs.sampling) // needs.engine[1].bytes + 1)
    yield f"  room for ~{room} such sequences; rollout.max_concurrent = {rollout.max_concurrent}"
    yield ""
    yield _row(Need("learner", needs.updating, f"{needs.margin} times the sum of", False))
    yield from (_row(part, "  ") for part in needs.learner)


def _step(config: RunConfig, shape: ModelShape) -> Iterator[str]:
    play, rollout, keep = config.selfplay, config.rollout, config.checkpoint.keep
    slots = len(play.modes) * play.batch_size
    proposals = slots if play.train_proposer else 0
    trials = proposals * play.trials_per_task
    answers = slots
    if play.train_on_trials:  # those of a new task are its answers; without one, of a drawn task
        answers = 0 if proposals else slots * play.trials_per_task
    rollouts = proposals + trials + answers
    yield f"a step: at most {rollouts:,} rollouts, {trials:,} of them trials, each of at most"
    yield f"{rollout.max_prompt_tokens:,} + {rollout.max_completion_tokens:,} tokens"
    what = "number in adapters" if config.lora.rank else "parameter"
    note = f"12 bytes a {what}; checkpoint.keep = {keep}, one more while it is written"
    yield _row(Need("a checkpoint on disk", 12 * trained_numbers(config, shape), note, False))


def trained_numbers(config: RunConfig, shape: ModelShape) -> int:
    """All parameters, or those of the adapters."""
    if not config.lora.rank:
        return shape.parameters
    return sum(rows * length for rows, length in adapter_tensors(config.lora, shape))


def _answer(
    config: RunConfig, shape: ModelShape, needs: Needs, gpu_bytes: int | None
) -> Iterator[str]:
    if gpu_bytes is not None:
        fit, reason = fit_of(config, shape, gpu_bytes)
        yield f"verdict  {fit}: {reason}"
        if fit is not Fit.FITS:
            yield from (f"         {line}" for line in remedies_for(config, shape, gpu_bytes))
        return
    learners, engines = config.cluster.learners or 1, config.cluster.engines or 1
    number = config.cluster.learners + config.cluster.engines or 1
    needed, memory = learners * needs.updating + engines * needs.budget, _machine_bytes()
    what = "process" if number == 1 else f"{number} processes"
    note = f"of {memory / GIB:.1f}, for {what} on this CPU"
    yield _row(Need("all together", needed, note, False))
    verdict = "fits" if needed <= memory else "does not fit, by the estimate, into"
    yield f"verdict  {verdict} this machine (--gpu-memory GIB plans for a GPU instead)"


def _machine_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _row(part: Need, indent: str = "") -> str:
    mark = "" if part.is_exact else "~"
    return f"{indent + part.name:<24}{mark:>1}{part.bytes / GIB:>8.2f} GiB  {part.note}"
