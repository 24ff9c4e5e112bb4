"""One learner as an actor: a rank of the sharded `TorchLearner`, which it is alone if it is one.

All ranks are called at the same time with the same arguments; gradients and weights go between them
over torch.distributed. Rank 0 alone sends weights to the engines.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# (torch, transformers and vllm are typed in part)

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from azr.cluster.actors.broadcast import Broadcast, free_port
from azr.config.run import RunConfig
from azr.learner.learner import TorchLearner
from azr.learner.packing import Sequence1
from azr.models.checkpoint import read_checkpoint
from azr.models.checksums import checksum
from azr.models.pretrained import resolve_model
from azr.models.process_group import ALONE, Ranks, join_ranks

__all__ = ["LearnerActor", "Reading", "Sent"]


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of a push, seen by one learner."""

    checksums: Mapping[str, int] = field(default_factory=dict[str, int])
    """Of what rank 0 sent."""
    failure: str = ""
    """Why it stopped sending; the learners are as they were."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How likely the learner finds a text."""

    logprobs: Sequence[float]
    rounding: float | None
    """What 16 bits alone do to these: mean, in nats; None where it computes in float32."""


class LearnerActor:
    """Rank `rank` of `size`."""

    def __init__(self, rank: int, size: int) -> None:
        self._ranks = ALONE if size == 1 else Ranks(rank, size, 0)
        self._learner: TorchLearner | None = None
        self._broadcast: Broadcast | None = None

    def address(self) -> tuple[str, int]:
        """Where others can meet this process: its node's address and a port that is free now."""
        import ray  # noqa: PLC0415 - known to whoever made this an actor

        return ray.util.get_node_ip_address(), free_port()

    def open(
        self, config: RunConfig, meeting: tuple[str, int], checkpoint: str
    ) -> tuple[int, dict[str, list[int]], Any]:
        """Join the other ranks and load the model.

        Args:
            config: The run.
            meeting: Rank 0's `address`.
            checkpoint: Folder of the one to go on from; empty = a new run.

        Returns the process id, each parameter's shape, and what takes divergence off the rewards.
        """
        join_ranks(self._ranks, *meeting, config.cluster.timeout_s)
        initial = resolve_model(config.model.name)
        cut = read_checkpoint(Path(checkpoint), by_content=False) if checkpoint else None
        folder = initial if cut is None else cut.model
        self._learner = learner = TorchLearner(config, folder, initial, self._ranks)
        if cut is not None:
            learner.restore(cut)
        return os.getpid(), learner.weights.shapes(), learner.reward_kl

    def learn(self, sequences: Sequence[Sequence1]) -> Mapping[str, float]:
        """As TorchLearner's."""
        return self._opened.learn(sequences)

    def divergences(self, sequences: Sequence[Sequence1]) -> list[float]:
        """As TorchLearner's."""
        return self._opened.divergences(sequences)

    def save(self, folder: str, reward_kl: Mapping[str, Any] | None) -> None:
        """Write this rank's part of a checkpoint, with what the run knows of the divergence."""
        if self._opened.reward_kl is not None and reward_kl is not None:
            self._opened.reward_kl.restore(reward_kl)
        self._opened.save(Path(folder))

    def read(self, token_ids: Sequence[int], *, is_exact: bool) -> Reading:
        """How likely each token but the first is; `is_exact`: the engine computes in float32."""
        weights = self._opened.weights
        logprobs = weights.probe_logprobs(token_ids)
        rounding = None
        if not (is_exact and weights.is_exact):
            rounding = weights.probe_rounding(token_ids, logprobs)
        return Reading(logprobs, rounding)

    def meet(self, host: str, port: int, size: int, timeout_s: float) -> None:
        """Meet the workers of all engines, for pushes to come; rank 0 is called alone."""
        self._leave()
        self._broadcast = Broadcast(host, port, 0, size, self._opened.device, timeout_s)

    def send(self, dtype: str) -> Sent:
        """Send all weights in this precision, on all ranks at the same time."""
        import torch  # noqa: PLC0415 - loaded with the learner

        checksums, failure = dict[str, int](), ""
        for name, value in self._opened.weights.named_parameters(getattr(torch, dtype)):
            if self._broadcast is None or failure:
                continue  # gathered with the other ranks, who would wait for this one
            checksums[name] = checksum(value)
            try:
                self._broadcast.share(value.contiguous())
            except RuntimeError as error:
                failure = str(error)
                self._leave()  # so that no engine waits for the rest
        if self._opened.device.type == "cuda":
            torch.cuda.synchronize()
        return Sent(checksums, failure)

    def _leave(self) -> None:
        if self._broadcast is not None:
            self._broadcast.close()
            self._broadcast = None

    @property
    def _opened(self) -> TorchLearner:
        assert self._learner is not None, "open it first"
        return self._learner
