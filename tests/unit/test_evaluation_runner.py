"""The loop, its ledger and its files, with a policy and a grader that are told what to do."""

import asyncio
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from azr.errors import CheckpointError, ConfigError, ExecutorUnavailable
from azr.evaluation.examination import Watch
from azr.evaluation.ledger import Ledger
from azr.evaluation.lm_eval import write_lm_eval
from azr.evaluation.results import agree_on_plan, write_suite
from azr.evaluation.runner import Examiner, Plan, attempt_suite
from azr.evaluation.suites.data import SuiteData
from azr.evaluation.suites.items import Attempt, CodeItem, Item, Mark, MathsItem, Part, Status
from azr.evaluation.suites.suites import SUITES
from azr.evaluation.summary import summarize, table_of
from azr.evaluation.template import Template
from azr.types import Prompt
from sandbox_wasm.grading.checks import Tests
from tests.fakes import ScriptedPolicy, count_words

MATHS = SuiteData(
    SUITES["gsm8k"],
    tuple(MathsItem(id=f"m/{n}", statement=f"What is {n} + 1?", gold=str(n + 1)) for n in range(6)),
    "0" * 64,
    "gsm8k.jsonl.gz",
)
GREEDY = Plan(template=Template("boxed"))
SAMPLED = Plan(template=Template("boxed"), temperature=0.8, samples=2, seeds=(0, 1))


@dataclass
class ScriptedGrader:
    """FAKE grader: right when the answer is the gold one; breaks when it is told to."""

    breaks_at: int = -1
    answers: list[str] = field(default_factory=list[str])

    async def grade(self, item: Item, answer: str) -> Mark:
        self.answers.append(answer)
        if len(self.answers) == self.breaks_at:
            raise ExecutorUnavailable("told to break")
        await asyncio.sleep(0)
        gold = item.gold if isinstance(item, MathsItem | CodeItem) else ""
        return Mark(status=Status.PASSED if answer == gold else Status.WRONG)


def right(prompt: Prompt) -> str:
    """Half the items are solved."""
    number = int(prompt.text.split()[2])
    return f"so \\boxed{{{number + 1 if number % 2 else 0}}}"


def examiner(policy: ScriptedPolicy, grader: ScriptedGrader, tokens: int = 1000) -> Examiner:
    return Examiner(
        policy=policy,
        grader=grader,
        count_tokens=count_words,
        max_prompt_tokens=tokens,
        max_concurrent=3,
    )


def run(
    file: Path,
    plan: Plan,
    grader: ScriptedGrader | None = None,
    script: Callable[[Prompt], str] = right,
    tokens: int = 1000,
) -> tuple[ScriptedPolicy, list[list[Attempt]]]:
    policy = ScriptedPolicy(script)
    with Ledger(file) as ledger:
        who = examiner(policy, grader or ScriptedGrader(), tokens)
        asyncio.run(attempt_suite(MATHS, plan, who, ledger))
        return policy, [[ledger[key] for key in plan.keys(item)] for item in MATHS.items]


def test_every_item_is_tried_with_every_seed_as_often_as_asked(tmp_path: Path) -> None:
    policy, by_item = run(tmp_path / "a.jsonl", SAMPLED)
    assert len(policy.prompts) == 6 * 4
    assert len({prompt.seed for prompt in policy.prompts}) == 6 * 4
    assert {prompt.temperature for prompt in policy.prompts} == {0.8}
    assert [sum(a.mark.status is Status.PASSED for a in item) for item in by_item] == [0, 4] * 3
    assert 1 < policy.most_under_way <= 3


def test_a_restart_makes_only_what_is_missing(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    with pytest.raises(ExecutorUnavailable, match="told to break"):
        run(file, SAMPLED, ScriptedGrader(breaks_at=10))
    done = len(file.read_text().splitlines())
    assert 6 <= done < 10
    policy, resumed = run(file, SAMPLED)
    assert len(policy.prompts) == 24 - done
    _, whole = run(tmp_path / "b.jsonl", SAMPLED)
    assert resumed == whole
    again, _ = run(file, SAMPLED)
    assert again.prompts == []


def test_a_torn_last_line_is_made_again_and_a_foreign_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    _, whole = run(file, GREEDY)
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(lines[:3]) + lines[3][:20])
    policy, resumed = run(file, GREEDY)
    assert len(policy.prompts) == 3
    assert resumed == whole
    file.write_text('{"step": 1}\n')
    with pytest.raises(CheckpointError, match=r"a\.jsonl, line 1: not an attempt"):
        Ledger(file)


def test_no_answer_and_too_long_a_prompt_are_not_graded(tmp_path: Path) -> None:
    grader = ScriptedGrader()
    _, by_item = run(tmp_path / "a.jsonl", GREEDY, grader, script=lambda _: "I do not know")
    assert {a.mark.status for item in by_item for a in item} == {Status.NO_ANSWER}
    policy, by_item = run(tmp_path / "b.jsonl", GREEDY, grader, tokens=3)
    assert {a.mark.status for item in by_item for a in item} == {Status.PROMPT_TOO_LONG}
    assert policy.prompts == []
    assert grader.answers == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"temperature": -1.0}, "--temperature"),
        ({"temperature": math.nan}, "--temperature must be a finite number, at least 0, got nan"),
        ({"temperature": math.inf}, "--temperature must be a finite number, at least 0, got inf"),
        ({"samples": 0}, "--samples"),
        ({"samples": 2}, "greedy completions of an item are all alike"),
        ({"seeds": ()}, "--seeds"),
        ({"seeds": (1, 1), "temperature": 1.0}, "--seeds"),
        ({"max_tokens": 0}, "--max-tokens"),
    ],
)
def test_impossible_plans_are_refused(changes: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Plan(template=Template("boxed"), **changes)  # pyright: ignore[reportArgumentType]


def test_a_folder_keeps_to_one_plan(tmp_path: Path) -> None:
    agree_on_plan(tmp_path, {"model": "a", "temperature": 0.0})
    agree_on_plan(tmp_path, {"model": "a", "temperature": 0.0})
    with pytest.raises(CheckpointError, match=r"its temperature is 0\.0, not 0\.8") as raised:
        agree_on_plan(tmp_path, {"model": "a", "temperature": 0.8})
    agree_on_plan(tmp_path / "x", {"data_sha256": "0"}, "data.json")
    with pytest.raises(CheckpointError, match="its data_sha256 is '0', not '1'"):
        agree_on_plan(tmp_path / "x", {"data_sha256": "1"}, "data.json")
    assert "--overwrite" in raised.value.__notes__[0]


def code_result() -> tuple[SuiteData, list[list[Attempt]]]:
    items = tuple(
        CodeItem(
            id=f"HumanEval/{n}",
            opening="def f():\n",
            context="import os\n",
            gold="def f(): return 1",
            checks=(Part("base", Tests("assert f()")), Part("plus", Tests("assert f() == 1"))),
        )
        for n in range(2)
    )
    answers: Sequence[str | None] = ("def f(): return 1", None)
    attempts = [
        [
            Attempt(
                item=item.id,
                seed=0,
                index=0,
                completion="text",
                answer=answer,
                mark=Mark(status=Status.PASSED if answer else Status.NO_ANSWER),
            )
        ]
        for item, answer in zip(items, answers, strict=True)
    ]
    return SuiteData(SUITES["humaneval+"], items, "ab", "hf://x@0"), attempts


def test_results_hold_figures_attempts_and_versions(tmp_path: Path) -> None:
    data, attempts = code_result()
    (tmp_path / "humaneval+").mkdir()
    result = data, summarize(attempts), attempts
    file = write_suite(tmp_path, result, {"model": "m"}, {"versions": {"azr": "1"}})
    content = json.loads(file.read_text())
    assert content["metrics"]["pass@1"]["value"] == 0.5
    assert content["metrics"]["pass@1"]["low"] < 0.5 < content["metrics"]["pass@1"]["high"]
    assert content["plan"] == {"model": "m"}
    assert (content["data"], content["data_sha256"]) == ("hf://x@0", "ab")
    assert content["environment"]["versions"] == {"azr": "1"}
    assert [item["right"] for item in content["by_item"]] == [1, 0]
    assert content["left_out"] == []
    lines = (tmp_path / "humaneval+" / "samples.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [
        {"task_id": "HumanEval/0", "solution": "import os\n\ndef f(): return 1"},
        {"task_id": "HumanEval/1", "solution": ""},
    ]


def test_items_that_are_left_out_are_said_once_and_stand_in_the_result(tmp_path: Path) -> None:
    data, attempts = code_result()
    data = replace(data, left_out=("lcb/1", "lcb/2"))
    said: list[str] = []
    with Ledger(tmp_path / "attempts.jsonl") as ledger:
        Watch(data, GREEDY, ledger, said.append)
    assert said[0] == "humaneval+: 2 items without a test are left out: lcb/1, lcb/2"
    assert len(said) == 2
    (tmp_path / "humaneval+").mkdir()
    file = write_suite(tmp_path, (data, summarize(attempts), attempts), {}, {})
    assert json.loads(file.read_text())["left_out"] == ["lcb/1", "lcb/2"]


def test_lm_evals_readers_find_what_they_expect(tmp_path: Path) -> None:
    data, attempts = code_result()
    result = data, summarize(attempts), attempts
    now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    file = write_lm_eval(tmp_path, "org/name", GREEDY, [result], now)
    assert file == tmp_path / "lm_eval" / "org__name" / "results_2026-01-02T03-04-05.json"
    content = json.loads(file.read_text())
    assert content["results"]["humaneval+"]["pass@1,none"] == 0.5
    assert content["results"]["humaneval+"]["pass@1_stderr,none"] > 0
    assert content["n-samples"]["humaneval+"] == {"original": 2, "effective": 2}
    samples = file.with_name("samples_humaneval+_2026-01-02T03-04-05.jsonl")
    first, second = map(json.loads, samples.read_text().splitlines())
    assert (first["pass@1"], second["pass@1"]) == (1.0, 0.0)
    assert first["resps"] == [["text"]]
    assert first["target"] == "def f(): return 1"
    for name in ("doc_id", "doc", "arguments", "filtered_resps", "doc_hash", "prompt_hash"):
        assert name in first


def test_the_table_has_the_interval_and_what_stands_apart() -> None:
    _, attempts = code_result()
    lines = table_of([("HumanEval+", summarize(attempts))]).splitlines()
    assert lines[0].split() == ["suite", "items", "n", "pass@1", "95", "%", "interval", "others",
                                "apart"]  # fmt: skip
    assert lines[1].startswith("HumanEval+")
    assert "50.0" in lines[1]
    assert "9.5 - 90.5" in lines[1]
    assert "1 no answer" in lines[1]
