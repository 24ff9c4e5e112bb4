"""Where a resume goes on: the newest checkpoint, or the one that was asked for."""

from collections.abc import Callable

from azr.errors import CheckpointError
from azr.models.checkpoint import Checkpoint, latest_checkpoint, read_checkpoint, set_aside_after
from azr.records.run_folder import RunFolder

__all__ = ["find_cut"]


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
