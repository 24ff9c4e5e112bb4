"""Does vLLM sample what the learner trains? The strict proof of weights, seeds and aborts.

A random model in float32, a real learner and the engine of `azr train` in one process. After each
of three updates the weights are handed over, and the engine's log-probabilities of a known text
must be the learner's within rollout.probe_tolerance.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
# (torch, transformers and vllm are typed in part)

import os
import time
from collections.abc import Iterator
from functools import cache, partial
from typing import Any

from azr.cli.gpu.device import Place
from azr.cli.gpu.models import TINY, rollouts, write_model
from azr.cli.gpu.parts import Case, Found
from azr.config.run import LearnerConfig, ModelConfig, RolloutConfig, RunConfig
from azr.errors import StaleWeights
from azr.learner.learner import TorchLearner
from azr.rollout.requests import Request, Sampled
from azr.rollout.vllm_engine import VllmEngine
from azr.rollout.weight_proof import Probe

__all__ = ["cases"]

NUM_UPDATES = 3
PROMPT = tuple(range(3, 99))
CONTEXT = 512
MOST_STEPS = 1000
"""An engine that has not answered after so many hangs."""


def cases(place: Place) -> Iterator[Case]:
    """In this order: the first starts the engine, and without it there are no others."""
    yield Case("start", partial(started, place))
    if not opened.cache_info().currsize:
        return
    yield Case("proof of weights, float32", partial(proved, place))
    yield Case("seeds", partial(seeded, place))
    yield Case("abort", partial(aborted, place))


@cache
def opened(place: Place) -> tuple[TorchLearner, VllmEngine, RunConfig]:
    """A learner and an engine with the same weights."""
    folder = write_model(place.folder / f"model-{TINY.hidden}", TINY, place.device)
    config = RunConfig(
        model=ModelConfig(name=str(folder)),
        learner=LearnerConfig(lr=1e-3, micro_batch_tokens=512),
        rollout=RolloutConfig(max_concurrent=8, gpu_memory_utilization=0.3),
    )
    learner = TorchLearner(config, folder)
    return learner, VllmEngine(folder, config.rollout, max_model_len=CONTEXT), config


def started(place: Place) -> Found:
    """How long it takes, with what vLLM compiles; and which model runner it chose."""
    start = time.perf_counter()
    _, engine, _ = opened(place)
    seconds = time.perf_counter() - start
    core: Any = engine._core  # pyright: ignore[reportPrivateUsage]
    chosen = 2 if core.vllm_config.use_v2_model_runner else 1
    asked = int(os.environ["VLLM_USE_V2_MODEL_RUNNER"]) + 1
    fault = "" if chosen == asked else f"vLLM took its model runner {chosen}, not {asked}"
    return Found(figures={"start_s": seconds, "runner": float(chosen)}, fault=fault)


def proved(place: Place) -> Found:
    """Update, hand over, compare; and a push that was missed must be found."""
    learner, engine, config = opened(place)
    probe = Probe(PROMPT, config.rollout)
    figures: dict[str, float | str] = {}
    for version in range(1, NUM_UPDATES + 1):
        learner.update(rollouts(4, 32, 32, TINY.words, seed=version), [1.0, -1.0, 0.5, -0.5])
        if version == NUM_UPDATES and not is_refused(probe, learner, engine, version):
            return Found(fault="an engine that missed a push passed the proof")
        start = time.perf_counter()
        engine.load(learner.weights, version)
        figures["load_s"] = time.perf_counter() - start
        for name, value in probe.check(engine, learner.weights, version).items():
            figures[f"{name.removeprefix('sync/')}_{version}"] = value
    return Found(figures=figures)


def is_refused(probe: Probe, learner: TorchLearner, engine: VllmEngine, version: int) -> bool:
    """Whether the proof finds that the engine has older weights."""
    try:
        probe.check(engine, learner.weights, version)
    except StaleWeights:
        return True
    return False


def seeded(place: Place) -> Found:
    """One seed gives one text, alone or among others; another seed gives another."""
    _, engine, _ = opened(place)
    alone, other = sampled(engine, [5])[0], sampled(engine, [6])[0]
    among = sampled(engine, [5, 6, 7, 8])[0]
    figures = {"tokens": float(len(alone.ids)), "same_among_others": float(among.ids == alone.ids)}
    if sampled(engine, [5])[0].ids != alone.ids:
        return Found(figures=figures, fault="the same seed gave another text the second time")
    if other.ids == alone.ids:
        return Found(figures=figures, fault="two seeds gave the same text: the seed is not used")
    return Found(figures=figures)


def aborted(place: Place) -> Found:
    """One of two requests is dropped in the middle; the other ends, and the engine goes on."""
    _, engine, _ = opened(place)
    for key in (0, 1):
        engine.add(key, request(key, max_tokens=256))
    early = [*engine.step(), *engine.step()]
    engine.abort([0])
    done = dict([*early, *finished(engine)])
    if 0 in done or 1 not in done:
        return Found(fault=f"of requests 0, aborted, and 1 came back: {sorted(done)}")
    again = sampled(engine, [9])[0]
    return Found(figures={"tokens": float(len(done[1].ids)), "after": float(len(again.ids))})


def sampled(engine: VllmEngine, seeds: list[int]) -> list[Sampled]:
    """Complete one prompt with each seed, all at once."""
    for key, seed in enumerate(seeds):
        engine.add(key, request(seed, max_tokens=32))
    done = dict(finished(engine))
    return [done[key] for key in range(len(seeds))]


def finished(engine: VllmEngine) -> list[tuple[int, Sampled]]:
    """Let it work until nothing is left.

    Raises:
        TimeoutError: It does not come to an end.
    """
    done: list[tuple[int, Sampled]] = []
    for _ in range(MOST_STEPS):
        if not engine.num_running:
            return done
        done += engine.step()
    raise TimeoutError(f"{engine.num_running} requests are not done after {MOST_STEPS} steps")


def request(seed: int, max_tokens: int) -> Request:
    """A completion of the known prompt."""
    return Request(prompt_ids=PROMPT, max_tokens=max_tokens, seed=seed, temperature=1.0)
