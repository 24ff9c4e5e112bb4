"""A million different programs through one pool, and what they do to memory.

    python bench/bench_soak.py [--programs 1000000] [--seconds 900] [--data FILE] [--out FILE.json]

Every source is new, so each is compiled and run, and the code cache turns over all the time. The
process's own memory (PSS, which counts the workers' slots) is read after every 10,000 programs.
Beside the JSON file a drawing is written, FILE.svg. Exit status 1 when memory grew by more than a
tenth after the first tenth of the programs.
"""

import argparse
import itertools
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench_sandbox import machine
from programs import Program, Workload, add_data_option, as_job

from sandbox_wasm import Job, Sandbox

BATCH = 1000
SAMPLE_EVERY = 10_000
CACHE_BYTES = 8 * 1024 * 1024


def pss_mb() -> float:
    for line in Path("/proc/self/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    raise OSError("no Pss in /proc/self/smaps_rollup")


def endless_batches(programs: Sequence[Program]) -> Iterator[list[Job]]:
    """Yield batches of sources that were never seen, the programs in turn."""
    turn = itertools.cycle(programs)
    for number in itertools.count():
        yield [as_job(next(turn), f"{number}.{i}") for i in range(BATCH)]


def soak(
    sandbox: Sandbox, batches: Iterator[list[Job]], programs: int, seconds: float
) -> list[tuple[int, float, float]]:
    """Return (programs so far, seconds so far, PSS in MB) for each sample."""
    samples: list[tuple[int, float, float]] = []
    began = time.monotonic()
    done = 0
    for batch in batches:
        sandbox.run(batch)
        done += len(batch)
        if done % SAMPLE_EVERY == 0:
            samples.append((done, time.monotonic() - began, pss_mb()))
            if sys.stderr.isatty() or done % 100_000 == 0:
                sys.stderr.write(f"{done:>9} programs {samples[-1][1]:6.0f} s"
                                 f" {samples[-1][2]:7.1f} MB\n")  # fmt: skip
        if done >= programs or time.monotonic() - began > seconds:
            return samples
    raise AssertionError("unreachable")


def draw(samples: list[tuple[int, float, float]], path: Path) -> None:
    """Write memory over programs as an SVG, from 0 MB up."""
    width, height, margin = 640, 240, 48
    most = max(mb for _, _, mb in samples) * 1.1
    last = samples[-1][0]
    points = " ".join(
        f"{margin + n / last * (width - 2 * margin):.1f},"
        f"{height - margin - mb / most * (height - 2 * margin):.1f}"
        for n, _, mb in samples
    )
    base = height - margin
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"'
        ' font-family="sans-serif" font-size="12">'
        f'<rect width="{width}" height="{height}" fill="white"/>'
        f'<path d="M{margin} {margin}V{base}H{width - margin}" fill="none" stroke="black"/>'
        f'<polyline points="{points}" fill="none" stroke="#0063a0" stroke-width="2"/>'
        f'<text x="{margin}" y="{margin - 12}">memory of the process (PSS), MB;'
        f" most {most / 1.1:.0f}, last {samples[-1][2]:.0f}</text>"
        f'<text x="{margin}" y="{height - 16}">0</text>'
        f'<text x="{width - margin}" y="{height - 16}" text-anchor="end">{last:,} programs</text>'
        "</svg>\n"
    )


def main() -> int:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--programs", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=900.0, help="stop after so long anyway")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--out", type=Path, help="write the samples here, and FILE.svg beside it")
    add_data_option(parser)
    args = parser.parse_args()
    workload: Workload = args.data.light()
    batches = endless_batches(workload.programs)
    before = machine()  # its load is not our own
    with Sandbox(workers=args.workers, cache_bytes=CACHE_BYTES) as sandbox:
        samples = soak(sandbox, batches, args.programs, args.seconds)
        counters = sandbox.stats()
    if not samples:
        parser.error(f"nothing was sampled: run at least {SAMPLE_EVERY} programs")
    settled = samples[len(samples) // 10][2]
    growth = samples[-1][2] / settled - 1
    programs, seconds, mb = samples[-1]
    print(f"{programs} programs in {seconds:.0f} s ({programs / seconds:.0f}/s),"
          f" {mb:.1f} MB at the end, {growth:+.1%} since the first tenth")  # fmt: skip
    if args.out:
        record = {"machine": before, "workload": workload.identity, "workers": args.workers,
                  "growth": growth, "counters": counters, "samples": samples}  # fmt: skip
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps(record) + "\n")
        draw(samples, args.out.with_suffix(".svg"))
    return int(growth > 0.1)


if __name__ == "__main__":
    sys.exit(main())
