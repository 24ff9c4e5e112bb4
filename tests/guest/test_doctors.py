"""Both doctors where everything is there, and each row of the sandbox's where it is not."""

import os
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from azr.cli import doctor
from sandbox_wasm.cli.findings import OK
from sandbox_wasm.cli.main import main
from sandbox_wasm.image import manifest
from sandbox_wasm.image.build import find_guest
from tests.bare import bare_environment

pytestmark = pytest.mark.guest

ROWS = [
    "installation",
    "native core",
    "wasmtime",
    "guest",
    "address space",
    "written pages",
    "canary",
]


def rows(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """ok or failed by the name of the check."""
    found = re.findall(r"^[✓✗] (ok|failed) +(.+?)  ", capsys.readouterr().out, re.MULTILINE)
    return {name.strip(): status for status, name in found}


def test_an_image_that_is_built_is_found() -> None:
    guest = find_guest()
    assert guest is not None, "tests of the guest run where it is built"
    finding = doctor.guest_image()
    assert finding.status == OK
    assert str(guest.folder) in finding.detail


def test_all_rows_are_well_where_everything_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    found = rows(capsys)
    assert set(found.values()) == {"ok"}
    assert list(found) == ROWS


@pytest.mark.parametrize(
    ("row", "package"), [("guest", manifest.GUEST_PACKAGE), ("wasmtime", "wasmtime")]
)
def test_a_package_that_is_missing_is_told(
    row: str, package: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(manifest, "_package_folder", missing_folder(package))
    assert main(["doctor"]) == 1
    found = rows(capsys)
    assert found[row] == found["canary"] == "failed"
    assert found["native core"] == "ok"


def missing_folder(package: str) -> object:
    """As where the package is not installed; the others are found."""
    folder_of = manifest._package_folder

    def folder(name: str) -> Path:
        return folder_of("no_such_package" if name == package else name)

    return folder


def test_two_distributions_that_write_one_folder_are_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sandbox_wasm.cli.doctor.installed_as", lambda: ["azr", "azr-sandbox"])
    assert main(["doctor"]) == 1
    assert rows(capsys)["installation"] == "failed"


def test_a_limited_address_space_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (4 << 30, 4 << 30))
    main(["doctor"])
    assert rows(capsys)["address space"] == "failed"


def test_a_cache_that_cannot_be_used_fails_the_canary(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AZR_CACHE_DIR", "/dev/null")
    assert main(["doctor"]) == 1
    assert rows(capsys)["canary"] == "failed"


def test_a_way_to_find_written_pages_that_does_not_work_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AZR_DIRTY_PAGES", "telepathy")
    assert main(["doctor"]) == 1
    assert rows(capsys)["written pages"] == "failed"


def test_a_native_core_that_is_missing_is_told() -> None:
    """In a process of its own, which cannot import it."""
    code = (
        "import sys; sys.modules['sandbox_wasm._pool'] = None\n"
        "from sandbox_wasm.cli.main import main; sys.exit(main(['doctor']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=os.environ
    )
    assert done.returncode == 1, done.stderr
    assert "✗ failed  native core" in done.stdout


def test_where_only_the_sandbox_is_installed_all_is_well(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sandbox_wasm.cli.main", "doctor"],
        capture_output=True, text=True, check=False, env=bare_environment(tmp_path),
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert done.stdout.count("✓ ok") == len(ROWS)
