"""The model as a player: engines that sample, and the proof that they sample from the learner.

Read player.py first (many coroutines, one engine thread), then probe.py (the proof), then one of
the engines. Only vllm_engine.py knows vLLM.
"""

import logging
from pathlib import Path

from azr.config import RunConfig
from azr.errors import ModelError
from azr.policy.engine import Engine
from azr.policy.player import EnginePolicy
from azr.policy.render import open_renderer
from azr.policy.transformers_engine import TransformersEngine
from azr.policy.vllm_engine import VllmEngine, vllm_problem

__all__ = ["EnginePolicy", "open_policy"]

log = logging.getLogger(__name__)


def open_policy(config: RunConfig, model_folder: Path) -> EnginePolicy:
    """Start the engine that `rollout.engine` names, with the weights in the folder.

    Raises:
        ModelError: The model, its tokenizer or the engine cannot be used as the run asks.
    """
    renderer, max_model_len = open_renderer(config, model_folder)
    wants_vllm = choose_vllm(config.rollout.engine)

    def make_engine() -> Engine:
        if wants_vllm:
            return VllmEngine(model_folder, config.rollout, max_model_len=max_model_len)
        return TransformersEngine(model_folder, config.rollout, renderer.tokenizer)

    return EnginePolicy(make_engine, renderer, config.rollout, max_model_len)


def choose_vllm(name: str) -> bool:
    """Whether to use vLLM, given `rollout.engine`."""
    if name == "transformers":
        return False
    problem = vllm_problem()
    if problem is None:
        return True
    if name == "vllm":
        raise ModelError(
            f'rollout.engine = "vllm", but `from vllm import LLM` fails ({problem}):'
            ' `azr doctor` says what is missing, rollout.engine = "transformers" works without'
        )
    log.warning("vllm is not usable here (%s): sampling with transformers, slowly", problem)
    return False
