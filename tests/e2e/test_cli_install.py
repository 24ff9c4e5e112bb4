"""The installer tells a newcomer what is missing before it starts anything."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOOLS = (
    "bash",
    "cat",
    "cut",
    "dirname",
    "find",
    "grep",
    "mkdir",
    "sha256sum",
    "sort",
    "tail",
    "xargs",
)


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A PATH with a shell's everyday tools and nothing to build with."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found
        (folder / tool).symlink_to(found)
    return folder


def install(path: Path, venv: Path, **environment: str) -> tuple[int, str]:
    done = subprocess.run(
        ["/usr/bin/env", "bash", str(ROOT / "scripts" / "install.sh")],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": str(path), "VENV": str(venv), "HOME": os.environ["HOME"], **environment},
    )
    return done.returncode, done.stderr


def script(folder: Path, name: str, body: str) -> None:
    (folder / name).write_text(f"#!/bin/bash\n{body}\n")
    (folder / name).chmod(0o755)


def test_no_python_is_named_with_the_packages_that_bring_it(bare: Path, tmp_path: Path) -> None:
    code, said = install(bare, tmp_path / "venv")
    assert code == 1
    assert "install: error: no Python 3.11 or newer found" in said
    assert "apt-get install python3 python3-venv python3-dev" in said
    assert not (tmp_path / "venv").exists()


def test_a_python_that_is_too_old_is_not_taken(bare: Path, tmp_path: Path) -> None:
    script(bare, "python3", "exit 1  # what `sys.exit(version < 3.11)` gives on an old one")
    assert "no Python 3.11" in install(bare, tmp_path / "venv")[1]
    code, said = install(bare, tmp_path / "venv", PYTHON="/nowhere/python")
    assert code == 1
    assert "(PYTHON=/nowhere/python)" in said


def test_no_compiler_no_venv_and_no_headers_are_each_named(bare: Path, tmp_path: Path) -> None:
    script(bare, "python3", '[[ "$*" == *ensurepip* || "$1" == - ]] && exit 1; exit 0')
    assert "apt-get install g++" in install(bare, tmp_path / "venv")[1]
    script(bare, "g++", "exit 0")
    assert "apt-get install python3-venv" in install(bare, tmp_path / "venv")[1]
    script(bare, "python3", '[[ "$1" == - ]] && exit 1; exit 0')
    code, said = install(bare, tmp_path / "venv")
    assert code == 1
    assert "apt-get install python3-dev" in said
    assert not (tmp_path / "venv").exists()
