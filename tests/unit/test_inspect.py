"""`azr inspect` shows what was asked for, and what a model wrote cannot drive the terminal."""

import io
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from azr.cli.main import main
from azr.errors import CheckpointError, ConfigError
from azr.records.rollouts import read_records, write_records
from azr.report.story import all_measured, task_name
from azr.report.terminal import show_overview, show_rollouts, show_task, show_tasks
from azr.report.terminal.overview import refusals

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
    with pytest.raises(ConfigError, match="--stream must be one of proposer/deduction"):
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


# ---------------------------------------------------------------- overview, tasks


def screen() -> tuple[io.StringIO, Console]:
    text = io.StringIO()
    return text, Console(file=text, width=110, highlight=False)


def test_the_overview_shows_how_the_tasks_grew(made_curriculum: Path) -> None:
    text, console = screen()
    show_overview(made_curriculum, console)
    lines = text.getvalue().splitlines()
    assert lines[0].startswith("grown  step 12 of 12  models/")
    assert lines[1].split() == [
        *("steps", "mode", "tasks", "valid", "solve", "rate", "learnable", "novel"),
        *("correct", "distinct", "lines"),
    ]
    rows = [line.split() for line in lines[2:] if re.match(r"\d+-\d+ ", line)]
    assert [row[0] for row in rows[:6]] == ["1-2", "3-4", "5-6", "7-8", "9-10", "11-12"]
    assert len(rows) == 3 * 6
    assert all(re.fullmatch(r"\d+%|-", cell) for row in rows for cell in row[3:8])
    made = sum(1 for _ in all_measured(made_curriculum))
    assert sum(int(row[2]) for row in rows) == made
    assert f"{made} of 216 proposals became tasks" in text.getvalue()
    assert "refused: " in text.getvalue()
    assert f"azr inspect {made_curriculum} --tasks hardest" in text.getvalue().replace("\n", "")


def test_a_run_without_rollouts_or_steps_has_an_overview(make_run: MakeRun) -> None:
    run = make_run(steps=3)
    for file in (run / "rollouts").iterdir():
        file.unlink()
    text, console = screen()
    show_overview(run, console)
    assert "no rollouts are kept" in text.getvalue()
    assert re.search(r"^1 +deduction +- +\d+%", text.getvalue(), re.MULTILINE)
    show_overview(make_run("empty", 0), console)
    assert "no step is finished" in text.getvalue()


@pytest.mark.parametrize("order", ["easiest", "hardest", "newest", "longest"])
def test_tasks_are_listed(made_curriculum: Path, order: str) -> None:
    text, console = screen()
    show_tasks(made_curriculum, order, 4, "solver/deduction", console)
    titles = [line for line in text.getvalue().splitlines() if line.startswith("╭")]
    assert len(titles) == 4
    assert all(re.search(r"deduction-[0-9a-f]{8}  solve rate \d+%", t) for t in titles)


def test_one_task_is_shown_with_all_its_answers(made_curriculum: Path) -> None:
    first = next(iter(all_measured(made_curriculum)))
    name = task_name(first.task)
    text, console = screen()
    show_task(made_curriculum, name.partition("-")[2], None, None, console)
    found = text.getvalue()
    assert name in found
    assert first.task.program.splitlines()[0] in found
    assert f"step {first.step}: proposed; valid" in found
    assert len(re.findall(r"^  (right|wrong|ill-formed)  ", found, re.MULTILINE)) == 5
    text, console = screen()
    show_task(made_curriculum, name, 1, "passed", console)
    assert not re.search(r"^  (wrong|ill-formed)  ", text.getvalue(), re.MULTILINE)


def test_a_task_that_is_not_there_or_not_one_is_refused(made_curriculum: Path) -> None:
    with pytest.raises(CheckpointError, match="has no task 'zzz'") as refusal:
        show_task(made_curriculum, "zzz")
    assert "--tasks newest" in refusal.value.__notes__[0]
    with pytest.raises(CheckpointError, match="tasks begin with 'deduction'"):
        show_task(made_curriculum, "deduction")


def test_a_verdict_chooses(make_run: MakeRun) -> None:
    text, console = screen()
    show_rollouts(make_run(steps=1), None, "solver", 100, console, verdict="failed")
    titles = [line for line in text.getvalue().splitlines() if line.startswith("╭")]
    assert titles
    assert all(" failed " in title for title in titles)


def test_every_view_prints_a_model_s_text_inert(make_run: MakeRun) -> None:
    run = make_run(steps=1)
    file = run / "rollouts/step_1.jsonl.gz"
    records = list(read_records(file))
    evil = "\x1b]0;owned\x07\x1b[2J\x9b31m\r\x08[red]x[/red]\u202e\ud800"
    for record in records:
        mode = record["stream"].partition("/")[2]
        record["completion"] = record["prefill"] = record["reason"] = evil
        record |= {"verdict": "passed", "solve_rate": 0.5}
        cases = [[evil, evil]] * 2
        record["task"] = {"mode": mode, "program": evil, "cases": cases, "message": evil}
    write_records(file, records)
    text, console = screen()
    name = task_name(next(iter(all_measured(run))).task)
    show_overview(run, console)
    show_tasks(run, "newest", 5, None, console)
    show_task(run, name, None, None, console)
    show_rollouts(run, None, None, 100, console)
    found = text.getvalue()
    assert not {"\x1b", "\x07", "\x9b", "\r", "\x08", "\u202e", "\ud800"} & {*found}
    assert found.encode()
    assert "␛]0;owned␇" in found


def test_the_command_chooses_the_view(
    made_curriculum: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = str(made_curriculum)
    for words, shows in (
        ([], "became tasks"),
        (["--limit", "1"], "step 12, "),
        (["--step", "3"], "step 3, "),
        (["--verdict", "failed"], " failed "),
        (["--tasks", "hardest"], "solve rate 0%"),
        (["--task", task_name(next(iter(all_measured(made_curriculum))).task)], "proposed; valid"),
    ):
        assert main(["inspect", run, *words]) == 0
        assert shows in capsys.readouterr().out
    for words in (
        ["--limit", "0"],
        ["--tasks", "newest", "--verdict", "failed"],
        ["--task", "x", "--stream", "solver"],
    ):
        assert main(["inspect", run, *words]) == 2
    assert main(["inspect", run, "--task", "zzz"]) == 1
    with pytest.raises(SystemExit) as stop:
        main(["inspect", run, "--tasks", "prettiest"])
    assert stop.value.code == 2


def test_the_overview_of_a_narrow_terminal_cuts_no_word(made_curriculum: Path) -> None:
    console = Console(file=io.StringIO(), width=80, highlight=False)
    show_overview(made_curriculum, console)
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert "\u2026" not in text  # what rich writes for what it cuts
    assert all(word in text for word in ("deduction", "abduction", "learnable", "distinct"))
    assert "\nby all" not in text


@pytest.mark.parametrize("view", [[], ["--step", "1"], ["--tasks", "newest"]])
def test_a_terminal_of_ascii_alone_shows_escapes_and_no_traceback(
    made_curriculum: Path, view: list[str]
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "azr.cli.main", "inspect", str(made_curriculum), *view],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.decode("ascii")


def test_the_tasks_of_a_narrow_terminal_keep_their_figures(made_curriculum: Path) -> None:
    console = Console(file=io.StringIO(), width=42, highlight=False)
    show_tasks(made_curriculum, "hardest", limit=3, console=console)
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert len(re.findall(r"\S+-[0-9a-f]+  .*\d", text)) == 3
    assert len(re.findall(r"step \d+  reward [+-]\d", text)) == 3


def test_names_of_functions_keep_their_underscore_among_the_reasons() -> None:
    rows = [{"refused/g_0_is_not_called": 2.0, "refused/raised.out_of_fuel": 1.0}]
    assert refusals(rows) == "refused: g_0 is not called (2), raised: out of fuel (1)"
