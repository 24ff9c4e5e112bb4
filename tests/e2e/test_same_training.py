"""scripts/same_training.py: ten updates by the learner, with the fused loss and its definition."""

import importlib.util
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from azr.config.loss import Backend
from tests.tiny import make_tiny_model

SCRIPT = Path(__file__).parents[2] / "scripts" / "same_training.py"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("same_training", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules["same_training"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_ten_updates_are_the_same_with_the_fused_loss_and_its_definition(folder: Path, dtype: str):
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(folder), "--dtype", dtype],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    assert f"{dtype}: the same training" in done.stdout


@pytest.mark.slow
def test_a_training_that_differs_a_little_is_called_different(folder: Path, script):
    """A hundredth of the learning rate is enough: the check can fail."""
    comparison = script.compare(folder, "float32", steps=3)
    assert comparison.is_same
    other = script.course(
        folder,
        script.sampled_experiences(folder),
        backend=Backend.NATIVE,
        dtype="float32",
        steps=3,
        lr=1.01e-4,
    )
    different = replace(comparison, native=other)
    assert not different.is_same
    assert "NOT the same training" in different.table()
