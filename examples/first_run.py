"""A first run of self-play: two steps on a CPU, then what the model proposed.

    make install image model
    .venv/bin/python examples/first_run.py

Takes about two minutes on two cores. It does what `azr train` and `azr inspect` do, and ends with
the path of the report, which is one HTML file.
"""

import json
import subprocess
import sys
from pathlib import Path

RUN = Path("runs/first")
AZR = Path(sys.executable).with_name("azr")


def main() -> None:
    """Train, print the course of the figures, and write the report."""
    train = ["train", "configs/demo-cpu.toml", "--name", RUN.name, "--steps", "2"]
    subprocess.run([AZR, *train], check=True)
    for line in (RUN / "metrics.jsonl").read_text(encoding="utf-8").splitlines():
        step = json.loads(line)
        figures = {name: step[name] for name in ("valid/deduction", "loss") if name in step}
        print(f"step {step['step']}:", figures)
    subprocess.run([AZR, "inspect", str(RUN), "--tasks", "hardest"], check=True)
    subprocess.run([AZR, "report", str(RUN)], check=True)


if __name__ == "__main__":
    main()
