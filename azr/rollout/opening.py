"""Which engine a run samples with, and opening it."""

import logging
from collections.abc import Callable
from pathlib import Path

from azr.config.run import RunConfig
from azr.errors import ModelError
from azr.models.process_group import Ranks
from azr.rollout.engine import Engine
from azr.rollout.policy import EnginePolicy
from azr.rollout.prompt_tokens import Renderer, open_renderer

__all__ = ["choose_vllm", "engine_here", "engine_maker", "open_policy"]

log = logging.getLogger(__name__)


def open_policy(config: RunConfig, model_folder: Path) -> EnginePolicy:
    """Start the engine that `rollout.engine` names, with the weights in the folder.

    Args:
        config: The whole run.
        model_folder: What the engine starts with, and the tokenizer.

    Raises:
        ModelError: The model, its tokenizer or the engine cannot be used as the run asks.
    """
    renderer, max_model_len = open_renderer(config, model_folder)
    make = engine_maker(config, model_folder, renderer, max_model_len)
    return EnginePolicy(make, renderer, config.rollout, max_model_len)


def engine_maker(
    config: RunConfig,
    model_folder: Path,
    renderer: Renderer,
    max_model_len: int,
    ranks: Ranks | None = None,
) -> Callable[[], Engine]:
    """What starts this process's engine, to be called in the thread that is to use it.

    With `ranks` all of them must start theirs at the same time.

    Raises:
        ModelError: The engine that is asked for cannot be used here.
    """
    wants_vllm = choose_vllm(config.rollout.engine)

    def make_engine() -> Engine:
        if ranks is not None and ranks.device().type == "cuda":
            import torch  # noqa: PLC0415 - torch and vLLM are loaded by the engine that needs them

            torch.cuda.set_device(ranks.device())  # holds for one thread alone
        if wants_vllm:
            from azr.rollout.vllm_engine import VllmEngine  # noqa: PLC0415

            return VllmEngine(
                model_folder,
                config.rollout,
                max_model_len=max_model_len,
                is_ranked=ranks is not None,
            )
        from azr.rollout.transformers_engine import TransformersEngine  # noqa: PLC0415

        return TransformersEngine(model_folder, config.rollout, renderer.tokenizer)

    return make_engine


def choose_vllm(name: str) -> bool:
    """Whether to use vLLM, given `rollout.engine`."""
    if name == "transformers":
        return False
    from azr.rollout.vllm_engine import vllm_problem  # noqa: PLC0415

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
    import torch  # noqa: PLC0415 - torch and vLLM are loaded by the engine that needs them

    return "vllm" if torch.cuda.is_available() else "vllm-cpu"
