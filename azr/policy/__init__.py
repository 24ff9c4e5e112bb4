"""The model as a player: engines that sample, and the proof that they sample from the learner.

Read player.py first (many coroutines, one engine thread), then probe.py (the proof), then one of
the engines. Only vllm_engine.py knows vLLM.

This file imports neither torch nor vLLM: whoever wants azr.policy.environment, which must come
before them, gets this file first.
"""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from azr.config import RunConfig
from azr.errors import ModelError

if TYPE_CHECKING:
    from azr.policy.engine import Engine
    from azr.policy.player import EnginePolicy

__all__ = ["EnginePolicy", "open_policy"]

log = logging.getLogger(__name__)


def __getattr__(name: str) -> Any:
    """Import `EnginePolicy` when it is asked for."""
    if name == "EnginePolicy":
        from azr.policy.player import EnginePolicy  # noqa: PLC0415 - see the module's docstring

        return EnginePolicy
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def open_policy(config: RunConfig, model_folder: Path) -> "EnginePolicy":
    """Start the engine that `rollout.engine` names, with the weights in the folder.

    Raises:
        ModelError: The model, its tokenizer or the engine cannot be used as the run asks.
    """
    from azr.policy.player import EnginePolicy  # noqa: PLC0415 - see the module's docstring
    from azr.policy.render import open_renderer  # noqa: PLC0415

    renderer, max_model_len = open_renderer(config, model_folder)
    wants_vllm = choose_vllm(config.rollout.engine)

    def make_engine() -> "Engine":
        if wants_vllm:
            from azr.policy.vllm_engine import VllmEngine  # noqa: PLC0415

            return VllmEngine(model_folder, config.rollout, max_model_len=max_model_len)
        from azr.policy.transformers_engine import TransformersEngine  # noqa: PLC0415

        return TransformersEngine(model_folder, config.rollout, renderer.tokenizer)

    return EnginePolicy(make_engine, renderer, config.rollout, max_model_len)


def choose_vllm(name: str) -> bool:
    """Whether to use vLLM, given `rollout.engine`."""
    if name == "transformers":
        return False
    from azr.policy.vllm_engine import vllm_problem  # noqa: PLC0415

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
