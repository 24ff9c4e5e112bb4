"""The model as a player: engines that sample, and the proof that they sample from the learner.

Read player.py first (many coroutines, one engine thread), then probe.py (the proof), then one of
the engines; fleet.py makes one engine of many. Only vllm_engine.py knows vLLM.

This file imports neither torch nor vLLM: whoever wants azr.policy.environment, which must come
before them, gets this file first.
"""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from azr.config import RunConfig
from azr.errors import ModelError

if TYPE_CHECKING:
    from azr.policy.engine import Engine
    from azr.policy.player import EnginePolicy
    from azr.policy.render import Renderer
    from azr.ranks import Ranks
    from azr.workers import Workers

__all__ = ["EnginePolicy", "engine_here", "engine_maker", "open_policy"]

log = logging.getLogger(__name__)


def __getattr__(name: str) -> Any:
    """Import `EnginePolicy` when it is asked for."""
    if name == "EnginePolicy":
        from azr.policy.player import EnginePolicy  # noqa: PLC0415 - see the module's docstring

        return EnginePolicy
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def open_policy(
    config: RunConfig, model_folder: Path, workers: "Workers | None" = None
) -> "EnginePolicy":
    """Start the engine that `rollout.engine` names, with the weights in the folder.

    Args:
        config: The whole run.
        model_folder: What the engine starts with, and the tokenizer.
        workers: Those who start theirs at the same time; their engines are then used as well.

    Raises:
        ModelError: The model, its tokenizer or the engine cannot be used as the run asks.
    """
    from azr.policy.player import EnginePolicy  # noqa: PLC0415 - see the module's docstring
    from azr.policy.render import open_renderer  # noqa: PLC0415

    renderer, max_model_len = open_renderer(config, model_folder)
    if workers is None:
        make = engine_maker(config, model_folder, renderer, max_model_len)
        return EnginePolicy(make, renderer, config.rollout, max_model_len)
    from azr.policy.fleet import Fleet, FleetProbe  # noqa: PLC0415

    ranks, crew = workers.ranks, workers
    make_local = engine_maker(config, model_folder, renderer, max_model_len, ranks)

    def make_fleet() -> "Engine":
        with crew.explained():
            return Fleet(make_local(), crew, config.rollout.max_concurrent)

    return EnginePolicy(make_fleet, renderer, config.rollout, max_model_len, FleetProbe)


def engine_maker(
    config: RunConfig,
    model_folder: Path,
    renderer: "Renderer",
    max_model_len: int,
    ranks: "Ranks | None" = None,
) -> Callable[[], "Engine"]:
    """What starts this process's engine, to be called in the thread that is to use it.

    With `ranks` all of them must start theirs at the same time.

    Raises:
        ModelError: The engine that is asked for cannot be used here.
    """
    wants_vllm = choose_vllm(config.rollout.engine)

    def make_engine() -> "Engine":
        if ranks is not None and ranks.device().type == "cuda":
            import torch  # noqa: PLC0415 - see the module's docstring

            torch.cuda.set_device(ranks.device())  # holds for one thread alone
        if wants_vllm:
            from azr.policy.vllm_engine import VllmEngine  # noqa: PLC0415

            return VllmEngine(
                model_folder,
                config.rollout,
                max_model_len=max_model_len,
                is_ranked=ranks is not None,
            )
        from azr.policy.transformers_engine import TransformersEngine  # noqa: PLC0415

        return TransformersEngine(model_folder, config.rollout, renderer.tokenizer)

    return make_engine


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


def engine_here(name: str) -> str:
    """What `rollout.engine` comes to on this machine: vllm, vllm-cpu or transformers.

    Raises:
        ModelError: vLLM is asked for and cannot be used.
    """
    if not choose_vllm(name):
        return "transformers"
    import torch  # noqa: PLC0415 - see the module's docstring

    return "vllm" if torch.cuda.is_available() else "vllm-cpu"
