"""The subject of an evaluation: a run's checkpoint, or a model."""

from dataclasses import dataclass
from pathlib import Path

from azr.errors import CheckpointError, ConfigError
from azr.models.checkpoint import latest_checkpoint, read_checkpoint
from azr.models.pretrained import resolve_model
from azr.records.run_folder import is_run

__all__ = ["Subject", "find_subject"]


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
