"""AdamW: which parameters it decays, and its state on disk, for any number of ranks.

Each rank keeps the moments of its own rows of every parameter and writes them into a file of its
own. Put one behind the other, the files' rows are the whole moments; a run that goes on with
another number of ranks reads the rows it needs out of them.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# (torch, transformers and vllm are typed in part)

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from azr.config.run import LearnerConfig
from azr.errors import CheckpointError
from azr.models.process_group import Ranks
from azr.models.sharding import is_cut, part_of, row_range

__all__ = ["adamw", "load_state", "local_state"]


def adamw(model: Any, config: LearnerConfig, device: torch.device) -> torch.optim.AdamW:
    """The optimizer; on a GPU fused, which needs no memory beside the moments."""
    return torch.optim.AdamW(
        parameter_groups(model, config.weight_decay),
        lr=config.lr,
        betas=config.betas,
        fused=True if device.type == "cuda" else None,
    )


def parameter_groups(model: Any, weight_decay: float) -> list[dict[str, Any]]:
    """Norms and biases are not decayed."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    return [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]


def local_state(optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """The optimizer's state_dict with this rank's rows as plain tensors."""
    state = optimizer.state_dict()
    moments = {
        index: {name: part_of(value) for name, value in entry.items()}
        for index, entry in state["state"].items()
    }
    return {**state, "state": moments}


@torch.no_grad()
def load_state(
    optimizer: torch.optim.Optimizer, parts: Sequence[Mapping[str, Any]], ranks: Ranks
) -> None:
    """Go on from `local_state` of all ranks that wrote it, in their order; not a collective.

    Raises:
        CheckpointError: The parts are not those of these parameters.
    """
    own = optimizer.state_dict()["param_groups"]
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    groups = [
        # how the step is computed is this machine's business
        {**saved, "fused": mine["fused"], "foreach": mine["foreach"]}
        for saved, mine in zip(parts[0]["param_groups"], own, strict=True)
    ]
    state = {
        index: entry_of(parameters[index], [part["state"][index] for part in parts], ranks)
        for index in parts[0]["state"]
    }
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def entry_of(
    parameter: Any, entries: Sequence[Mapping[str, Tensor]], ranks: Ranks
) -> dict[str, Tensor]:
    """One parameter's state: the moments of this rank's rows, the number of steps as it is."""
    own: dict[str, Tensor] = {}
    for name, first in entries[0].items():
        parts = [entry[name] for entry in entries]
        own[name] = first.clone() if first.ndim == 0 else rows_of(parts, parameter, ranks)
    return own


def rows_of(parts: Sequence[Tensor], parameter: Any, ranks: Ranks) -> Tensor:
    """This rank's rows of a moment that several ranks wrote, of the parameter's kind.

    Raises:
        CheckpointError: The parts do not add up to the parameter.
    """
    found = [sum(len(part) for part in parts), *parts[0].shape[1:]]
    if found != list(parameter.shape):
        raise CheckpointError(
            f"the optimizer's parts make {found} of a parameter of {list(parameter.shape)}"
        )
    start, stop = row_range(found[0], ranks)
    taken, first = list[Tensor](), 0
    for part in parts:
        taken.append(part[max(start - first, 0) : max(stop - first, 0)])
        first += len(part)
    rows = torch.cat(taken)  # out of the files' memory, which may be mapped
    return like(parameter, rows) if is_cut(parameter) else rows


def like(parameter: Any, rows: Tensor) -> Tensor:
    """This rank's rows as a tensor that is sharded as the parameter is."""
    from torch.distributed.tensor import DTensor  # noqa: PLC0415 - slow, and here loaded

    return DTensor.from_local(
        rows.to(parameter.device, parameter.dtype),
        parameter.device_mesh,
        parameter.placements,
        run_check=False,
        shape=parameter.shape,
        stride=parameter.stride(),
    )
