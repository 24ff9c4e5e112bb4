"""What a process holds of the memory that it freed."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.tiny import make_tiny_model

MB = 1024
"""In kB, the kernel's unit."""
RESIDENT = """
import json, pathlib

def resident():
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))
"""
BETWEEN_SMALL_BLOCKS = """
import ctypes
from azr.learner.heap import give_back_freed_memory

c = ctypes.CDLL(None)
c.malloc.restype = ctypes.c_void_p
c.free.argtypes = [ctypes.c_void_p]

def taken(size):
    block = c.malloc(size)
    ctypes.memset(block, 1, size)
    return block

c.free(taken(30 << 20))  # from here on glibc maps no block below this size
start = resident()
blocks = [(taken(1 << 20), taken(5000)) for _ in range(300)]
for block, _ in blocks:
    c.free(block)
give_back_freed_memory()
print(json.dumps([start, resident()]))
"""
UPDATES = """
import random, sys, torch
from azr.config.run import LearnerConfig, RunConfig
from azr.learner.learner import TorchLearner
from azr.types import Experience, Mode, Prompt, Role, Rollout, Verdict

torch.set_num_threads(1)  # tiny tensors, and the machine may be busy
draw = random.Random(0)
prompt = Prompt(role=Role.SOLVER, mode=Mode.DEDUCTION, text="")

def experience():
    ids = [draw.randrange(3, 250) for _ in range(draw.randrange(2, 200))]
    cut = draw.randrange(1, len(ids))
    rollout = Rollout(prompt=prompt, prompt_ids=tuple(ids[:cut]), completion_ids=tuple(ids[cut:]),
                      rollout_logprobs=(-3.0,) * (len(ids) - cut), completion="", policy_version=0)
    return Experience(rollout=rollout, verdict=Verdict.PASSED, reward=0.0)

learner = TorchLearner(RunConfig(learner=LearnerConfig(lr=1e-4)), pathlib.Path(sys.argv[1]))
seen = []
for step in range(300):
    step_experiences = [experience() for _ in range(draw.randrange(1, 12))]
    learner.update(step_experiences, [draw.gauss(0, 1) for _ in step_experiences])
    seen.append(resident())
print(json.dumps(seen))
"""


def in_a_process(body: str, *words: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-c", RESIDENT + body, *words],
        capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_freed_memory_between_blocks_that_live_is_given_back() -> None:
    start, end = in_a_process(BETWEEN_SMALL_BLOCKS)
    assert end - start < 30 * MB


@pytest.mark.slow
def test_memory_is_flat_over_300_updates(tmp_path: Path) -> None:
    seen = in_a_process(UPDATES, str(make_tiny_model(tmp_path / "tiny")))
    early, late = max(seen[20:100]), max(seen[200:])
    assert late - early < 20 * MB
