"""One consistent cut of a run on disk, there whole or not at all.

    checkpoints/step_N/{model/ (Hugging Face: weights, tokenizer), trainer/state.pt (optimizer,
                        random state), tasks.sqlite, state.json (written last)}

A run of R ranks has trainer/state-rank-K-of-R.pt as well, with rank K's part of the optimizer's
state; rank 0's is in state.pt.

Everything is written to a hidden folder beside it, flushed to the disk and renamed: a kill at any
moment leaves the checkpoints that were there before, and no half one. Nothing is unpickled but
tensors and plain values.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# (torch, transformers and vllm are typed in part)

import json
import os
import re
import shutil
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch

from azr.disk import is_full
from azr.errors import CheckpointError

__all__ = [
    "Checkpoint",
    "Saveable",
    "flush",
    "latest_checkpoint",
    "read_checkpoint",
    "save_checkpoint",
    "state_file",
]

FORMAT = 1
"""Of the folder's layout; another number is another version of azr."""


class Saveable(Protocol):
    """What is saved besides the tasks (azr.learner), by all ranks together."""

    def save(self, folder: Path) -> None:
        """Write weights and tokenizer, and all else that the next update depends on.

        The former into `folder`/model, in Hugging Face format, the latter into the `state_file`s
        of `folder`, whose subfolder is there.

        Raises:
            OSError, RuntimeError: It cannot be written, by whichever rank.
        """
        ...


def state_file(folder: Path, rank: int, size: int) -> Path:
    """Where a rank of `size` writes its part of the trainer's state."""
    name = "state.pt" if rank == 0 else f"state-rank-{rank}-of-{size}.pt"
    return folder / "trainer" / name


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint that was found whole."""

    path: Path
    step: int

    @property
    def model(self) -> Path:
        """Weights and tokenizer, a Hugging Face model folder."""
        return self.path / "model"

    @property
    def tasks(self) -> Path:
        """The task buffers."""
        return self.path / "tasks.sqlite"

    def trainer_state(self) -> dict[str, Any]:
        """What rank 0 saved, on the host: tensors are read from the file where they are used.

        Raises:
            CheckpointError: It cannot be read back.
        """
        return self._state(state_file(self.path, 0, 1))

    def other_states(self, size: int) -> list[dict[str, Any]]:
        """What ranks 1 to `size` - 1 of the run that was saved added, in order.

        Raises:
            CheckpointError: It cannot be read back.
        """
        return [self._state(state_file(self.path, rank, size)) for rank in range(1, size)]

    def _state(self, file: Path) -> dict[str, Any]:
        try:
            return torch.load(file, map_location="cpu", weights_only=True, mmap=True)
        except Exception as error:  # torch raises anything on a damaged file
            raise CheckpointError(
                f"{file} cannot be read ({error}){_way_out(self.path)}"
            ) from error


def save_checkpoint(
    folder: Path,
    step: int,
    *,
    learner: Saveable,
    backup_tasks: Callable[[Path], object],
    keep: int,
) -> Checkpoint:
    """Write `folder`/step_N and remove all but the newest `keep`.

    Raises:
        CheckpointError: It cannot be written; those that were there before still are.
    """
    final, partial = folder / f"step_{step}", folder / f".step_{step}.partial"
    with _explained(folder, final):
        folder.mkdir(parents=True, exist_ok=True)
        for leftover in folder.glob(".step_*"):  # of a process that was killed
            shutil.rmtree(leftover)
        try:
            (partial / "trainer").mkdir(parents=True)
            learner.save(partial)
            backup_tasks(partial / "tasks.sqlite")
            _write_state(partial, step)
            _replace(partial, final)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        for old in sorted(_numbers(folder))[:-keep]:
            if old != step:
                shutil.rmtree(folder / f"step_{old}")
    return Checkpoint(final, step)


def latest_checkpoint(folder: Path) -> Checkpoint | None:
    """The newest checkpoint, or None if there is none.

    Raises:
        CheckpointError: The newest is torn, or of another version of azr. An older one is never
            taken silently: that would throw steps away.
    """
    numbers = _numbers(folder)
    return read_checkpoint(folder / f"step_{max(numbers)}") if numbers else None


def read_checkpoint(path: Path) -> Checkpoint:
    """The checkpoint in this folder, after a look at all its files.

    Raises:
        CheckpointError: It is missing, torn, or of another version of azr.
    """
    try:
        state = json.loads((path / "state.json").read_text(encoding="utf-8"))
        version, step, files = state["format"], int(state["step"]), dict(state["files"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"{path} is not a whole checkpoint: state.json cannot be read ({error}){_way_out(path)}"
        ) from error
    if version != FORMAT:
        raise CheckpointError(
            f"{path} is of format {version}, this azr reads {FORMAT}: resume with the version of"
            " azr that wrote it (env.json in the run folder names it)"
        )
    for name, size in files.items():
        file = path / name
        if not file.is_file() or file.stat().st_size != size:
            found = f"{file.stat().st_size} bytes" if file.is_file() else "missing"
            raise CheckpointError(
                f"{path} is torn: {name} should have {size} bytes and is {found}{_way_out(path)}"
            )
    return Checkpoint(path, step)


def _write_state(partial: Path, step: int) -> None:
    """Flush all files, then write the one that says that they are all there."""
    files = sorted(file for file in partial.rglob("*") if file.is_file())
    for file in files:
        file.chmod(0o644)  # safetensors makes its files private
        flush(file)
    sizes = {str(file.relative_to(partial)): file.stat().st_size for file in files}
    state = partial / "state.json"
    text = json.dumps({"format": FORMAT, "step": step, "files": sizes}, indent=1)
    state.write_text(text + "\n", encoding="utf-8")
    flush(state)
    for folder in (partial / "model", partial / "trainer", partial):
        flush(folder)


def _replace(partial: Path, final: Path) -> None:
    """Put the folder in its place in one move."""
    if final.exists():  # a step that is replayed after going back further
        aside = final.with_name(f".{final.name}.old")
        final.rename(aside)
        partial.rename(final)
        shutil.rmtree(aside)
    else:
        partial.rename(final)
    flush(final.parent)


def flush(path: Path) -> None:
    """Wait until the file or folder is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _numbers(folder: Path) -> list[int]:
    names = (re.fullmatch(r"step_(\d+)", path.name) for path in folder.glob("step_*"))
    return [int(name[1]) for name in names if name]


@contextmanager
def _explained(folder: Path, final: Path) -> Generator[None]:
    """Say what a failed write means for the run."""
    try:
        yield
    except (OSError, RuntimeError) as error:  # torch and safetensors hide theirs in RuntimeError
        no_room = is_full(error) or (folder.is_dir() and shutil.disk_usage(folder).free < 2**20)
        reason = "the disk is full: No space left on device" if no_room else str(error)
        whole = sorted(_numbers(folder))
        kept = f"step {whole[-1]} is intact" if whole else "there is no older one"
        raise CheckpointError(
            f"{final} could not be written ({reason}); {kept}: make room, then go on with --resume"
        ) from error


def _way_out(path: Path) -> str:
    others = sorted(number for number in _numbers(path.parent) if path.name != f"step_{number}")
    if others:
        return f": delete {path} to resume at step {others[-1]}"
    return f": delete {path} and start anew, there is no other checkpoint"
