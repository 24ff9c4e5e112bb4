"""Where a run learns and samples: in this process, or in several that may die (azr.cluster)."""

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

import torch

from azr.config.run import RunConfig, SandboxConfig
from azr.errors import ConfigError, WorkerLost
from azr.learner.learner import TorchLearner
from azr.models.checkpoint import Checkpoint, Saveable, is_adapter
from azr.models.gpu import visible_gpu_bytes
from azr.models.lora.adapters import load_peft
from azr.models.pretrained import resolve_model
from azr.ports import Learner
from azr.rollout.asking import AskingPolicy
from azr.rollout.opening import open_policy
from azr.run.planning import check_adapters, find_shape, num_gpus, refuse
from azr.run.planning.shape import ModelShape

__all__ = ["Machines", "Pupil", "ThisProcess", "open_machines", "refuse_what_cannot_fit"]

Say = Callable[[str], None]


class Pupil(Learner, Saveable, Protocol):
    """What learns and what a checkpoint is made of."""


class Machines(Protocol):
    """Both of a run's halves that need a GPU, and where programs run."""

    @property
    def sandbox(self) -> SandboxConfig:
        """The run's section, with the addresses of servers that were started for it."""
        ...

    def learner(self, cut: Checkpoint | None) -> Pupil:
        """The learner, as the checkpoint has it if there is one."""
        ...

    def opened_policy(self, cut: Checkpoint | None) -> AbstractContextManager[AskingPolicy]:
        """The policy, while it is open."""
        ...

    def goes_on_after(self, loss: WorkerLost) -> str | None:
        """What to say before the run goes on at its newest checkpoint; None if it must end."""
        ...


class ThisProcess:
    """Learner and engine take turns on one CPU or one GPU."""

    def __init__(self, config: RunConfig) -> None:
        self._config = config
        self.sandbox = config.executor

    def learner(self, cut: Checkpoint | None) -> TorchLearner:
        """As Machines'."""
        model = resolve_model(self._config.model.name)
        learner = TorchLearner(self._config, model if cut is None else cut.model, initial=model)
        if cut is not None:
            learner.restore(cut)
        return learner

    @contextmanager
    def opened_policy(self, cut: Checkpoint | None) -> Generator[AskingPolicy]:
        """As Machines'."""
        # weights are pushed before anything is sampled, so adapters need not be merged here
        model = resolve_model(self._config.model.name)
        folder = model if cut is None or is_adapter(cut.model) else cut.model
        policy = open_policy(self._config, folder)
        try:
            yield policy
        finally:
            policy.close()

    def goes_on_after(self, loss: WorkerLost) -> None:
        """Nothing but this process can be lost, and it would not be asked."""
        del loss


@contextmanager
def open_machines(config: RunConfig, say: Say) -> Generator[Machines]:
    """This process, or what `cluster.learners` and `cluster.engines` ask for.

    Raises:
        ConfigError: What is asked for is not there.
    """
    if not config.cluster.learners:
        yield ThisProcess(config)
        return
    try:
        from azr.cluster.opening import open_cluster  # noqa: PLC0415 - an extra's: one GPU needs none
    except ImportError as error:
        raise ConfigError(
            f"cluster.learners = {config.cluster.learners} wants Ray, which is not installed:"
            f" pip install 'azr[cluster]' ({error})"
        ) from error
    with open_cluster(config, say) as cluster:
        yield cluster


def refuse_what_cannot_fit(config: RunConfig) -> None:
    """Tell at once what would be told after weights were downloaded and loaded.

    Raises:
        ConfigError: Exact sizes alone are more than a GPU has, an engine's GPUs cannot share the
            model, or it cannot have the run's adapters.
    """
    if config.lora.rank:
        load_peft(f"lora.rank = {config.lora.rank}")
    parts, is_apart = config.cluster.tensor_parallel, config.cluster.learners > 0
    memory = visible_gpu_bytes(num_gpus(config)) if is_apart else own_gpu_bytes()
    if parts == 1 and memory is None and not config.lora.rank:
        return
    shape = find_shape(config.model.name)
    if shape is None:
        return
    check_adapters(config, shape)
    if uneven := unshared(shape, parts):
        possible = [n for n in range(1, shape.heads + 1) if not unshared(shape, n)]
        raise ConfigError(
            f"cluster.tensor_parallel = {parts} does not divide the {uneven} of"
            f" {config.model.name}: it can be {', '.join(map(str, possible))}"
        )
    if memory is not None:
        refuse(config, shape, memory, only_if_certain=True)


def unshared(shape: ModelShape, parts: int) -> str:
    """What the GPUs of an engine cannot share evenly, as vLLM must; empty if nothing."""
    if shape.heads % parts:
        return f"{shape.heads} attention heads"
    if max(parts, shape.key_heads) % min(parts, shape.key_heads):  # few are copied
        return f"{shape.key_heads} key and value heads"
    return f"{shape.intermediate} features of an MLP" if shape.intermediate % parts else ""


def own_gpu_bytes() -> int | None:
    """All memory of this process's GPU, if it has one."""
    return torch.cuda.mem_get_info()[1] if torch.cuda.is_available() else None
