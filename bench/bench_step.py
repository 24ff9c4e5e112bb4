"""One step of azr beside the reference's schedule: same engine, model, prompts, seeds and sandbox.

    python bench/bench_step.py [--out bench/results/step.json] [--repeats 3] [--batch-size 8]

azr: one wave. All proposals, their trials and the solvers' attempts are under way together, and
verdicts are awaited while the engine samples.

reference: the order of AZR's code, nine calls a step one after the other (reference_schedule.py).

Kind to the reference: it shares our sandbox, engine and prefix cache; no second log-probability
pass, no parquet files, no diversity metrics; nine pushes of weights without our proof of them,
which is timed and taken off (azr's own step keeps it). Both solve a step's new tasks, so that they
ask the same prompts; in bfloat16 an answer can still differ with what runs beside it, so rollouts
and tokens stand beside the times. The learning rate is 1e-30 (at 0 azr computes no update): updates
cost what they cost, and every step is played by the same weights from the same buffers.
"""

# ruff: noqa: E402 - the environment comes before torch

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from azr.rollout.environment import prepare_environment

prepare_environment()

from bench_sandbox import machine
from reference_schedule import reference_step

from azr.config.loading import load
from azr.config.run import RunConfig
from azr.game.rewards.advantages import advantages_of
from azr.game.selfplay import play_step
from azr.ports import Judge
from azr.run.display import Display
from azr.run.machines import ThisProcess
from azr.run.session import Players, open_players, seed
from azr.types import (
    Answer,
    Grade,
    Prompt,
    Proposal,
    Rollout,
    Ruling,
    Task,
)

ROOT = Path(__file__).parents[1]
DEMO = ROOT / "azr" / "cli" / "demo.toml"
SCHEDULES = ("azr", "reference")
TARGETS = {"exposed": 0.01, "other": 0.05}
"""Of azr's step: verdicts that nothing hides; all that is neither sampling nor update."""


@dataclass(slots=True)
class Watch:
    """What is under way, seen from the event loop: at the engine, at the sandbox."""

    orders: int = 0
    verdicts: int = 0
    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    """`sampling` with or without verdicts, `exposed`: verdicts alone, `neither`."""
    since: float = field(default_factory=time.perf_counter)

    def change(self, *, orders: int = 0, verdicts: int = 0) -> None:
        """Count the time up to now to the state that ends."""
        now = time.perf_counter()
        state = "sampling" if self.orders else "exposed" if self.verdicts else "neither"
        self.seconds[state] += now - self.since
        self.since = now
        self.orders += orders
        self.verdicts += verdicts


@dataclass(frozen=True, slots=True)
class WatchedPolicy:
    """The players' policy; counts what is under way."""

    players: Players
    watch: Watch

    async def sample(self, prompt: Prompt) -> Rollout:
        self.watch.change(orders=1)
        try:
            return await self.players.policy.sample(prompt)
        finally:
            self.watch.change(orders=-1)

    async def adopt(self, weights: object, version: int) -> None:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class WatchedJudge:
    """The players' judge; counts what is under way."""

    judge: Judge
    watch: Watch

    async def admit(self, proposal: Proposal, born_step: int) -> Ruling:
        self.watch.change(verdicts=1)
        try:
            return await self.judge.admit(proposal, born_step)
        finally:
            self.watch.change(verdicts=-1)

    async def grade(self, task: Task, answer: Answer) -> Grade:
        self.watch.change(verdicts=1)
        try:
            return await self.judge.grade(task, answer)
        finally:
            self.watch.change(verdicts=-1)


# ---- measuring


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """One step of one schedule; seconds."""

    schedule: str
    step: int
    step_s: float
    """Play, update and pushes of weights."""
    engine_s: float
    """The engine computed."""
    update_s: float
    sync_s: float
    """Pushes of weights, and azr's proof of them."""
    proof_s: float
    """Of the weights; not in the reference's step_s."""
    exposed_s: float
    """Nothing to sample, and verdicts awaited."""
    rollouts: float
    completion_tokens: float
    tasks: int
    """Valid proposals, each with its trials."""

    @property
    def shares(self) -> dict[str, float]:
        """Of the step."""
        return {
            "generation": self.engine_s / self.step_s,
            "update": self.update_s / self.step_s,
            "exposed": self.exposed_s / self.step_s,
            "other": 1 - (self.engine_s + self.update_s) / self.step_s,
        }


async def timed_step(players: Players, schedule: str, step: int, seeds: Path) -> Timed:
    """From the seeds' buffers: play, learn (with a step size that moves nothing), push."""
    players.buffers.restore(seeds)
    players.policy.stats()
    watch = Watch()
    table = replace(
        players.table,
        policy=WatchedPolicy(players, watch),
        judge=WatchedJudge(players.judge, watch),
    )
    sums: dict[str, float] = defaultdict(float)

    def keep(statistics: Mapping[str, float]) -> None:
        for name, value in statistics.items():
            sums[name] += value

    async def sync() -> None:
        keep(players.policy.stats())  # of what was sampled since the last push
        began = time.perf_counter()
        await players.policy.adopt(players.learner.weights, version=step)
        sums["sync_s"] += time.perf_counter() - began
        keep(players.policy.stats())

    began = time.perf_counter()
    if schedule == "azr":
        experiences = await play_step(table, step)
    else:
        experiences = await reference_step(table, step, sync)
    watch.change()
    exposed = watch.seconds["exposed"]
    advantages = advantages_of(experiences, table.config.learner)
    updating = time.perf_counter()
    players.learner.update(experiences, advantages)
    update_s = time.perf_counter() - updating
    if schedule == "azr":
        await sync()
    step_s = time.perf_counter() - began
    keep(players.policy.stats())
    proof_s = sums["sync/probe_s"]
    not_theirs = proof_s if schedule == "reference" else 0.0
    return Timed(
        schedule=schedule,
        step=step,
        step_s=step_s - not_theirs,
        engine_s=sums["rollout/busy_s"],
        update_s=update_s,
        sync_s=sums["sync_s"] - not_theirs,
        proof_s=proof_s,
        exposed_s=exposed,
        rollouts=sums["rollout/requests"],
        completion_tokens=sums["rollout/completion_tokens"],
        tasks=sum(e.stream[0] == "proposer" and e.task is not None for e in experiences),
    )


async def measure(players: Players, display: Display, seeds: Path, repeats: int) -> list[Timed]:
    """Seed, warm up, then both schedules in turns; each goes first as often as the other."""
    await players.policy.adopt(players.learner.weights, version=0)
    await seed(players, display)
    players.buffers.backup(seeds)
    await timed_step(players, "azr", 0, seeds)  # kernels are compiled, caches filled
    timed: list[Timed] = []
    for step in range(1, repeats + 1):
        for schedule in SCHEDULES if step % 2 else reversed(SCHEDULES):
            timed.append(await timed_step(players, schedule, step, seeds))
            print(f"step {step} {schedule:10} {timed[-1].step_s:7.2f} s", flush=True)
    return timed


def summary(timed: Sequence[Timed]) -> dict[str, object]:
    """Medians; ratios of steps with the same prompts, measured one after the other."""
    by = {name: [t for t in timed if t.schedule == name] for name in SCHEDULES}
    pairs = list(zip(by["reference"], by["azr"], strict=True))
    ratios = sorted(theirs.step_s / ours.step_s for theirs, ours in pairs)
    played = sorted(
        (theirs.step_s - theirs.update_s) / (ours.step_s - ours.update_s) for theirs, ours in pairs
    )
    shares = {
        name: {
            share: statistics.median(t.shares[share] for t in steps)
            for share in ("generation", "update", "exposed", "other")
        }
        for name, steps in by.items()
    }
    return {
        "step_s": {n: sorted(t.step_s for t in steps) for n, steps in by.items()},
        "ratio_of_steps": {"median": statistics.median(ratios), "all": ratios},
        "ratio_without_update": {"median": statistics.median(played), "all": played},
        "shares": shares,
        "targets_met": {k: shares["azr"][k] < limit for k, limit in TARGETS.items()},
    }


def show(timed: Sequence[Timed]) -> None:
    print(f"{'':16} {'step':>7} {'engine':>7} {'update':>7} {'push':>6} {'exposed':>8} {'other':>7}"
          f" {'rollouts':>9} {'tokens':>8} {'tasks':>6}")  # fmt: skip
    for t in timed:
        print(f"{t.step:3} {t.schedule:12} {t.step_s:7.2f} {t.engine_s:7.2f} {t.update_s:7.2f}"
              f" {t.sync_s:6.2f} {t.shares['exposed']:8.2%} {t.shares['other']:7.1%}"
              f" {t.rollouts:9.0f} {t.completion_tokens:8.0f} {t.tasks:6}")  # fmt: skip


def configuration(args: argparse.Namespace, runs: str) -> RunConfig:
    """The demo's, with a step size that no float32 weight notices."""
    overrides = [("learner.lr", "1e-30"), ("runs", runs), ("seed", str(args.seed))]
    if args.batch_size:
        overrides += [("selfplay.batch_size", str(args.batch_size))]
    if args.model:
        overrides += [("model.name", args.model)]
    return load([DEMO], overrides)


def main() -> None:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--out", type=Path, help="write the figures as JSON here")
    parser.add_argument("--repeats", type=int, default=4, help="steps of each schedule")
    parser.add_argument("--batch-size", type=int, default=0, help="default: the demo's")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", default="", help="a folder; default: the demo's")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        config = configuration(args, folder)
        display = Display(config)
        tasks = Path(folder, "tasks.sqlite")
        before = machine()
        with open_players(config, tasks, display, None, ThisProcess(config)) as players:
            run = measure(players, display, Path(folder, "seeds.sqlite"), args.repeats)
            timed = asyncio.run(run)
    show(timed)
    found = summary(timed)
    print(json.dumps(found, indent=1))
    if args.out:
        record = {
            "machine": before, "load_1m_after": machine()["load_1m"], "model": config.model.name,
            "batch_size": config.selfplay.batch_size,
            "trials_per_task": config.selfplay.trials_per_task, "repeats": args.repeats,
            **found, "steps": [{**asdict(t), "shares": t.shares} for t in timed],
        }  # fmt: skip
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
