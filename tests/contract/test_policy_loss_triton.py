"""The Triton engine, without a GPU: interpreted against float64, and compiled for Hopper."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from azr.config.loss import LossConfig
from azr.learner.loss.engines import engine_for
from azr.learner.loss.head import Head

pytest.importorskip("triton")  # it has no wheel for every platform

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_the_engine_agrees_with_float64_in_triton_s_interpreter():
    """In a process of its own: Triton reads the variable once, when it is imported."""
    suite = str(ROOT / "tests" / "contract" / "triton_interpreted.py")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--no-header", "--no-showlocals", suite],
        cwd=ROOT,
        env={**os.environ, "TRITON_INTERPRET": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]


def test_tensors_on_a_gpu_get_the_triton_engine_by_default():
    """Tensors without memory say enough: no GPU is needed to ask."""
    with FakeTensorMode():
        hidden = torch.empty(3, 4, device="cuda")
        head = Head.of(torch.empty(5, 4, device="cuda"), None, LossConfig())
        engine = engine_for(LossConfig().backend, hidden, head)
    assert type(engine).__name__ == "TritonEngine"


@pytest.mark.slow
def test_the_kernels_compile_for_hopper_and_fit_an_sm():
    """No GPU is needed to make a cubin. Some registers spill, but not while products are made."""
    script = ROOT / "bench" / "triton_build.py"
    done = subprocess.run(
        [sys.executable, str(script), "--json"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    for kernel in json.loads(done.stdout):
        assert kernel["cubin_bytes"] > 0
        assert kernel["spilled_bytes"] < 1024, kernel
        assert kernel["shared_bytes"] <= 227 * 1024
        if kernel["kernel"] == "sum_logits" and kernel["dtype"] == "bf16":
            assert kernel["wgmma"] > 0
            assert kernel["spills_beside_products"] == 0
