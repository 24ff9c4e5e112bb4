"""How a run's tasks grow: by step and mode, how many there are, how new and how hard they are.

    curriculum/tasks/<mode>      valid proposals of the step
    curriculum/distinct/<mode>   different tasks so far in the run
    curriculum/different/<mode>  different tasks of the step
    curriculum/novel/<mode>      share of the step's valid proposals never made before in the run
    curriculum/novel_form/<mode>        the same by form: a program that is only renamed is not new
    curriculum/fresh/<mode>      tasks of the step that are new by form, and that some trials solved
    curriculum/{none,some,all}/<mode>   share of them that none, some, all trials solved

New is told by the program, exact text, or by its form (azr.report.form); where the proposer is
given the program (induction), by the whole task. Seeds are not in the records: what repeats a seed
alone counts as new.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from azr.game.modes import rules_of
from azr.game.tasks.task_json import content_hash
from azr.records.rollouts import mode_of, task_of
from azr.report.form import form_of
from azr.types import ANCHORS, Mode, Role, Task, Verdict, count_lines

__all__ = ["Growth", "ModeStep", "novelty_key"]

Record = Mapping[str, Any]


@dataclass(slots=True, kw_only=True)
class ModeStep:
    """Counts of one step and mode."""

    proposals: int = 0
    valid: int = 0
    novel: int = 0
    """Valid, and never made before in the run."""
    novel_form: int = 0
    """Likewise by form."""
    fresh: int = 0
    """Of these, those that some trials solved and some did not: what there is to learn."""
    different: int = 0
    """Different valid tasks of the step."""
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
        counts = ("distinct", "different")
        metrics = {"tasks": float(self.valid)} | {n: float(getattr(self, n)) for n in counts}
        if self.valid:
            metrics["novel"] = self.novel / self.valid
            metrics["novel_form"] = self.novel_form / self.valid
        if self.measured or not self.valid:
            metrics["fresh"] = float(self.fresh)
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
    _forms: dict[Mode, set[bytes]] = field(default_factory=lambda: defaultdict(set))

    def take(self, step: int, records: Iterable[Record]) -> None:
        """Count one step's records."""
        modes: dict[Mode, ModeStep] = defaultdict(ModeStep)
        own: dict[Mode, set[bytes]] = defaultdict(set)
        for record in records:
            if record.get("group", "").startswith(ANCHORS):  # no task of the curriculum
                continue
            counts = modes[mode_of(record)]
            if record["stream"].startswith(Role.PROPOSER):
                self._count_proposal(counts, record, own[mode_of(record)])
            else:
                counts.answers += 1
                counts.right += record["verdict"] == Verdict.PASSED
        for mode, counts in modes.items():
            counts.distinct = len(self._tasks[mode])
            counts.different = len(own[mode])
        self.steps[step] = dict(modes)

    def _count_proposal(self, counts: ModeStep, record: Record, own: set[bytes]) -> None:
        counts.proposals += 1
        task = task_of(record)
        if task is None or record["verdict"] != Verdict.PASSED:
            return
        counts.valid += 1
        content = content_hash(task)
        own.add(content)
        self._tasks[task.mode].add(content)
        self.programs.add(program_hash(task.program))
        counts.lines += count_lines(task.program)
        counts.novel += is_new(novelty_key(task), self._known[task.mode])
        is_new_form = is_new(form_key(task), self._forms[task.mode])
        counts.novel_form += is_new_form
        rate = record["solve_rate"]
        if rate is not None:
            counts.rates += rate
            counts.none += rate == 0
            counts.all += rate == 1
            counts.some += 0 < rate < 1
            counts.fresh += is_new_form and 0 < rate < 1

    def metrics(self, step: int) -> dict[str, float]:
        """The step's `curriculum/...` values; none if it was not taken."""
        found = self.steps.get(step, {})
        return {k: v for mode, counts in found.items() for k, v in counts.as_metrics(mode).items()}


def novelty_key(task: Task) -> bytes:
    """What the proposer made of it itself: the program, or where that is given, the task."""
    writes_program = rules_of(task.mode).writes_program
    return program_hash(task.program) if writes_program else content_hash(task)


def form_key(task: Task) -> bytes:
    """The same by the program's form."""
    writes_program = rules_of(task.mode).writes_program
    return program_hash(form_of(task.program)) if writes_program else content_hash(task)


def is_new(key: bytes, known: set[bytes]) -> bool:
    """Whether the key was not known; it is from now on."""
    before = len(known)
    known.add(key)
    return len(known) > before


def program_hash(program: str) -> bytes:
    """16 bytes; a lone surrogate is text too."""
    return blake2b(program.strip().encode(errors="surrogatepass"), digest_size=16).digest()
