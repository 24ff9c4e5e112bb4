"""The wheel, built and used from another folder, where the source tree cannot help it."""

import json
import os
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from the source tree, in a build folder of its own."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index"]
    command += ["--no-build-isolation", "--wheel-dir", str(folder)]
    command += ["--config-settings", f"build-dir={folder / 'build'}", str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    assert done.returncode == 0, done.stderr[-4000:]
    (built,) = folder.glob("azr-*.whl")
    return built


@pytest.fixture(scope="session")
def elsewhere(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel's files and nothing else of ours."""
    target = tmp_path_factory.mktemp("elsewhere")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(target)
    return target


def run_there(elsewhere: Path, folder: Path, code: str) -> str:
    """Run code with the unpacked wheel first on the path.

    -S leaves out the editable install's import hook, which would otherwise win.
    """
    packages = sysconfig.get_path("purelib")
    head = f"import sys; sys.path[:0] = [{str(elsewhere)!r}, {packages!r}]\n"
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    done = subprocess.run(
        [sys.executable, "-S", "-P", "-c", head + code],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env=environment,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


def test_the_wheel_holds_what_runs_and_nothing_else(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    tracked = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "azr", "sandbox_wasm"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    missing = {name for name in tracked if (ROOT / name).exists()} - names
    assert missing == set()
    assert {f"sandbox_wasm/_pool{suffix}", f"azr/_loss{suffix}"} <= names
    ours = {name.split("/")[0] for name in names}
    assert {name for name in ours if not name.endswith(".dist-info")} == {"azr", "sandbox_wasm"}


def test_the_base_needs_no_torch(wheel: Path) -> None:
    metadata = next(
        zipfile.ZipFile(wheel).read(name).decode()
        for name in zipfile.ZipFile(wheel).namelist()
        if name.endswith(".dist-info/METADATA")
    )
    base = [
        line
        for line in metadata.splitlines()
        if line.startswith("Requires-Dist") and "extra ==" not in line
    ]
    assert base
    assert not [line for line in base if "torch" in line or "numpy" in line or "vllm" in line]


def test_the_commands_work_from_the_wheel(
    elsewhere: Path, tmp_path: Path, make_run: Callable[..., Path]
) -> None:
    run = make_run(steps=2)
    code = (
        "import azr; print(azr.__file__)\n"
        "from azr.cli.main import main\n"
        f"assert main(['train', '--dry-run']) == 0\n"
        f"assert main(['report', {str(run)!r}]) == 0\n"
        "from azr.config.loading import load\n"
        "print(load([azr.__file__.replace('__init__.py', 'cli/demo.toml')]).name)\n"
    )
    lines = run_there(elsewhere, tmp_path, code).splitlines()
    assert lines[0].startswith(str(elsewhere))
    assert lines[-1] == "demo"
    assert (run / "report.html").stat().st_size > 20_000


@pytest.mark.guest
def test_the_sandbox_of_the_wheel_runs_a_program(elsewhere: Path, tmp_path: Path) -> None:
    code = (
        "import json, sandbox_wasm\n"
        "from sandbox_wasm import Job, Sandbox\n"
        "with Sandbox(workers=1) as sandbox:\n"
        "    (result,) = sandbox.run([Job(id='a', source='def f(x): return x * 7', calls=['6'])])\n"
        "print(json.dumps([sandbox_wasm.__file__, result.calls[0].value]))\n"
    )
    file, value = json.loads(run_there(elsewhere, tmp_path, code).splitlines()[-1])
    assert file.startswith(str(elsewhere))
    assert value == "42"


def test_the_policy_loss_of_the_wheel_is_native(elsewhere: Path, tmp_path: Path) -> None:
    file = run_there(elsewhere, tmp_path, "import azr._loss; print(azr._loss.__file__)").strip()
    assert file.startswith(str(elsewhere))
