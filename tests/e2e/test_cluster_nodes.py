"""A cluster of three nodes, in a process of its own. The tests are in cluster_nodes.py.

In a process that has run a cluster of Ray before, as that of test_cluster.py has, actors of a
second cluster are cancelled before they run. A run of azr joins one cluster in its life.
"""

import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).with_name("cluster_nodes.py")


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_cluster_of_three_nodes_survives_the_loss_of_one() -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-x", "--no-showlocals", str(TESTS)]
    done = subprocess.run(
        [*command, "-p", "no:cacheprovider"],
        cwd=TESTS.parents[2],
        capture_output=True,
        text=True,
        timeout=1100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 passed" in done.stdout
