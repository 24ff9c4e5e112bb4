"""Tries an installed azr-sandbox as a stranger would: `python try_wheel.py` from any folder.

It runs the command and the package of the Python that it is run by, once for each way of knowing
written pages that this machine has (docs/sandbox.md). The first run compiles the guest.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

PROGRAM = "import json\nprint(json.dumps({'twice': int(input()) * 2}))\n"
LIBRARY = """
from sandbox_wasm import Job, Sandbox

with Sandbox(workers=1) as sandbox:
    print(sandbox.stats()["dirty_pages"])
    [result] = sandbox.run([Job("1", "def f(x): return x * 2", calls=["21", "'ab'"], images=2)])
    assert [call.value for call in result.calls] == ["42", "'abab'"], result
"""
WAYS = ("faults", "traps", "scan", "compare")


def said_by(*command: str, given: str = "", **environment: str) -> str:
    """What a command of ours prints; its stderr goes to ours."""
    done = subprocess.run(  # noqa: S603 - our own commands
        command, input=given, stdout=subprocess.PIPE, text=True, check=True,
        env={**os.environ, **environment},
    )  # fmt: skip
    return done.stdout.strip()


def ways_here() -> list[str]:
    """Those of which the doctor says that they work."""
    doctor = said_by(command(), "doctor", AZR_DIRTY_PAGES="")
    line = next(line for line in doctor.splitlines() if "here work:" in line)
    works = line.partition("here work:")[2]
    return [way for way in WAYS if way in works and f"not {way}" not in works]


def command() -> str:
    """`azr-sandbox` beside this Python."""
    return str(Path(sys.executable).with_name("azr-sandbox"))


def main() -> None:
    """Raise if something does not work."""
    print(said_by(command(), "--version"))
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        Path("program.py").write_text(PROGRAM)
        printed = said_by(command(), "run", "program.py", "--stdin", "-", given="21\n")
        assert printed == '{"twice": 42}', printed
        ways = ways_here()
        assert "compare" in ways, ways
        for way in ways:
            assert said_by(sys.executable, "-c", LIBRARY, AZR_DIRTY_PAGES=way) == way
    print("works with", ", ".join(ways))


if __name__ == "__main__":
    main()
