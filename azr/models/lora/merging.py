"""A whole model made of a checkpoint's adapter and the model that it adapts."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
# (torch, transformers and peft are typed in part)

import json
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM
from transformers.utils.logging import disable_progress_bar

from azr.errors import AzrError, ModelError, one_line
from azr.models.checkpoint import ADAPTER, is_adapter
from azr.models.lora.adapters import load_peft
from azr.models.model_folder import tokenizer_files
from azr.models.pretrained import resolve_model

__all__ = ["base_of", "whole_model", "write_merged"]

MERGED = ".merged-"
"""How the folder of a merged model begins that is there for a while."""


@contextmanager
def whole_model(folder: Path, beside: Path) -> Generator[Path]:
    """Yield the folder of a whole model: this one, or a merged one that is there meanwhile.

    Args:
        folder: A model's, or an adapter's.
        beside: The merged one is made in this folder, which nobody else uses: what a process that
            was killed has left there goes.

    Raises:
        ModelError: As `write_merged`.
    """
    if not is_adapter(folder):
        yield folder
        return
    for left in beside.glob(f"{MERGED}*"):
        shutil.rmtree(left)
    with tempfile.TemporaryDirectory(prefix=MERGED, dir=beside) as made:
        yield write_merged(folder, Path(made) / "model")


def write_merged(adapter: Path, folder: Path) -> Path:
    """Write base and adapter as one model: float32 weights W + (alpha / rank) B A, and tokenizer.

    These are the values that a run pushes to its engine.

    Raises:
        ConfigError: PEFT is not installed.
        ModelError: Base or adapter cannot be read.
    """
    peft, base = load_peft(f"the adapter in {adapter}"), base_of(adapter)
    disable_progress_bar()
    try:
        model: Any = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
        merged = peft.PeftModel.from_pretrained(model, adapter).merge_and_unload()
    except Exception as error:  # transformers, peft and safetensors raise anything on damage
        raise ModelError(
            f"{adapter} and its base {base} cannot be merged: {one_line(error)}"
        ) from error
    merged.save_pretrained(folder)
    for file in tokenizer_files(adapter):
        shutil.copyfile(file, folder / file.name)
    return folder


def base_of(folder: Path) -> Path:
    """Return the folder of the whole model that an adapter is for; a whole model is its own.

    Raises:
        ModelError: The adapter does not say, or the model is not there.
    """
    if not is_adapter(folder):
        return folder
    try:
        name = str(json.loads((folder / ADAPTER).read_text())["base_model_name_or_path"])
        return resolve_model(name)
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise ModelError(f"{folder / ADAPTER} cannot be read: {one_line(error)}") from error
    except AzrError as error:
        raise ModelError(f"{folder} adapts a model that is not here: {error}") from error
