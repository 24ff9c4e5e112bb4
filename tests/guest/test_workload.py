"""The workload of bench/: right in CPython and in the guest, and no program twice."""

import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from rapidfuzz.distance import Indel
from rapidfuzz.process import cdist

from bench.programs import as_job, own_workload
from sandbox_wasm import Outcome, Sandbox
from sandbox_wasm.values import equal

pytestmark = pytest.mark.guest

ROOT = Path(__file__).parents[2]
PROGRAMS = own_workload().programs
NEAREST = 0.19
"""The least distance of two programs, as azr.game.rewards.distance measures it."""


def test_there_are_enough_programs_and_a_dozen_heavy_ones() -> None:
    assert len(PROGRAMS) >= 400
    assert 10 <= sum(program.heavy for program in PROGRAMS) <= 20


def test_cpython_gives_every_output() -> None:
    script = [sys.executable, ROOT / "scripts" / "suites" / "workload.py"]
    done = subprocess.run(script, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_guest_gives_every_output(sandbox: Sandbox) -> None:
    results = sandbox.run([as_job(program) for program in PROGRAMS])
    calls = [result.calls[0] for result in results]
    assert not [
        f"{program.name}: {call.outcome} {call.value or call.error}, not {program.expected}"
        for program, call in zip(PROGRAMS, calls, strict=True)
        if call.outcome is not Outcome.RETURNED
        or not equal(call.value or "", program.expected, float_tolerance=1e-9)
    ]


def test_no_two_programs_are_alike() -> None:
    profile = runpy.run_path(str(ROOT / "azr/game/judge/guest/profile.py"))["profile"]
    trees = [profile(program.code)[-1] for program in PROGRAMS]
    distances = cdist(trees, trees, scorer=Indel.normalized_distance)
    close = [
        f"{PROGRAMS[i].name} and {PROGRAMS[j].name}: {distances[i, j]:.2f}"
        for i in range(len(trees))
        for j in range(i)
        if distances[i, j] < NEAREST
    ]
    assert not close
