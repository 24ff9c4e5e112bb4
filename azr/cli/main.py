"""The `azr` command. stdout is data, everything else goes to stderr.

Exit codes: 0 done, 1 the run failed, 2 bad input, 130 interrupted (after a checkpoint).
Frameworks (torch, vLLM) are imported by the commands that need them, when they need them.
"""

import argparse
import os
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from azr import __version__
from azr.atomic_write import FULL, written
from azr.cli.readers import add_readers, say
from azr.config.keys import listing
from azr.config.loading import load, parse_override, split_overrides, to_toml
from azr.config.run import RunConfig
from azr.errors import AzrError, ConfigError
from azr.evaluation.request import EXAMPLES as EVAL_EXAMPLES
from azr.evaluation.request import add_arguments as add_evaluation
from azr.evaluation.request import request_of
from azr.records.run_folder import is_run
from sandbox_wasm.cli.findings import tolerate
from sandbox_wasm.cores import available_cores, is_limited
from sandbox_wasm.errors import SandboxError
from sandbox_wasm.places import place

__all__ = ["main"]

EXIT_OK, EXIT_FAILED, EXIT_BAD_INPUT, EXIT_INTERRUPTED = 0, 1, 2, 130

DESCRIPTION = """\
A language model sets itself coding tasks, solves them, and is judged by programs that run
inside WebAssembly.

  azr doctor                                     what is missing on this machine
  azr demo                                       a small real run on a CPU, with a report
  azr train configs/smollm2-135m.toml            a run; its folder is runs/NAME
  azr view                                       a page that follows the runs in runs/
  azr report runs/NAME                           its report, one HTML file
  azr eval runs/NAME --suite cruxeval-o          what it can do, on public suites
"""

TRAIN_EXAMPLES = """\
examples:
  azr train configs/qwen2.5-coder-7b.toml
  azr train configs/demo-cpu.toml my.toml --name try-2 --learner.lr 2e-6 --selfplay.batch_size=8
  azr train my.toml --dry-run                    print the resolved configuration and what it
                                                 needs of memory, tokens and disk; do nothing
  azr train my.toml --dry-run --gpu-memory 80    the same for a GPU of 80 GiB that is elsewhere
  azr train my.toml --resume                     continue after a kill, a crash or Ctrl-C
  azr train --help-config                        every key, its default and what it means

Files are merged left to right, then --KEY VALUE (or --set KEY=VALUE). An unknown key is an error.
Ctrl-C stops at the next safe point, writes a checkpoint and exits with 130.
"""


def program() -> NoReturn:
    """The program `azr`: run what the command line says and end the process."""
    tolerate(sys.stdout)
    sys.exit(main())


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    is_debug = "--debug" in words
    try:
        with no_room_explained():
            return run_command([word for word in words if word != "--debug"])
    except (AzrError, SandboxError) as error:
        if is_debug:
            raise
        complain(error)
        return EXIT_BAD_INPUT if isinstance(error, ConfigError) else EXIT_FAILED
    except KeyboardInterrupt:
        print("azr: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # `azr inspect RUN | head`: the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_OK


@contextmanager
def no_room_explained() -> Generator[None]:
    """A full disk is no bug, wherever it shows.

    Raises:
        CheckpointError: In place of the system's error.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in FULL or isinstance(error, AzrError):
            raise
        with written(error.filename or "a file"):
            raise


def complain(error: Exception) -> None:
    """One line that says what is wrong, and the remedies that the error carries as notes."""
    message = str(error.args[-1]) if isinstance(error, OSError) and error.args else str(error)
    print(f"azr: error: {message}", file=sys.stderr)
    for note in getattr(error, "__notes__", ()):
        print(f"hint: {note}", file=sys.stderr)


def run_command(words: Sequence[str]) -> int:
    """Parse and dispatch."""
    parser, flags_of = make_parser()
    overrides: list[tuple[str, str]] = []
    if words and words[0] in flags_of:
        words, overrides = split_overrides(words, flags_of[words[0]])
    arguments = parser.parse_args(words)
    if arguments.command is None:
        parser.print_help(sys.stderr)
        return EXIT_BAD_INPUT
    if words[0] in flags_of:
        arguments.overrides = [*map(parse_override, arguments.set), *overrides]
    run: Callable[[argparse.Namespace], int] = arguments.run
    return run(arguments)


# ---------------------------------------------------------------- the parser


def make_parser() -> tuple[argparse.ArgumentParser, dict[str, frozenset[str]]]:
    """The parser, and the flags of those commands that take configuration keys as well."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="azr", description=DESCRIPTION, formatter_class=raw)
    parser.add_argument("--version", action="version", version=f"azr {__version__}")
    parser.add_argument("--debug", action="store_true", help="show tracebacks of expected errors")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")

    def command(
        name: str, run: Callable[[argparse.Namespace], int], text: str, epilog: str = ""
    ) -> argparse.ArgumentParser:
        sub = commands.add_parser(
            name, help=text, description=text, epilog=epilog, formatter_class=raw
        )
        sub.allow_abbrev = False
        sub.set_defaults(run=run)
        return sub

    train = command("train", train_command, "train a model by self-play", TRAIN_EXAMPLES)
    add_taking_over(train)
    train.add_argument(
        "--dry-run", action="store_true", help="print the configuration and what it will need"
    )
    train.add_argument(
        "--gpu-memory", type=float, metavar="GIB", help="with --dry-run: plan for such a GPU"
    )
    train.add_argument("--help-config", action="store_true", help="list every configuration key")
    demo = command("demo", demo_command, "a small real run on a CPU, then its report")
    add_taking_over(demo)
    seed = command("seed", seed_command, "let the model make seed tasks, without training")
    seed.add_argument("--output", type=place, required=True, help="the JSON Lines file to write")
    evaluate = command("eval", eval_command, "measure a model on public suites", EVAL_EXAMPLES)
    add_evaluation(evaluate)
    for sub in (train, demo, seed, evaluate):
        add_configuration(sub, has_files=sub in (train, seed))
    add_readers(command)
    flags = {
        name: frozenset(flag for action in sub._actions for flag in action.option_strings)
        for name, sub in (("train", train), ("demo", demo), ("seed", seed), ("eval", evaluate))
    }
    return parser, flags


def add_configuration(parser: argparse.ArgumentParser, *, has_files: bool) -> None:
    """Configuration files and overrides."""
    if has_files:
        parser.add_argument(
            "files", nargs="*", type=place, metavar="FILE.toml", help="merged in order"
        )
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")


def add_taking_over(parser: argparse.ArgumentParser) -> None:
    """What to do with a run folder that is there already."""
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--resume", action="store_true", help="continue at the newest checkpoint")
    choice.add_argument("--overwrite", action="store_true", help="delete the run that is there")
    older = "with --resume: go on from this one, not the newest; later ones are set aside"
    parser.add_argument("--checkpoint", type=int, metavar="STEP", help=older)


# ---------------------------------------------------------------- commands


def train_command(arguments: argparse.Namespace) -> int:
    """`azr train`."""
    if arguments.help_config:
        print(*listing(), sep="\n")
        return EXIT_OK
    config = load(arguments.files, arguments.overrides)
    if arguments.dry_run:
        return dry_run(config, arguments.gpu_memory)
    if arguments.gpu_memory is not None:
        raise ConfigError("--gpu-memory plans a run: it goes with --dry-run")
    return train(config, arguments)


def dry_run(config: RunConfig, gpu_gib: float | None) -> int:
    """`azr train --dry-run`: the configuration, and as comments beneath it what a run needs."""
    from azr.models.gpu import visible_gpu_bytes
    from azr.run.planning import check_adapters, describe, find_shape, num_gpus, refuse

    if gpu_gib is not None and not 0 < gpu_gib < 1e6:
        raise ConfigError(f"--gpu-memory must be a GPU's memory in GiB, got {gpu_gib}")
    number = num_gpus(config)
    gpu_bytes = visible_gpu_bytes(number) if gpu_gib is None else int(gpu_gib * 2**30)
    shape = find_shape(config.model.name)
    if shape is not None:
        check_adapters(config, shape)
    print(to_toml(config), end="")
    print("\n" + describe(config, shape, gpu_bytes), end="", flush=True)
    if shape is not None and gpu_bytes is not None:
        refuse(config, shape, gpu_bytes, only_if_certain=False)
    return EXIT_OK


def demo_command(arguments: argparse.Namespace) -> int:
    """`azr demo`: the run, its report, and where to look next."""
    from azr.cli.demo import prepare, where_next

    refuse_torchrun()
    config = prepare(arguments, say)
    code = train(config, arguments)
    if code == EXIT_OK:
        say(where_next(config))
    return code


def train(config: RunConfig, arguments: argparse.Namespace) -> int:
    """Run training and, whatever became of it, leave a report."""
    if arguments.checkpoint is not None and not arguments.resume:
        raise ConfigError("--checkpoint says where to go on: it goes with --resume")
    refuse_torchrun()
    prepare_engine()
    from azr.run.display import Display
    from azr.run.session import run_training

    with Display(config) as display:
        code = run_training(
            config,
            resume=arguments.resume,
            overwrite=arguments.overwrite,
            checkpoint=arguments.checkpoint,
            display=display,
        )
    if (config.folder / "metrics.jsonl").exists():
        try:
            say(f"report      {write_report([config.folder], None)}")
        except (AzrError, OSError, ImportError) as error:  # the run is done, whatever this is
            say(f"no report: {error}")
    return code


def refuse_torchrun() -> None:
    """Tell what takes torchrun's place.

    Raises:
        ConfigError: It, or something like it, started several processes.
    """
    if "RANK" in os.environ and os.environ.get("WORLD_SIZE", "1") != "1":
        raise ConfigError(
            f"WORLD_SIZE is {os.environ['WORLD_SIZE']}: azr is started once, without torchrun, and"
            " starts the others itself: --cluster.learners N --cluster.engines M (docs/cluster.md)"
        )


def seed_command(arguments: argparse.Namespace) -> int:
    """`azr seed`."""
    refuse_torchrun()
    config = load(arguments.files, arguments.overrides)
    prepare_engine()
    from azr.run.session import run_seeding

    code = run_seeding(config, arguments.output)
    print(arguments.output)
    return code


def eval_command(arguments: argparse.Namespace) -> int:
    """`azr eval`."""
    refuse_torchrun()
    request = request_of(arguments)
    files = [Path(request.target) / "config.toml"] if is_run(Path(request.target)) else []
    config = load(files, [*request.overrides(of_run=bool(files)), *arguments.overrides])
    prepare_engine()
    from azr.run.session import run_evaluation

    run_evaluation(config, request, lambda table: print(table, flush=True), say)
    return EXIT_OK


# ---------------------------------------------------------------- pieces


def prepare_engine() -> None:
    """Set what vLLM and OpenMP read from the environment when they are first imported."""
    from azr.rollout.environment import prepare_environment

    prepare_environment(available_cores() if is_limited() else None)


def write_report(runs: Sequence[Path], output: Path | None) -> Path:
    """Write the report of these runs."""
    from azr.report.html import write_report as write

    return write(runs, output)


if __name__ == "__main__":
    program()
