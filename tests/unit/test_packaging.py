"""The three distributions of one repository agree where they overlap."""

import tomllib
from pathlib import Path

import pytest

import azr
import sandbox_wasm
from sandbox_wasm.distribution import install_command, installed_as

ROOT = Path(__file__).parents[2]


def project(folder: str) -> dict:
    return tomllib.loads((ROOT / folder / "pyproject.toml").read_text())


AZR, SANDBOX, CLIENT = (project(folder) for folder in ("", "packaging/sandbox", "packaging/client"))


def test_one_version():
    assert AZR["project"]["version"] == azr.__version__ == sandbox_wasm.__version__
    for other in (SANDBOX, CLIENT):
        assert other["tool"]["dynamic-metadata"][0]["input"] == "sandbox_wasm/__init__.py"


def test_azr_needs_what_the_sandbox_needs_and_the_sandbox_what_the_client_needs():
    azr_base, base, client = (set(p["project"]["dependencies"]) for p in (AZR, SANDBOX, CLIENT))
    assert client < base < azr_base
    assert {line.split(">")[0].split("=")[0] for line in client} == {"pyzmq", "msgpack"}
    extras, own = (p["project"]["optional-dependencies"] for p in (AZR, SANDBOX))
    assert extras["http"] == own["http"]
    assert [line.replace("azr[", "azr-sandbox[") for line in extras["mcp"]] == own["mcp"]


def test_the_sandbox_and_its_client_are_built_of_the_same_files():
    for key in ("build-system", "tool"):
        ours, theirs = dict(SANDBOX[key]), dict(CLIENT[key])
        for table in (ours, theirs):
            table.pop("cibuildwheel", None)
        assert ours == theirs
    for folder in ("sandbox", "client"):
        for name in ("CMakeLists.txt", "LICENSE", "native", "sandbox_wasm"):
            assert (ROOT / "packaging" / folder / name).resolve() == ROOT / name


def test_two_of_them_in_one_environment_are_both_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    record = tmp_path / "azr_sandbox-0.1.0.dist-info"
    record.mkdir()
    (record / "METADATA").write_text("Metadata-Version: 2.1\nName: azr-sandbox\nVersion: 0.1.0\n")
    assert install_command("http") == "pip install 'azr[http]'"
    monkeypatch.syspath_prepend(tmp_path)
    assert installed_as() == ["azr", "azr-sandbox"]
    assert install_command("http") == "pip install 'azr-sandbox[http]'"
