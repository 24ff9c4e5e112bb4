"""Chooses the engine for given tensors."""

import functools
import importlib
import logging

import torch
from torch import Tensor

from azr.config.loss import Backend
from azr.errors import ConfigError, one_line
from azr.learner.loss.engine import Gradients, LossEngine
from azr.learner.loss.head import Head

__all__ = ["engine_for"]

logger = logging.getLogger(__name__)

FUSED_DTYPES = (torch.float32, torch.bfloat16)
MODULES = {
    Backend.NATIVE: ("cpu", "azr.learner.loss.native"),
    Backend.TRITON: ("cuda", "azr.learner.loss.triton"),
}


def engine_for(backend: Backend, hidden: Tensor, head: Head) -> LossEngine | None:
    """Return the engine for these tensors; None for the reference.

    Raises:
        ConfigError: The configuration insists on an engine that cannot take them.
    """
    if backend is Backend.REFERENCE:
        return None
    if backend is Backend.AUTO:
        by_device = {device: name for name, (device, _) in MODULES.items()}
        backend = by_device.get(hidden.device.type, Backend.REFERENCE)
        if backend is Backend.REFERENCE or _obstacle(hidden, head):
            return None
        return _loaded(backend, or_none=True)
    if obstacle := _obstacle(hidden, head):
        raise ConfigError(f"loss.backend must be 'reference' or 'auto' here: {obstacle}")
    return _loaded(backend, or_none=False)


def _obstacle(hidden: Tensor, head: Head) -> str | None:
    for name, tensor in (("hidden", hidden), ("weight", head.weight)):
        if tensor.dtype not in FUSED_DTYPES:
            return f"the engines take float32 and bfloat16, and {name} is {tensor.dtype}"
    return None


@functools.cache
def _loaded(backend: Backend, *, or_none: bool) -> LossEngine | None:
    try:
        engine: LossEngine = importlib.import_module(MODULES[backend][1]).ENGINE
    except ImportError as error:
        if not or_none:
            raise ConfigError(
                f"loss.backend must be 'reference' or 'auto' here: {backend.value} "
                f"is not installed ({error})"
            ) from error
        logger.warning("loss.backend=reference reason=%s_not_installed", backend.value)
        return None
    device, _ = MODULES[backend]
    is_here = device == "cpu" or torch.cuda.is_available()
    if or_none and is_here and (problem := _problem(engine, torch.device(device))):
        logger.warning("loss.backend=reference reason=%s_fails (%s)", backend.value, problem)
        return None
    return engine


def _problem(engine: LossEngine, device: torch.device) -> str | None:
    """Why the engine does not work on this machine, found out on a few numbers; None if it does.

    A kernel that was compiled elsewhere may want more of a GPU than this one has, and says so
    when it is launched: before the first update is the time to know.
    """
    for dtype in FUSED_DTYPES:
        hidden = torch.ones(2, 64, device=device, dtype=dtype)
        head = Head(weight=torch.ones(512, 64, device=device, dtype=dtype))
        wants = Gradients(hidden=True, weight=True, bias=False)
        rows, slope = slice(0, 2), torch.ones(2, device=device)
        try:
            work = engine.open(
                head, hidden, torch.zeros(2, device=device, dtype=torch.int64), wants
            )
            statistics = work.forward(rows, keep=True)
            work.backward(rows, statistics, slope, None)
            float(statistics.target_logit.sum())  # a GPU says only now that something failed
        except Exception as error:  # noqa: BLE001 - drivers and compilers raise anything
            return one_line(error)
    return None
