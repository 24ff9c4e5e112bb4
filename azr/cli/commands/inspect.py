"""The command line of `azr inspect`, and which view answers it."""

import argparse

from azr.errors import ConfigError
from azr.report import ORDERS
from azr.types import Verdict
from sandbox_wasm.places import place

__all__ = ["EXAMPLES", "add_arguments", "answer"]

VERDICTS = tuple(verdict.value for verdict in Verdict)

EXAMPLES = """\
examples:
  azr inspect runs/demo                           how the tasks grew: how many, how hard, how new
  azr inspect runs/demo --step 8                  rollouts of a step, with the judge's reasons
  azr inspect runs/demo --stream solver/deduction --verdict failed --limit 20
  azr inspect runs/demo --tasks hardest           tasks that nobody solved; also easiest, newest,
                                                  longest
  azr inspect runs/demo --task deduction-3f9a21c8 one task, and everything that was answered to it

A task's name is shown beside it, here and in the report; its beginning is enough.
Streams are proposer/MODE and solver/MODE; a role or a mode alone chooses all that have it.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """All but the configuration: there is none."""
    parser.add_argument("folder", type=place, metavar="RUN")
    view = parser.add_mutually_exclusive_group()
    view.add_argument("--tasks", choices=ORDERS, help="list tasks, these first")
    view.add_argument("--task", metavar="NAME", help="one task with all answers to it")
    view.add_argument("--step", type=int, help="rollouts of this step; default: the newest")
    parser.add_argument("--stream", help="for example proposer/deduction, or solver")
    parser.add_argument("--verdict", choices=VERDICTS, help="only rollouts that ended like this")
    parser.add_argument("--limit", type=int, help="rollouts or tasks to show (default: 5)")


def answer(arguments: argparse.Namespace) -> None:
    """Print what was asked for.

    Raises:
        ConfigError: The flags do not go together.
        CheckpointError: The run, or what was asked of it, does not exist.
    """
    from azr.report.terminal import show_overview, show_rollouts, show_task, show_tasks

    folder, stream, verdict = arguments.folder, arguments.stream, arguments.verdict
    limit = 5 if arguments.limit is None else arguments.limit
    if limit < 1:
        raise ConfigError(f"--limit must be at least 1, got {limit}")
    if arguments.tasks and verdict:
        raise ConfigError("--verdict chooses rollouts; --tasks lists valid tasks alone")
    if arguments.task is not None and stream:
        raise ConfigError("--stream chooses rollouts; --task shows one task of one mode")
    if arguments.tasks:
        show_tasks(folder, arguments.tasks, limit, stream)
    elif arguments.task is not None:
        show_task(folder, arguments.task, arguments.limit, verdict)
    elif (arguments.step, stream, verdict, arguments.limit) == (None, None, None, None):
        show_overview(folder)
    else:
        show_rollouts(folder, arguments.step, stream, limit, verdict=verdict)
