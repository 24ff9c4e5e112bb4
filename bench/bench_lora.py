"""One update with adapters against one of all weights: CPU time as a ratio, and peak memory.

    OMP_WAIT_POLICY=PASSIVE GOMP_SPINCOUNT=0 python bench/bench_lora.py [--rank 16] [--repeats 3]

The variables are a run's own: a thread that waits takes no CPU time.

Settings and sizes are the demo's (configs/demo-cpu.toml). For the time both learners are in one
process and take turns, so the ratio holds on a busy machine too. For the memory each is alone in a
process: the peak of what is resident over two updates, above what it is with torch loaded.
"""

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

from bench_shared_prompts import trials

from azr.config.loading import load
from azr.config.run import RunConfig
from azr.learner.learner import TorchLearner
from azr.types import Experience

DEMO = Path("configs/demo-cpu.toml")
PROMPT, COMPLETION = 450, 60
"""Mean tokens; lengths vary by half to either side."""


def rollouts(number: int) -> tuple[list[Experience], list[float]]:
    """Made-up rollouts, and advantages of which none is 0."""
    made = trials(number, 1, PROMPT, COMPLETION)
    return made, [1.0 if place % 2 else -1.0 for place in range(number)]


def settings(rank: int) -> RunConfig:
    """The demo's, with adapters of this rank; 0: none."""
    return load([DEMO], [("lora.rank", str(rank)), ("learner.lr", "1e-6")])


def learner_of(rank: int) -> TorchLearner:
    """The demo's learner."""
    config = settings(rank)
    return TorchLearner(config, Path(config.model.name))


def peak_bytes() -> int:
    """The most that this process has had resident (getrusage counts its parent's, too)."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def measure_memory(rank: int, number: int) -> None:
    """Print how far two updates raise the peak."""
    before, (experiences, advantages) = peak_bytes(), rollouts(number)
    learner = learner_of(rank)
    for _ in range(2):
        learner.update(experiences, advantages)
    print(peak_bytes() - before)


def memory_of(rank: int, number: int) -> int:
    """The same, of a process of its own."""
    words = ["--memory", str(rank), "--completions", str(number)]
    done = subprocess.run(  # noqa: S603 - this file
        [sys.executable, __file__, *words], check=True, capture_output=True, text=True
    )
    return int(done.stdout.split()[-1])


def compare_time(rank: int, number: int, repeats: int) -> None:
    """Print the CPU seconds of updates that take turns, and their ratio."""
    learners, (experiences, advantages) = (learner_of(0), learner_of(rank)), rollouts(number)
    times = list[float](), list[float]()
    for turn in range(repeats + 1):  # the first warms up
        for learner, taken in zip(learners, times, strict=True):
            started = time.process_time()
            learner.update(experiences, advantages)
            seconds = time.process_time() - started
            print(f"{'all weights' if learner is learners[0] else 'adapters'}: {seconds:.1f} s")
            if turn:
                taken.append(seconds)
    full, adapted = (statistics.median(taken) for taken in times)
    print(f"CPU seconds of an update: all weights {full:.1f}, rank {rank} {adapted:.1f}")
    ratios = sorted(b / a for a, b in zip(*times, strict=True))
    print(f"ratio {adapted / full:.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f}, n={repeats})")


def main() -> None:
    """Measure time, then memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--completions", type=int, default=48)
    parser.add_argument("--memory", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.memory is not None:
        measure_memory(args.memory, args.completions)
        return
    compare_time(args.rank, args.completions, args.repeats)
    full, adapted = (memory_of(rank, args.completions) for rank in (0, args.rank))
    print(f"peak memory: all weights {full / 1e9:.2f} GB, rank {args.rank} {adapted / 1e9:.2f} GB")


if __name__ == "__main__":
    main()
