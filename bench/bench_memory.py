"""What a proposal's likeness to all stored programs costs, and what the sketch misses.

    python bench/bench_memory.py [--stored 100000] [--proposals 200]

CPU time in one process. The programs are made up: sequences of fragments, changed at a few places,
so that each has near ones among the others.
"""

# pyright: basic

import argparse
import random
import statistics
import time

from rapidfuzz.distance import Indel
from rapidfuzz.process import extractOne

from azr.game.rewards.memory import Memory
from azr.types import Profile

LETTERS = "".join(chr(33 + place) for place in range(60))


def profile(sequence: str) -> Profile:
    """A program of which only the tree matters."""
    return Profile(
        nodes=len(sequence), lines=1, cognitive=0, cyclomatic=1, volume=0.0, effort=0.0,
        uses_input=True, structure=sequence, sequence=sequence,
    )  # fmt: skip


def changed(sequence: str, draw: random.Random) -> str:
    """The program with up to six nodes replaced or added."""
    nodes = list(sequence)
    for _ in range(draw.randint(1, 6)):
        at = draw.randrange(len(nodes))
        nodes[at : at + draw.randint(0, 1)] = [draw.choice(LETTERS)]
    return "".join(nodes)


def main() -> None:
    """Print CPU milliseconds a proposal, by sketch and by comparison with all, and the loss."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--stored", type=int, default=100_000)
    parser.add_argument("--proposals", type=int, default=200)
    arguments = parser.parse_args()
    draw = random.Random(0)  # noqa: S311 - not for secrets
    parts = ["".join(draw.choices(LETTERS, k=draw.randint(3, 9))) for _ in range(400)]
    bases = ["".join(draw.choices(parts, k=draw.randint(3, 16))) for _ in range(20_000)]
    memory, stored = Memory(), list[str]()
    for _ in range(arguments.stored):
        stored.append(changed(draw.choice(bases), draw))
        memory.add(profile(stored[-1]))
    new = [changed(draw.choice(bases), draw) for _ in range(arguments.proposals)]
    started = time.process_time()
    found = [memory.likeness(profile(sequence)) for sequence in new]
    sketched = (time.process_time() - started) * 1000 / len(new)
    started = time.process_time()
    nearest = [extractOne(one, stored, scorer=Indel.normalized_similarity)[1] for one in new]
    compared = (time.process_time() - started) * 1000 / len(new)
    missed = [
        best - likeness.nearest for best, likeness in zip(nearest, found, strict=True) if likeness
    ]
    nodes = statistics.fmean(map(len, new))
    print(f"{len(stored):,} stored, {len(new)} proposals of {nodes:.0f} nodes")
    print(f"CPU a proposal: {sketched:.2f} ms, with all {compared:.1f} ms")
    mean, most = statistics.fmean(missed), max(missed)
    print(f"missed likeness to the nearest: mean {mean:.3f}, max {most:.2f}")


if __name__ == "__main__":
    main()
