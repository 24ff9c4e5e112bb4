"""TRL's own trainer takes a step with our reward; opt-in, as TRL is another's package."""

import os
import subprocess
from pathlib import Path

import pytest

PYTHON = os.environ.get("AZR_ADAPTERS_PYTHON")
SCRIPT = Path(__file__).with_name("trl_real.py")

pytestmark = [
    pytest.mark.guest,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not PYTHON, reason="AZR_ADAPTERS_PYTHON is not set: make test-adapters"),
]


def test_a_step_of_grpo_logs_our_rewards(tmp_path: Path):
    done = subprocess.run(
        [PYTHON, "-P", str(SCRIPT), str(tmp_path)],
        capture_output=True, text=True, timeout=540, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    assert done.stdout.endswith("trl 1.16.0: ok\n"), done.stdout
