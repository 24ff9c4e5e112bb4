"""The learner's parameters for others to read and compare with, never to change."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# (torch, transformers and vllm are typed in part)

from collections.abc import Iterator, Sequence
from statistics import fmean
from typing import Any

import torch
from torch import Tensor

from azr.models.checksums import noting
from azr.models.lora.adapters import merged_weight, plain_parameters
from azr.models.sharding import reshard, whole

__all__ = ["TorchWeights"]


class TorchWeights:
    """ports.Weights over a Hugging Face model; always the newest values, never a copy.

    Adapters are merged into the weights that they adapt, one weight at a time.
    If the model is sharded, every method is a collective: all ranks call it, with equal arguments.
    """

    is_exact = True
    """Whether `probe_logprobs` computes in float32."""

    def __init__(self, model: Any, *, is_exact: bool = True) -> None:
        self._model = model
        self.is_exact = is_exact

    def named_parameters(self, dtype: torch.dtype | None = None) -> Iterator[tuple[str, Tensor]]:
        """Yield each parameter once, by its Hugging Face name; a tied head is left out.

        Args:
            dtype: Precision of the values; None: unchanged, and merged ones in float32. A sharded
                model gathers them one whole parameter at a time, so take each before the next.
        """
        for name, parameter, adapter in plain_parameters(self._model):
            value = parameter.detach()
            if adapter is None:
                yield name, whole(value if dtype is None else value.to(dtype))
            else:
                merged = merged_weight(value, adapter)
                yield name, merged if dtype is None else merged.to(dtype)

    def shapes(self) -> dict[str, list[int]]:
        """Return the shape of each whole parameter, by name, in the order of `named_parameters`."""
        return {name: list(value.shape) for name, value, _ in plain_parameters(self._model)}

    def checksums(self, dtype: str) -> dict[str, int]:
        """Return each parameter's checksum, as `named_parameters` yields it in this precision."""
        found: dict[str, int] = {}
        for _ in noting(self.named_parameters(getattr(torch, dtype)), found):
            pass
        return found

    @torch.no_grad()
    def probe_logprobs(self, token_ids: Sequence[int]) -> list[float]:
        """Return the natural-log probability of each token but the first, at temperature 1."""
        ids_1T = torch.tensor([list(token_ids)], device=self._model.device)
        logits_TV = self._model(input_ids=ids_1T, use_cache=False).logits[0, :-1].float()
        reshard(self._model)
        logprobs_TV = torch.log_softmax(logits_TV, dim=-1)
        return logprobs_TV.gather(1, ids_1T[0, 1:, None])[:, 0].tolist()

    def probe_rounding(self, token_ids: Sequence[int], logprobs: Sequence[float]) -> float:
        """Return how far 16-bit arithmetic alone moves `probe_logprobs`: mean, in nats.

        It is measured on these weights. A master is read once more in bfloat16. A model that
        computes in bfloat16 anyway (sharded) is read once more in float16, which rounds eight times
        finer.
        """
        other = torch.bfloat16 if self.is_exact else torch.float16
        # a cache would keep 16-bit copies of all weights until the engine's thread needs room
        with torch.autocast(self._model.device.type, dtype=other, cache_enabled=False):
            rounded = self.probe_logprobs(token_ids)
        return fmean(abs(a - b) for a, b in zip(logprobs, rounded, strict=True))
