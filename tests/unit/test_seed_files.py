"""seed_files: two formats in and out; what a file claims is judged before it enters."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from azr.cli.main import main
from azr.config.run import BuffersConfig, NoveltyConfig, RunConfig, SandboxConfig, SelfPlayConfig
from azr.errors import CheckpointError, ConfigError, ExecutorUnavailable
from azr.game.judge.judge import SandboxJudge
from azr.game.rewards.appraiser import Appraiser
from azr.game.seeding import seed_buffers
from azr.game.tasks.buffers import TaskBuffers
from azr.game.tasks.seed_files import (
    Imported,
    check_seed_file,
    export_tasks,
    import_seeds,
    read_seeds,
    write_azr_tasks,
    write_tasks,
)
from azr.game.tasks.task_json import task_to_json
from azr.types import Case, Mode, Task, prefix_of
from tests.fakes import (
    InProcessExecutor,
    ScriptedJudge,
    ScriptedPolicy,
    make_table,
    make_task,
)
from tests.unit.test_selfplay import well_formed

TRIPLET = {
    "snippet": "def f(text, n):\n    return text * n",
    "input": "'ab', 2",
    "output": "'abab'",
    "imports": [],
    "original_snippet": "def f(text, n):\n    return text * n",
    "composite_functions": [],
    "thought": "a string, repeated",
}
INDUCTION = {
    "snippet": "def f(x):\n    return x + 1",
    "inputs": ["1", "2", "3", "4"],
    "outputs": ["2", "3", "4", "5"],
    "message": "What follows?",
    "imports": [],
}


def write(folder: Path, *records: object) -> Path:
    path = folder / "seeds.jsonl"
    lines = [record if isinstance(record, str) else json.dumps(record) for record in records]
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def load(path: Path, buffers: TaskBuffers | None = None) -> tuple[Imported, TaskBuffers]:
    buffers = buffers or TaskBuffers(":memory:")
    judge = SandboxJudge(InProcessExecutor(), SandboxConfig())
    return asyncio.run(import_seeds(path, judge, buffers)), buffers


def all_tasks(buffers: TaskBuffers) -> list[Task]:
    return [task for mode in Mode for task in buffers.tasks(mode)]


def test_seed_files_go_out_and_come_back_as_seeds(tmp_path: Path):
    """Feature 23. Solve rates go out and stay out: another policy's rate says nothing here."""
    buffers = TaskBuffers(":memory:")
    buffers.add([make_task(number=n, born_step=n) for n in range(3)], [None, 0.5, 1.0])
    buffers.add([make_task(Mode.INDUCTION, 7, born_step=4)])
    path = tmp_path / "seeds.jsonl"
    assert write_tasks(path, (pair for mode in Mode for pair in buffers.rated_tasks(mode))) == 4
    assert [json.loads(line).get("solve_rate") for line in path.read_text().split("\n")[:3]] == [
        None, 0.5, 1.0,
    ]  # fmt: skip
    imported, other = load(path)
    assert (imported.records, imported.new, imported.refused.total()) == (4, 4, 0)
    assert load(path, other)[0].new == 0
    assert all_tasks(other) == [replace(task, born_step=0) for task in all_tasks(buffers)]
    assert {rate for mode in Mode for _, rate in other.rated_tasks(mode)} == {None}


def test_azr_s_own_seed_files_are_read(tmp_path: Path):
    """METHOD 1: the record schema of the reference; a triplet is for deduction and abduction."""
    imported, buffers = load(write(tmp_path, TRIPLET, INDUCTION))
    assert (imported.records, imported.new) == (2, 3)
    deduction, abduction = (list(buffers.tasks(m)) for m in (Mode.DEDUCTION, Mode.ABDUCTION))
    assert deduction[0].cases == abduction[0].cases == (Case("'ab', 2", "'abab'"),)
    (induction,) = buffers.tasks(Mode.INDUCTION)
    assert induction.message == "What follows?"
    assert [case.output for case in induction.cases] == ["2", "3", "4", "5"]


def test_import_lines_that_a_snippet_lacks_are_put_above_it(tmp_path: Path):
    with_import = {
        "snippet": "def f(x):\n    return math.floor(x) + len(Counter())",
        "input": "2.5",
        "output": "2",
        "imports": ["import math", "from collections import Counter"],
    }
    twice = {**with_import, "snippet": "import math\n" + with_import["snippet"]}
    imported, buffers = load(write(tmp_path, with_import, twice))
    assert imported.refused.total() == 0
    programs = [task.program for task in buffers.tasks(Mode.DEDUCTION)]
    assert all(program.count("import math") == 1 for program in programs)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"output": "'abba'"}, "other output"),
        ({"output": ""}, "other output"),  # A1: 11 of the 1600 shipped triplets
        ({"output": "'ab...ab'"}, "other output"),  # A2: outputs cut in the middle
        ({"snippet": "def f(text, n):\n    return 1 / 0"}, "raised: ZeroDivisionError"),
        ({"input": "[c for c in 'ab'], 2"}, "not a literal"),
        ({"input": "open('secrets'), 2"}, "not a literal"),
        ({"snippet": "x = 1"}, "raised: NameError"),
    ],
)
def test_what_is_not_as_the_file_claims_is_refused_with_a_reason(
    tmp_path: Path, changes: dict[str, Any], reason: str
):
    """REFERENCE_WEAKNESSES A1, A2: the shipped seed files hold such tasks."""
    imported, buffers = load(write(tmp_path, {**TRIPLET, **changes}, INDUCTION))
    assert imported.refused == {reason: 2}
    assert imported.new == 1
    assert buffers.count(Mode.DEDUCTION) == 0
    assert f"2 refused (2 {reason})" in str(imported)


def test_one_wrong_output_of_ten_refuses_an_induction_task(tmp_path: Path):
    wrong = {**INDUCTION, "outputs": ["2", "3", "4", "6"]}
    imported, buffers = load(write(tmp_path, TRIPLET, wrong))
    assert imported.refused == {"other output": 1}
    assert buffers.count(Mode.INDUCTION) == 0


def test_our_own_files_are_judged_as_well(tmp_path: Path):
    task = make_task()
    wrong = Task(mode=task.mode, program=task.program, cases=(Case("0", "99"),))
    imported, buffers = load(write(tmp_path, task_to_json(wrong), task_to_json(task)))
    assert imported.refused == {"other output": 1}
    assert all_tasks(buffers) == [task]


def test_values_are_compared_and_not_their_spelling(tmp_path: Path):
    record = {**TRIPLET, "snippet": "def f(a):\n    return a", "input": "{1: 2, 3: 4}"}
    assert load(write(tmp_path, {**record, "output": "{3:4,1:2}"}))[0].refused == {}
    with pytest.raises(ConfigError):  # True is not 1
        load(write(tmp_path, {**record, "input": "1", "output": "True"}))


def test_a_task_that_cannot_be_asked_is_refused(tmp_path: Path):
    buffers = TaskBuffers(":memory:")
    judge = SandboxJudge(InProcessExecutor(), SandboxConfig())
    path = write(tmp_path, TRIPLET, INDUCTION)
    fits = lambda task: task.mode is Mode.INDUCTION  # noqa: E731
    imported = asyncio.run(import_seeds(path, judge, buffers, fits))
    assert imported.refused == {"too long to ask": 2}


def test_a_file_of_which_nothing_is_sound_is_an_error(tmp_path: Path):
    with pytest.raises(ConfigError, match="not one of its tasks is sound: 2 other output"):
        load(write(tmp_path, {**TRIPLET, "output": "1"}))


def test_a_broken_executor_is_no_refusal(tmp_path: Path):
    judge, buffers = ScriptedJudge(is_broken=True), TaskBuffers(":memory:")
    with pytest.raises(ExecutorUnavailable):
        asyncio.run(import_seeds(write(tmp_path, TRIPLET), judge, buffers))
    assert all_tasks(buffers) == []


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("{", "line 2"),
        ("[]", "line 2: not a task record"),
        ('{"mode": "deduction"}', "program is no text"),
        (json.dumps({"mode": "x", "program": "", "cases": []}), "'x' is not a valid Mode"),
        (json.dumps({"mode": "deduction", "program": "", "cases": []}), "no cases"),
        (json.dumps({"mode": "deduction", "program": "", "cases": 3}), "not a task record"),
        (json.dumps({**TRIPLET, "input": 3}), "input is no text"),
        (json.dumps({**TRIPLET, "snippet": None}), "snippet is no text"),
        (json.dumps({**TRIPLET, "imports": [1]}), "imports is no list of texts"),
        (json.dumps({**INDUCTION, "outputs": ["1"]}), "every input has one output"),
        (json.dumps({**INDUCTION, "inputs": []}), "every input has one output"),
        (json.dumps({**INDUCTION, "message": None}), "message is no text"),
        ("[" * 100_000, "line 2"),
    ],
)
def test_a_bad_seed_file_is_refused_by_line(tmp_path: Path, line: str, complaint: str):
    path = write(tmp_path, task_to_json(make_task()), line)
    buffers = TaskBuffers(":memory:")
    with pytest.raises(ConfigError, match="line 2") as caught:
        load(path, buffers)
    assert complaint in str(caught.value)
    assert buffers.count(Mode.DEDUCTION) == 0


def test_a_missing_seed_file_is_a_config_error(tmp_path: Path):
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path / "none.jsonl")


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
KEYS = "mode program cases message born_step snippet input output inputs outputs imports"
keys = st.sampled_from(KEYS.split(" "))


@settings(deadline=None)
@given(st.dictionaries(keys, json_values))
def test_any_record_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, record):
    path = write(tmp_path_factory.mktemp("any"), record)
    try:
        claims = [claim for record in read_seeds(path) for claim in record]
    except ConfigError:
        return
    assert all(claim.cases and claim.born_step == 0 for claim in claims)


# ---------------------------------------------------------------- A9


def test_seeds_of_a_run_stand_in_its_buffers_once(tmp_path: Path):
    """A9: the reference adds induction seeds that were made in the same run twice."""
    selfplay = SelfPlayConfig(
        batch_size=4, trials_per_task=2, envelope="none", induction_inputs=4, references=1
    )
    config = RunConfig(selfplay=selfplay, buffers=BuffersConfig(seed_tasks=9))
    judge = SandboxJudge(InProcessExecutor(), SandboxConfig())
    table = make_table(config, ScriptedPolicy(well_formed), judge)  # type: ignore[arg-type]
    buffers: TaskBuffers = table.buffers  # type: ignore[assignment]
    asyncio.run(seed_buffers(table, buffers))
    asyncio.run(seed_buffers(table, buffers))  # once more changes nothing
    path = tmp_path / "seeds.jsonl"
    write_tasks(path, (pair for mode in Mode for pair in buffers.rated_tasks(mode)))
    asyncio.run(import_seeds(path, judge, buffers))  # nor does its own seed file
    for mode in selfplay.modes:
        tasks = list(buffers.tasks(mode))
        assert len(tasks) == len(set(tasks)) == 9
        assert buffers.stats()[f"buffer/{mode}/size"] == 9


# ---------------------------------------------------------------- out


def run_folder(folder: Path) -> Path:
    folder.mkdir()
    buffers = TaskBuffers(folder / "tasks.sqlite")
    buffers.add_zero_tasks()
    for mode in Mode:
        buffers.add([make_task(mode, n, born_step=n) for n in (1, 2)], [0.5, None])
    return folder  # left open: a run may be under way


def test_a_run_s_tasks_go_out_in_both_formats_and_come_back(tmp_path: Path):
    run, output = run_folder(tmp_path / "run"), tmp_path / "out.jsonl"
    assert export_tasks(run, output, azr=False, step=None) == [output]
    ours = load(output)[1]
    assert len(all_tasks(ours)) == 12
    output.unlink()
    files = export_tasks(run, output, azr=True, step=None)
    assert [f.name for f in files] == ["out.jsonl", "out_code_e.jsonl", "out_code_f.jsonl"]
    triplets, errors, inductions = (
        [json.loads(x) for x in f.read_text().splitlines()] for f in files
    )
    assert len(triplets) == len(errors) == len(inductions) == 3  # shared by two modes: once
    assert {record["output"] for record in errors} == {"NoError"}
    assert set(triplets[0]) == set(TRIPLET) - {"thought"}
    assert set(inductions[0]) == set(INDUCTION)
    both = load(files[2], load(files[0])[1])[1]
    assert all_tasks(both) == [task for task in all_tasks(ours) if task.mode is not Mode.ERROR]


GIVEN = ("def g_0(x):\n    return x + 1",)
COMPOSITE = Task(
    mode=Mode.DEDUCTION,
    program=prefix_of(GIVEN) + "def f(x):\n    return g_0(x) * 2",
    cases=(Case("3", "8"),),
    functions=GIVEN,
)


@pytest.mark.parametrize("azr", [False, True])
def test_a_composite_task_comes_back_as_one(tmp_path: Path, azr: bool):
    """What its proposer wrote stays apart from what it was given, in both formats."""
    path, tasks = tmp_path / "seeds.jsonl", [(COMPOSITE, 0.5), (make_task(), None)]
    if azr:
        write_azr_tasks(path, tasks)
        record = json.loads(path.read_text().splitlines()[0])
        assert record["original_snippet"] == COMPOSITE.own_program
        assert record["composite_functions"] == list(GIVEN)
    else:
        write_tasks(path, tasks)
    imported, buffers = load(path)
    assert imported.refused == {}
    assert next(iter(buffers.tasks(Mode.DEDUCTION))) == COMPOSITE


def test_functions_that_a_program_does_not_begin_with_are_no_part_of_it(tmp_path: Path):
    record = {**TRIPLET, "composite_functions": ["def g_9(x): return x"]}
    assert {task.functions for task in all_tasks(load(write(tmp_path, record))[1])} == {()}


def test_copies_in_a_seed_file_are_stored_as_the_run_says(tmp_path: Path):
    """novelty.dedupe = structure holds for tasks from outside as well."""
    file = write(tmp_path, TRIPLET, {**TRIPLET, "snippet": "def f(word, k):\n    return word * k"})
    counts = {}
    for dedupe in ("exact", "structure"):
        judge, buffers = SandboxJudge(InProcessExecutor(), SandboxConfig()), TaskBuffers(":memory:")
        config = RunConfig(novelty=NoveltyConfig(dedupe=dedupe))
        storable = Appraiser(config, judge, buffers).storable
        for _ in range(2):
            asyncio.run(import_seeds(file, judge, buffers, storable=storable))
        counts[dedupe] = [buffers.count(mode) for mode in (Mode.DEDUCTION, Mode.ABDUCTION)]
    assert counts == {"exact": [2, 2], "structure": [1, 1]}


def test_the_command_writes_what_was_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    run, output = run_folder(tmp_path / "run"), tmp_path / "out.jsonl"
    assert main(["tasks", str(run), str(output), "--mode", "abduction", "--step", "1"]) == 0
    assert capsys.readouterr().out == f"{output}\n"
    records = [json.loads(line) for line in output.read_text().splitlines()]
    assert [(r["mode"], r["born_step"], r.get("solve_rate")) for r in records] == [
        ("abduction", 0, None),
        ("abduction", 1, 0.5),
    ]
    assert main(["tasks", str(tmp_path), str(tmp_path / "new.jsonl")]) == 1
    assert "holds no run" in capsys.readouterr().err


def test_the_command_overwrites_nothing_and_writes_no_empty_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    run, output = run_folder(tmp_path / "run"), tmp_path / "out.jsonl"
    assert main(["tasks", str(run), str(output), "--mode", "error", "--step", "-3"]) == 1
    assert "holds no tasks of error born by step -3" in capsys.readouterr().err
    assert not output.exists()
    output.write_text("mine")
    assert main(["tasks", str(run), str(output)]) == 2
    assert "is there already" in capsys.readouterr().err
    assert output.read_text() == "mine"


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(CheckpointError, match="cannot be written"):
        write_tasks(tmp_path / "file" / "out.jsonl", [(make_task(), None)])


@pytest.mark.parametrize("text", ["", "\n", " \n\t\n", "\ufeff"])
def test_an_empty_seed_file_ends_the_run_before_anything_is_opened(
    tmp_path: Path, text: str
) -> None:
    file = tmp_path / "seeds.jsonl"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"seeds.jsonl is empty"):
        check_seed_file(file)


def test_a_byte_order_mark_is_no_part_of_the_first_task(tmp_path: Path) -> None:
    file = tmp_path / "seeds.jsonl"
    task = {"mode": "deduction", "program": "p", "cases": [{"input": "1", "output": "2"}]}
    file.write_text("\ufeff" + json.dumps(task) + "\r\n", encoding="utf-8")
    assert len(list(read_seeds(file))) == 1
