"""The scripts in examples/ run as they are and show what their pages say."""

import itertools
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(script: str) -> str:
    command = [sys.executable, str(ROOT / "examples" / script)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.guest
def test_the_sandbox_alone() -> None:
    shown = run("sandbox_alone.py").split("through a server")
    here, there = ([line for line in part.splitlines() if line[:2] == "  "] for part in shown)
    assert here == there
    assert [line.split()[1] for line in here] == [
        *("returned", "returned", "raised", "out_of_fuel", "returned", "raised", "returned"),
    ]
    assert "differs from image to image" in here[4]


@pytest.mark.guest
def test_your_own_trainer() -> None:
    scores = [line for line in run("own_trainer.py").splitlines() if "rewards" in line]
    assert [line.split(":")[1].replace("(", "").split()[::2] for line in scores] == [
        ["1", "0", "0", "0"],
        ["1", "1", "0", "0"],
    ]


@pytest.mark.guest
def test_a_tool_with_memory() -> None:
    shown = run("tool_session.py").splitlines()
    answers = dict(itertools.pairwise(shown))
    assert answers[">>> xs.sort(); xs"] == "[1, 2, 3]"
    assert "IndexError: list index out of range" in shown
    assert "stopped: MemoryError" in shown
    assert answers[">>> len(xs)"] == "3"
    assert shown[-1] == "best step: x *= 13, and x is still 3"
