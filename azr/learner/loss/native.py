"""The CPU engine: azr._loss, whose headers in native/loss say how it works."""

from typing import Any

import torch
from torch import Tensor

from azr import _loss
from azr.learner.loss.engine import Gradients, Pass, Statistics
from azr.learner.loss.head import Head

__all__ = ["ENGINE", "NativeEngine"]

TILE_ROWS = 12
CHUNK_ROWS = 43 * TILE_ROWS
"""Tokens whose logits are in memory at once. More would read and write the weight's
gradient less often; each costs 4 V bytes."""


class NativeEngine:
    """Passes over the vocabulary by the CPU's vector units."""

    def __init__(self, isa: str = "", num_threads: int | None = None) -> None:
        """Choose how to compute.

        Args:
            isa: One of _loss.available_isas(); empty for the best this machine has.
            num_threads: None: as many as torch uses, which follows OMP_NUM_THREADS.
        """
        self.isa = isa
        self.num_threads = num_threads

    def open(self, head: Head, hidden: Tensor, targets: Tensor, wants: Gradients) -> Pass:
        """Start work on the given tensors."""
        return _NativePass(self, head, hidden, targets, wants)


class _NativePass:
    def __init__(
        self, engine: NativeEngine, head: Head, hidden: Tensor, targets: Tensor, wants: Gradients
    ) -> None:
        # The pass below holds addresses: everything it points at is held here.
        self._weight = head.weight.detach().contiguous()
        self._bias = None if head.bias is None else head.bias.detach().float().contiguous()
        self._hidden = hidden.contiguous()
        self._targets = targets.contiguous()
        self.max_rows = CHUNK_ROWS
        self.row_multiple = TILE_ROWS
        V, H = self._weight.shape
        self.grad_hidden = (
            torch.empty(hidden.shape[0], H, dtype=torch.float32) if wants.hidden else None
        )
        self.grad_weight = torch.empty_like(self._weight) if wants.weight else None
        self.grad_bias = torch.empty(V, dtype=torch.float32) if wants.bias else None
        self._pass = _loss.Pass(
            _described(self._weight),
            bias=_address(self._bias),
            scale=head.logit_scale,
            temperature=head.temperature,
            softcap=head.softcap,
            hidden_is_bfloat16=hidden.dtype is torch.bfloat16,
            isa=engine.isa,
            num_threads=engine.num_threads or torch.get_num_threads(),
        )

    def forward(self, rows: slice, *, keep: bool) -> Statistics:
        targets = self._targets[rows]
        out = torch.empty(4, targets.shape[0], dtype=torch.float32)
        hidden = _described(self._hidden[rows])
        self._pass.forward(hidden, targets.data_ptr(), out.data_ptr(), keep=keep)
        return Statistics(
            maximum=out[0], sum_exp=out[1], sum_exp_shifted=out[2], target_logit=out[3]
        )

    def backward(self, rows: slice, statistics: Statistics, a: Tensor, b: Tensor | None) -> None:
        targets = self._targets[rows]
        derivatives = torch.stack(
            [
                statistics.maximum,
                statistics.sum_exp,
                statistics.entropy(),
                a.float(),
                (torch.zeros_like(a) if b is None else b).float(),
            ]
        )
        self._pass.backward(
            targets.shape[0],
            targets.data_ptr(),
            derivatives.data_ptr(),
            has_b=b is not None,
            grad_hidden=_address(None if self.grad_hidden is None else self.grad_hidden[rows]),
            grad_weight=_address(self.grad_weight),
            grad_bias=_address(self.grad_bias),
            is_last=rows.stop == self._targets.shape[0],
        )


def _address(tensor: Tensor | None) -> int:
    return 0 if tensor is None else tensor.data_ptr()


def _described(tensor: Tensor) -> Any:
    rows, columns = tensor.shape
    return _loss.Tensor(tensor.data_ptr(), tensor.dtype is torch.bfloat16, rows, columns)


ENGINE = NativeEngine()
