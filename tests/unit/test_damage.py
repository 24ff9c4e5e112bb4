"""Damage to a run's folder: what training does not need never ends it, and each fault is told."""

import gzip
import json
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from azr.cli.main import main
from azr.config.run import LoggingConfig, RunConfig
from azr.errors import CheckpointError, ModelError
from azr.game.tasks.buffers import TaskBuffers
from azr.learner.model_loading import read_model
from azr.models.checkpoint import Checkpoint, save_checkpoint
from azr.records.metrics_file import read_metrics
from azr.records.rollouts import read_rollouts
from azr.records.run_folder import RunFolder
from azr.rollout.prompt_tokens import context_of, load_tokenizer
from azr.run.planning.shape import read_shape
from azr.run.restart import find_cut
from azr.run.task_file import open_buffers
from azr.types import Mode
from tests.tiny import make_tiny_model
from tests.unit.test_checkpoint import FakeLearner, as_format_2

MakeRun = Callable[..., Path]


def config_of(run: Path) -> RunConfig:
    return RunConfig(name=run.name, runs=str(run.parent), logging=LoggingConfig(tensorboard=False))


# ---------------------------------------------------------------- the working tasks


@pytest.fixture
def cut(tmp_path: Path) -> Checkpoint:
    """A checkpoint with two tasks."""
    with closing(TaskBuffers(tmp_path / "first.sqlite")) as buffers:
        buffers.add_zero_tasks((Mode.DEDUCTION, Mode.ABDUCTION))
        return save_checkpoint(
            tmp_path / "checkpoints", 3, learner=FakeLearner(), backup_tasks=buffers.backup, keep=1
        )


def foreign(file: Path) -> None:
    with closing(sqlite3.connect(file)) as db:
        db.execute("CREATE TABLE letters (body TEXT)")
        db.commit()


def other_columns(file: Path) -> None:
    with closing(sqlite3.connect(file)) as db:
        db.execute("CREATE TABLE tasks (id INTEGER, body TEXT)")
        db.execute("PRAGMA user_version = 2")
        db.commit()


def newer(file: Path) -> None:
    whole(file)
    with closing(sqlite3.connect(file)) as db:
        db.execute("PRAGMA user_version = 99")


def no_tasks_in_rows(file: Path) -> None:
    """Its form is right, and what it holds is not."""
    whole(file)
    with closing(sqlite3.connect(file)) as db:
        db.execute("INSERT INTO tasks VALUES (7, 'x', x'00', 0, 'nonsense', NULL)")
        db.commit()


def whole(file: Path) -> None:
    with closing(TaskBuffers(file)) as buffers:
        buffers.add_zero_tasks(tuple(Mode))


def truncated(file: Path) -> None:
    whole(file)
    os.truncate(file, file.stat().st_size // 2)


def flipped(file: Path) -> None:
    whole(file)
    content = bytearray(file.read_bytes())
    content[4096:4200] = b"\xff" * 104
    file.write_bytes(content)


def bad_journal(file: Path) -> None:
    whole(file)
    for part in ("-wal", "-shm", "-journal"):
        file.with_name(file.name + part).write_bytes(b"garbage" * 600)


DAMAGES: dict[str, tuple[Callable[[Path], object], bool]] = {
    "absent": (lambda file: None, False),
    "whole": (whole, False),
    "zero bytes": (lambda file: file.touch(), True),
    "garbage": (lambda file: file.write_bytes(b"garbage" * 999), True),
    "garbage behind a head": (
        lambda file: file.write_bytes(b"SQLite format 3\x00" + b"\x01" * 9000), True),
    "truncated": (truncated, True),
    "flipped": (flipped, True),
    "a folder": (lambda file: (file / "inside").mkdir(parents=True), True),
    "foreign": (foreign, True),
    "other columns": (other_columns, True),
    "a newer version": (newer, True),
    "rows that are no tasks": (no_tasks_in_rows, False),
    "a journal of another file": (bad_journal, False),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("is_new", [False, True])
def test_the_checkpoints_tasks_are_the_truth(
    damage: str, cut: Checkpoint, tmp_path: Path, *, is_new: bool
) -> None:
    make, is_told = DAMAGES[damage]
    file, said = tmp_path / "run" / "tasks.sqlite", list[str]()
    file.parent.mkdir()
    make(file)
    buffers = open_buffers(RunConfig(), file, None if is_new else cut, said.append)
    with closing(buffers):
        assert sum(map(buffers.count, Mode)) == (0 if is_new else 2)
        assert buffers.add_zero_tasks((Mode.INDUCTION,)) == 1
    aside = file.with_name("tasks.sqlite.damaged")
    if is_told:
        (line,) = said
        assert line.startswith(f"{file} cannot be used (")
        assert line.endswith("set aside as tasks.sqlite.damaged")
        assert aside.exists()
    else:
        assert not aside.exists() or damage == "a journal of another file"


def test_a_file_that_another_process_holds_is_left_to_it(cut: Checkpoint, tmp_path: Path) -> None:
    file, said = tmp_path / "tasks.sqlite", list[str]()
    whole(file)
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with closing(open_buffers(RunConfig(), file, cut, said.append)) as buffers:
            assert sum(map(buffers.count, Mode)) == 2
        other.execute("DELETE FROM tasks")
        other.execute("COMMIT")
    assert "locked" in said[0]


def test_a_second_damaged_file_does_not_replace_the_first(cut: Checkpoint, tmp_path: Path) -> None:
    file = tmp_path / "tasks.sqlite"
    for content in (b"first", b"second"):
        file.write_bytes(content)
        open_buffers(RunConfig(), file, cut, lambda _: None).close()
    assert (tmp_path / "tasks.sqlite.damaged").read_bytes() == b"first"
    assert (tmp_path / "tasks.sqlite.damaged-2").read_bytes() == b"second"


# ---------------------------------------------------------------- files and folders

FOLDERS = ["rollouts", "tensorboard", "logs", "eval", "profile"]
FILES = ["metrics.jsonl", "config.toml", "resolved.json", "env.json", "report.html"]


@pytest.mark.parametrize("name", FOLDERS + FILES)
def test_what_is_of_another_kind_is_set_aside(name: str, make_run: MakeRun) -> None:
    run = make_run(steps=2)
    entry = run / name
    if entry.exists():
        entry.rename(run / f"was-{name}")
    if name in FOLDERS:
        entry.write_text("a file")
    else:
        (entry / "inside").mkdir(parents=True)
    with RunFolder.open(config_of(run), resume=True) as folder:
        assert f"{entry} is of another kind than a run's" in folder.news[0]
        folder.rewind(2)
        folder.write_rollouts(3, [{"a": 1}])
    assert (run / f"{name}.damaged").exists()


def test_checkpoints_that_are_no_folder_are_refused(make_run: MakeRun) -> None:
    run = make_run(steps=1)
    (run / "checkpoints").write_text("?")
    with pytest.raises(CheckpointError, match="checkpoints is not a folder"):
        RunFolder.open(config_of(run), resume=True)
    assert (run / "checkpoints").read_text() == "?"


def test_a_lock_that_is_a_folder_is_named(make_run: MakeRun) -> None:
    run = make_run(steps=1)
    (run / ".lock").unlink(missing_ok=True)
    (run / ".lock").mkdir()
    with pytest.raises(CheckpointError, match=r"\.lock cannot be written: Is a directory"):
        RunFolder.open(config_of(run), resume=True)


def test_steps_without_any_checkpoint_are_not_thrown_away(make_run: MakeRun) -> None:
    run = make_run(steps=2)
    with (
        RunFolder.open(config_of(run), resume=True) as folder,
        pytest.raises(CheckpointError, match="has 2 steps and no checkpoint"),
    ):
        find_cut(folder, None, print)
    assert len(read_metrics(run)) == 2


@pytest.mark.parametrize("step", [None, 1])
def test_a_run_does_not_go_on_from_what_an_older_azr_wrote(
    step: int | None, make_run: MakeRun
) -> None:
    run = make_run(steps=2)
    for number in (1, 2):
        cut = save_checkpoint(
            run / "checkpoints", number, learner=FakeLearner(), backup_tasks=Path.touch, keep=2
        )
        as_format_2(cut.path)
    with (
        RunFolder.open(config_of(run), resume=True) as folder,
        pytest.raises(CheckpointError, match="is of format 2"),
    ):
        find_cut(folder, step, print)
    assert {path.name for path in (run / "checkpoints").iterdir()} == {"step_1", "step_2"}


# ---------------------------------------------------------------- rollouts and the rest


def rewritten(file: Path, change: Callable[[dict[str, object]], object]) -> None:
    """Change the second record."""
    lines = gzip.decompress(file.read_bytes()).split(b"\n")
    record = json.loads(lines[1])
    changed = change(record)
    lines[1] = json.dumps(record if changed is None else changed).encode()
    file.write_bytes(gzip.compress(b"\n".join(lines)))


RECORDS: dict[str, Callable[[dict[str, object]], object]] = {
    "a list": lambda record: [record],
    "empty": lambda record: {},
    "no stream": lambda record: record.pop("stream") and None,
    "an unknown stream": lambda record: record.update(stream="judge/poems"),
    "a reward that is a text": lambda record: record.update(reward="high"),
    "a reward that is nan": lambda record: record.update(reward=float("nan")),
    "a completion that is a number": lambda record: record.update(completion=3),
    "a task that is a text": lambda record: record.update(task="f"),
    "a task without cases": lambda record: record.update(task={"program": "p", "cases": []}),
    "cases of numbers": lambda record: record.update(task={"program": "p", "cases": [[1, 2]]}),
    "cases of one": lambda record: record.update(task={"program": "p", "cases": [["1"]]}),
}


@pytest.mark.parametrize("kind", RECORDS)
def test_a_broken_rollout_is_told_and_ends_nothing(
    kind: str, make_run: MakeRun, caplog: pytest.LogCaptureFixture
) -> None:
    run = make_run(steps=2)
    file = run / "rollouts" / "step_1.jsonl.gz"
    whole = len(list(read_rollouts(file)))
    rewritten(file, RECORDS[kind])
    assert len(list(read_rollouts(file))) == whole - 1
    (line,) = caplog.messages
    assert line.startswith(f"{file}, line 2: ")
    for words in ([], ["--step", "1"], ["--tasks", "newest"]):
        assert main(["inspect", str(run), *words]) == 0
    assert main(["report", str(run)]) == 0


@pytest.mark.parametrize(
    "kind", ["torn", "no gzip", "empty", "a folder", "flipped", "a fifth step"]
)
def test_a_broken_file_of_rollouts_is_told_and_ends_nothing(
    kind: str, make_run: MakeRun, caplog: pytest.LogCaptureFixture
) -> None:
    run = make_run(steps=2)
    file = run / "rollouts" / "step_1.jsonl.gz"
    content = file.read_bytes()
    match kind:
        case "torn":
            file.write_bytes(content[: len(content) // 2])
        case "no gzip":
            file.write_bytes(b"text")
        case "empty":
            file.write_bytes(b"")
        case "a folder":
            file.unlink()
            file.mkdir()
        case "flipped":
            file.write_bytes(content[:500] + bytes([content[500] ^ 4]) + content[501:])
        case _:
            (run / "rollouts" / f"step_{'9' * 5000}"[:200]).touch()
    for words in ([], ["--step", "2"], ["--tasks", "newest"]):
        assert main(["inspect", str(run), *words]) == 0
    assert main(["report", str(run)]) == 0
    assert (str(file) in caplog.text) == (kind not in ("empty", "a fifth step"))
    assert main(["doctor", str(run)]) == 0


@pytest.mark.parametrize("text", ["", "{", "[]", "7", '{"selfplay": 3, "steps": "x", "model": []}'])
@pytest.mark.parametrize("name", ["resolved.json", "env.json", "config.toml"])
def test_the_report_does_without_what_describes_the_run(
    name: str, text: str, make_run: MakeRun
) -> None:
    run = make_run(steps=2)
    (run / name).write_text(text)
    assert main(["report", str(run)]) == 0
    assert main(["inspect", str(run), "--step", "1"]) == 0
    with RunFolder.open(config_of(run), resume=True):
        pass


# ---------------------------------------------------------------- models

HEADS = [b"", b"\x00", b"\xff" * 8, b"\x08" + b"\0" * 7 + b"notjson!", b"\x02" + b"\0" * 7 + b"[]",
         b"\x2c" + b"\0" * 7 + b'{"w": {"shape": [1e400], "dtype": "F32"}}   ']  # fmt: skip


@pytest.mark.parametrize("head", HEADS, ids=range(len(HEADS)))
def test_weights_that_cannot_be_read_are_one_line(head: bytes, tmp_path: Path) -> None:
    model = make_tiny_model(tmp_path / "model")
    (model / "model.safetensors").write_bytes(head)
    for read in (read_model, read_shape):
        if read is read_shape:  # which reads the files of a family that it does not know
            config = (model / "config.json").read_text()
            (model / "config.json").write_text(config.replace('"llama"', '"mamba"'))
        with pytest.raises(ModelError) as refusal:
            read(model)
        assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"model_type": 3}'])
@pytest.mark.parametrize("name", ["config.json", "tokenizer.json"])
def test_a_model_folder_that_cannot_be_read_is_one_line(
    name: str, text: str, tmp_path: Path
) -> None:
    model = make_tiny_model(tmp_path / "model")
    (model / name).write_text(text)
    reads = (read_shape, context_of) if name == "config.json" else (load_tokenizer,)
    for read in reads:
        with pytest.raises(ModelError) as refusal:
            read(model)
        assert "\n" not in str(refusal.value)
