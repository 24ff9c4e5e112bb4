"""The command as a process: streams, exit codes, signals."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.one_process import run_commands

pytestmark = pytest.mark.slow


def azr(*words: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "azr.cli.main", *words],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        timeout=300,
        env={**os.environ, "PYTHONWARNINGS": "ignore", **environment},
    )


def test_help_teaches_with_examples(tmp_path: Path) -> None:
    for words, example in (
        (["--help"], "azr demo"),
        (["train", "--help"], "azr train my.toml --dry-run"),
        (["report", "--help"], "several are compared"),
    ):
        done = azr(*words, cwd=tmp_path)
        assert done.returncode == 0
        assert example in done.stdout


def test_a_typo_is_one_line_with_the_right_word_and_exit_code_2(tmp_path: Path) -> None:
    (tmp_path / "my.toml").write_text("[learner]\nlearning_rate = 1e-6\nlr = 1e-6\n")
    done = azr("train", "my.toml", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        "azr: error: my.toml: unknown key 'learner.learning_rate'; did you mean learner.lr?",
        "hint: azr train --help-config lists every key with its default",
    ]


def test_a_missing_model_is_named_with_the_way_to_get_it_and_takes_no_run_name(
    tmp_path: Path,
) -> None:
    """Twice: the first attempt must not make the second one fail on a taken name."""
    for ended in run_commands(tmp_path, [["train"], ["train"]]):
        assert ended.code == 2, ended.err
        assert "azr model smollm2" in ended.err
        assert "Traceback" not in ended.err
        assert [line for line in ended.err.splitlines() if "azr: error: " in line]


def test_a_reader_that_has_seen_enough_is_no_error(
    tmp_path: Path, make_run: Callable[..., Path]
) -> None:
    run = make_run(steps=1)
    command = f"{sys.executable} -m azr.cli.main inspect {run} --limit 24 | head -1"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.stderr == ""
    assert done.stdout.startswith("╭")


def test_output_is_readable_without_colour(tmp_path: Path, make_run: Callable[..., Path]) -> None:
    run = make_run(steps=1)
    done = azr("inspect", str(run), cwd=tmp_path, NO_COLOR="1", FORCE_COLOR="", TERM="xterm")
    assert "\x1b" not in done.stdout
    assert "proposer/deduction" in done.stdout


def test_doctor_ends_with_what_to_do_next(tmp_path: Path) -> None:
    models = ("Qwen/Qwen2.5-0.5B", "models/smollm2-not-here")
    ready, lacking = run_commands(tmp_path, [["doctor", "--model", model] for model in models])
    assert ready.code == 0, ready.out
    assert "ready: azr demo" in ready.out
    assert lacking.code == 1
    assert "azr model smollm2" in lacking.out
