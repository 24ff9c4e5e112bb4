"""`azr inspect` shows what was asked for, and what a model wrote cannot drive the terminal."""

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from azr.errors import CheckpointError
from azr.inspect import show_rollouts
from azr.records import read_records, write_records

MakeRun = Callable[..., Path]


def shown(run: Path, step: int | None = None, stream: str | None = None, limit: int = 100) -> str:
    text = io.StringIO()
    show_rollouts(run, step, stream, limit, Console(file=text, width=120))
    return text.getvalue()


def test_the_newest_step_is_shown_unless_another_is_asked_for(make_run: MakeRun) -> None:
    run = make_run(steps=10)
    assert shown(run) == shown(run, step=10) != shown(run, step=9)


@pytest.mark.parametrize(
    ("stream", "count"), [("proposer/deduction", 4), ("solver", 12), ("induction", 8), (None, 24)]
)
def test_a_stream_a_role_or_a_mode_chooses(
    make_run: MakeRun, stream: str | None, count: int
) -> None:
    text = shown(make_run(steps=1), stream=stream)
    assert sum(line.startswith("╭") for line in text.splitlines()) == count
    assert stream is None or stream in text


def test_limit_is_kept(make_run: MakeRun) -> None:
    text = shown(make_run(steps=1), limit=2)
    assert sum(line.startswith("╭") for line in text.splitlines()) == 2


def test_what_does_not_exist_is_refused_with_what_does(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run(steps=2)
    with pytest.raises(CheckpointError, match="no rollouts of step 7; there are those of 1 to 2"):
        shown(run, step=7)
    with pytest.raises(CheckpointError, match="--stream must be one of proposer/deduction"):
        shown(run, stream="solvr")
    with pytest.raises(CheckpointError, match="holds no rollouts"):
        shown(tmp_path / "nothing")


def test_control_characters_of_a_model_never_reach_the_terminal(make_run: MakeRun) -> None:
    """An escape sequence could rewrite the screen, the title or, in some terminals, type."""
    run = make_run(steps=1)
    file = run / "rollouts/step_1.jsonl.gz"
    records = list(read_records(file))
    evil = "\x1b]0;owned\x07\x1b[2J\x9b31m\r\x08[red]markup[/red]"
    for record in records:
        record["completion"] = record["prefill"] = record["reason"] = evil
        record["task"] = {"program": evil, "cases": [[evil, evil]], "message": evil}
    write_records(file, records)
    text = shown(run)
    assert not {"\x1b", "\x07", "\x9b", "\r", "\x08"} & {*text}
    assert "␛]0;owned␇" in text
    assert "[red]markup[/red]" in text
