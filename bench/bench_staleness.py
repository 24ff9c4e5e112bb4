"""What rollout.max_staleness buys: simulated for GPUs, or measured on this machine.

    python bench/bench_staleness.py                          # a simulation of 7B on 8 and 64 GPUs
    python bench/bench_staleness.py --lengths runs/NAME      # with the lengths that a run recorded
    python bench/bench_staleness.py --measure                # the demo's model, here: k = 0, 1, 2
    python bench/bench_staleness.py --measure --learners 1 --engines 2    # the same on Ray

The simulation plays the schedule of azr.game.ahead (steps begin in their order, older ones go
first, a push stops all engines) with the times of `Machine`, which are assumptions. An engine makes
a token for each of its sequences in token_s + sequence_s x sequences. Prompts cost nothing to read,
and nothing fails.

Lengths: those of a run's rollouts, proposals and answers apart, or of a lognormal distribution that
is cut at the longest completion.
"""

import argparse
import heapq
import itertools
import json
import math
import random
import statistics
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from bench_sandbox import machine

from azr.records.rollouts import read_rollouts

ROOT = Path(__file__).parents[1]
DEMO = ROOT / "azr" / "cli" / "demo.toml"
LONGEST = 8096
SKIPPED = 4
"""First steps that are not counted: those ahead begin together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What the simulation assumes: a model of 7.6e9 parameters in bfloat16 on H100s."""

    token_s: float = 0.006
    """Of one decoding step: 15 GB of weights at 3 TB/s, and 1 ms."""
    sequence_s: float = 0.00003
    """More for each sequence: 1.5k tokens of keys and values at 57 kB."""
    sequences: int = 256
    """An engine's, at once."""
    flop_per_token: float = 8 * 7.6e9
    """Of an update, with recomputed activations."""
    flop_per_s: float = 0.3 * 989e12
    """Of a learner."""
    prompt_tokens: int = 1500
    """Learned from with each completion."""
    push_s: float = 3.0
    verdict_s: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What a step is, and how long completions are."""

    slots: int = 192
    """64 in each of three modes."""
    trials: int = 8
    valid: float = 0.65
    """Share of the proposals that become tasks."""
    proposals: Sequence[int]
    answers: Sequence[int]


@dataclass(slots=True, eq=False)
class SimulatedEngine:
    """Sequences that share an engine's time: each gets as many tokens as any other."""

    machine: Machine
    clock: float = 0.0
    made: float = 0.0
    """Tokens that a sequence has got that was there from the beginning."""
    running: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list[Any])
    """(`made` at its end, a number, what comes then), the first to end first."""
    waiting: list[tuple[int, int, int, Callable[[], None]]] = field(default_factory=list[Any])
    """(step, a number, tokens, what comes then): older steps first."""
    busy_s: float = 0.0
    numbers: Iterator[int] = field(default_factory=itertools.count)

    @property
    def load(self) -> int:
        return len(self.running) + len(self.waiting)

    def ask(self, step: int, tokens: int, then: Callable[[], None]) -> None:
        """Take on a completion."""
        heapq.heappush(self.waiting, (step, next(self.numbers), tokens, then))
        self._fill()

    def next_end(self) -> float:
        """When the next of its sequences ends."""
        if not self.running:
            return math.inf
        return self.clock + (self.running[0][0] - self.made) * self._pace()

    def advance(self, now: float) -> None:
        """Compute until `now`, which is not after the next end."""
        if self.running:
            self.made += (now - self.clock) / self._pace()
            self.busy_s += now - self.clock
        self.clock = now

    def end_one(self) -> Callable[[], None]:
        """Take out the sequence that ends now; returns what comes then."""
        self.made, _, then = heapq.heappop(self.running)
        self._fill()
        return then

    def _pace(self) -> float:
        return self.machine.token_s + self.machine.sequence_s * len(self.running)

    def _fill(self) -> None:
        while self.waiting and len(self.running) < self.machine.sequences:
            _, number, tokens, then = heapq.heappop(self.waiting)
            heapq.heappush(self.running, (self.made + tokens, number, then))


@dataclass(slots=True, eq=False)
class Simulation:
    """One run of `steps` steps."""

    machine: Machine
    work: Work
    staleness: int
    engines: list[SimulatedEngine]
    learners: int
    now: float = 0.0
    timers: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list[Any])
    numbers: Iterator[int] = field(default_factory=itertools.count)
    open: dict[int, int] = field(default_factory=dict[int, int])
    """Completions and verdicts that a step waits for."""
    tokens: dict[int, int] = field(default_factory=dict[int, int])
    """Of a step: sampled; below, learned from."""
    learned: dict[int, int] = field(default_factory=dict[int, int])
    ends: list[float] = field(default_factory=list[float])
    busy_s: float = 0.0
    """Of the learners, pushes included."""

    def run(self, steps: int) -> None:
        """Play and learn from all steps, in their order."""
        begun = 0
        for step in range(1, steps + 1):
            while begun < step + self.staleness:  # more than are learned from: no end in sight
                begun += 1
                self._begin(begun)
            self._until(lambda step=step: self.open[step] == 0)
            trained = self.learned[step] + self.machine.prompt_tokens * 2 * self.work.slots
            update_s = trained * self.machine.flop_per_token / self.machine.flop_per_s
            self._wait(update_s / self.learners)
            self._push()
            self.busy_s += update_s / self.learners + self.machine.push_s
            self.ends.append(self.now)

    def _begin(self, step: int) -> None:
        self.open[step] = self.tokens[step] = self.learned[step] = 0
        luck = random.Random(step)  # noqa: S311 - not for secrets
        for _ in range(self.work.slots):
            trials = self.work.trials if luck.random() < self.work.valid else 0
            proposal, *answers = (
                *luck.choices(self.work.proposals),
                *luck.choices(self.work.answers, k=1 + trials),
            )
            self._sample(step, proposal, partial(self._judge, step, answers))

    def _judge(self, step: int, answers: Sequence[int]) -> None:
        """A proposal is there: after its verdict come an attempt, and its trials."""

        def ruled() -> None:
            for number, answer in enumerate(answers):
                self._sample(step, answer, is_learned=number == 0)
            self.open[step] -= 1

        self.open[step] += 1
        self._later(self.machine.verdict_s, ruled)

    def _sample(
        self,
        step: int,
        tokens: int,
        then: Callable[[], None] = lambda: None,
        *,
        is_learned: bool = True,
    ) -> None:
        self.open[step] += 1
        self.tokens[step] += tokens
        self.learned[step] += tokens * is_learned

        def ended() -> None:
            self.open[step] -= 1
            then()

        min(self.engines, key=lambda engine: engine.load).ask(step, tokens, ended)

    def _later(self, seconds: float, then: Callable[[], None]) -> None:
        heapq.heappush(self.timers, (self.now + seconds, next(self.numbers), then))

    def _wait(self, seconds: float) -> None:
        """Let everything else go on for so long."""
        done: list[bool] = []
        self._later(seconds, lambda: done.append(True))
        self._until(lambda: bool(done))

    def _push(self) -> None:
        """Nobody computes."""
        self.now += self.machine.push_s
        for engine in self.engines:
            engine.clock = self.now

    def _until(self, is_done: Callable[[], bool]) -> None:
        while not is_done():
            engine = min(self.engines, key=SimulatedEngine.next_end)
            at = engine.next_end()
            is_timer = bool(self.timers) and self.timers[0][0] <= at
            self.now = max(self.now, self.timers[0][0] if is_timer else at)
            for one in self.engines:
                one.advance(self.now)
            then = heapq.heappop(self.timers)[2] if is_timer else engine.end_one()
            then()


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One arrangement; seconds and shares."""

    gpus: int
    engines: int
    learners: int
    staleness: int
    step_s: float
    tokens_per_s: float
    idle_engine: float
    """No sequence at all, and no push."""
    idle_learner: float
    speedup: float = 1.0
    """Against k = 0 with the same engines and learners."""


def simulated(work: Work, how: Machine, engines: int, learners: int, k: int, steps: int) -> Row:
    """The mean over a run's steps but the first; every arrangement has the same completions."""
    parts = [SimulatedEngine(how) for _ in range(engines)]
    one = Simulation(how, work, k, parts, learners)
    one.run(steps)
    span = one.ends[-1] - one.ends[SKIPPED - 1]
    counted = range(SKIPPED + 1, steps + 1)
    pushes = steps * how.push_s
    return Row(
        gpus=engines + learners,
        engines=engines,
        learners=learners,
        staleness=k,
        step_s=span / len(counted),
        tokens_per_s=sum(one.tokens[step] for step in counted) / span,
        idle_engine=1 - (statistics.fmean(part.busy_s for part in parts) + pushes) / one.now,
        idle_learner=1 - one.busy_s / one.now,
    )


def simulation(work: Work, steps: int, stalenesses: Sequence[int]) -> list[Row]:
    """All arrangements, each beside its own k = 0."""
    rows: list[Row] = []
    for gpus, shares in ((8, (3, 4, 5)), (64, (16, 32, 40))):
        for engines in shares:
            made = [
                simulated(work, Machine(), engines, gpus - engines, k, steps) for k in stalenesses
            ]
            rows += [replace(row, speedup=made[0].step_s / row.step_s) for row in made]
    return rows


def stated_lengths() -> list[int]:
    """Lognormal, median 450 tokens, mean 740; one in 500 is cut."""
    luck = random.Random(0)  # noqa: S311 - not for secrets
    drawn = (int(luck.lognormvariate(math.log(450), 1.0)) for _ in range(20_000))
    return [min(max(length, 1), LONGEST) for length in drawn]


def recorded_lengths(folder: Path, role: str) -> list[int]:
    """Completion tokens of a run's rollouts in this role."""
    files = sorted((folder / "rollouts").glob("step_*.jsonl.gz"))
    lengths = [
        max(1, record["tokens"])
        for file in files
        for record in read_rollouts(file)
        if record["stream"].startswith(role)
    ]
    if not lengths:
        raise SystemExit(f"{folder} holds no rollouts of a {role}: name a run's folder")
    return lengths


def measured(k: int, arguments: argparse.Namespace, runs: Path) -> Row:
    """A run of the demo's model on this machine; the median over its steps but the first."""
    name, steps = f"k{k}", arguments.steps or 6
    command = [
        *(sys.executable, "-m", "azr.cli.main", "train", str(DEMO)),
        *("--name", name, "--runs", str(runs), "--steps", str(steps)),
        *("--rollout.max_staleness", str(k), "--checkpoint.every", str(steps)),
        *("--cluster.learners", str(arguments.learners)),
        *("--cluster.engines", str(arguments.engines)),
    ]
    subprocess.run(command, check=True)  # noqa: S603 - this repository's own
    lines = (runs / name / "metrics.jsonl").read_text().splitlines()
    rows = deque(json.loads(line) for line in lines)
    rows.popleft()  # with it came the seeds

    def median(metric: str) -> float:
        return statistics.median(row.get(metric, math.nan) for row in rows)

    return Row(
        gpus=0,
        engines=max(1, arguments.engines),
        learners=max(1, arguments.learners),
        staleness=k,
        step_s=median("time/step"),
        tokens_per_s=statistics.median(
            row["rollout/completion_tokens"] / row["time/step"] for row in rows
        ),
        idle_engine=median("idle/engine"),
        idle_learner=median("idle/learner"),
    )


def table(rows: Sequence[Row]) -> str:
    """For people."""
    names = ("GPUs", "engines", "learners", "k", "step", "speed-up", "tokens/s")
    names = (*names, "engines idle", "learners idle")
    lines = [f"| {' | '.join(names)} |", "|---" * len(names) + "|"]
    lines += [
        f"| {r.gpus or 'CPU'} | {r.engines} | {r.learners} | {r.staleness} | {r.step_s:.1f} s"
        f" | {r.speedup:.2f} | {r.tokens_per_s:,.0f} | {r.idle_engine:.0%} | {r.idle_learner:.0%} |"
        for r in rows
    ]
    return "\n".join(lines)


def main() -> None:
    """Simulate, or measure; print a table, and write it as JSON where that is asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--measure", action="store_true", help="train here instead")
    parser.add_argument("--lengths", type=Path, help="folder of a run with rollouts")
    parser.add_argument("--k", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, help="of each run; 24 simulated, 6 measured")
    parser.add_argument("--learners", type=int, default=0, help="with --measure: cluster.learners")
    parser.add_argument("--engines", type=int, default=0, help="with --measure: cluster.engines")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    if arguments.measure:
        with tempfile.TemporaryDirectory() as runs:
            rows = [measured(k, arguments, Path(runs)) for k in arguments.k]
        rows = [replace(row, speedup=rows[0].step_s / row.step_s) for row in rows]
        kind = "measured"
    else:
        work = Work(
            proposals=lengths_of(arguments.lengths, "proposer"),
            answers=lengths_of(arguments.lengths, "solver"),
        )
        rows = simulation(work, max(SKIPPED + 2, arguments.steps or 24), arguments.k)
        kind = "SIMULATION, not measured on a GPU"
    sys.stdout.write(f"{kind}\n\n{table(rows)}\n")
    if arguments.out is not None:
        found = {"kind": kind, "machine": machine(), "rows": [asdict(row) for row in rows]}
        arguments.out.write_text(json.dumps(found, indent=2) + "\n")


def lengths_of(folder: Path | None, role: str) -> list[int]:
    """Recorded, or stated."""
    return recorded_lengths(folder, role) if folder else stated_lengths()


if __name__ == "__main__":
    main()
