"""The command line of `azr report`."""

import argparse
from collections.abc import Callable
from pathlib import Path

from azr.errors import AzrError, ConfigError
from sandbox_wasm.places import place

__all__ = ["EXAMPLES", "add_arguments", "answer"]

EXAMPLES = """\
examples:
  azr report runs/demo                        runs/demo/report.html: one file, needs no network
  azr report runs/A runs/B                    several are compared: runs/A/comparison.html
  azr report runs/full-s0 runs/full-s1 runs/frozen-s0 runs/frozen-s1
                                              names that differ in -s<N> or -seed<N> alone are
                                              seeds of one arm: a mean with a band, and a table
                                              of final figures with intervals
  azr report --group full=runs/a,runs/b --group frozen=runs/c,runs/d --output both.html
  azr report runs/full-s? --svg docs/results --plot accuracy/solver/deduction --plot 'valid/*'
                                              the same curves as SVG files, one a plot; `*` is
                                              all modes, and a,b puts both into one plot

Metrics are those of metrics.jsonl, and curriculum/{tasks,distinct,different,novel,novel_form,
fresh,none,some,all}/MODE.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """All but the configuration: there is none."""
    parser.add_argument("runs", nargs="*", type=place, metavar="RUN", help="several are compared")
    parser.add_argument(
        "--group", action="append", default=[], metavar="NAME=RUN,RUN,...", help="seeds of one arm"
    )
    parser.add_argument(
        "--output",
        type=place,
        help="default: in the first run's folder, report.html, or comparison.html of several",
    )
    parser.add_argument(
        "--svg", type=place, metavar="FOLDER", help="write curves as SVG files instead of a page"
    )
    parser.add_argument(
        "--plot", action="append", default=[], metavar="METRIC", help="with --svg: what to draw"
    )
    parser.add_argument(
        "--smooth", type=int, default=1, metavar="STEPS", help="with --svg: a running mean"
    )
    parser.set_defaults(refuse=parser.error)


def answer(
    arguments: argparse.Namespace, show: Callable[[str], None], say: Callable[[str], None]
) -> None:
    """Write what was asked for: `show` is given each file, `say` each run's step of decay.

    Raises:
        ConfigError: A group or a metric cannot be meant.
        CheckpointError: A folder holds no run, or a file cannot be written.
    """
    if not (arguments.runs or arguments.group):
        arguments.refuse("a RUN or a --group is needed")
    if arguments.svg is not None:
        refuse_for_svg(arguments)
    elif arguments.plot or arguments.smooth != 1:
        raise ConfigError("--plot and --smooth choose curves for --svg FOLDER")
    try:
        files = files_written(arguments, say)
    except ModuleNotFoundError as error:
        extra = "train" if arguments.svg is None else "train,figures"
        what = "azr report" + " --svg" * (arguments.svg is not None)
        raise AzrError(
            f"{what} needs {error.name}, which is not installed: pip install 'azr[{extra}]'"
        ) from error
    for file in files:
        show(str(file))


def refuse_for_svg(arguments: argparse.Namespace) -> None:
    """Flags that do not go with --svg."""
    if arguments.output is not None:
        raise ConfigError("--svg FOLDER writes curves, and --output names a page: one at a time")
    if arguments.smooth < 1:
        raise ConfigError(f"--smooth must be at least 1 step, got {arguments.smooth}")


def files_written(arguments: argparse.Namespace, say: Callable[[str], None]) -> list[Path]:
    """The page, or the curves."""
    from azr.report.html.arms import read_group
    from azr.report.html.page import write_report

    groups = [read_group(text) for text in arguments.group]
    if arguments.svg is None:
        return [write_report(arguments.runs, arguments.output, groups, say)]
    from azr.report.html.curves import write_curves

    return write_curves(arguments.runs, arguments.svg, arguments.plot, groups, arguments.smooth)
