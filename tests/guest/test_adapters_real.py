"""The adapters over the real guest: published problems, and the examples of docs/adapters.md."""

import asyncio
import gzip
import json
import re
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from sandbox_wasm import Sandbox
from sandbox_wasm.adapters import Stdin, Tests, grade, parse_check

pytestmark = [pytest.mark.guest, pytest.mark.slow]

NO_THREADS = {"lcb/abc301_d"}
"""Starts its main function in a thread, as 4 of the 646 published solutions do; there are none."""
PAGE = Path(__file__).parents[2] / "docs" / "adapters.md"


def sample(path: Path, count: int) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return rows[:: max(1, len(rows) // count)][:count]


def confirmed(row: dict[str, Any]) -> dict[str, list[Any]]:
    """The cases that a solution known to be right reproduces."""
    own = [case for case in row["io_tests"]["cases"] if case["confirmed"]]
    return {"inputs": [c["input"] for c in own], "outputs": [c["output"] for c in own]}


def solved(path: Path, kind: str) -> list[dict[str, Any]]:
    rows = [row for row in sample(path, 880) if row["io_tests"]["kind"] == kind]
    return [row for row in rows if row.get("canonical_solution") and confirmed(row)["inputs"]][:60]


def verdicts(sandbox: Sandbox, programs: list[str], checks: list[Any]) -> list[float]:
    return grade(sandbox, programs, checks)


@pytest.mark.parametrize("name", ["humaneval_plus", "mbpp_plus"])
def test_assert_tests_pass_what_is_right_and_nothing_else(
    sandbox: Sandbox, shared_data: Path, name: str
) -> None:
    rows = sample(shared_data / "code_generation" / f"{name}.jsonl.gz", 40)
    given = [row["prompt"] if name == "humaneval_plus" else "" for row in rows]
    right = [prompt + row["canonical_solution"] for prompt, row in zip(given, rows, strict=True)]
    broken = [
        f"{program}\n\ndef {row['entry_point']}(*args, **named):\n    return None\n"
        for program, row in zip(right, rows, strict=True)
    ]
    call = "\ncheck({})\n" if name == "humaneval_plus" else ""
    checks = [Tests(row["tests"] + call.format(row["entry_point"])) for row in rows]
    wrong = [row["id"] for row, score in zip(rows, verdicts(sandbox, right, checks), strict=True)
             if score != 1.0]  # fmt: skip
    assert wrong == []
    assert verdicts(sandbox, broken, checks) == [0.0] * len(rows)


def test_whole_programs_pass_by_their_stdout(sandbox: Sandbox, shared_data: Path) -> None:
    rows = solved(shared_data / "code_generation" / "livecodebench_v5_public.jsonl.gz", "stdin")
    right = [row["canonical_solution"] for row in rows]
    checks = [parse_check(confirmed(row)) for row in rows]
    assert all(isinstance(check, Stdin) for check in checks)
    scores = verdicts(sandbox, right, checks)
    failed = {row["id"] for row, score in zip(rows, scores, strict=True) if score != 1.0}
    assert failed == NO_THREADS
    silent = [f"{program}\nraise SystemExit\n".replace("print(", "str(") for program in right]
    silent = [text.replace("sys.stdout.write", "str") for text in silent]
    assert sum(verdicts(sandbox, silent, checks)) == 0.0


def test_methods_of_solutions_pass_by_their_values(sandbox: Sandbox, shared_data: Path) -> None:
    path = shared_data / "code_generation" / "livecodebench_v5_public.jsonl.gz"
    rows = solved(path, "functional")
    assert len(rows) == 60
    right = [row["canonical_solution"] for row in rows]
    checks = [
        parse_check({**confirmed(row), "fn_name": row["io_tests"]["fn_name"]}) for row in rows
    ]
    scores = verdicts(sandbox, right, checks)
    assert [row["id"] for row, score in zip(rows, scores, strict=True) if score != 1.0] == []
    broken = [re.sub(r"\breturn\b.*", "return 'no'", program) for program in right]
    assert sum(verdicts(sandbox, broken, checks)) == 0.0


# ------------------------------------------------------------ the page's examples, as they stand


def examples() -> dict[str, str]:
    return dict(
        re.findall(r"## (\w+)\n(?:(?!\n## ).)*?```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    )


@pytest.mark.parametrize("title", ["TRL", "verl", "Rubrics", "Tasksets", "Plain"])
def test_each_example_of_the_page_runs_as_its_trainer_runs_it(title: str) -> None:
    source = examples()[title]
    assert len([line for line in source.splitlines() if line.strip()]) <= 12
    names: dict[str, Any] = {}
    good = "```python\ndef add(a, b):\n    return a + b\n```"
    bad = "```python\ndef add(a, b):\n    return a - b\n```"
    instead = stand_ins(title)
    try:
        exec(compile(instead + source, str(PAGE), "exec"), names)
        assert DRIVERS[title](names, good) == 1.0
        assert DRIVERS[title](names, bad) == 0.0
        names["sandbox"].close()
    finally:
        for name in STOOD_IN if instead else ():
            sys.modules.pop(name, None)


STOOD_IN = ("trl", "datasets", "verifiers", "verifiers.v1")


def is_installed(module: str) -> bool:
    """Whether the trainer's own package is here, with what the example uses of it."""
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def stand_ins(title: str) -> str:
    """The trainer's names, where the example uses them and the package itself is not here."""
    if title == "Tasksets" and is_installed("verifiers.v1"):
        return ""
    if title == "TRL":
        return (
            "import sys, types\nsys.modules['trl'] = types.SimpleNamespace(\n"
            "    GRPOTrainer=lambda model, reward_funcs, train_dataset: types.SimpleNamespace(\n"
            "        reward_funcs=[reward_funcs], train=lambda: None))\n"
            "sys.modules['datasets'] = types.SimpleNamespace(\n"
            "    Dataset=types.SimpleNamespace(from_list=list))\n"
        )
    if title in ("Rubrics", "Tasksets"):
        return (
            "import sys, types\nvf = types.ModuleType('verifiers')\n"
            "v1 = types.ModuleType('verifiers.v1')\n"
            "vf.Rubric = lambda funcs: types.SimpleNamespace(funcs=funcs)\n"
            "class TaskData:\n    def __init__(self, **fields):\n"
            "        unknown = fields.keys() - type(self).__annotations__.keys()\n"
            "        assert not unknown, f'no field {unknown}'\n"
            "        self.__dict__.update(fields)\n"
            "class Task:\n    def __class_getitem__(cls, item): return cls\n"
            "    def __init__(self, data): self.data = data\n"
            "v1.Task, v1.TaskData = Task, TaskData\n"
            "v1.reward = lambda **k: lambda f: f\nvf.v1 = v1\n"
            "sys.modules.update({'verifiers': vf, 'verifiers.v1': v1})\n"
        )
    return ""


def run_trl(names: dict[str, Any], completion: str) -> float:
    (reward,) = names["trainer"].reward_funcs
    return reward(
        prompts=["p"], completions=[completion], completion_ids=[[1]],
        tests=[row["tests"] for row in names["rows"]], trainer_state=None,
        log_extra=None, log_metric=None,
    )[0]  # fmt: skip


def run_verl(names: dict[str, Any], completion: str) -> float:
    return names["compute_score"](
        data_source="add", solution_str=completion, ground_truth=names["ground_truth"],
        extra_info={"num_turns": None, "rollout_reward_scores": {}},
    )  # fmt: skip


def run_rubric(names: dict[str, Any], completion: str) -> float:
    (reward,) = names["rubric"].funcs
    message = [{"role": "assistant", "content": completion}]
    return asyncio.run(reward(completion=message, answer="assert add(2, 3) == 5", info={}))


def run_task(names: dict[str, Any], completion: str) -> float:
    task = names["CodeTask"](names["CodeData"](answer="assert add(2, 3) == 5"))
    return asyncio.run(task.passes(type("Trace", (), {"last_reply": completion})))


def run_plain(names: dict[str, Any], completion: str) -> float:
    return names["reward"](completion)


DRIVERS = {
    "TRL": run_trl, "verl": run_verl, "Rubrics": run_rubric, "Tasksets": run_task,
    "Plain": run_plain,
}  # fmt: skip
