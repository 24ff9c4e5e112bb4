"""A trained model on disk: its weights or adapters, and its tokenizer, in Hugging Face format."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# (torch, transformers and vllm are typed in part)

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from torch import Tensor

from azr.models.lora.adapters import has_adapters, save_adapters
from azr.models.process_group import Ranks
from azr.models.sharding import is_cut, whole
from azr.models.weights import TorchWeights

__all__ = ["save_model", "tokenizer_files", "weights_digest", "whole_weights"]

EDGE_BYTES = 65_536


def save_model(
    model: Any, folder: Path, weights: dict[str, Tensor] | None, tokenizer: Mapping[str, bytes]
) -> None:
    """Write what `whole_weights` returned, and the unchanged tokenizer files.

    Raises:
        OSError: They cannot be written.
    """
    try:
        if has_adapters(model):
            save_adapters(model, folder, weights or {})
        else:
            model.save_pretrained(folder, state_dict=weights)
    except SafetensorError as error:  # of what the system said it keeps the words alone
        raise OSError(str(error)) from error
    for name, content in tokenizer.items():
        (folder / name).write_bytes(content)


def whole_weights(model: Any, ranks: Ranks) -> dict[str, Tensor] | None:
    """Gather on the leader's host, one by one, what a checkpoint holds: all weights, or adapters.

    A collective. The other ranks get nothing, and hold one whole parameter at a time. Returns None
    for all weights of a model that is not sharded: it has them.
    """
    if has_adapters(model):
        trained = {name: p.detach() for name, p in model.named_parameters() if p.requires_grad}
        values = {name: whole(value).cpu() for name, value in trained.items()}
        return values if ranks.is_leader else {}
    if ranks.is_alone:
        return None
    gathered = {name: value for name, value in model.state_dict().items() if not is_cut(value)}
    for name, value in TorchWeights(model).named_parameters():
        if ranks.is_leader:
            gathered[name] = value.cpu()
    return gathered


def tokenizer_files(folder: Path) -> list[Path]:
    """Return the files that are not weights or their configuration.

    So a tokenizer is kept unchanged.
    """
    configs = {"config.json", "generation_config.json", "adapter_config.json"}
    written = {*configs, "model.safetensors.index.json"}
    kinds = {".json", ".jinja", ".model", ".txt"}
    files = (file for file in sorted(folder.iterdir()) if file.is_file())
    return [file for file in files if file.suffix in kinds and file.name not in written]


def weights_digest(folder: Path) -> str:
    """Return a digest of the model's files that distinguishes one checkpoint from the next.

    It covers names, sizes and both ends of each file. This is enough to notice other weights, and
    quick for large ones, but it does not cover every byte.
    """
    digest = hashlib.sha256()
    for file in weight_files(folder):
        digest.update(f"{file.name}:{file.stat().st_size}:".encode())
        with file.open("rb") as handle:
            digest.update(handle.read(EDGE_BYTES))
            handle.seek(-min(EDGE_BYTES, file.stat().st_size), os.SEEK_END)
            digest.update(handle.read())
    return digest.hexdigest()[:16]


def weight_files(folder: Path) -> Iterator[Path]:
    """Return the files that decide how the model behaves."""
    names = ("config.json", "adapter_config.json", "generation_config.json")
    for pattern in (*names, "tokenizer*", "*.safetensors"):
        yield from sorted(folder.glob(pattern))
