"""The weights of forward and backward: the master's, or a copy of the trained ones in bfloat16."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# (torch, transformers and vllm are typed in part)

import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

__all__ = ["WorkingModel", "copy_in"]


@dataclass(frozen=True, slots=True)
class WorkingModel:
    """A master, whose weights the optimizer changes, and the model that computes for it."""

    master: Any
    """Its trained weights and their gradients are float32."""
    model: Any
    """The master itself, or a copy in lower precision."""

    @property
    def is_copy(self) -> bool:
        """Whether weights and gradients must be copied between the two."""
        return self.model is not self.master

    @torch.no_grad()
    def refresh(self) -> None:
        """Give a copy the master's newest weights."""
        if self.is_copy:
            for mine, value in self._pairs():
                mine.copy_(value)

    @torch.no_grad()
    def collect_gradients(self) -> None:
        """Add a copy's gradients to the master's, in float32, and clear them.

        Call it after every micro-batch: adding them up in bfloat16 would lose small gradients
        beside large sums.
        """
        if not self.is_copy:
            return
        for mine, value in self._pairs():
            if mine.grad is None:
                continue
            if value.grad is None:
                value.grad = mine.grad.float()
            else:
                value.grad += mine.grad
            mine.grad = None

    def forget_gradients(self) -> None:
        """Clear all gradients."""
        self.master.zero_grad(set_to_none=True)
        self.model.zero_grad(set_to_none=True)

    def _pairs(self) -> Any:
        """The parameters that are trained, in both; frozen ones are the same in both."""
        both = zip(self.model.parameters(), self.master.parameters(), strict=True)
        return ((mine, value) for mine, value in both if value.requires_grad)


def copy_in(model: Any, dtype: torch.dtype) -> Any:
    """Make a deep copy with parameters in `dtype`, one by one, without a float32 copy in between.

    Frozen parameters are not copied: both models have the same ones. Buffers stay as they are, as
    when a model is loaded in `dtype`. Rotary frequencies rounded to bfloat16 would turn a token at
    place 1500 by up to 2 radians too much or too little.
    """
    made: dict[int, Any] = {
        id(value): nn.Parameter(value.detach().to(dtype)) if value.requires_grad else value
        for value in model.parameters()
    }
    return copy.deepcopy(model, made)
