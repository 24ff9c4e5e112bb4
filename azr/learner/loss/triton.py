"""The GPU engine: Triton for the sums and the logits' gradient, cuBLAS for the other products.

Not yet measured on a GPU: proved in Triton's interpreter and by cross-compilation for sm_90.
"""

import importlib
from typing import Any, cast

import torch
from torch import Tensor

from azr.learner.loss.engine import Gradients, Pass, Statistics
from azr.learner.loss.head import Head

__all__ = ["ENGINE", "TritonEngine"]

LOGITS_BYTES = 2**30
"""Of the logits of a chunk: what bounds the memory above inputs and gradients."""
SPLIT = 4096
"""Columns of the vocabulary summed by one program; fixed, for batch invariance."""
SLICE = 8192
"""Columns whose gradient is in memory at once."""
TILES = {
    torch.bfloat16: {"ROWS": 128, "COLUMNS": 128, "DEPTH": 64, "num_warps": 8},
    torch.float32: {"ROWS": 64, "COLUMNS": 64, "DEPTH": 32, "num_warps": 8},
}
MAX_STAGES = 3
"""Slices of both operands on their way at once, where shared memory has room for them."""
SCRATCH_BYTES = 8192
"""What a program may need of it beside them."""
INTERPRETER_TILE = {"ROWS": 16, "COLUMNS": 64, "DEPTH": 32}
SMALL_SPLIT = 256

_KERNELS: Any = importlib.import_module("azr.learner.loss.triton_kernels")  # Triton has no types
_INTERPRETED = (
    type(_KERNELS.sum_logits).__name__ == "InterpretedFunction"
)  # TRITON_INTERPRET was set


def stages_for(dtype: torch.dtype, shared_bytes: int) -> int:
    """Stages of a tile, given a program's shared memory (sm_90: 227 KiB, sm_86: 99 KiB)."""
    tile = TILES[dtype]
    stage = (tile["ROWS"] + tile["COLUMNS"]) * tile["DEPTH"] * dtype.itemsize
    return max(1, min(MAX_STAGES, (shared_bytes - SCRATCH_BYTES) // stage))


def _tile(dtype: torch.dtype, device: torch.device) -> dict[str, int]:
    if _INTERPRETED:
        return INTERPRETER_TILE
    properties = cast(Any, torch.cuda).get_device_properties(device)
    stages = stages_for(dtype, int(properties.shared_memory_per_block_optin))
    return {**TILES[dtype], "num_stages": stages}


def _ceil_div(count: int, size: int) -> int:
    return -(-count // size)


class TritonEngine:
    """Passes over the vocabulary on an NVIDIA GPU."""

    def open(self, head: Head, hidden: Tensor, targets: Tensor, wants: Gradients) -> Pass:
        """Start work on the given tensors."""
        if not hidden.is_cuda and not _INTERPRETED:
            raise ValueError(f"hidden must be on a GPU for the Triton engine, got {hidden.device}")
        return _TritonPass(head, hidden, targets, wants)


class _TritonPass:
    def __init__(self, head: Head, hidden: Tensor, targets: Tensor, wants: Gradients) -> None:
        self._head = head
        self._dtype = torch.promote_types(hidden.dtype, head.weight.dtype)
        self._weight = head.weight.detach().to(self._dtype).contiguous()
        self._hidden = hidden.to(self._dtype).contiguous()
        self._bias = None if head.bias is None else head.bias.detach().float().contiguous()
        self._targets = targets.contiguous()
        self._logits = hidden.new_empty(0, dtype=torch.float32)
        V, H = self._weight.shape
        self.row_multiple = 1
        self.max_rows = max(128, min(4096, LOGITS_BYTES // (4 * V) // 128 * 128))

        def zeros(wanted: bool, *shape: int) -> Tensor | None:
            return hidden.new_zeros(shape, dtype=torch.float32) if wanted else None

        self.grad_hidden = zeros(wants.hidden, hidden.shape[0], H)
        self.grad_weight = zeros(wants.weight, V, H)
        self.grad_bias = zeros(wants.bias, V)

    def forward(self, rows: slice, *, keep: bool) -> Statistics:
        hidden, targets = self._hidden[rows], self._targets[rows]
        (T, H), V = hidden.shape, self._weight.shape[0]
        if keep and self._logits.numel() < T * V:
            self._logits = hidden.new_empty(0, dtype=torch.float32)
            self._logits = hidden.new_empty(T * V, dtype=torch.float32)
        split = SMALL_SPLIT if _INTERPRETED else SPLIT
        splits = _ceil_div(V, split)
        parts = hidden.new_empty((3, T, splits), dtype=torch.float32)
        target_logit = hidden.new_zeros(T, dtype=torch.float32)
        tile = _tile(self._dtype, hidden.device)
        _KERNELS.sum_logits[(_ceil_div(T, tile["ROWS"]), splits)](
            hidden,
            self._weight,
            target_logit if self._bias is None else self._bias,
            targets,
            self._logits,
            *parts,
            target_logit,
            T,
            H,
            V,
            self._head.logit_scale,
            1.0 / self._head.temperature,
            self._head.softcap,
            splits,
            HAS_BIAS=self._bias is not None,
            HAS_SOFTCAP=self._head.softcap > 0,
            KEEP=keep,
            WIDEN=_INTERPRETED,
            SPLIT=split,
            **tile,
        )
        return _merged(parts, target_logit)

    def backward(self, rows: slice, statistics: Statistics, a: Tensor, b: Tensor | None) -> None:
        slope = torch.zeros_like(a) if b is None else b
        picked = ((a != 0) | (slope != 0)).nonzero()[:, 0]
        if len(picked) == 0:
            return
        chain = self._head.logit_scale / self._head.temperature
        terms = [
            statistics.maximum,
            statistics.sum_exp.log(),
            1 / statistics.sum_exp,
            -(a + slope * statistics.entropy()) * chain,
            -slope * chain,
            a * chain,
        ]
        terms = [self._targets[rows][picked], *(term.float()[picked] for term in terms)]
        hidden = self._hidden[rows][picked]
        grad_hidden = hidden.new_zeros(hidden.shape, dtype=torch.float32)
        for first in range(0, self._weight.shape[0], SLICE):
            columns = slice(first, min(first + SLICE, self._weight.shape[0]))
            gradient = self._logit_gradient(columns, picked, terms, has_slope=b is not None)
            self._add_products(columns, gradient, hidden, grad_hidden)
        if self.grad_hidden is not None:
            self.grad_hidden[rows][picked] = grad_hidden

    def _logit_gradient(
        self, columns: slice, picked: Tensor, terms: list[Tensor], *, has_slope: bool
    ) -> Tensor:
        width, block = columns.stop - columns.start, 64 if _INTERPRETED else 2048
        out = picked.new_empty((len(picked), width), dtype=self._dtype)
        softcap = self._head.softcap
        _KERNELS.differentiate[(len(picked), _ceil_div(width, block))](
            self._logits,
            picked,
            *terms,
            out,
            self._weight.shape[0],
            columns.start,
            width,
            self._head.temperature / softcap if softcap > 0 else 0.0,
            HAS_SOFTCAP=softcap > 0,
            HAS_SLOPE=has_slope,
            COLUMNS=block,
        )
        return out

    def _add_products(
        self, columns: slice, gradient: Tensor, hidden: Tensor, grad_hidden: Tensor
    ) -> None:
        if self.grad_hidden is not None:
            grad_hidden += _product(gradient, self._weight[columns])
        if self.grad_weight is not None:
            self.grad_weight[columns] += _product(gradient.T, hidden)
        if self.grad_bias is not None:
            self.grad_bias[columns] += gradient.sum(0, dtype=torch.float32)


def _product(a: Tensor, b: Tensor) -> Tensor:
    """Multiply with float32 sums and a float32 result, whatever the operands."""
    if a.is_cuda and a.dtype is not torch.float32:
        return cast(Any, torch.mm)(a, b, out_dtype=torch.float32)
    return a.float() @ b.float()


def _merged(
    parts: Tensor,  # [3, T, splits]
    target_logit: Tensor,  # [T]
) -> Statistics:
    m, s, x = parts
    maximum = m.amax(1)
    shift = m - maximum[:, None]
    scale = shift.exp()
    # Where scale underflows the split counts for nothing, also in x.
    shifted = torch.where(scale > 0, scale * (x + s * shift), 0)
    return Statistics(
        maximum=maximum,
        sum_exp=(scale * s).sum(1),
        sum_exp_shifted=shifted.sum(1),
        target_logit=target_logit,
    )


ENGINE = TritonEngine()
