"""How a run's tasks grow: by step and mode, how many there are, how new and how hard they are.

    curriculum/tasks/<mode>      valid proposals of the step
    curriculum/distinct/<mode>   different tasks so far in the run
    curriculum/novel/<mode>      share of the step's valid proposals never made before in the run
    curriculum/{none,some,all}/<mode>   share of them that none, some, all trials solved

New is told by the program, exact text; where the proposer is given the program (induction), by the
whole task. Seeds are not in the records: what repeats a seed alone counts as new.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from azr.game.modes import rules_of
from azr.game.tasks.buffers import content_hash
from azr.records.rollouts import mode_of, task_of
from azr.types import Mode, Role, Task, Verdict, count_lines

__all__ = ["Growth", "ModeStep", "novelty_key"]

Record = Mapping[str, Any]


@dataclass(slots=True, kw_only=True)
class ModeStep:
    """Counts of one step and mode."""

    proposals: int = 0
    valid: int = 0
    novel: int = 0
    """Valid, and never made before in the run."""
    distinct: int = 0
    """Different tasks of the mode so far, this step's included."""
    none: int = 0
    """Valid, and solved by no trial."""
    some: int = 0
    """What can be learned from: some trials solved it, some did not."""
    all: int = 0
    rates: float = 0.0
    """Sum of the solve rates of none + some + all tasks."""
    lines: int = 0
    """Sum over valid tasks of their programs' lines that are not blank."""
    answers: int = 0
    right: int = 0

    @property
    def measured(self) -> int:
        """Tasks whose solve rate is known."""
        return self.none + self.some + self.all

    def as_metrics(self, mode: Mode) -> dict[str, float]:
        """By name; what there is no data for is left out."""
        metrics = {"tasks": float(self.valid), "distinct": float(self.distinct)}
        if self.valid:
            metrics["novel"] = self.novel / self.valid
        if self.measured:
            metrics |= {
                "none": self.none / self.measured,
                "some": self.some / self.measured,
                "all": self.all / self.measured,
            }
        return {f"curriculum/{name}/{mode.value}": value for name, value in metrics.items()}


@dataclass(slots=True)
class Growth:
    """Told of a run's records step by step, oldest first; memory is one hash a task."""

    steps: dict[int, dict[Mode, ModeStep]] = field(default_factory=dict[int, dict[Mode, ModeStep]])
    programs: set[bytes] = field(default_factory=set[bytes])
    """Hashes of all valid programs, whatever the mode."""
    _tasks: dict[Mode, set[bytes]] = field(default_factory=lambda: defaultdict(set))
    _known: dict[Mode, set[bytes]] = field(default_factory=lambda: defaultdict(set))

    def take(self, step: int, records: Iterable[Record]) -> None:
        """Count one step's records."""
        modes: dict[Mode, ModeStep] = defaultdict(ModeStep)
        for record in records:
            counts = modes[mode_of(record)]
            if record["stream"].startswith(Role.PROPOSER):
                self._count_proposal(counts, record)
            else:
                counts.answers += 1
                counts.right += record["verdict"] == Verdict.PASSED
        for mode, counts in modes.items():
            counts.distinct = len(self._tasks[mode])
        self.steps[step] = dict(modes)

    def _count_proposal(self, counts: ModeStep, record: Record) -> None:
        counts.proposals += 1
        task = task_of(record)
        if task is None or record["verdict"] != Verdict.PASSED:
            return
        counts.valid += 1
        key = novelty_key(task)
        counts.novel += key not in self._known[task.mode]
        self._known[task.mode].add(key)
        self._tasks[task.mode].add(content_hash(task))
        self.programs.add(program_hash(task.program))
        counts.lines += count_lines(task.program)
        rate = record["solve_rate"]
        if rate is not None:
            counts.rates += rate
            counts.none += rate == 0
            counts.all += rate == 1
            counts.some += 0 < rate < 1

    def metrics(self, step: int) -> dict[str, float]:
        """The step's `curriculum/...` values; none if it was not taken."""
        found = self.steps.get(step, {})
        return {k: v for mode, counts in found.items() for k, v in counts.as_metrics(mode).items()}


def novelty_key(task: Task) -> bytes:
    """What the proposer made of it itself: the program, or where that is given, the task."""
    writes_program = rules_of(task.mode).writes_program
    return program_hash(task.program) if writes_program else content_hash(task)


def program_hash(program: str) -> bytes:
    """16 bytes; a lone surrogate is text too."""
    return blake2b(program.strip().encode(errors="surrogatepass"), digest_size=16).digest()
