"""The command line of `azr tasks`: what to write of a run's tasks, and how."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from azr.types import Mode
from sandbox_wasm.places import place

__all__ = ["EXAMPLES", "add_arguments", "answer"]

EXAMPLES = """\
examples:
  azr tasks runs/NAME tasks.jsonl                what buffers.seed_file of another run takes
  azr tasks runs/NAME seeds.jsonl --step 0       its seeds alone
  azr tasks runs/NAME seed_io.jsonl --format azr for the reference: triplets, and *_code_f.jsonl
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """All but the configuration: there is none."""
    parser.add_argument("source", type=place, metavar="RUN")
    parser.add_argument("output", type=place, metavar="FILE")
    parser.add_argument("--format", choices=["ours", "azr"], default="ours", help="default: ours")
    parser.add_argument(
        "--mode", choices=list(map(str, Mode)), action="append", help="default: all"
    )
    parser.add_argument("--step", type=int, help="only tasks born by this step; 0 = the seeds")


def answer(arguments: argparse.Namespace) -> Sequence[Path]:
    """Write what was asked for; returns the files.

    Raises:
        CheckpointError: The run does not exist, or has no such tasks.
        ConfigError: The file is there already.
    """
    from azr.game.tasks.seed_files import export_tasks

    return export_tasks(
        arguments.source,
        arguments.output,
        azr=arguments.format == "azr",
        modes=tuple(map(Mode, arguments.mode or Mode)),
        step=arguments.step,
    )
