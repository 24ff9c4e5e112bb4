"""Which of a run's records its second judge can judge, and what it says where there are none."""

import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "judge_again.py"


@pytest.fixture(scope="module")
def script() -> dict[str, Any]:
    return runpy.run_path(str(SCRIPT))


@pytest.mark.parametrize(
    ("changes", "is_judged"),
    [
        ({}, True),
        ({"reason": "not novel: a copy"}, False),
        ({"reason": "over the curriculum"}, False),
        ({"reason": "too long to ask"}, False),
        ({"stream": "solver/induction", "group": "anchor/line 3"}, False),
        ({"stream": "proposer/induction"}, False),
        ({"stream": "solver/induction"}, True),
    ],
)
def test_what_others_than_the_judge_have_decided_is_left_out(
    script: dict[str, Any], changes: dict[str, str], is_judged: bool
) -> None:
    record = {"stream": "proposer/deduction", "reason": "", "group": "deduction/0", **changes}
    assert script["is_judged"](record) is is_judged


@pytest.mark.parametrize(("words", "said"), [([], "RUN_FOLDER"), (["nowhere"], "nowhere")])
def test_without_a_run_it_says_so_in_a_line(tmp_path: Path, words: list[str], said: str) -> None:
    done = subprocess.run(
        [sys.executable, SCRIPT, *words], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
