"""What an engine is to the policy: a machine that turns requests into tokens, step by step.

An engine is used from one thread only and knows nothing of asyncio, prompts or versions.
"""

from collections.abc import Iterable, Sequence
from typing import Protocol

from azr.models.checksums import Receipt
from azr.models.weights import TorchWeights
from azr.rollout.requests import Request, Sampled

__all__ = ["Engine"]


class Engine(Protocol):
    """vLLM, or plain transformers."""

    @property
    def is_exact(self) -> bool:
        """Whether it computes in float32, so that the probe can be strict."""
        ...

    @property
    def receipt(self) -> Receipt | None:
        """What it was given last; None before the first push, and after one that failed."""
        ...

    @property
    def num_running(self) -> int:
        """Requests added and neither finished nor aborted."""
        ...

    def add(self, key: int, request: Request) -> None:
        """Take on a request; `key` is the caller's name for it.

        Raises:
            ModelError: The engine refuses it.
        """
        ...

    def step(self) -> list[tuple[int, Sampled]]:
        """Compute once for all requests; return those that finished."""
        ...

    def abort(self, keys: Iterable[int]) -> None:
        """Drop requests; unknown keys are ignored."""
        ...

    def load(self, weights: TorchWeights, version: int) -> None:
        """Replace all weights; no later request reads what was computed with the old ones.

        Requests under way go on with the new ones; there are none without rollout.max_staleness.

        Raises:
            StaleWeights: Something computed with the old ones could be read.
        """
        ...

    def prompt_logprobs(self, token_ids: Sequence[int]) -> list[float]:
        """Log-probability of each token but the first, at temperature 1.

        What requests under way finish meanwhile, the next step returns.
        """
        ...

    def close(self) -> None:
        """Give back memory and threads."""
        ...
