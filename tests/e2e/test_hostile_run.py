"""No program ends a run: a whole one in which every completion of the model is an attack."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from azr.game.tasks.task_json import task_to_json
from azr.types import Case, Mode, Task
from tests.tiny import make_tiny_model

pytestmark = [pytest.mark.slow, pytest.mark.guest, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
CONFIG = """
steps = {steps}
name = "attacked"
runs = "{root}/runs"
[model]
name = "{root}/model"
[selfplay]
envelope = "none"
modes = ["deduction", "abduction"]
batch_size = 16
trials_per_task = 2
references = 1
[buffers]
seed_tasks = 4
seed_file = "{root}/seeds.jsonl"
[rollout]
engine = "transformers"
max_prompt_tokens = 3000
max_completion_tokens = 8
[learner]
lr = 1e-4
[checkpoint]
every = 1
[logging]
tensorboard = false
[sandbox]
workers = 2
fuel = 50_000_000
timeout_s = 30
"""


def train(config: Path, *more: str) -> str:
    """Run `azr train` to its end, and return what it said on stderr."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.hostile_run", "train", str(config), *more],
        env={**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
        cwd=ROOT, capture_output=True, text=True, timeout=400, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    assert "Traceback" not in done.stderr
    return done.stderr


def write_config(root: Path, steps: int) -> Path:
    file = root / "attacked.toml"
    file.write_text(CONFIG.format(root=root, steps=steps))
    return file


def test_a_model_that_does_nothing_but_attack_ends_no_run(tmp_path: Path) -> None:
    make_tiny_model(tmp_path / "model", context=4096)
    seeds = [
        Task(mode=mode, program=f"def f(x):\n    return x + {n}", cases=(Case("1", str(n + 1)),))
        for mode in (Mode.DEDUCTION, Mode.ABDUCTION)
        for n in range(4)
    ]
    (tmp_path / "seeds.jsonl").write_text("".join(task_to_json(t) + "\n" for t in seeds))

    train(write_config(tmp_path, 2))
    said = train(write_config(tmp_path, 4), "--resume")

    lines = (tmp_path / "runs/attacked/metrics.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    assert [row["step"] for row in rows] == [1, 2, 3, 4], said
    outcomes: Counter[str] = Counter()
    for row in rows:
        outcomes.update({k: v for k, v in row.items() if k.startswith("judge/outcome/")})
    assert outcomes["judge/outcome/out_of_fuel"] > 0
    assert outcomes["judge/outcome/timed_out"] == 0
