"""A checkpoint is there whole or not at all, and continues the run bit for bit."""

import errno
import json
from pathlib import Path

import pytest
import torch

from azr.checkpoint import latest_checkpoint, read_checkpoint, save_checkpoint
from azr.errors import CheckpointError


class FakeLearner:
    def __init__(self, value: float = 1.0, fault: Exception | None = None) -> None:
        self.value, self.fault = value, fault

    def save(self, folder: Path) -> None:
        (folder / "model").mkdir()
        (folder / "model" / "config.json").write_text("{}")
        if self.fault:
            raise self.fault
        state = {"moment": torch.tensor([self.value]), "num_updates": 3}
        torch.save(state, folder / "trainer" / "state.pt")


def backup(target: Path) -> None:
    target.write_bytes(b"tasks")


def save(folder: Path, step: int, keep: int = 1, learner: FakeLearner | None = None) -> None:
    save_checkpoint(folder, step, learner=learner or FakeLearner(), backup_tasks=backup, keep=keep)


def test_what_is_saved_is_found_and_read_back(tmp_path: Path) -> None:
    assert latest_checkpoint(tmp_path / "none") is None
    save(tmp_path, 7)
    found = latest_checkpoint(tmp_path)
    assert found is not None
    assert found.step == 7
    assert found.tasks.read_bytes() == b"tasks"
    assert (found.model / "config.json").is_file()
    assert found.trainer_state()["moment"].tolist() == [1.0]


def test_only_the_newest_are_kept(tmp_path: Path) -> None:
    for step in (2, 4, 10):
        save(tmp_path, step, keep=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step_10", "step_4"]


def test_a_step_saved_again_replaces_the_first(tmp_path: Path) -> None:
    save(tmp_path, 3)
    save(tmp_path, 3, learner=FakeLearner(2.0))
    assert [path.name for path in tmp_path.iterdir()] == ["step_3"]
    assert read_checkpoint(tmp_path / "step_3").trainer_state()["moment"].tolist() == [2.0]


@pytest.mark.parametrize(
    "fault",
    [OSError(errno.ENOSPC, "No space left on device"), RuntimeError("No space left on device")],
)
def test_a_full_disk_leaves_the_checkpoint_before(tmp_path: Path, fault: Exception) -> None:
    save(tmp_path, 1)
    with pytest.raises(CheckpointError, match=r"disk is full.*step 1 is intact"):
        save(tmp_path, 2, learner=FakeLearner(fault=fault))
    assert [path.name for path in tmp_path.iterdir()] == ["step_1"]
    assert read_checkpoint(tmp_path / "step_1").step == 1


def test_a_kill_while_writing_leaves_nothing_that_counts(tmp_path: Path) -> None:
    save(tmp_path, 1)
    with pytest.raises(KeyboardInterrupt):
        save(tmp_path, 2, learner=FakeLearner(fault=KeyboardInterrupt()))  # type: ignore[arg-type]
    (tmp_path / ".step_9.partial").mkdir()  # what kill -9 leaves behind
    found = latest_checkpoint(tmp_path)
    assert found is not None
    assert found.step == 1
    save(tmp_path, 3)
    assert [path.name for path in tmp_path.iterdir()] == ["step_3"]


@pytest.mark.parametrize("damage", ["cut", "lost", "no state", "not json"])
def test_a_torn_checkpoint_is_refused_with_a_way_out(tmp_path: Path, damage: str) -> None:
    save(tmp_path, 1, keep=2)
    save(tmp_path, 2, keep=2)
    torn = tmp_path / "step_2"
    match damage:
        case "cut":
            (torn / "tasks.sqlite").write_bytes(b"ta")
        case "lost":
            (torn / "trainer" / "state.pt").unlink()
        case "no state":
            (torn / "state.json").unlink()
        case _:
            (torn / "state.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"delete .*step_2 to resume at step 1"):
        latest_checkpoint(tmp_path)


def test_a_checkpoint_of_another_format_is_refused(tmp_path: Path) -> None:
    save(tmp_path, 1)
    state = tmp_path / "step_1" / "state.json"
    state.write_text(json.dumps({**json.loads(state.read_text()), "format": 99}))
    with pytest.raises(CheckpointError, match="format 99"):
        latest_checkpoint(tmp_path)


def test_nothing_but_tensors_is_unpickled(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return print, ("this must never run",)

    save(tmp_path, 1)
    file = tmp_path / "step_1" / "trainer" / "state.pt"
    torch.save({"optimizer": Trap()}, file)
    state = tmp_path / "step_1" / "state.json"
    known = json.loads(state.read_text())
    known["files"]["trainer/state.pt"] = file.stat().st_size
    state.write_text(json.dumps(known))
    found = latest_checkpoint(tmp_path)
    assert found is not None
    with pytest.raises(CheckpointError, match="cannot be read"):
        found.trainer_state()
