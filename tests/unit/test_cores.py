"""Cores that a process may use: its mask, and its container's quota in either version."""

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from azr.cli import main as cli
from sandbox_wasm.cores import available_cores, masked_cores, quota_cores

UNIFIED = "30 23 0:26 {root} {point} rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
SPLIT = "33 32 0:29 {root} {point} rw,nosuid - cgroup cgroup rw,cpu,cpuacct\n"


def machine(folder: Path, kind: str, group: str, root: str, files: dict[str, str]) -> Path:
    """A /proc/self whose control groups are mounted below `folder`, as another kernel has them."""
    proc, point = folder / "self", folder / "cgroup"
    proc.mkdir()
    mount, line = (UNIFIED, f"0::{group}") if kind == "v2" else (SPLIT, f"4:cpu,cpuacct:{group}")
    noise = "25 30 0:23 / /proc rw - proc proc rw\n1:name=systemd:/\n"
    (proc / "mountinfo").write_text(noise + mount.format(root=root, point=point))
    (proc / "cgroup").write_text(f"12:memory:/elsewhere\n{line}\n")
    for name, text in files.items():
        (point / name).parent.mkdir(parents=True, exist_ok=True)
        (point / name).write_text(text)
    return proc


CFS = "cpu.cfs_quota_us", "cpu.cfs_period_us"


@pytest.mark.parametrize(
    ("kind", "group", "root", "files", "cores"),
    [
        ("v2", "/", "/", {"cpu.max": "200000 100000\n"}, 2.0),  # a container: its own namespace
        ("v2", "/", "/", {"cpu.max": "max 100000\n"}, math.inf),
        ("v2", "/", "/", {}, math.inf),  # the root of a machine has no such file
        ("v2", "/a/b", "/", {"a/b/cpu.max": "max 100000", "a/cpu.max": "50000 100000"}, 0.5),
        ("v2", "/a/b", "/", {"a/b/cpu.max": "100000 100000", "a/cpu.max": "400000 100000"}, 1.0),
        ("v2", "/docker/1", "/docker/1", {"cpu.max": "150000 100000"}, 1.5),
        ("v2", "/hosts/own", "/", {"cpu.max": "300000 100000"}, 3.0),  # not shown in here
        ("v2", "/../x", "/", {"cpu.max": "300000 100000"}, 3.0),
        ("v2", "/", "/", {"cpu.max": "garbage"}, math.inf),
        ("v2", "/", "/", {"cpu.max": ""}, math.inf),
        ("v2", "/", "/", {"cpu.max": "100000 0"}, math.inf),
        ("v1", "/", "/", {CFS[0]: "250000", CFS[1]: "100000"}, 2.5),
        ("v1", "/", "/", {CFS[0]: "-1", CFS[1]: "100000"}, math.inf),
        ("v1", "/kube/1", "/kube/1", {CFS[0]: "100000\n", CFS[1]: "50000\n"}, 2.0),
        ("v1", "/p/c", "/", {f"p/{CFS[0]}": "100000", f"p/{CFS[1]}": "100000"}, 1.0),
    ],
)  # fmt: skip
def test_the_quota_of_a_container_is_read(
    tmp_path: Path, kind: str, group: str, root: str, files: dict[str, str], cores: float
) -> None:
    proc = machine(tmp_path, kind, group, root, files)
    assert quota_cores(proc) == cores
    assert available_cores(proc) == max(1, math.ceil(min(masked_cores(), cores)))


def test_without_control_groups_the_mask_counts(tmp_path: Path) -> None:
    assert quota_cores(tmp_path / "nowhere") == math.inf
    assert available_cores(tmp_path / "nowhere") == len(os.sched_getaffinity(0))


def test_the_mask_counts_where_it_is_narrower() -> None:
    """In a process of its own, which holds itself on one core."""
    code = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "from sandbox_wasm.cores import available_cores; print(available_cores())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"


@pytest.mark.parametrize("limited", [False, True])
def test_threads_of_learner_and_engine_follow_the_quota(
    monkeypatch: pytest.MonkeyPatch, *, limited: bool
) -> None:
    monkeypatch.setattr(cli, "is_limited", lambda: limited)
    monkeypatch.setattr(cli, "available_cores", lambda: 3)
    monkeypatch.setattr(os, "environ", {"OMP_NUM_THREADS": "7"} if not limited else {})
    cli.prepare_engine()
    assert os.environ["OMP_NUM_THREADS"] == ("3" if limited else "7")
    assert os.environ.get("VLLM_CPU_OMP_THREADS_BIND") == ("nobind" if limited else None)
