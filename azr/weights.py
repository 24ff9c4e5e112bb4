"""The learner's parameters as others may see them: to read, to compare with, never to change."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# (torch, transformers and vllm are typed in part)

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

__all__ = ["TorchWeights"]


class TorchWeights:
    """ports.Weights over a Hugging Face model; always the newest values, never a copy."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def named_parameters(self) -> Iterator[tuple[str, Tensor]]:
        """Each parameter once, under its Hugging Face name; a tied head is left out."""
        for name, parameter in self._model.named_parameters():
            yield name, parameter.detach()

    @torch.no_grad()
    def probe_logprobs(self, token_ids: Sequence[int]) -> list[float]:
        """Natural-log probability of each token but the first, at temperature 1, in float32."""
        ids_1T = torch.tensor([list(token_ids)], device=self._model.device)
        logits_TV = self._model(input_ids=ids_1T, use_cache=False).logits[0, :-1].float()
        logprobs_TV = torch.log_softmax(logits_TV, dim=-1)
        return logprobs_TV.gather(1, ids_1T[0, 1:, None])[:, 0].tolist()
