"""Trainers' own clients over a real server; opt-in, as they are others' packages."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.contract.http_client import REAL, HttpServing

PYTHON = os.environ.get("AZR_ADAPTERS_PYTHON")
SCRIPT = Path(__file__).with_name("http_real_clients.py")

pytestmark = [
    pytest.mark.guest,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not PYTHON, reason="AZR_ADAPTERS_PYTHON is not set: make test-adapters"),
]


def test_trainers_own_clients_get_what_they_understand():
    with HttpServing(REAL, "--workers", "2") as server:
        done = subprocess.run(
            [PYTHON, str(SCRIPT), server.url],
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(": ok\n") == 4, done.stdout
