"""Tasks as files of JSON Lines: a run can start from them, and leaves them behind.

Our format has one task per line (task_json.py). AZR's has triplets (snippet, input, output), which
deduction and abduction share, or induction tasks (snippet, inputs, outputs, message); here both
kinds may be in one file. Whatever a file claims is judged again before it enters: programs run in
the sandbox, and their outputs are compared with the claimed ones. AZR's own seed files need this:
depending on the model, 0.8 to 8.6 % of their induction tasks have an output that cannot be read
as a value.
"""

import json
import logging
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from azr.atomic_write import write_text
from azr.errors import CheckpointError, ConfigError
from azr.game.modes import rules_of
from azr.game.tasks.buffers import TaskBuffers
from azr.game.tasks.json_lines import lines_in
from azr.game.tasks.task_json import task_in, task_record, text_in, texts_in
from azr.gather import all_or_nothing
from azr.ports import Judge
from azr.types import Answer, Case, Demands, Mode, Proposal, Ruling, Task, Verdict, prefix_of

__all__ = [
    "Imported",
    "check_seed_file",
    "export_tasks",
    "import_seeds",
    "read_seeds",
    "write_azr_tasks",
    "write_tasks",
]

logger = logging.getLogger(__name__)

AZR_CASES = "_code_f"
"""What AZR calls records with several inputs; records with one have no such name."""

AT_ONCE = 256
"""Seeds that are judged at the same time."""


# ---------------------------------------------------------------- reading


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """The result of reading a seed file."""

    records: int
    """Non-blank lines."""
    new: int
    """Tasks that entered; a triplet of AZR's counts once for each mode that shares it."""
    refused: Counter[str]
    """Why the other tasks did not enter, with counts: the judge's reasons, and "other output"."""

    def __str__(self) -> str:
        """Say it on one line for the person who is waiting."""
        reasons = f" ({_listed(self.refused)})" if self.refused else ""
        return (
            f"{self.records} records: {self.new} new tasks, {self.refused.total()} refused{reasons}"
        )


async def import_seeds(
    path: Path | str,
    judge: Judge,
    buffers: TaskBuffers,
    fits: Callable[[Task], bool] = lambda _: True,
    storable: Callable[[Sequence[Task]], Awaitable[Sequence[Task]]] | None = None,
) -> Imported:
    """Judge the tasks of a seed file, and add the sound ones as seeds born at step 0.

    Args:
        path: A file of either format.
        judge: Runs every program as it does a proposal's.
        buffers: Duplicates of their tasks are dropped.
        fits: Whether a solver can be asked a task (Prompts.fits).
        storable: Returns those of some sound tasks that are stored (Appraiser.storable); default =
            all.

    Raises:
        ConfigError: The file cannot be read, a line is not a record, or no task is sound.
        ExecutorUnavailable: The machinery failed.
    """
    records = list(read_seeds(path))
    claims = [claim for record in records for claim in record]
    refused: Counter[str] = Counter()
    new = 0
    for start in range(0, len(claims), AT_ONCE):
        some = claims[start : start + AT_ONCE]
        rulings = await all_or_nothing([_judged(judge, claim) for claim in some])
        tasks: list[Task] = []
        for ruling in rulings:
            if ruling.task is None:
                refused[ruling.reason] += 1
            elif not fits(ruling.task):
                refused["too long to ask"] += 1
            else:
                tasks.append(ruling.task)
        new += buffers.add(tasks if storable is None else await storable(tasks))
    if claims and refused.total() == len(claims):
        raise ConfigError(f"seed file {path}: not one of its tasks is sound: {_listed(refused)}")
    imported = Imported(records=len(records), new=new, refused=refused)
    logger.info("event=seeds_imported file=%s %s", path, imported)
    return imported


def _listed(reasons: Counter[str]) -> str:
    return ", ".join(f"{number} {reason}" for reason, number in reasons.most_common())


async def _judged(judge: Judge, claim: Task) -> Ruling:
    """The judge's ruling, turned into a refusal where an output is not the one that was claimed."""
    inputs = tuple(case.input for case in claim.cases)
    proposal = Proposal(
        claim.mode,
        claim.own_program,
        inputs,
        claim.message,
        demands=Demands(functions=claim.functions),
    )
    ruling = await judge.admit(proposal, 0)
    if ruling.task is None:
        return ruling
    for found, claimed in zip(ruling.task.cases, claim.cases, strict=True):
        if not await _is_output(judge, found, claimed.output):
            return Ruling(verdict=Verdict.FAILED, reason="other output")
    return ruling


async def _is_output(judge: Judge, found: Case, claimed: str) -> bool:
    """Whether a text spells a value: the judge compares literals, as it does for deduction."""
    task = Task(mode=Mode.DEDUCTION, program="", cases=(found,))
    grade = await judge.grade(task, Answer(Mode.DEDUCTION, claimed))
    return grade.verdict is Verdict.PASSED


def check_seed_file(path: Path | str) -> None:
    """Check that the file can be read and that its lines are records; judge nothing.

    Raises:
        ConfigError: It cannot be read, or a line is not a record.
    """
    for _ in read_seeds(path):
        pass


def read_seeds(path: Path | str) -> Iterator[list[Task]]:
    """Return the claims of each line: one task, or one for each mode that shares a triplet.

    Raises:
        ConfigError: The file cannot be read, is empty, or a line is not a record of either format.
    """
    remedy = "name another, or leave buffers.seed_file out"
    for number, line in lines_in(path, f"seed file {path}", remedy):
        try:
            yield _claims(line)
        except (ValueError, RecursionError) as error:
            raise ConfigError(f"seed file {path}, line {number}: {error}") from error


def _claims(line: str) -> list[Task]:
    found: object = json.loads(line)
    if not isinstance(found, dict) or "snippet" not in found:
        return [replace(task_in(cast(object, found)), born_step=0)]
    record = cast(dict[str, Any], found)
    is_induction = "inputs" in record
    inputs, outputs = (
        (texts_in(record, "inputs"), texts_in(record, "outputs"))
        if is_induction
        else ([text_in(record, "input")], [text_in(record, "output")])
    )
    if len(inputs) != len(outputs) or not inputs:
        raise ValueError("not a task record: every input has one output")
    program = _azr_program(record)
    return [
        Task(
            mode=mode,
            program=program,
            cases=tuple(map(Case, inputs, outputs)),
            message=text_in(record, "message") if is_induction else "",
            functions=() if is_induction else _azr_functions(record, program),
        )
        for mode in _modes_of(AZR_CASES if is_induction else "")
    ]


def _azr_program(record: Mapping[str, Any]) -> str:
    """The snippet, below those of its import lines that it does not hold itself."""
    snippet = text_in(record, "snippet")
    imports = texts_in(record, "imports") if record.get("imports") else []
    present = set(map(str.strip, snippet.split("\n")))
    return "\n".join([*(line for line in imports if line.strip() not in present), snippet])


def _azr_functions(record: Mapping[str, Any], program: str) -> tuple[str, ...]:
    """What a composite task was to build on, where its program begins with it as ours do.

    The program of another layout is taken as it is, as one that its proposer wrote whole.
    """
    found = record.get("composite_functions")
    functions = tuple(texts_in(record, "composite_functions")) if found else ()
    return functions if program.startswith(prefix_of(functions)) else ()


def _modes_of(azr_kind: str) -> list[Mode]:
    """Which modes a record of AZR's is for."""
    return [mode for mode in Mode if rules_of(mode).azr_kind == azr_kind]


# ---------------------------------------------------------------- writing


def export_tasks(
    run: Path, output: Path, *, azr: bool, modes: Sequence[Mode] = tuple(Mode), step: int | None
) -> list[Path]:
    """Write the tasks of a run, even of one that is running; return the files.

    Args:
        run: The run's folder.
        output: The file to write; AZR's format may need others beside it.
        azr: Write AZR's format instead of ours.
        modes: The modes whose tasks are written.
        step: Write only tasks born by then; None = all.

    Raises:
        CheckpointError: The folder holds no tasks of a run, or none of the requested ones, or the
            file cannot be written.
        ConfigError: The file exists already.
    """
    if not (run / "tasks.sqlite").is_file():
        raise CheckpointError(f"{run} holds no run: there is no tasks.sqlite")
    if output.exists():
        raise ConfigError(f"{output} is there already: remove it, or name another file")
    with closing(TaskBuffers(":memory:")) as buffers:
        buffers.restore(run / "tasks.sqlite")  # a copy: the run's own file is left as it is
        rated_tasks = [
            (task, rate)
            for mode in modes
            for task, rate in buffers.rated_tasks(mode)
            if step is None or task.born_step <= step
        ]
    if not rated_tasks:
        names = ", ".join(modes)
        born = "" if step is None else f" born by step {step}"
        raise CheckpointError(f"{run} holds no tasks of {names}{born}: nothing was written")
    if azr:
        return write_azr_tasks(output, rated_tasks)
    write_tasks(output, rated_tasks)
    return [output]


def write_tasks(path: Path, rated_tasks: Iterable[tuple[Task, float | None]]) -> int:
    """Write our format, with the measured solve rates; return the number of tasks.

    Raises:
        CheckpointError: The file cannot be written.
    """
    lines = [
        json.dumps(task_record(task) | ({} if rate is None else {"solve_rate": rate}))
        for task, rate in rated_tasks
    ]
    write_text(path, "".join(f"{line}\n" for line in lines))
    return len(lines)


def write_azr_tasks(path: Path, rated_tasks: Iterable[tuple[Task, float | None]]) -> list[Path]:
    """Write AZR's format: triplets, and other kinds of tasks beside them; return the files.

    Induction tasks go to NAME_code_f. Error tasks go to NAME_code_e, with bare names for outputs;
    AZR's code reads these, and azr reads error tasks only in its own format. A triplet that
    deduction and abduction share is written once, as in AZR's seed files (azr.seed_dataset,
    azr.code_f_seed_dataset). A kind without tasks has no file.
    """
    lines: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for task, _ in rated_tasks:
        lines[rules_of(task.mode).azr_kind][json.dumps(_azr_record(task))] = None
    files: list[Path] = []
    for kind in sorted(lines):
        files.append(path.with_stem(path.stem + kind))
        write_text(files[-1], "".join(f"{line}\n" for line in lines[kind]))
    return files


def _azr_record(task: Task) -> dict[str, Any]:
    """The mode's record, with the imports that AZR's code puts above the snippet."""
    imports = [
        line.rstrip() for line in task.program.split("\n") if line.startswith(("import ", "from "))
    ]
    return {**rules_of(task.mode).azr_record(task), "imports": imports}
