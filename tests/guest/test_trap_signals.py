"""Other libraries take the signals that wasmtime makes traps of. A guest's fault stays a trap."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

pytestmark = pytest.mark.guest

BEFORE = """
import ctypes, faulthandler, signal, time
from sandbox_wasm import Job, Limits, Sandbox
libc = ctypes.CDLL(None)
libc.signal.argtypes = ctypes.c_int, ctypes.c_void_p
source = '''
def f(n):
    a = iter([1])
    for _ in range(n): a = map(int, a)
    return next(a)
'''
def outcomes(sandbox):
    jobs = [Job("trap", source, calls=["500_000"]), Job("fine", source, calls=["5"])]
    return [result.calls[0].outcome.value for result in sandbox.run(jobs)]
with Sandbox(workers=1, images=1) as sandbox:
    print(*outcomes(sandbox))
    {taken}
    print(*outcomes(sandbox))
    endless = Job("e", "while True: pass", limits=Limits(fuel=10**15))
    running = sandbox.submit(endless)
    while sandbox.stats()["queued"]: time.sleep(0.01)
    time.sleep(0.3)
    {taken}
    running.cancel()
    print(*outcomes(sandbox))
"""
TAKEN = {
    "by default": "[libc.signal(number, 0) for number in (signal.SIGSEGV, signal.SIGILL)]",
    "ignored": "libc.signal(signal.SIGSEGV, 1)",
    "faulthandler": "faulthandler.disable(); faulthandler.enable()",
}


@pytest.mark.parametrize("way", ["faults", "traps"])
@pytest.mark.parametrize("taker", TAKEN)
def test_signals_that_another_library_has_taken_are_taken_back(
    taker: str, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZR_DIRTY_PAGES", way)
    script = BEFORE.replace("{taken}", TAKEN[taker])
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["trapped returned"] * 3
    assert "Fatal Python error" not in done.stderr


USED = """
import faulthandler, wasmtime
engine = wasmtime.Engine()
{taken}
from sandbox_wasm import Sandbox, SandboxUnavailable
for _ in range(2):
    try:
        Sandbox(workers=1, images=1)
    except SandboxUnavailable as exc:
        print(exc)
"""


@pytest.mark.parametrize("taken", ["", "faulthandler.enable()"])
def test_a_process_that_uses_wasmtime_already_is_told_so(taken: str) -> None:
    script = USED.replace("{taken}", taken)
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 2
    assert all("make the first Sandbox before that" in line for line in lines)


def test_another_handler_in_a_folder_of_that_name_is_not_taken_for_wasmtime(tmp_path: Path) -> None:
    folder = tmp_path / "about-wasmtime"
    folder.mkdir()
    python = folder / "python"
    python.symlink_to(Path(sys.executable).resolve())
    library = Path(sysconfig.get_config_var("LIBDIR"), sysconfig.get_config_var("INSTSONAME"))
    (folder / library.name).symlink_to(library)  # the handler is there, where it is shared
    script = (
        f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n"
        "from sandbox_wasm import Sandbox\nwith Sandbox(workers=1, images=1): print('well')"
    )
    done = subprocess.run(
        [python, "-X", "faulthandler", "-c", script],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(sys.path),
            "LD_LIBRARY_PATH": str(folder),
        },
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.stdout == "well\n", done.stderr
