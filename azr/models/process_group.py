"""Where this process stands among the learners of a run, and the few small things they agree upon.

One process is one rank and holds its part of the learner. A learner that is alone has no group at
all: every collective is then the identity.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# (torch, transformers and vllm are typed in part)

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

import torch
import torch.distributed as untyped
from torch import Tensor

from azr.errors import AzrError

__all__ = ["ALONE", "Ranks", "join_ranks", "leave_ranks"]

dist = cast(Any, untyped)

TIMEOUT_S = 1800.0
"""A collective waits so long for the slowest rank: a step's longest pause is a checkpoint."""

MAX_WORDS = 1000
"""Bytes of an error's text that the other ranks are told."""


@dataclass(frozen=True, slots=True)
class Ranks:
    """This process among `size`; all collectives are over the default process group.

    Every rank must call the same collectives in the same order, each with a tensor of the same
    shape and dtype.
    """

    rank: int
    """In [0, size)."""
    size: int
    """Learners of the run, on all its machines."""
    local_rank: int
    """Which of this machine's processes, and so which of its GPUs."""

    @property
    def is_leader(self) -> bool:
        """Writes what belongs to all."""
        return self.rank == 0

    @property
    def is_alone(self) -> bool:
        """The only learner: nothing is sharded and there is no process group."""
        return self.size == 1

    def device(self) -> torch.device:
        """This process's GPU, or the CPU where there is none."""
        if torch.cuda.is_available():
            return torch.device("cuda", self.local_rank)
        return torch.device("cpu")

    def sum(self, tensor: Tensor) -> Tensor:
        """The sum over ranks, the same bits on each; `tensor` itself is left as it is."""
        return self._reduced(tensor, dist.ReduceOp.SUM)

    def max(self, tensor: Tensor) -> Tensor:
        """The largest of the ranks, element by element."""
        return self._reduced(tensor, dist.ReduceOp.MAX)

    def all_true(self, flag: bool) -> bool:
        """Whether the flag is true on every rank."""
        # on the host: this must work also after a GPU ran out of memory
        return flag if self.is_alone else bool(self.sum(torch.tensor(int(not flag))) == 0)

    def barrier(self) -> None:
        """Return when all ranks are here."""
        self.all_true(True)

    @contextmanager
    def together(
        self, kind: type[AzrError], caught: tuple[type[Exception], ...] = ()
    ) -> Generator[None]:
        """Let what fails on one rank fail on all: a rank that went on alone would wait for ever.

        The body may use collectives if nothing can fail before the last of them.

        Args:
            kind: What every rank raises, with the first failed rank's words. Caught on each rank.
            caught: What counts as a failure as well. Alone, errors pass as they are.
        """
        error: Exception | None = None
        try:
            yield
        except (kind, *caught) as raised:
            if self.is_alone:
                raise
            error = raised
        if not self.all_true(error is None):
            raise kind(self._first_words(error)) from error

    def _first_words(self, error: Exception | None) -> str:
        """What the first rank says that failed; at most MAX_WORDS bytes of it."""
        said = b"" if error is None else (str(error) or type(error).__name__).encode()[:MAX_WORDS]
        words = torch.zeros(self.size, MAX_WORDS, dtype=torch.uint8)
        words[self.rank, : len(said)] = torch.tensor(list(said), dtype=torch.uint8)
        rows = [bytes(row).rstrip(b"\0") for row in self.sum(words).tolist()]
        rank, first = next((rank, row) for rank, row in enumerate(rows) if row)
        text = first.decode(errors="replace")
        return text if rank == self.rank else f"rank {rank}: {text}"

    def _reduced(self, tensor: Tensor, operation: Any) -> Tensor:
        if self.is_alone:
            return tensor
        result = tensor.detach().clone()
        dist.all_reduce(result, operation)
        return result


ALONE = Ranks(0, 1, 0)
"""A learner by itself."""


def join_ranks(ranks: Ranks, host: str, port: int, timeout_s: float = TIMEOUT_S) -> None:
    """Join the other processes of a run at an address of rank 0's; alone there is nobody to join.

    Tensors on a GPU go through NCCL, those on the host through gloo.

    Raises:
        RuntimeError: They are not all there within `timeout_s`.
    """
    if ranks.is_alone:
        return
    backend, device = "gloo", ranks.device()
    if device.type == "cuda":
        torch.cuda.set_device(device)  # of this thread: others must do it too
        backend = "cpu:gloo,cuda:nccl"
    dist.init_process_group(
        backend,
        init_method=f"tcp://{host}:{port}",
        rank=ranks.rank,
        world_size=ranks.size,
        timeout=timedelta(seconds=timeout_s),
        device_id=device if device.type == "cuda" else None,  # else NCCL guesses
    )


def leave_ranks() -> None:
    """Leave the others, if there are any."""
    if dist.is_initialized():
        dist.destroy_process_group()
