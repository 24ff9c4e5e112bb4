"""The commands that train nothing, as the parser knows them.

They load no framework; `azr doctor` and `azr report` also run where none is installed.
"""

import argparse
import sys
from collections.abc import Callable

from azr.cli.commands.export import EXAMPLES as EXPORT_EXAMPLES
from azr.cli.commands.export import add_arguments as add_export
from azr.cli.commands.gpu import add_arguments as add_gpu
from azr.cli.commands.inspect import EXAMPLES as INSPECT_EXAMPLES
from azr.cli.commands.inspect import add_arguments as add_inspect
from azr.cli.commands.model import add_arguments as add_model
from azr.cli.commands.report import EXAMPLES as REPORT_EXAMPLES
from azr.cli.commands.report import add_arguments as add_report
from azr.cli.commands.tasks import EXAMPLES as TASKS_EXAMPLES
from azr.cli.commands.tasks import add_arguments as add_tasks
from azr.cli.commands.view import EXAMPLES as VIEW_EXAMPLES
from azr.cli.commands.view import add_arguments as add_view
from azr.config.run import RunConfig
from sandbox_wasm.places import expanded, place

__all__ = ["add_readers", "say"]


def add_readers(command: Callable[..., argparse.ArgumentParser]) -> None:
    """The commands that train nothing."""
    text = "write a run's report, or a comparison of several: one self-contained HTML file"
    add_report(command("report", report_command, text, REPORT_EXAMPLES))
    text = "a page on this machine that follows runs while they write"
    add_view(command("view", view_command, text, VIEW_EXAMPLES))
    text = "read a run in the terminal: its curriculum, tasks, answers"
    add_inspect(command("inspect", inspect_command, text, INSPECT_EXAMPLES))
    text = "copy a checkpoint's model in Hugging Face format, and send it to a hub"
    add_export(command("export", export_command, text, EXPORT_EXAMPLES))
    add_model(command("model", model_command, "make a model, or one fit for training"))
    text = "write a run's tasks as JSON Lines"
    add_tasks(command("tasks", tasks_command, text, TASKS_EXAMPLES))
    doctor = command(
        "doctor", doctor_command, "check this machine; says how to get what is missing"
    )
    text = "verify this run instead: its checkpoints by hash, its metrics and rollouts"
    doctor.add_argument("run_folder", nargs="?", type=place, metavar="RUN", help=text)
    doctor.add_argument(
        "--model", type=expanded, default=RunConfig().model.name, help="the model to look for"
    )
    add_gpu(doctor)


def report_command(arguments: argparse.Namespace) -> int:
    """`azr report`."""
    from azr.cli.commands.report import answer

    answer(arguments, print, say)
    return 0


def view_command(arguments: argparse.Namespace) -> int:
    """`azr view`."""
    from azr.cli.commands.view import answer

    answer(arguments, say)
    return 0


def inspect_command(arguments: argparse.Namespace) -> int:
    """`azr inspect`."""
    from azr.cli.commands.inspect import answer

    answer(arguments)
    return 0


def export_command(arguments: argparse.Namespace) -> int:
    """`azr export`."""
    from azr.cli.commands.export import answer

    print(answer(arguments, say))
    return 0


def tasks_command(arguments: argparse.Namespace) -> int:
    """`azr tasks`."""
    from azr.cli.commands.tasks import answer

    print(*answer(arguments), sep="\n")
    return 0


def model_command(arguments: argparse.Namespace) -> int:
    """`azr model smollm2` and `azr model strip-think`."""
    from azr.cli.commands.model import answer

    print(answer(arguments, say))
    return 0


def doctor_command(arguments: argparse.Namespace) -> int:
    """`azr doctor`."""
    from azr.cli.checkup import examine
    from azr.cli.commands.gpu import answer, refuse_alone
    from azr.cli.doctor import diagnose
    from sandbox_wasm.cli.findings import show_findings

    if arguments.gpu:
        return int(not answer(arguments, print, say))
    refuse_alone(arguments)
    if arguments.run_folder is None:
        findings = diagnose(arguments.model)
        show_findings(findings)
    else:
        findings = examine(arguments.run_folder)
        show_findings(findings, "the run can go on")
    return int(any(finding.is_blocking for finding in findings))


def say(text: str) -> None:
    """One line for the person who is waiting."""
    print(text, file=sys.stderr, flush=True)
