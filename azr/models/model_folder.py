"""A trained model on disk: float32 weights and its tokenizer, in Hugging Face format."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# (torch, transformers and vllm are typed in part)

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from torch import Tensor

from azr.models.process_group import Ranks
from azr.models.sharding import is_cut
from azr.models.weights import TorchWeights

__all__ = ["save_model", "tokenizer_files", "whole_weights"]


def save_model(
    model: Any, folder: Path, weights: dict[str, Tensor] | None, tokenizer: Mapping[str, bytes]
) -> None:
    """Write `weights`, or the model's own if they are complete, and the unchanged tokenizer files.

    Raises:
        OSError: They cannot be written.
    """
    try:
        model.save_pretrained(folder, state_dict=weights)
    except SafetensorError as error:  # of what the system said it keeps the words alone
        raise OSError(str(error)) from error
    for name, content in tokenizer.items():
        (folder / name).write_bytes(content)


def whole_weights(model: Any, ranks: Ranks) -> dict[str, Tensor] | None:
    """Gather all weights on the leader's host, one by one; None if the model is not sharded.

    A collective. The other ranks get nothing, and hold one whole parameter at a time.
    """
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
    written = {"config.json", "generation_config.json", "model.safetensors.index.json"}
    kinds = {".json", ".jinja", ".model", ".txt"}
    files = (file for file in sorted(folder.iterdir()) if file.is_file())
    return [file for file in files if file.suffix in kinds and file.name not in written]
