"""The outputs of bench/workload, checked against this Python, or written by it.

    python scripts/suites/workload.py            # exit status 1 and a line for each that differs
    python scripts/suites/workload.py --write    # writes the `# Output:` lines, of new programs too

All programs run one after the other in a new process of this interpreter, without the sandbox.
"""

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from bench.programs import FOLDER, own_workload  # noqa: E402 - found by the line above
from sandbox_wasm.values import equal  # noqa: E402

RUN_ALL = """
import json, sys
print(json.dumps([repr(eval(call, names)) for code, call in json.load(sys.stdin)
                  for names in [{"__name__": "program"}] for _ in [exec(code, names)]]))
"""


def values_here(programs: list[tuple[str, str]]) -> list[str]:
    """Return the value of each (code, call) as this interpreter writes it."""
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-I", "-c", RUN_ALL],
        input=json.dumps(programs), capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    if done.returncode:
        sys.exit(f"workload: error: a program failed\n{done.stderr}")
    return json.loads(done.stdout)


def check() -> int:
    """Name the programs whose output is another one here."""
    programs = own_workload().programs
    values = values_here([(program.code, program.call) for program in programs])
    wrong = [
        f"{program.name}: {value}, not {program.expected}"
        for program, value in zip(programs, values, strict=True)
        if not equal(value, program.expected, float_tolerance=1e-9)
    ]
    sys.stdout.write("\n".join([*wrong, f"{len(programs)} programs, {len(wrong)} differ"]) + "\n")
    return int(bool(wrong))


def write() -> int:
    """Write all outputs anew, in the files' order."""
    cell = re.compile(r"^# Input:(.*)\n(?:# Output: .*\n)?", re.MULTILINE)
    for file in sorted(FOLDER.rglob("*.py")):
        text = file.read_text()
        cells = re.split(r"^# %% ", text, flags=re.MULTILINE)[1:]
        codes = [text.partition("\n")[2] for text in cells]
        calls = [f"f({given.strip()})" for given in cell.findall(text)]
        values = iter(values_here(list(zip(codes, calls, strict=True))))
        file.write_text(cell.sub(lambda m: f"# Input:{m[1]}\n# Output: {next(values)}\n", text))  # noqa: B023
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--write", action="store_true", help="write the outputs instead")
    sys.exit(write() if parser.parse_args().write else check())
