"""Real training on a cluster of three nodes of this machine, of which a part is killed each minute.

    python -m tests.taught MODEL_FOLDER       # a tiny model that can play; half a minute
    python scripts/cluster_drill.py MODEL_FOLDER [--minutes 10] [--seed 0]

Two learners and two engines train the model on CPUs. Each minute, at a moment drawn from the seed,
one of them is lost: an engine's actor, an engine's core, a rank of the learner, a sandbox server, a
node. At the end the run is stopped as by Ctrl-C, and all that it has stored is counted and judged
again. Prints two tables; exit status 1 if a step, a score or a token is wrong.
"""

import argparse
import asyncio
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from judge_again import judged_again
from ray.cluster_utils import Cluster as Nodes

from azr.cluster.joining import QUIET
from azr.game.tasks.task_json import task_to_json
from azr.records.metrics_file import read_metrics
from azr.records.rollouts import read_rollouts
from azr.records.run_folder import rollout_files
from azr.types import Case, Mode, Task

BATCH, MODES = 4, ("deduction", "abduction")
CONFIG = f"""
steps = 100000
name = "drill"
runs = "{{runs}}"
[model]
name = "{{model}}"
[selfplay]
envelope = "completion"
modes = {json.dumps(MODES)}
batch_size = {BATCH}
trials_per_task = 2
references = 3
[buffers]
seed_tasks = 6
seed_file = "{{seeds}}"
[rollout]
max_prompt_tokens = 640
max_completion_tokens = 56
kv_cache_gib = 0.05
[learner]
lr = 1e-5
[checkpoint]
every = 5
[logging]
tensorboard = false
[sandbox]
workers = 1
[cluster]
learners = 2
engines = 2
restarts = 1000
timeout_s = 600
address = "{{address}}"
"""
START_S, STOP_S = 600.0, 600.0
"""Limits for what takes a minute on a machine that does nothing else."""
MINUTE_S = 60.0


@dataclass(slots=True)
class Kill:
    """One loss, and what it cost."""

    at_s: float
    """Since the drill began."""
    what: str
    best: int
    """The newest step that had been recorded."""
    lowest: int
    """The step to which the run went back."""
    next_s: float | None = None
    """Seconds until a step was recorded that had not been before."""


class Drill:
    """The nodes, the run on them, and who is killed."""

    def __init__(self, root: Path, model: Path, seed: int) -> None:
        os.environ.update(QUIET)
        self.nodes = Nodes(initialize_head=True, head_node_args={"num_cpus": 2})
        for _ in range(2):
            self.nodes.add_node(num_cpus=2)
        self.folder = root / "runs" / "drill"
        self._chance = random.Random(seed)
        self._kinds: list[str] = []
        self.seen: set[psutil.Process] = set()
        """Processes of the cluster, those of lost nodes too."""
        config = root / "drill.toml"
        places = {"runs": root / "runs", "model": model.absolute(), "seeds": root / "seeds.jsonl"}
        config.write_text(CONFIG.format(**places, address=self.nodes.address))
        places["seeds"].write_text("".join(task_to_json(task) + "\n" for task in seeds()))
        with (root / "said").open("w") as said:
            self.run = subprocess.Popen(
                [sys.executable, "-m", "azr.cli.main", "train", str(config)],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
            )

    def step(self) -> int:
        """The newest that is recorded."""
        file = self.folder / "metrics.jsonl"
        return file.read_bytes().count(b"\n") if file.exists() else 0

    def under_nodes(self) -> list[psutil.Process]:
        """All processes that Ray has started on the nodes."""
        found = [
            child
            for node in (self.nodes.head_node, *self.nodes.worker_nodes)
            for child in psutil.Process(raylet_of(node)).children(recursive=True)
        ]
        self.seen.update(found)
        return found

    def kill_one(self) -> str:
        """Kill something of a kind that is there; returns of which."""
        while True:
            if not self._kinds:  # each kind once, in an order of its own, then all again
                self._kinds = self._chance.sample(sorted(KINDS), len(KINDS))
            kind = self._kinds.pop()
            if KINDS[kind](self):
                return kind

    def one_of(self, wanted: Callable[[psutil.Process, str], bool]) -> bool:
        """Kill a process that is wanted; whether there was one."""
        found = list[psutil.Process]()
        for process in self.under_nodes():
            with suppress(psutil.Error):  # it ends while it is looked at
                if wanted(process, " ".join(process.cmdline())):
                    found.append(process)
        if found:
            with suppress(psutil.NoSuchProcess):
                self._chance.choice(found).kill()
        return bool(found)

    def lose_node(self) -> bool:
        """Lose a node that the driver is not on, with all that runs there, and add another."""
        self.under_nodes()  # their parent will be gone
        nodes = sorted(self.nodes.worker_nodes, key=raylet_of)
        self.nodes.remove_node(self._chance.choice(nodes), allow_graceful=False)
        self.nodes.add_node(num_cpus=2)
        return True


def seeds() -> list[Task]:
    """Tasks of the kind that the model has been taught."""
    return [
        Task(mode=Mode(mode), program=f"def f(x):\n    return x + {add}", cases=(case,))
        for mode in MODES
        for add, case in ((add, Case(str(add), str(2 * add))) for add in range(6))
    ]


def raylet_of(node: Any) -> int:
    """The process of a node."""
    return int(node.all_processes["raylet"][0].process.pid)


def is_server(process: psutil.Process, words: str) -> bool:
    """Whether it is a sandbox server, not a worker of one."""
    parent = process.parent()
    return "sandbox_wasm" in words and parent is not None and "Sandbox" in parent.cmdline()[0]


KINDS: dict[str, Callable[[Drill], bool]] = {
    "engine actor": lambda drill: drill.one_of(lambda _, words: "ray::EngineActor" in words),
    "engine core": lambda drill: drill.one_of(lambda _, words: "EngineCore" in words),
    "learner rank": lambda drill: drill.one_of(lambda _, words: "ray::LearnerActor" in words),
    "sandbox server": lambda drill: drill.one_of(is_server),
    "node": Drill.lose_node,
}


def killing(drill: Drill, minutes: int, seed: int) -> Iterator[Kill]:
    """Kill something each minute; a loss is given when the run is past it, or at the end."""
    chance, began, open_kills = random.Random(seed), time.monotonic(), list[Kill]()
    moments = [MINUTE_S * (minute + chance.random()) for minute in range(minutes)]
    best = drill.step()
    while (now := time.monotonic() - began) < MINUTE_S * minutes or open_kills:
        step = drill.step()
        best = max(best, step)
        for kill in list(open_kills):
            kill.lowest = min(kill.lowest, step)
            if step > kill.best:
                kill.next_s = now - kill.at_s
                open_kills.remove(kill)
                yield kill
        if moments and now > moments[0]:
            moments.pop(0)
            open_kills.append(Kill(now, drill.kill_one(), best, step))
            print(f"{now:4.0f} s, step {step}: {open_kills[-1].what} killed", flush=True)
        if drill.run.poll() is not None or now > MINUTE_S * minutes + STOP_S:
            yield from open_kills
            return
        time.sleep(0.5)


def wait_for_step(drill: Drill, step: int) -> None:
    """Return when the step is recorded."""
    deadline = time.monotonic() + START_S
    while drill.step() < step:
        if drill.run.poll() is not None or time.monotonic() > deadline:
            raise TimeoutError(f"step {step} was not reached: see {drill.folder.parents[1]}/said")
        time.sleep(0.5)


def kept(folder: Path) -> dict[str, int]:
    """What the run folder has and should not have, by name, and how much it has at all."""
    rows = [int(row["step"]) for row in read_metrics(folder)]
    wanted = {
        f"{role}/{mode} {mode}/{slot}"
        for role in ("proposer", "solver")
        for mode in MODES
        for slot in range(BATCH)
    }
    found = Counter({"steps": len(rows)})
    found["steps missing or doubled"] = len(rows) - len({*rows} & {*range(1, len(rows) + 1)})
    for file in rollout_files(folder).values():
        records = list(read_rollouts(file))
        names = Counter(f"{record['stream']} {record['group']}" for record in records)
        found["experiences"] += len(records)
        found["lost"] += len(wanted - names.keys())
        found["doubled"] += sum((names - Counter(wanted)).values())
        found["stale"] += sum(record["policy_version"] != record["step"] - 1 for record in records)
    return dict(found)


def print_tables(kills: Sequence[Kill], found: dict[str, int], step_s: float) -> None:
    """As Markdown."""
    print("\n| after | lost | next new step after | steps played again |\n|---|---|---|---|")
    for kill in sorted(kills, key=lambda one: one.at_s):
        after = "never" if kill.next_s is None else f"{kill.next_s:.0f} s"
        again = kill.best - kill.lowest
        print(f"| {kill.at_s:.0f} s | {kill.what} | {after} | {again} |")
    print("\n| of the run | |\n|---|---|")
    print(f"| kills | {len(kills)} |\n| median step | {step_s:.1f} s |")
    for name, number in found.items():
        print(f"| {name} | {number} |")


def drilled(root: Path, model: Path, minutes: int, seed: int) -> bool:
    """Whether the run came through with nothing lost, nothing doubled and no score wrong."""
    drill = Drill(root, model, seed)
    try:
        wait_for_step(drill, 2)
        kills = list(killing(drill, minutes, seed))
        drill.run.send_signal(signal.SIGINT)
        code = drill.run.wait(STOP_S)
        drill.under_nodes()
    finally:
        drill.run.kill()
        drill.nodes.shutdown()
    _, alive = psutil.wait_procs(drill.seen, 60.0)
    rows = read_metrics(drill.folder)
    found = kept(drill.folder)
    found["judged again"], wrong = asyncio.run(judged_again(drill.folder))
    found["wrong scores"] = len(wrong)
    found["processes left"], found["exit status"] = len(alive), code
    print_tables(kills, found, statistics.median(row["time/step"] for row in rows))
    print(*wrong, sep="\n")
    bad = ("steps missing or doubled", "lost", "doubled", "stale", "wrong scores", "processes left")
    is_past_all = all(kill.next_s is not None for kill in kills)
    return is_past_all and code == 130 and not any(found.get(name) for name in bad)


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Train while something is killed each minute.")
    parser.add_argument("model", type=Path)
    parser.add_argument("--minutes", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="azr-drill-"))
    print(f"the run is in {root}", flush=True)
    return 0 if drilled(root, chosen.model, chosen.minutes, chosen.seed) else 1


if __name__ == "__main__":
    sys.exit(main())
