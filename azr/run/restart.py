"""Where a resume goes on: the newest checkpoint, or the one that was asked for."""

from collections.abc import Callable

from azr.config.loss import LoraConfig
from azr.config.run import RunConfig
from azr.config.spelling import spell_value
from azr.errors import CheckpointError, ConfigError
from azr.models.checkpoint import Checkpoint, latest_checkpoint, read_checkpoint, set_aside_after
from azr.models.manifest import steps_in
from azr.records.run_folder import RunFolder

__all__ = ["find_cut", "refuse_other_adapters"]


def find_cut(folder: RunFolder, step: int | None, say: Callable[[str], None]) -> Checkpoint | None:
    """The checkpoint that a resume goes on from; None if the run had none yet.

    Raises:
        CheckpointError: It is damaged, or there is none any more.
    """
    if step is None:
        cut = latest_checkpoint(folder.checkpoints)
        trained = folder.last_step() if cut is None else 0
        if trained:
            refusal = CheckpointError(f"{folder.path} has {trained} steps and no checkpoint")
            refusal.add_note("start anew: --overwrite, or under another --name")
            raise refusal
    else:
        cut = read_checkpoint(folder.checkpoints / f"step_{step}")
        cut.require_resumable()
        for aside in set_aside_after(folder.checkpoints, step):
            say(f"a later checkpoint is set aside as {aside}: delete it when you like")
    if cut is not None:
        cut.require_resumable()
    return cut


def refuse_other_adapters(config: RunConfig, step: int | None) -> None:
    """Tell before anything is written that the checkpoint was trained with another [lora].

    Args:
        config: The run, as it is to go on.
        step: The checkpoint that was asked for; None: the newest there is.

    Raises:
        ConfigError: It was.
    """
    folder = config.folder / "checkpoints"
    steps = steps_in(folder) if step is None else [step]
    if not steps:  # folders that somebody named like checkpoints
        return
    path = folder / f"step_{steps[-1]}"
    try:
        state = read_checkpoint(path, by_content=False).trainer_state()
    except CheckpointError:  # is told when the run is open
        return
    then, now = LoraConfig(**state.get("lora", {})), config.lora
    if then == now or then.rank == now.rank == 0:
        return
    key, old, new = next(
        (key, old, new) for (key, old), (_, new) in zip(then, now, strict=True) if old != new
    )
    refusal = ConfigError(
        f"lora.{key} = {spell_value(new)}, but {path} was trained with lora.{key} ="
        f" {spell_value(old)}: a run goes on with the adapters that it has"
    )
    refusal.add_note(
        f"resume with --lora.{key} '{spell_value(old)}', or export the model (azr export) and start"
        " a new run with it as --model.name"
    )
    raise refusal
