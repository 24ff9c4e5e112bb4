"""A full disk ends a command with one line, whatever was being written."""

import errno
import io
import logging
import sqlite3
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from safetensors import SafetensorError

from azr.atomic_write import whole, write_text, written
from azr.cli.main import main
from azr.config.run import LoggingConfig, RunConfig
from azr.errors import CheckpointError, ModelError
from azr.evaluation.ledger import Ledger
from azr.evaluation.results import agree_on_plan
from azr.evaluation.suites.items import Attempt, Mark, Status
from azr.evaluation.summary import summarize
from azr.game.tasks.buffers import TaskBuffers
from azr.game.tasks.seed_files import write_azr_tasks, write_tasks
from azr.models.checkpoint import latest_checkpoint, save_checkpoint
from azr.models.model_folder import save_model
from azr.records.resumption import keep_configuration
from azr.records.run_folder import RunFolder, export_model
from azr.records.sinks import MetricsWriter
from azr.run.session import logging_to
from azr.types import Case, Mode, Task
from tests.examinations import examination

FULL = OSError(errno.ENOSPC, "No space left on device")
SAFETENSORS = "Error while serializing: I/O error: No space left on device (os error 28)"


class FullFile(io.RawIOBase):
    """Takes nothing."""

    name = "somewhere"

    def writable(self) -> bool:
        return True

    def write(self, _: Any) -> int:
        raise FULL


class Learner:
    """Saves a model whose weights find no room."""

    def save(self, folder: Path) -> None:
        def save_pretrained(*_: object, **__: object) -> None:
            raise SafetensorError(SAFETENSORS)

        save_model(SimpleNamespace(save_pretrained=save_pretrained), folder / "model", None, {})


def test_a_checkpoint_says_where_what_and_what_to_do(tmp_path: Path) -> None:
    """safetensors raises an error of its own that is no OSError."""
    with pytest.raises(CheckpointError) as raised:
        save_checkpoint(tmp_path, 2, learner=Learner(), backup_tasks=Path.touch, keep=1)
    message = str(raised.value)
    assert str(tmp_path / "step_2") in message
    assert "No space left on device" in message
    assert "make room, then go on with --resume" in message
    assert latest_checkpoint(tmp_path) is None


def test_tasks_that_find_no_room_are_a_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    buffers = TaskBuffers(tmp_path / "tasks.sqlite")
    limit = buffers._db.execute("PRAGMA page_count").fetchone()[0]
    buffers._db.execute(f"PRAGMA max_page_count = {limit}")  # sqlite's own full disk
    program = "def f(x):\n    return x" + "# " * 100_000
    with pytest.raises(CheckpointError, match=r"tasks\.sqlite cannot be written: .*full"):
        buffers.add([Task(mode=Mode.DEDUCTION, program=program, cases=(Case("1", "1"),))])

    class Full:
        def backup(self, _: object) -> None:
            raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(buffers, "_db", Full())
    with pytest.raises(CheckpointError, match=r"copy cannot be written: .*full"):
        buffers.backup(tmp_path / "copy")


def test_attempts_that_find_no_room_stop_the_evaluation_and_hide_nothing(tmp_path: Path) -> None:
    attempt = Attempt(
        item="a", seed=0, index=0, completion="", answer=None, mark=Mark(status=Status.WRONG)
    )
    with (  # noqa: PT012 - the exit must not raise another error
        pytest.raises(
            CheckpointError, match=r"attempts\.jsonl cannot be written: No space"
        ) as told,
        Ledger(tmp_path / "attempts.jsonl") as ledger,
    ):
        ledger._file.close()
        ledger._file = cast(Any, FullFile())
        ledger.add(attempt)
    assert "make room" in told.value.__notes__[0]


def test_a_torn_attempt_is_finished_or_dropped(tmp_path: Path) -> None:
    """An unbuffered file may take a part of a line: the rest of it follows."""
    attempt = Attempt(
        item="a", seed=0, index=0, completion="x" * 999, answer=None, mark=Mark(status=Status.WRONG)
    )

    class Slow(io.RawIOBase):
        def __init__(self) -> None:
            self.there = b""

        def write(self, content: Any) -> int:
            self.there += bytes(content[:7])
            return len(content[:7])

    slow = Slow()
    with Ledger(tmp_path / "attempts.jsonl") as ledger:
        ledger._file.close()
        ledger._file = cast(Any, slow)
        ledger.add(attempt)
    (tmp_path / "again.jsonl").write_bytes(slow.there)
    with Ledger(tmp_path / "again.jsonl") as ledger:
        assert ledger[attempt.key] == attempt


def test_a_sink_of_metrics_that_finds_no_room_is_a_clear_error(tmp_path: Path) -> None:
    class Sink:
        def write(self, *_: object) -> None:
            raise FULL

        close = write

    config = RunConfig(logging=LoggingConfig(tensorboard=False))
    writer = MetricsWriter(tmp_path, config)
    writer._sinks.append(cast(Any, Sink()))
    with pytest.raises(CheckpointError, match="No space left"):
        writer.write(1, {})
    with pytest.raises(CheckpointError, match="No space left"):
        writer.close()


def test_a_log_that_finds_no_room_prints_no_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = RunConfig(name="a", runs=str(tmp_path), logging=LoggingConfig(tensorboard=False))
    with RunFolder.open(config) as folder, logging_to(folder):
        (handler,) = [
            h
            for h in logging.getLogger().handlers
            if isinstance(h, logging.FileHandler) and h.baseFilename.endswith("attempt_1.log")
        ]
        stream = handler.stream
        handler.stream = cast(Any, io.TextIOWrapper(cast(Any, FullFile()), write_through=True))
        logging.getLogger("azr").error("what happened")
        stream.close()
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("kind", [ModelError, CheckpointError])
def test_errors_of_ours_pass_as_they_are(kind: type[Exception], tmp_path: Path) -> None:
    with pytest.raises(kind, match=r"^as it was$"), written(tmp_path):
        raise kind("as it was")


def test_a_table_is_shown_before_a_full_disk_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The figures are what somebody waited for; the files can be written again."""
    asked = examination(tmp_path, "transformers")
    data = asked.suites[0]
    attempt = Attempt(
        item="a", seed=0, index=0, completion="", answer=None, mark=Mark(status=Status.PASSED)
    )

    def full(*_: object) -> None:
        raise FULL

    monkeypatch.setattr("azr.evaluation.examination.write_suite", full)
    shown: list[str] = []
    with pytest.raises(CheckpointError, match=r"out cannot be written: No space") as told:
        asked.conclude([(data, summarize([[attempt]]), [[attempt]])], shown.append, print)
    (table,) = shown
    assert "azr easy, outputs" in table
    assert "make room" in told.value.__notes__[0]


def test_whatever_finds_no_room_ends_a_command_with_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "some/file")

    monkeypatch.setattr("azr.records.run_folder.export_model", full)
    assert main(["export", str(tmp_path), str(tmp_path / "out")]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "azr: error: some/file cannot be written: No space left on device"
    assert lines[1].startswith("hint: make room")


def a_run_with_a_checkpoint(folder: Path) -> Path:
    model = folder / "run" / "checkpoints" / "step_1" / "model"
    model.mkdir(parents=True)
    (model / "config.json").touch()
    return folder / "run"


TASK = Task(mode=Mode.DEDUCTION, program="p", cases=(Case("1", "2"),))
WRITERS: dict[str, Callable[[Path], object]] = {
    "tasks": lambda out: write_tasks(out / "a.jsonl", [(TASK, 0.5)]),
    "tasks as AZR has them": lambda out: write_azr_tasks(out / "a.jsonl", [(TASK, None)]),
    "an evaluation's plan": lambda out: agree_on_plan(out, {"suite": "easy"}),
    "a run's configuration": lambda out: keep_configuration(out, 1, "steps = 3"),
    "a run's folder": lambda out: RunFolder.open(RunConfig(name="out", runs=str(out.parent))),
    "an exported model": lambda out: export_model(a_run_with_a_checkpoint(out.parent), out / "m"),
}


@pytest.mark.parametrize("name", WRITERS)
def test_whoever_writes_a_file_leaves_it_whole_or_not_at_all(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And says how to go on where there is no room."""

    def full(*_: object) -> None:
        raise FULL

    monkeypatch.setattr(Path, "replace", full)  # everything is written; the last step fails
    with pytest.raises(CheckpointError, match="cannot be written: No space left") as told:
        WRITERS[name](tmp_path / "out")
    assert told.value.__notes__[0].startswith("make room")
    left = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert [path.name for path in left if path.name != ".lock"] == []


def test_a_write_that_is_interrupted_leaves_what_was_there(tmp_path: Path) -> None:
    write_text(tmp_path / "a", "old")
    with (  # noqa: PT012 - what is raised within is the point
        pytest.raises(KeyboardInterrupt),
        whole(tmp_path / "a") as unfinished,
    ):
        unfinished.write_text("new")
        raise KeyboardInterrupt
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_text() == "old"
    with whole(tmp_path / "deep" / "folder") as unfinished:
        unfinished.mkdir()
        (unfinished / "file").touch()
    assert (tmp_path / "deep" / "folder" / "file").is_file()
