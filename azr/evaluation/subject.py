"""The subject of an evaluation: a run's checkpoint, or a model."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from azr.errors import CheckpointError, ConfigError
from azr.models.checkpoint import latest_checkpoint, read_checkpoint
from azr.models.pretrained import resolve_model
from azr.records.run_folder import is_run

__all__ = ["Subject", "find_subject", "weights_digest"]

EDGE_BYTES = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A model folder, and its name in results."""

    name: str
    folder: Path
    """A whole model's, or an adapter's (azr.models.lora.merging)."""
    step: int | None = None
    """The step of a run's checkpoint."""
    results: Path
    """Folder for its results, unless another one is named."""


def find_subject(target: str, step: int | None) -> Subject:
    """Return the model that the command line names.

    Raises:
        ConfigError: A step of something that is not a run.
        CheckpointError: The run has no such checkpoint.
        ModelError: It is neither a run nor a model.
    """
    run = Path(target)
    if is_run(run):
        checkpoints = run / "checkpoints"
        cut = latest_checkpoint(checkpoints) if step is None else read_checkpoint(
            checkpoints / f"step_{step}"
        )  # fmt: skip
        if cut is None:
            raise CheckpointError(f"{run} has no checkpoint yet")
        return Subject(
            name=f"{run.name}/step_{cut.step}",
            folder=cut.model,
            step=cut.step,
            results=run / "eval" / f"step_{cut.step}",
        )
    if step is not None:
        raise ConfigError(f"--checkpoint needs a run's folder, and {target} is none")
    folder = resolve_model(target)
    return Subject(
        name=target.rstrip("/"), folder=folder, results=Path("evaluations") / Path(target).name
    )


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
