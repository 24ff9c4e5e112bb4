"""`azr-sandbox`: run jobs, build images, check the machine, serve.

Exit status: 0 when it worked, 1 when the machinery failed, 2 for bad input, 3 when the program of
`run FILE.py` did not end well, 130 when interrupted.
stdout carries data only; everything else goes to stderr.
"""

import argparse
import contextlib
import importlib
import json
import math
import os
import sys
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, cast

from sandbox_wasm import __version__
from sandbox_wasm.cli.jobfile import JobDefaults, read_jobs, result_to_json
from sandbox_wasm.cli.program import Program, main_program, pair_of
from sandbox_wasm.errors import BadJob, SandboxError
from sandbox_wasm.image.cache import cache_folder
from sandbox_wasm.places import expanded
from sandbox_wasm.types import (
    DEFAULT_BANNED_MODULES,
    FUEL_A_SECOND,
    MAX_IMAGES,
    Job,
    JobResult,
    Limits,
)

if TYPE_CHECKING:
    from sandbox_wasm.sandbox import Sandbox

__all__ = ["main"]

_AHEAD = 512
"""Jobs read before the oldest result is written: bounds memory, keeps every worker busy."""


def _add_run(commands: Any) -> None:
    parser = commands.add_parser(
        "run",
        help="run a program, or jobs from a JSONL file",
        description="A program: it prints what it prints. Jobs: one JSON result a line, in order.",
    )
    parser.add_argument(
        "file",
        type=expanded,
        metavar="FILE",
        help="FILE.py: a program; any other: one job a line; - reads jobs from stdin",
    )
    parser.add_argument(
        "--stdin", type=expanded, metavar="INPUT", help="what FILE.py reads; - for this stdin"
    )
    parser.add_argument(
        "--file",
        action="append",
        dest="files",
        default=[],
        type=pair_of,
        metavar="NAME=PATH",
        help="a file that FILE.py finds in its working folder; may be repeated",
    )
    parser.add_argument(
        "--fetch",
        action="append",
        default=[],
        type=pair_of,
        metavar="NAME=PATH",
        help="a file that FILE.py leaves there, and where it is written; may be repeated",
    )
    parser.add_argument(
        "--workers",
        type=int,
        help="native threads (default: one a core, within a container's quota)",
    )
    parser.add_argument("--stdout", action="store_true", help="add what the programs printed")
    parser.add_argument("--stderr", action="store_true", help="add stderr and tracebacks")
    limits = Limits()
    parser.add_argument(
        "--images", type=int, default=1, help=f"images a call runs in (1-{MAX_IMAGES})"
    )
    time = parser.add_mutually_exclusive_group()
    time.add_argument(
        "--seconds",
        type=float,
        metavar="S",
        help=f"of one call, at {FUEL_A_SECOND:.0e} fuel each (default: 6)",
    )
    time.add_argument("--fuel", type=int, metavar="N", help="of one call, exactly")
    parser.add_argument("--memory-bytes", type=int, default=limits.memory_bytes)
    parser.add_argument("--output-bytes", type=int, default=limits.output_bytes)
    parser.add_argument(
        "--ban-default",
        action="store_true",
        help=f"refuse these imports: {' '.join(sorted(DEFAULT_BANNED_MODULES))}",
    )
    _add_packages(parser)
    parser.set_defaults(handler=_run)


def _add_packages(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--packages",
        nargs="+",
        metavar="NAME",
        default=[],
        help="third-party packages that programs may import: of the guest, by name; others of pure"
        " Python as NAME==VERSION#sha256=HASH or by the path of a .whl file",
    )


def _add_image(commands: Any) -> None:
    parser = commands.add_parser("image", help="build or show the cached guest image")
    parser.add_argument("action", nargs="?", choices=["build", "show"], default="build")
    parser.add_argument(
        "--images", type=int, default=2, help=f"run images, 1-{MAX_IMAGES}; azr uses 10"
    )
    _add_packages(parser)
    parser.set_defaults(handler=_image)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="azr-sandbox", description=__doc__)
    parser.add_argument("--version", action="store_true", help="print it, and the protocol's")
    commands = parser.add_subparsers(dest="command", required=True)
    _add_run(commands)
    _add_image(commands)
    doctor = commands.add_parser("doctor", help="say what is missing on this machine")
    doctor.add_argument("--deep", action="store_true", help="decode the whole guest module too")
    doctor.set_defaults(handler=_doctor)
    bench = commands.add_parser("bench", help="measure this machine on built-in programs")
    bench.add_argument("--workers", type=int, default=1)
    bench.add_argument("--seconds", type=float, default=3.0)
    _add_packages(bench)
    bench.set_defaults(handler=_bench)
    for name, (text, _, _) in _SERVER_COMMANDS.items():
        commands.add_parser(name, help=text, add_help=False)
    return parser


def _lines_of(name: str) -> Iterator[str]:
    """JSON Lines: a line ends with a line feed, and with none of Python's other line ends.

    Raises:
        BadJob: They cannot be read.
    """
    try:
        with nullcontext(sys.stdin.buffer) if name == "-" else Path(name).open("rb") as file:
            for number, line in enumerate(file, 1):
                try:
                    yield line.decode("utf-8-sig" if number == 1 else "utf-8")
                except UnicodeDecodeError as exc:
                    raise BadJob(f"line {number} of {name} is not UTF-8: {exc.reason}") from exc
    except OSError as exc:
        raise BadJob(f"cannot read {name}: {exc.strerror}") from exc


def _run(args: argparse.Namespace) -> int:
    is_program = args.file.endswith(".py")
    for option, value in (("stdin", args.stdin), ("file", args.files), ("fetch", args.fetch)):
        if value not in (None, []) and not is_program:
            raise BadJob(f"--{option} is for a FILE.py; in {args.file} each job has its own")
    limits = _limits_of(args)
    from sandbox_wasm.sandbox import Sandbox  # noqa: PLC0415 - starts threads, maps memory

    with Sandbox(
        workers=args.workers, images=max(2, args.images), packages=args.packages
    ) as sandbox:
        defaults = JobDefaults(
            limits=limits,
            images=args.images,
            banned_modules=DEFAULT_BANNED_MODULES if args.ban_default else frozenset[str](),
            want_stdout=args.stdout,
            want_stderr=args.stderr,
            packages=sandbox.packages,
        )
        if is_program:
            program = Program(
                name=args.file, stdin=args.stdin, files=tuple(args.files), fetch=tuple(args.fetch)
            )
            return main_program(sandbox, program, defaults)
        return _run_jobs(sandbox, read_jobs(_lines_of(args.file), defaults))


def _limits_of(args: argparse.Namespace) -> Limits:
    others = {"memory_bytes": args.memory_bytes, "output_bytes": args.output_bytes}
    if args.fuel is not None:
        return Limits(fuel=args.fuel, **others)
    return Limits(seconds=args.seconds, **others)


def _run_jobs(sandbox: "Sandbox", jobs: Iterator[Job]) -> int:
    pending: deque[Future[JobResult]] = deque()
    try:
        for job in jobs:
            pending.append(sandbox.submit(job))
            while pending and (len(pending) > _AHEAD or pending[0].done()):
                _write(pending.popleft().result())
    finally:
        while pending:
            _write(pending.popleft().result())
    return 0


def _write(result: JobResult) -> None:
    sys.stdout.write(json.dumps(result_to_json(result)) + "\n")


def _image(args: argparse.Namespace) -> int:
    if args.action == "build":
        from sandbox_wasm.image.build import build_guest  # noqa: PLC0415 - loads the native module

        guest = build_guest(args.images, frozenset(args.packages))
        sys.stdout.write(f"image {guest.image_id} in {guest.folder}\n")
        return 0
    for path in sorted(cache_folder().iterdir()):
        if path.suffix not in {".sha256", ""}:
            sys.stdout.write(f"{path.stat().st_size:>12} {path.name}\n")
    return 0


def _version() -> int:
    from sandbox_wasm.wire.protocol import PROTOCOL_VERSION  # noqa: PLC0415

    sys.stdout.write(f"azr-sandbox {__version__}, protocol {PROTOCOL_VERSION}\n")
    return 0


def _doctor(args: argparse.Namespace) -> int:
    from sandbox_wasm.cli.doctor import main_doctor  # noqa: PLC0415

    return main_doctor(deep=args.deep)


def _bench(args: argparse.Namespace) -> int:
    from sandbox_wasm.cli.doctor import main_bench  # noqa: PLC0415

    if not (math.isfinite(args.seconds) and args.seconds > 0):
        raise ValueError(f"--seconds must be a number above 0, got {args.seconds}")
    return main_bench(workers=args.workers, seconds=args.seconds, packages=args.packages)


# Commands of the server: (help, module, suffix of its add_X_arguments and main_X).
_SERVER_COMMANDS = {
    "serve": ("serve jobs over ZeroMQ and HTTP", "sandbox_wasm.cli.serve", "serve"),
    "mcp": ("serve a tool over stdio, for MCP clients", "sandbox_wasm.cli.mcp", "mcp"),
    "keys": ("make CURVE keys for a server and its clients", "sandbox_wasm.wire.keys", "keys"),
}


def _server_command(name: str, argv: list[str]) -> int:
    """Hand over to the server's modules, which need ZeroMQ."""
    _, module_name, suffix = _SERVER_COMMANDS[name]
    module = importlib.import_module(module_name)
    parser = argparse.ArgumentParser(prog=f"azr-sandbox {name}")
    getattr(module, f"add_{suffix}_arguments")(parser)
    return int(getattr(module, f"main_{suffix}")(parser.parse_args(argv)) or 0)


def _complain(message: object, status: int) -> int:
    sys.stderr.write(f"azr-sandbox: {message}\n")
    return status


def _run_command(argv: list[str]) -> int:
    if argv == ["--version"]:
        return _version()
    if argv and argv[0] in _SERVER_COMMANDS:
        return _server_command(argv[0], argv[1:])
    args = _parser().parse_args(argv)
    return int(args.handler(args))


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    argv = sys.argv[1:] if argv is None else argv
    if cast("TextIO | None", sys.stdout) is None:
        return _complain("stdout is closed", 1)
    try:
        status = _run_command(argv)
        sys.stdout.flush()  # here, where an error can still be told
    except (SandboxError, ValueError) as exc:
        status = _complain(exc, 2 if isinstance(exc, ValueError) else 1)
    except OSError as exc:
        status = 1
        if not isinstance(exc, BrokenPipeError):  # else the reader has had enough
            _complain(f"{exc.filename or 'stdout'}: {exc.strerror or exc}", 1)
        _forget_output()
    except KeyboardInterrupt:
        status = _complain("interrupted", 130)
    return status


def _forget_output() -> None:
    """Let the interpreter flush stdout at its end without a second error."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())
