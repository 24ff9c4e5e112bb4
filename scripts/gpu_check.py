"""`azr doctor --gpu` from a checkout, in an image that has torch and lacks azr's sandbox.

    pip install pydantic                  # parts with a model: transformers and safetensors too
    python scripts/gpu_check.py [--only PART ...] [--budget SECONDS] [--output FILE]

docs/gpu.md says what it measures. Nothing is compiled before it starts, and no hub is asked.
"""

import argparse
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from azr.cli.commands.gpu import add_arguments, answer  # noqa: E402 - it may not be installed
from azr.errors import AzrError, ConfigError  # noqa: E402


def main() -> int:
    """Measure; 0 if all is well, 1 if something failed, 2 if it was asked for wrongly."""
    paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, paths))  # of the parts' processes
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    add_arguments(parser)
    parser.set_defaults(run_folder=None)
    try:
        is_well = answer(parser.parse_args(), show, say)
    except AzrError as error:
        say(f"gpu_check: error: {error}")
        return 2 if isinstance(error, ConfigError) else 1
    return int(not is_well)


def show(text: str) -> None:
    """The table, which is data."""
    sys.stdout.write(f"{text}\n")


def say(text: str) -> None:
    """One line for the person who is waiting."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
