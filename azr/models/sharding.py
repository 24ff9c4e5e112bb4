"""A model sharded over ranks (FSDP2): each holds some rows of every parameter and gathers the rest.

Every rank holds 1/R of each parameter, of its gradient and of the optimizer's state for it. A
decoder layer is whole while it is computed, in the precision of the computation. Embedding, last
norm and head form the root. They are whole from their forward to the end of the backward, so that
the fused loss gets the head as a plain tensor. Gradients are summed over ranks in float32,
micro-batch by micro-batch. R ranks; rank k has rows [k c, (k + 1) c) of a parameter's n rows, where
c = ceil(n / R), as torch.chunk cuts. Ranks beyond the rows have none.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# (torch, transformers and vllm are typed in part)

from types import MethodType
from typing import Any

import torch
from torch import Tensor, nn

from azr.models.process_group import Ranks, dist

__all__ = ["broadcast_into", "last_states", "own_rows", "part_of", "reshard", "shard", "whole"]


def shard(model: Any, ranks: Ranks, computed: torch.dtype) -> None:
    """Shard a model without values (on the meta device) over the ranks; its values are undefined.

    Args:
        model: A Hugging Face language model; the shards keep its parameters' precision.
        ranks: All of them must call.
        computed: Precision of forward and backward.
    """
    from torch.distributed.device_mesh import (  # noqa: PLC0415 - seconds: for several ranks only
        init_device_mesh,
    )
    from torch.distributed.fsdp import (  # noqa: PLC0415
        FSDPModule,
        MixedPrecisionPolicy,
        fully_shard,
        register_fsdp_forward_method,
    )

    device = ranks.device()
    mesh = init_device_mesh(device.type, (ranks.size,))
    policy = MixedPrecisionPolicy(param_dtype=computed, reduce_dtype=torch.float32)
    layers: set[str] = set(model._no_split_modules or ())
    for module in [module for module in model.modules() if type(module).__name__ in layers]:
        fully_shard(module, mesh=mesh, mp_policy=policy)
    fully_shard(model, mesh=mesh, mp_policy=policy)
    for module in model.modules():
        if isinstance(module, FSDPModule):
            # losses are divided by the whole batch's counts: their gradients are to be summed
            module.set_gradient_divide_factor(1.0)
            module.set_force_sum_reduction_for_comms(True)  # gloo has no other
    aliases = tied_parameters(model)
    model.to_empty(device=device)  # which gives each of the tied its own values
    for (owner, name), (first_owner, first_name) in aliases:
        setattr(owner, name, getattr(first_owner, first_name))
    model.last_states = MethodType(_last_states, model)
    register_fsdp_forward_method(model, "last_states")


def tied_parameters(model: nn.Module) -> list[tuple[tuple[nn.Module, str], tuple[nn.Module, str]]]:
    """Return repeated places of parameters, each with the place where the parameter came first."""
    first: dict[int, tuple[nn.Module, str]] = {}
    again: list[tuple[tuple[nn.Module, str], tuple[nn.Module, str]]] = []
    for module in model.modules():
        for name, parameter in module.named_parameters(recurse=False, remove_duplicate=False):
            place = first.setdefault(id(parameter), (module, name))
            if place != (module, name):
                again.append(((module, name), place))
    return again


@torch.no_grad()
def broadcast_into(model: Any, source: Any | None, ranks: Ranks) -> None:
    """Give a sharded model the values of another, which only the leader has; this uses it up.

    It copies parameters and buffers, including those that no file holds (rotary frequencies). One
    parameter is whole at a time, besides the shards.
    """
    held: dict[str, Tensor] = {}
    if source is not None:
        held = {**dict(source.named_parameters()), **dict(source.named_buffers())}
    for name, target in [*model.named_parameters(), *model.named_buffers()]:
        value = torch.empty(target.shape, dtype=target.dtype, device=ranks.device())
        if source is not None:
            value.copy_(held[name])
            if isinstance(held[name], nn.Parameter):
                held[name].data = torch.empty(0)  # the host holds no more than it must
        dist.broadcast(value, 0)
        part_of(target).copy_(own_rows(value, ranks) if is_cut(target) else value)


def _last_states(model: Any, **inputs: Any) -> Tensor:
    return model.base_model(**inputs).last_hidden_state


def last_states(model: Any, **inputs: Any) -> Tensor:  # [1, T, H]
    """Return the states behind the last layer; a sharded model gathers them through its root."""
    forward = getattr(model, "last_states", None)
    return _last_states(model, **inputs) if forward is None else forward(**inputs)


def reshard(model: nn.Module) -> None:
    """Free what is still gathered, after a forward without a backward. Not a collective."""
    for module in model.modules():
        if hasattr(module, "set_gradient_divide_factor"):  # FSDPModule
            module.reshard()  # pyright: ignore[reportCallIssue]


def is_cut(tensor: Tensor) -> bool:
    """Tell whether this rank holds only some rows of it (a DTensor)."""
    return hasattr(tensor, "full_tensor")


def part_of(tensor: Any) -> Tensor:
    """Return the rows that this rank holds; any other tensor unchanged."""
    return tensor.to_local() if is_cut(tensor) else tensor


def whole(tensor: Any) -> Tensor:
    """Return all rows. A collective for a sharded tensor; any other tensor comes back unchanged."""
    return tensor.full_tensor() if is_cut(tensor) else tensor


def own_rows(tensor: Tensor, ranks: Ranks) -> Tensor:
    """Return the rows of a whole parameter that this rank holds."""
    start, stop = row_range(tensor.shape[0], ranks)
    return tensor[start:stop]


def row_range(num_rows: int, ranks: Ranks) -> tuple[int, int]:
    """Return this rank's first row, and the row after its last."""
    size = -(-num_rows // ranks.size)
    return min(ranks.rank * size, num_rows), min((ranks.rank + 1) * size, num_rows)
