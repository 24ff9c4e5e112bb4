"""AZR_GUEST_CPU: a guest for this machine alone, or for every machine of its architecture."""

import platform
from pathlib import Path

import pytest

from sandbox_wasm import Job, Sandbox, _pool
from sandbox_wasm.cli.main import main
from sandbox_wasm.image.manifest import locate_wasmtime

ADD = bytes.fromhex(
    "0061736d0100000001070160027c7c017c0302010007050101660000"
    "0a0901070020002001a00b"
)  # fmt: skip
"""A function f that adds two floats."""
ADDSD = bytes.fromhex("f20f58")
"""x86-64's addition of 2003; AVX has one of its own, with another prefix."""
PROGRAM = "def f(x):\n    return round(sum(i ** 0.5 for i in range(x)), 6), hash(x) % 7"


def compiled(*, for_any_cpu: bool) -> bytes:
    return _pool.compile_module(str(locate_wasmtime()[0]), ADD, True, for_any_cpu)


def test_a_baseline_guest_holds_no_instructions_of_avx():
    if platform.machine() == "x86_64":
        assert ADDSD in compiled(for_any_cpu=True)
        has_avx = " avx " in Path("/proc/cpuinfo").read_text()
        assert (ADDSD in compiled(for_any_cpu=False)) is not has_avx
    else:
        assert compiled(for_any_cpu=True)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.guest
def test_values_and_fuel_are_those_of_any_other_guest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    job = Job("a", PROGRAM, calls=("1000",), images=2)
    with Sandbox(workers=1) as sandbox:
        [usual] = sandbox.run([job])
    monkeypatch.setenv("AZR_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("AZR_GUEST_CPU", "baseline")
    with Sandbox(workers=1) as sandbox:
        [baseline] = sandbox.run([job])
    assert usual.calls[0].value is not None
    assert baseline == usual
    assert len(list((tmp_path / "sandbox").iterdir())) > 4


def test_another_value_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("AZR_GUEST_CPU", "pentium")
    assert main(["image"]) == 2
    told = "azr-sandbox: AZR_GUEST_CPU must be native or baseline, got 'pentium'\n"
    assert capsys.readouterr().err == told
