"""Files that lie where azr is started are a person's: none of them is taken for a module."""

import ast
import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from azr.cli import doctor
from azr.evaluation.maths import grader as maths
from sandbox_wasm.children import PYTHON
from sandbox_wasm.client.local_server import LocalServer

REPOSITORY = Path(__file__).parents[2]
NAMES = (
    *("random", "logging", "types", "zmq", "torch", "azr", "sandbox_wasm", "msgpack", "argparse"),
    *("typing", "signal", "socket", "sympy", "math_verify", "transformers", "enum", "copy", "re"),
)
FAKE = (*PYTHON, "-m", "tests.fake_sandbox", "serve")


@pytest.fixture
def hostile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder full of files that are called as modules are; an import of one shows."""
    trap = "import os; os._exit(77)\n"
    for name in NAMES:
        (tmp_path / f"{name}.py").write_text(trap)
    for name in ("json", "multiprocessing", "numpy"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(trap)
    monkeypatch.chdir(tmp_path)
    # an engine made earlier in this process sets it for its children; these must do without
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)
    return tmp_path


def test_the_trap_works(hostile: Path) -> None:
    """Without -P each of these would be found first."""
    done = subprocess.run([sys.executable, "-c", "import zmq"], check=False)
    assert done.returncode == 77


def test_a_server_starts(hostile: Path) -> None:
    with LocalServer(1, command=FAKE, ready_timeout_s=120) as server:
        assert server.failure is None


def test_the_doctor_asks(hostile: Path) -> None:
    for module in ("zmq", "torch", "random", "azr.types", "sandbox_wasm.cores"):
        said, error = doctor.ask(f"import {module}; print({module}.__file__)")
        assert said, error
        assert not said.startswith(str(hostile))


def test_the_grader_of_maths_starts(hostile: Path) -> None:
    async def start() -> None:
        await maths.stop(await maths.start())

    asyncio.run(start())


@pytest.mark.parametrize("command", ["azr", "azr-sandbox"])
def test_the_commands_start(hostile: Path, command: str) -> None:
    script = Path(sys.executable).with_name(command)
    if not script.exists():
        pytest.skip(f"{command} is not installed beside this Python")
    done = subprocess.run([str(script), "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_child_begins_with_the_same_words() -> None:
    """sys.executable is named in one place: whoever starts a Python takes it from there."""
    found = [
        str(file.relative_to(REPOSITORY))
        for package in ("azr", "sandbox_wasm")
        for file in sorted((REPOSITORY / package).rglob("*.py"))
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and ast.unparse(node) == "sys.executable"
    ]
    assert found == [os.path.join("sandbox_wasm", "children.py")]  # noqa: PTH118
