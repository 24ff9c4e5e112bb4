"""The group over which weights go: the first learner, rank 0, and all workers of all engines.

It lives beside the process group of the learners and beside those of each engine, and is made anew
when an engine has come or gone.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# (torch and vllm are typed in part)

import socket
from datetime import timedelta
from typing import Any, cast

import torch
import torch.distributed as untyped
from torch import Tensor

__all__ = ["Broadcast", "free_port"]

dist = cast(Any, untyped)


class Broadcast:
    """Tensors of rank 0, copied into those of all others; every rank calls with equal shapes."""

    def __init__(
        self, host: str, port: int, rank: int, size: int, device: torch.device, timeout_s: float
    ) -> None:
        """Meet the others at an address of rank 0's; returns when all are there.

        Raises:
            RuntimeError: Somebody did not come within `timeout_s`.
        """
        self._nccl: Any = None
        self._gloo: Any = None
        if device.type == "cuda":
            from vllm.distributed.weight_transfer.nccl_common import (  # noqa: PLC0415 - GPUs' alone
                stateless_init_process_group,
            )

            self._nccl = stateless_init_process_group(host, port, rank, size, device)
            return
        patience = timedelta(seconds=timeout_s)
        store = dist.TCPStore(host, port, size, rank == 0, patience)
        self._gloo = dist.ProcessGroupGloo(dist.PrefixStore("azr", store), rank, size, patience)

    def share(self, tensor: Tensor) -> None:
        """Fill the tensor with rank 0's; contiguous.

        Raises:
            RuntimeError: Another rank is gone (over gloo; NCCL waits for ever).
        """
        if self._nccl is not None:
            self._nccl.broadcast(tensor, src=0, stream=torch.cuda.current_stream())
            return
        options = dist.BroadcastOptions()
        options.rootRank, options.rootTensor = 0, 0
        self._gloo.broadcast([tensor], options).wait()

    def close(self) -> None:
        """Leave; who is waiting for this rank over gloo fails at once."""
        if self._nccl is not None:
            self._nccl.destroy()
        self._nccl = self._gloo = None


def free_port() -> int:
    """A port of this machine that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("", 0))
        return int(probe.getsockname()[1])
