"""A checkpoint is there whole or not at all, and continues the run bit for bit."""

import errno
import json
import pickle  # noqa: TID251 - to make what must not be read
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from azr.cli.main import main
from azr.errors import CheckpointError
from azr.learner.optimizer import load_moments, save_moments
from azr.models.checkpoint import (
    latest_checkpoint,
    read_checkpoint,
    save_checkpoint,
    set_aside_after,
    write_trainer_state,
)
from azr.models.manifest import own_digest
from azr.models.process_group import ALONE


class FakeLearner:
    def __init__(self, value: float = 1.0, fault: Exception | None = None) -> None:
        self.value, self.fault = value, fault

    def save(self, folder: Path) -> None:
        (folder / "model").mkdir()
        (folder / "model" / "config.json").write_text("{}")
        if self.fault:
            raise self.fault
        write_trainer_state(folder, {"value": self.value, "num_updates": 3})


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
    assert found.trainer_state() == {"value": 1.0, "num_updates": 3}


def test_only_the_newest_are_kept(tmp_path: Path) -> None:
    for step in (2, 4, 10):
        save(tmp_path, step, keep=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step_10", "step_4"]


def test_a_step_saved_again_replaces_the_first(tmp_path: Path) -> None:
    save(tmp_path, 3)
    save(tmp_path, 3, learner=FakeLearner(2.0))
    assert [path.name for path in tmp_path.iterdir()] == ["step_3"]
    assert read_checkpoint(tmp_path / "step_3").trainer_state()["value"] == 2.0


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
            (torn / "trainer" / "learner.json").unlink()
        case "no state":
            (torn / "state.json").unlink()
        case _:
            (torn / "state.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"go on from step 1 instead: --checkpoint 1"):
        latest_checkpoint(tmp_path)


def test_a_checkpoint_of_another_format_is_refused(tmp_path: Path) -> None:
    save(tmp_path, 1)
    state = tmp_path / "step_1" / "state.json"
    state.write_text(json.dumps({**json.loads(state.read_text()), "format": 99}))
    with pytest.raises(CheckpointError, match="format 99"):
        latest_checkpoint(tmp_path)


class Trap:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return pytest.fail, ("a checkpoint has run code",)


def stepped() -> tuple[torch.nn.Module, torch.optim.Optimizer]:
    """A model whose optimizer has moments."""
    model = torch.nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.ones(3)).sum().backward()
    optimizer.step()
    return model, optimizer


def test_moments_are_read_back_as_they_were(tmp_path: Path) -> None:
    (model, optimizer), (other, empty) = stepped(), stepped()
    save_moments(tmp_path / "moments", model, optimizer, ALONE)
    optimizer.step()
    load_moments(tmp_path / "moments", model, optimizer, ALONE)
    load_moments(tmp_path / "moments", other, empty, ALONE)
    for mine, found in zip(model.parameters(), other.parameters(), strict=True):
        for name in ("exp_avg", "exp_avg_sq", "step"):
            assert torch.equal(optimizer.state[mine][name], empty.state[found][name])
    load_moments(tmp_path / "none were written before the first step", other, empty, ALONE)


def test_a_tampered_file_runs_no_code(tmp_path: Path) -> None:
    """Neither in place of ours nor beside them, where DCP's own reader would look for it."""
    save(tmp_path, 1)
    code, cut = pickle.dumps(Trap()), read_checkpoint(tmp_path / "step_1")
    (cut.trainer / "learner.json").write_bytes(code)
    with pytest.raises(CheckpointError, match=r"learner\.json cannot be read"):
        cut.trainer_state()
    model, optimizer = stepped()
    save_moments(cut.trainer / "moments", model, optimizer, ALONE)
    (cut.trainer / "moments" / ".metadata").write_bytes(code)
    load_moments(cut.trainer / "moments", model, optimizer, ALONE)
    [file] = (cut.trainer / "moments").glob("*.safetensors")
    file.write_bytes(code)
    with pytest.raises(CheckpointError, match=r"moments cannot be read") as refusal:
        load_moments(cut.trainer / "moments", model, optimizer, ALONE)
    assert "\n" not in str(refusal.value)


def test_moments_with_a_hole_or_of_another_model_are_refused(tmp_path: Path) -> None:
    model, optimizer = stepped()
    save_moments(tmp_path / "whole", model, optimizer, ALONE)
    other = torch.nn.Linear(3, 5)
    with pytest.raises(CheckpointError, match=r"has \d numbers for a parameter of \[5"):
        load_moments(tmp_path / "whole", other, torch.optim.AdamW(other.parameters()), ALONE)
    (tmp_path / "holed").mkdir()
    second_row = {"DCP_SHARDING_INFO": json.dumps({"weight.exp_avg": {"saved_offsets": [1, 0]}})}
    file = tmp_path / "holed" / "shard.safetensors"
    save_file({"weight.exp_avg": torch.ones(1, 3)}, file, second_row)
    with pytest.raises(CheckpointError, match=r"has 3 numbers for a parameter of \[2, 3\]"):
        load_moments(tmp_path / "holed", model, optimizer, ALONE)


def bits_of(folder: Path) -> list[tuple[str, int]]:
    """Every file, and some of its bits: the first, the last, and those at uneven distances."""
    return [
        (str(file.relative_to(folder)), bit)
        for file in sorted(folder.rglob("*"))
        if file.is_file()
        for size in [8 * file.stat().st_size]
        for bit in sorted({0, size // 3, size // 2 + 3, size - 1})
    ]


def test_a_bit_that_flips_anywhere_is_found_and_the_checkpoint_before_offered(
    tmp_path: Path,
) -> None:
    save(tmp_path, 1, keep=2)
    save(tmp_path, 2, keep=2)
    folder = tmp_path / "step_2"
    flips = bits_of(folder)
    assert len(flips) > 12
    for name, bit in flips:
        file = folder / name
        before = file.read_bytes()
        changed = bytearray(before)
        changed[bit // 8] ^= 1 << bit % 8
        file.write_bytes(changed)
        if name == "state.json" and same_json(before, bytes(changed)):
            continue  # a blank for a blank: it says the same
        with pytest.raises(CheckpointError) as refusal:
            latest_checkpoint(tmp_path)
        assert name in str(refusal.value), "the line names the file"
        assert "--checkpoint 1" in str(refusal.value)
        assert "\n" not in str(refusal.value)
        file.write_bytes(before)
    assert read_checkpoint(folder).step == 2


def same_json(a: bytes, b: bytes) -> bool:
    try:
        return json.loads(a) == json.loads(b)
    except ValueError:
        return False


def test_a_checkpoint_of_another_step_is_not_taken_for_one(tmp_path: Path) -> None:
    save(tmp_path, 4)
    (tmp_path / "step_4").rename(tmp_path / "step_40")
    with pytest.raises(CheckpointError, match="holds the checkpoint of step 4"):
        latest_checkpoint(tmp_path)


def as_format_2(folder: Path) -> None:
    """As an azr wrote it that kept the optimizer in pickled tensors."""
    state = json.loads((folder / "state.json").read_text())
    tree = {"format": 2, "step": state["step"], "files": state["files"]}
    (folder / "state.json").write_text(json.dumps({**tree, "sha256": own_digest(tree)}))


def as_format_1(folder: Path) -> None:
    """As an azr before hashes wrote it."""
    files = [file for file in folder.rglob("*") if file.is_file() and file.name != "state.json"]
    sizes = {str(file.relative_to(folder)): file.stat().st_size for file in files}
    step = int(folder.name.partition("_")[2])
    state = json.dumps({"format": 1, "step": step, "files": sizes})
    (folder / "state.json").write_text(state)


@pytest.mark.parametrize("age", [as_format_2, as_format_1])
def test_of_an_older_azr_the_model_is_read_and_no_run_goes_on(
    tmp_path: Path, age: Callable[[Path], None]
) -> None:
    save(tmp_path, 4)
    age(tmp_path / "step_4")
    found = latest_checkpoint(tmp_path)
    assert found is not None
    assert (found.model / "config.json").is_file()
    with pytest.raises(CheckpointError, match=r"format [12].*env\.json.*--model\.name") as refusal:
        found.trainer_state()
    assert "\n" not in str(refusal.value)
    (tmp_path / "step_4" / "tasks.sqlite").write_bytes(b"ta")
    with pytest.raises(CheckpointError, match="should have 5 bytes and has 2"):
        latest_checkpoint(tmp_path)


def test_later_checkpoints_are_set_aside_and_never_deleted(tmp_path: Path) -> None:
    for _ in range(2):
        for step in (2, 4, 6):
            save(tmp_path, step, keep=3)
        assert len(set_aside_after(tmp_path, 2)) == 2
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [*(f"set-aside-{k}-step_{n}" for k in (1, 2) for n in (4, 6)), "step_2"]
    save(tmp_path, 3, keep=1)
    assert sorted(p.name for p in tmp_path.glob("step_*")) == ["step_3"]


@pytest.mark.parametrize("which", ["none", "newest", "older", "old format", "state of newest"])
def test_the_doctor_says_of_each_checkpoint_whether_it_is_whole(
    which: str, make_run: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run(steps=2)
    for step in (1, 2):
        save(run / "checkpoints", step, keep=2)
    newest, older = run / "checkpoints" / "step_2", run / "checkpoints" / "step_1"
    match which:
        case "newest":
            (newest / "tasks.sqlite").write_bytes(b"tasKs")
        case "older":
            (older / "model" / "config.json").write_text("[]")
        case "old format":
            as_format_1(older)
        case "state of newest":
            (newest / "state.json").write_text("{}")
        case _:
            pass
    code = main(["doctor", str(run)])
    lines = [line for line in capsys.readouterr().out.split("\n") if " step " in line]
    first, second = [line for line in lines if "--" not in line]
    assert code == int("newest" in which)
    assert ("whole:" in first) == ("newest" not in which)
    assert ("whole:" in second) == ("old" not in which)
    assert ("damaged" in second) == (which == "older")
    if which == "newest":
        assert "tasks.sqlite is not as it was written" in first


def test_the_doctor_of_a_folder_without_a_run(tmp_path: Path) -> None:
    assert main(["doctor", str(tmp_path)]) == 1
