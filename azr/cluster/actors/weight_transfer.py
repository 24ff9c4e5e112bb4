"""vLLM's half of a push: a backend of its WeightTransfer that receives, checks off and loads.

The first learner broadcasts each parameter once to all workers of all engines, over NCCL on GPUs
and gloo on CPUs. Each worker takes the checksum of what arrived before it loads it, which the run
compares with the sender's (azr.models.checksums). vLLM finds this module by `EXTENSION`, in each of
its worker processes; that makes the backend known there.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# (torch and vllm are typed in part)

from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, cast

import torch
from vllm.distributed.weight_transfer import WeightTransferEngine, WeightTransferEngineFactory
from vllm.distributed.weight_transfer.base import WeightTransferInitInfo, WeightTransferUpdateInfo
from vllm.model_executor.model_loader.reload import (
    finalize_layerwise_reload,
    initialize_layerwise_reload,
)

from azr.cluster.actors.broadcast import Broadcast
from azr.models.checksums import checksum
from azr.rollout.vllm_engine import repack_head

__all__ = ["BACKEND", "EXTENSION", "CheckedWorker"]

BACKEND: Final = "azr"
EXTENSION: Final = f"{__name__}.CheckedWorker"


@dataclass
class Meeting(WeightTransferInitInfo):
    """Where the first learner and all workers meet; they are numbered from it on."""

    host: str
    port: int
    size: int
    first: int
    """The number of this engine's first worker."""
    timeout_s: float


@dataclass
class Announcement(WeightTransferUpdateInfo):
    """What is sent in one push, in order."""

    version: int
    dtype: str
    parameters: list[tuple[str, list[int]]]
    """Names and shapes."""


class CheckedReceiver(WeightTransferEngine[Meeting, Announcement]):
    """Of one worker, which holds the model or a part of it."""

    init_info_cls = Meeting
    update_info_cls = Announcement
    _group: Broadcast | None = None
    receipt: tuple[int, dict[str, int]] | None = None

    def init_transfer_engine(self, init_info: Meeting) -> None:
        """Join the first learner and the other workers."""
        self.shutdown()
        rank = init_info.first + self.parallel_config.rank
        self._group = Broadcast(
            init_info.host, init_info.port, rank, init_info.size, self.device, init_info.timeout_s
        )

    def start_weight_update(self) -> None:
        """Make the model ready for weights as a checkpoint has them."""
        self.receipt = None
        initialize_layerwise_reload(self.model)

    def update_weights(self, update_info: dict[str, Any]) -> None:
        """Receive one push; on a CPU there is nothing to wait for at its end."""
        self.receive_weights(self.parse_update_info(update_info))
        if self.device.type != "cpu":
            torch.accelerator.synchronize()

    def receive_weights(self, update_info: Announcement) -> None:
        """Take each parameter, note its checksum, load it."""
        assert self._group is not None, "the engine has met nobody"
        dtype, given = getattr(torch, update_info.dtype), dict[str, int]()
        for name, shape in update_info.parameters:
            weight = torch.empty(shape, dtype=dtype, device=self.device)
            self._group.share(weight)
            given[name] = checksum(weight)
            cast(Any, self.model).load_weights([(name, weight)])
        self.receipt = (update_info.version, given)

    def finish_weight_update(self) -> None:
        """Put the new weights where the kernels read them."""
        finalize_layerwise_reload(self.model, self.model_config)
        if self.device.type == "cpu":
            repack_head(self.model)

    def shutdown(self) -> None:
        """Leave the group."""
        if self._group is not None:
            self._group.close()
            self._group = None


class CheckedWorker:
    """What vLLM's worker class is given beside its own methods."""

    weight_transfer_engine: Any

    def weight_receipt(self) -> tuple[int, dict[str, int]] | None:
        """Version and checksums of the last push that was received to its end."""
        return self.weight_transfer_engine.receipt


def register() -> None:
    """Make the backend known to vLLM in this process, once."""
    with suppress(ValueError):  # it is
        WeightTransferEngineFactory.register_engine(BACKEND, CheckedReceiver)


register()
