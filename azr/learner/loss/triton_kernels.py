"""The GPU's two kernels: sums over the vocabulary, and the gradient of the logits.

The other two matrix products of the backward are cuBLAS's. T tokens, H features, V words; the
vocabulary is cut into splits of a fixed number of columns, merged in order, so that a token's
log-probability does not depend on what else is in the batch.
"""
# pyright: basic, reportMissingTypeStubs=false, reportOperatorIssue=false
# Kernels are Triton's language, which only looks like Python: ruff's limits on arguments, and
# types, mean nothing here.

import triton
import triton.language as tl

__all__ = ["differentiate", "sum_logits"]


@triton.jit
def sum_logits(  # noqa: PLR0913, PLR0915, PLR0917
    hidden,  # [T, H]
    weight,  # [V, H]
    bias,  # [V] float32, read if HAS_BIAS
    targets,  # [T] int64
    logits,  # [T, V] float32, written if KEEP
    maximum,  # [T, num_splits] float32, and so the next two
    sum_exp,
    sum_exp_shifted,
    target_logit,  # [T] float32, written by the split that holds the target
    T,
    H,
    V,
    scale,
    inv_temperature,
    softcap,
    num_splits,
    HAS_BIAS: tl.constexpr,
    HAS_SOFTCAP: tl.constexpr,
    KEEP: tl.constexpr,
    WIDEN: tl.constexpr,  # the interpreter multiplies bfloat16 wrongly, without a word
    SPLIT: tl.constexpr,  # columns
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
    DEPTH: tl.constexpr,
):
    """Add up e^(u - m) and e^(u - m) (u - m) over one split, for a tile of rows."""
    split = tl.program_id(1)
    # 64-bit bases and 32-bit offsets: tiles of 64-bit addresses would spill.
    top = tl.program_id(0).to(tl.int64) * ROWS
    within = tl.arange(0, ROWS)
    rows = top + within
    real = rows < T
    hidden += top * H
    logits += top * V
    target = tl.load(targets + rows, mask=real, other=-1)
    # The lowest finite number, not -inf, whose differences are NaN; not 0, under which very
    # negative logits would all underflow.
    m = tl.full((ROWS,), -3.0e38, tl.float32)
    s = tl.zeros((ROWS,), tl.float32)
    x = tl.zeros((ROWS,), tl.float32)
    for first in range(split * SPLIT, min((split + 1) * SPLIT, V), COLUMNS):
        columns = first + tl.arange(0, COLUMNS)
        inside = columns < V
        here = weight + tl.cast(first, tl.int64) * H
        u = tl.zeros((ROWS, COLUMNS), tl.float32)
        for k in range(0, H, DEPTH):
            depth = k + tl.arange(0, DEPTH)
            a = tl.load(
                hidden + (within[:, None] * H + depth[None, :]),
                mask=real[:, None] & (depth < H)[None, :],
                other=0.0,
            )
            b = tl.load(
                here + (tl.arange(0, COLUMNS)[None, :] * H + depth[:, None]),
                mask=inside[None, :] & (depth < H)[:, None],
                other=0.0,
            )
            if WIDEN:
                a = a.to(tl.float32)
                b = b.to(tl.float32)
            u = tl.dot(a, b, u, input_precision="ieee")
        if HAS_BIAS:
            u += tl.load(bias + columns, mask=inside, other=0.0)[None, :]
        u *= scale
        if HAS_SOFTCAP:
            u = softcap * (2.0 * tl.sigmoid(2.0 * u / softcap) - 1.0)
        u *= inv_temperature
        if KEEP:
            place = logits + (within[:, None] * V + columns[None, :])
            tl.store(place, u, mask=real[:, None] & inside[None, :])
        hit = (columns[None, :] == target[:, None]) & inside[None, :]
        found = tl.sum(tl.where(hit, u, 0.0), 1)
        tl.store(target_logit + rows, found, mask=real & (tl.sum(hit.to(tl.int32), 1) > 0))
        u = tl.where(inside[None, :], u, float("-inf"))
        largest = tl.maximum(m, tl.max(u, 1))
        # Comparisons are false for NaN, so that a NaN reaches the sums.
        d = u - largest[:, None]
        d = tl.where(d < -87.0, -87.0, d)
        e = tl.where(inside[None, :], tl.exp(d), 0.0)
        shift = m - largest
        x = tl.exp(shift) * (x + s * shift) + tl.sum(e * d, 1)
        s = tl.exp(shift) * s + tl.sum(e, 1)
        m = largest
    part = rows * num_splits + split
    tl.store(maximum + part, m, mask=real)
    tl.store(sum_exp + part, s, mask=real)
    tl.store(sum_exp_shifted + part, x, mask=real)


@triton.jit
def differentiate(  # noqa: PLR0913, PLR0917
    logits,  # [T, V] float32
    picked,  # [P] int64, which rows
    targets,  # [P] int64, and so the next six, float32
    maximum,
    log_sum,
    inv_sum,
    level,
    slope,
    at_target,
    out,  # [P, width], columns [first, first + width) of dL/dlogits
    V,
    first,
    width,
    temperature_over_softcap,
    HAS_SOFTCAP: tl.constexpr,
    HAS_SLOPE: tl.constexpr,
    COLUMNS: tl.constexpr,
):
    """Compute p (level + slope log p), and at_target at the target, for part of a row."""
    # Rows along the first axis of the grid: the others end at 65,535.
    i = tl.program_id(0).to(tl.int64)
    offsets = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    inside = offsets < width
    row = tl.load(picked + i)
    u = tl.load(logits + row * V + first + offsets, mask=inside, other=float("-inf"))
    d = u - tl.load(maximum + i)
    d = tl.where(d < -87.0, -87.0, d)
    p = tl.exp(d) * tl.load(inv_sum + i)
    gradient = p * tl.load(level + i)
    if HAS_SLOPE:
        log_p = d - tl.load(log_sum + i)
        gradient += p * log_p * tl.load(slope + i)
    hit = first + offsets == tl.load(targets + i)
    gradient += tl.where(hit, tl.load(at_target + i), 0.0)
    if HAS_SOFTCAP:
        tanh = u * temperature_over_softcap
        gradient *= 1.0 - tanh * tanh
    tl.store(out + i * width + offsets, gradient.to(out.dtype.element_ty), mask=inside)
