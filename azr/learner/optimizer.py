"""AdamW: which parameters it decays, and its moments on disk, for any number of ranks.

torch.distributed.checkpoint writes and reads the moments. Each rank writes those of its own rows,
with their place in the whole, so a run can continue with another number of ranks. The files are
safetensors and hold only numbers; DCP's default format would add a pickle.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# (torch, transformers and vllm are typed in part)

import warnings
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from azr.config.run import LearnerConfig
from azr.errors import CheckpointError, one_line
from azr.models.process_group import Ranks

__all__ = ["adamw", "load_moments", "save_moments"]

FILE_BYTES = 2**30
"""About so many bytes of moments go into one file: DCP makes a file in memory before it writes."""


def adamw(model: Any, config: LearnerConfig, device: torch.device) -> torch.optim.AdamW:
    """Return the optimizer, fused where torch has that: it needs no memory beside the moments."""
    return torch.optim.AdamW(
        parameter_groups(model, config.weight_decay),
        lr=config.lr,
        betas=config.betas,
        fused=device.type in {"cpu", "cuda"},
    )


def parameter_groups(model: Any, weight_decay: float) -> list[dict[str, Any]]:
    """Split the parameters: norms and biases are not decayed."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    return [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]


def save_moments(folder: Path, model: Any, optimizer: torch.optim.Optimizer, ranks: Ranks) -> None:
    """Write each parameter's moments and number of steps below `folder`, and flush them.

    This is a collective: a failure on one rank is a failure on all. Before the first step nothing
    is written.

    Raises:
        OSError: On a single rank, the system's own error.
        CheckpointError: On several ranks, with the words of the first that failed.
    """
    from torch.distributed import checkpoint as dcp  # noqa: PLC0415 - slow, and needed here alone

    state = {
        f"{name}.{moment}": value
        for name, parameter in model.named_parameters()
        if parameter.requires_grad
        for moment, value in optimizer.state[parameter].items()
    }
    if not state:
        return
    writer = dcp.HuggingFaceStorageWriter(
        str(folder), fqn_to_index_mapping=files_of(state), save_distributed=True
    )
    with _plain_errors(ranks):
        dcp.save(state, storage_writer=writer, no_dist=ranks.is_alone)


def files_of(state: Mapping[str, Tensor]) -> dict[str, int]:
    """Assign each tensor to a file, by number from 1."""
    files, held, number = dict[str, int](), 0, 1
    for name, value in state.items():
        if held > FILE_BYTES:
            held, number = 0, number + 1
        held += value.numel() * value.element_size()
        files[name] = number
    return files


def load_moments(folder: Path, model: Any, optimizer: torch.optim.Optimizer, ranks: Ranks) -> None:
    """Read what any number of ranks saved. Each rank reads its rows, so this is not a collective.

    Raises:
        CheckpointError: The files cannot be read, or belong to another model.
    """
    from torch.distributed import checkpoint as dcp  # noqa: PLC0415 - slow, and needed here alone

    if not folder.is_dir():  # saved before the first step
        return
    reader = dcp.HuggingFaceStorageReader(str(folder))
    try:
        with _plain_errors(ranks):
            state = _room_for(reader.read_metadata().state_dict_metadata, model)
            dcp.load(state, storage_reader=reader, no_dist=True)
    except Exception as error:  # DCP and safetensors raise anything on damaged files
        raise CheckpointError(f"{folder} cannot be read ({one_line(error)})") from error
    entries: dict[str, dict[str, Tensor]] = {}
    for key, value in state.items():
        name, _, moment = key.rpartition(".")
        entries.setdefault(name, {})[moment] = value
    _take_over(optimizer, {p: entries[n] for n, p in model.named_parameters() if n in entries})


def _room_for(saved: Mapping[str, Any], model: Any) -> dict[str, Tensor]:
    """Zeros for what was saved: of a moment, this rank's rows; of a number of steps, one number.

    Raises:
        ValueError: It does not fill a parameter's moment.
    """
    parameters = dict(model.named_parameters())
    room: dict[str, Tensor] = {}
    for key, found in saved.items():
        parameter = parameters[key.rpartition(".")[0]]
        held = sum(chunk.sizes.numel() for chunk in found.chunks)
        if held != found.size.numel() or (found.size and found.size != parameter.shape):
            raise ValueError(f"{key} has {held} numbers for a parameter of {list(parameter.shape)}")
        room[key] = torch.zeros_like(parameter.detach()) if found.size else torch.zeros(())
    return room


def _take_over(optimizer: torch.optim.Optimizer, entries: Mapping[Tensor, Any]) -> None:
    """Give the optimizer these moments; how a step is computed stays this machine's business."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    state = {place: entries[p] for place, p in enumerate(parameters) if p in entries}
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})


@contextmanager
def _plain_errors(ranks: Ranks) -> Generator[None]:
    """Raise what went wrong, in place of DCP's report of it, which is no `Exception`."""
    from torch.distributed.checkpoint.api import CheckpointException  # noqa: PLC0415

    try:
        with warnings.catch_warnings():  # DCP warns of a run of one process, as we have asked for
            warnings.filterwarnings("ignore", "torch.distributed is disabled")
            yield
    except CheckpointException as report:
        rank, (cause, _) = min(report.failures.items())
        if ranks.is_alone or not isinstance(cause, Exception):
            raise cause from report
        raise CheckpointError(f"rank {rank}: {one_line(cause)}") from report
