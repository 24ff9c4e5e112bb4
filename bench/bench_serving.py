"""Problems graded a second and a core, and how many verdicts are right, beside what others use.

    python bench/bench_serving.py                 # this repository's workload, under four minutes
    python bench/bench_serving.py --data FOLDER   # LiveCodeBench's and LeetCode's problems in it

Every runner gets the same programs and the same cases, half of them mutants (serving/problems.py).
`a CPU second` divides by the CPU time of client, server, workers and child processes together: it
is what a core grades, and hardly depends on what else the machine does. Slow peers get sixty of the
problems. verl's prime_code and pydantic-monty take part where they are installed: `make
test-adapters` puts verl into build/adapters, `pip install pydantic-monty` the other. At the end a
server gets ten times the work that it can do (serving/overload.py).
"""

import argparse
import json
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

from bench_http import REAL, Serving
from bench_sandbox import machine
from serving import peers
from serving.ours import Grader, by_grade, doors
from serving.overload import Load, overload
from serving.problems import Problem, judged, own_problems, problems_of_folder

from sandbox_wasm import Sandbox

ADAPTERS = next(
    iter((Path(__file__).parents[1] / "build/adapters/lib").glob("python*/site-packages")),
    Path("/nonexistent"),
)


@dataclass(frozen=True, slots=True)
class Row:
    """One runner."""

    name: str
    problems: int
    per_cpu_s: float
    """Problems a second of CPU time, median of the repeats."""
    spread: float
    """(max - min) / median of it."""
    per_s: float
    """Of wall clock."""
    accepted_wrongly: int
    rejected_wrongly: int


def cpu_seconds() -> float:
    """Of this process and of its children that have ended."""
    used = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)


def measure(
    name: str,
    grader: Grader,
    problems: Sequence[Problem],
    repeats: int,
    other_cpu_s: Callable[[], float] = lambda: 0.0,
) -> Row:
    """Grade all problems so often; verdicts are those of the first time."""
    verdicts: list[bool] = []
    rates: list[float] = []
    walls: list[float] = []
    for repeat in range(repeats):
        cpu_s, began = cpu_seconds() + other_cpu_s(), time.perf_counter()
        found = grader(never_seen(problems, f"{name} {repeat}"))
        walls.append(len(problems) / (time.perf_counter() - began))
        rates.append(len(problems) / max(1e-3, cpu_seconds() + other_cpu_s() - cpu_s))
        verdicts = verdicts or found
    pairs = list(zip(verdicts, (problem.is_right for problem in problems), strict=True))
    rate = statistics.median(rates)
    row = Row(name, len(problems), rate, (max(rates) - min(rates)) / rate,
              statistics.median(walls), pairs.count((True, False)),
              pairs.count((False, True)))  # fmt: skip
    sys.stderr.write(f"{name}: {row.per_cpu_s:.0f} a CPU second\n")
    return row


def never_seen(problems: Sequence[Problem], mark: str) -> list[Problem]:
    """With a remark that makes each source new: a code cache finds none of them."""
    return [replace(one, program=f"{one.program}\n# {mark}\n") for one in problems]


def our_rows(problems: list[Problem], workers: int, repeats: int) -> Iterator[Row]:
    with Sandbox(workers=workers) as sandbox:
        yield measure("azr-sandbox in process", partial(by_grade, sandbox), problems, repeats)
    server = Serving(REAL, workers)
    try:
        for name, grader in doors(server).items():
            yield measure(name, grader, problems, repeats, server.cpu_s)
    finally:
        server.close()


def peer_rows(problems: list[Problem], repeats: int) -> Iterator[Row]:
    some = problems[:: max(1, len(problems) // 60)]
    yield measure("a process a problem, as LiveCodeBench", peers.by_processes, some, 1)
    for name, grader in peers.prime_code(ADAPTERS):
        yield measure(name, grader, some, 1)
    if all(case.given == "" for problem in problems for case in problem.cases):
        for name, grader in peers.monty():
            yield measure(name, grader, problems, repeats)
    yield measure("exec in process, no isolation", peers.by_exec, problems, repeats)


def show(rows: Sequence[Row]) -> None:
    print(f"{'':52} {'a CPU s':>8} {'spread':>7} {'a second':>9}  {'right verdicts':>14}")
    for row in rows:
        right = row.problems - row.accepted_wrongly - row.rejected_wrongly
        told = f"{right} of {row.problems}"
        print(f"{row.name:52} {row.per_cpu_s:8.0f} {row.spread:7.0%} {row.per_s:9.0f} {told:>15}")


def show_load(load: Load) -> None:
    hosts = ", ".join(map(str, load.by_host.values()))
    print(
        f"ten times its capacity of {load.capacity:.0f}/s: {load.asked} requests, {load.right}"
        f" right answers, {load.refused} refused, {load.wrong} wrong; right answers by host while"
        f" they came in (the first asks for seven times the others): {hosts}; the slowest answer"
        f" after {load.slowest_s:.0f} s; the server's memory grew by {load.grown_mib:.0f} MiB;"
        f" {load.jobs_left} jobs left"
    )


def main() -> None:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="problems to grade instead")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="take each Nth problem")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--load-seconds", type=float, default=10, help="of the overload; 0: none")
    parser.add_argument("--out", type=Path, help="write the rows as JSON here")
    args = parser.parse_args()
    before = machine()
    cores = os.cpu_count() or 1
    try:
        found = problems_of_folder(args.data) if args.data else own_problems()
    except OSError as error:
        parser.error(str(error))
    problems = judged(found[:: args.every], cores)
    sys.stderr.write(
        f"{len(problems)} problems, {sum(p.is_right for p in problems)} of them right\n"
    )
    rows = [*our_rows(problems, cores, args.repeats), *peer_rows(problems, args.repeats)]
    load = loaded(cores, args.load_seconds) if args.load_seconds else None
    show(rows)
    if load:
        show_load(load)
    if args.out:
        record = {"machine": before, "rows": [asdict(row) for row in rows],
                  "overload": load and asdict(load)}  # fmt: skip
        args.out.write_text(json.dumps(record, indent=1) + "\n")


def loaded(workers: int, seconds: float) -> Load:
    server = Serving(REAL, workers)
    try:
        return overload(server, seconds)
    finally:
        server.close()


if __name__ == "__main__":
    main()
