"""`azr doctor --gpu` from beginning to end on a CPU: what can run here runs, and is well."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from azr.cli.commands.gpu import NOT_ON_A_GPU
from azr.cli.gpu.parts import OK, PARTS, SKIPPED


@pytest.mark.slow
def test_all_parts_are_well_without_a_gpu(tmp_path: Path) -> None:
    # a budget that no load of a shared machine uses up: this is of the command, not of speed
    words = ["doctor", "--gpu", "--budget", "9000", "--output", "gpu.json"]
    done = subprocess.run(
        [sys.executable, "-P", "-m", "azr.cli", *words],
        cwd=tmp_path,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    result = json.loads((tmp_path / "gpu.json").read_text())
    assert result["schema"] == 1
    assert result["measured_on_a_gpu"] is False
    assert result["failed_parts"] == []
    assert done.stdout.splitlines()[-1] == NOT_ON_A_GPU
    has_vllm = importlib.util.find_spec("vllm") is not None
    for part in PARTS:
        rows = [row for row in result["rows"] if row["part"] == part.name]
        assert {row["status"] for row in rows} <= {OK, SKIPPED}, rows
        is_left_out = part.name.startswith("vllm") and not (has_vllm and part.name == "vllm-v1")
        assert any(row["status"] == OK for row in rows) != is_left_out, rows
    speed = {row["case"]: row for row in result["rows"] if row["part"] == "speed"}
    assert all(row["status"] == OK for name, row in speed.items() if "liger" not in name)
    assert [path.name for path in tmp_path.iterdir()] == ["gpu.json"]
