"""Checks of the arguments; an error names the argument. Nothing here changes a value."""

import torch
from torch import Tensor

from azr.errors import TrainingDiverged
from azr.learner.loss.head import Head
from azr.learner.loss.tokens import Tokens

__all__ = ["check_finite_result", "check_head", "check_rows", "check_targets", "check_tokens"]


def _check_plain(name: str, tensor: Tensor) -> None:
    """Refuse tensors whose values are not all here."""
    if hasattr(tensor, "full_tensor"):
        raise TypeError(
            f"{name} is a DTensor, of which this rank holds a part: pass the rows this rank is to "
            f"compute, {name}.to_local() if those are its own"
        )
    if tensor.is_meta:
        raise TypeError(f"{name} is on the meta device and has no values: load the model first")
    if tensor.layout is not torch.strided:
        raise TypeError(f"{name} must be dense, got layout {tensor.layout}")
    if not tensor.is_floating_point():
        raise TypeError(
            f"{name} must be floating point, got {tensor.dtype}: quantised weights are not trained"
        )


def check_head(head: Head, hidden: Tensor) -> None:
    """Check the tensors with a feature or vocabulary axis."""
    for name, tensor in (("hidden", hidden), ("weight", head.weight), ("bias", head.bias)):
        if tensor is not None:
            _check_plain(name, tensor)
            if tensor.device != hidden.device:
                raise ValueError(f"{name} is on {tensor.device} but hidden on {hidden.device}")
    if hidden.ndim != 2:
        raise ValueError(f"hidden must have shape [T, H], got {list(hidden.shape)}: pack the batch")
    weight = head.weight
    if weight.ndim != 2 or weight.numel() == 0:
        raise ValueError(
            f"weight must have shape [V, H], got {list(weight.shape)}: an empty weight is what "
            "FSDP leaves outside the module's forward"
        )
    if weight.shape[1] != hidden.shape[1]:
        raise ValueError(
            f"weight {list(weight.shape)} and hidden {list(hidden.shape)} differ in features"
        )
    if head.bias is not None and head.bias.shape != weight.shape[:1]:
        raise ValueError(f"bias must have shape [{weight.shape[0]}], got {list(head.bias.shape)}")


def check_rows(values: dict[str, Tensor | None], num_rows: int) -> None:
    """Check that every per-token tensor has one value for each row of hidden."""
    for name, value in values.items():
        if value is not None and value.shape != (num_rows,):
            raise ValueError(
                f"{name} must have shape [{num_rows}], one value for each row of hidden, "
                f"got {list(value.shape)}"
            )


def check_targets(targets: Tensor, num_words: int) -> None:
    """Check that every target is a word."""
    if targets.numel() == 0:
        return
    low, high = (int(bound) for bound in targets.aminmax())
    if low < 0 or high >= num_words:
        raise ValueError(f"targets must be in [0, {num_words}) where they count, got {low}..{high}")


def check_tokens(tokens: Tokens, num_words: int) -> None:
    """Check the values of the tokens that count."""
    if len(tokens) == 0:
        return
    low, high = (int(bound) for bound in tokens.targets.aminmax())
    if low < 0 or high >= num_words:
        raise ValueError(
            f"targets must be in [0, {num_words}) where mask is set, got {low}..{high}"
        )
    for name in ("old_logprobs", "advantages", "ref_logprobs", "rollout_logprobs"):
        value: Tensor | None = getattr(tokens, name)
        if value is not None and not bool(value.isfinite().all()):
            raise TrainingDiverged(f"{name} is not finite at a token whose mask is set")


def check_finite_result(logprobs: Tensor, head: Head, hidden: Tensor) -> None:
    """Name the tensor at fault if a log-probability is not a finite number.

    A look at the result [T] finds every NaN that matters, without reading [V, H] once more.
    """
    if bool(logprobs.isfinite().all()):
        return
    for name, tensor in (("hidden", hidden), ("weight", head.weight), ("bias", head.bias)):
        if tensor is not None and bool(tensor.isnan().any() | tensor.isposinf().any()):
            raise TrainingDiverged(f"{name} is not finite: it holds NaN or inf")
    raise TrainingDiverged(
        "the log-probability of a target is not finite although hidden and weight are: "
        "the logits overflow, or the target's bias is -inf"
    )
