"""verl's reward functions: its four keywords, reward_kwargs, the async form."""

import asyncio
import importlib.util
import inspect
import sys
from dataclasses import replace

import pytest

from sandbox_wasm.adapters import (
    grade,
    trl_reward,
    verifiers_reward,
)
from sandbox_wasm.adapters import verl as verl_adapter
from sandbox_wasm.adapters.grading import Calls, Stdin, Tests
from sandbox_wasm.errors import BadJob, SandboxUnavailable
from sandbox_wasm.grading.limits import TESTS_LIMITS
from tests.unit.test_adapters import Scripted, fenced

pytestmark = pytest.mark.timeout(30)

# ---------------------------------------------------------------------- verl


def as_verl_loads_it(name: str):
    """verl imports the file by its path, under a name of its own."""
    spec = importlib.util.spec_from_file_location("custom_module", verl_adapter.__file__)
    module = importlib.util.module_from_spec(spec)
    sys.modules["custom_module"] = module
    spec.loader.exec_module(module)
    return getattr(module, name), module


def test_verl_calls_it_once_a_completion_with_its_four_keywords_and_reward_kwargs():
    compute_score, module = as_verl_loads_it("compute_score")
    executor = Scripted()
    module._executor = lambda options: executor if options.endpoint == "ipc:///s" else None
    scored = compute_score(
        data_source="codecontests",
        solution_str=fenced("good"),
        ground_truth='{"inputs": ["a", "b"], "outputs": ["A", "B"]}',
        extra_info={"index": 1, "num_turns": None},
        endpoint="ipc:///s",
    )
    assert scored == {"score": 1.0, "passed": 2, "tests": 2, "ending": "passed", "error": ""}
    assert type(scored["score"]) is float
    given = {"data_source": "", "ground_truth": "assert 1", "extra_info": None}
    bad = compute_score(solution_str="bad", endpoint="ipc:///s", **given)
    assert bad == {"score": 0.0, "passed": 0, "tests": 1, "ending": "raised", "error": "raised"}
    assert {key: type(value) for key, value in bad.items()} == {
        key: type(value) for key, value in scored.items()
    }  # verl makes a column of each
    with pytest.raises(SandboxUnavailable):
        compute_score(solution_str=fenced("broken machine"), endpoint="ipc:///s", **given)


def test_reward_kwargs_set_the_limits_and_a_misspelled_one_is_an_error():
    compute_score, module = as_verl_loads_it("compute_score")
    executor = Scripted()
    module._executor = lambda _: executor
    given = {"data_source": "", "ground_truth": "assert f()", "solution_str": "good"}
    compute_score(**given, fuel=7_000_000, output_bytes=5)
    limits = executor.jobs[-1].limits
    assert (limits.fuel, limits.output_bytes) == (7_000_000, 5)
    assert limits.memory_bytes == TESTS_LIMITS.memory_bytes
    compute_score(**given, seconds=2, fuel=None)
    assert executor.jobs[-1].limits == replace(TESTS_LIMITS, fuel=16_000_000_000)
    with pytest.raises(ValueError, match="fuel and seconds: give one"):
        compute_score(**given, seconds=2, fuel=5)
    compute_score(**given, fuel=None, memory_bytes=1 << 28)
    assert executor.jobs[-1].limits.memory_bytes == 1 << 28
    for wrong in ("fule", "memory_mb", "timeout", "limits", "partial"):
        with pytest.raises(TypeError, match=rf"reward_kwargs has '{wrong}'; allowed are endpoint"):
            compute_score(**given, **{wrong: 1})
        with pytest.raises(TypeError, match=rf"reward_kwargs has '{wrong}'; allowed are endpoint"):
            asyncio.run(verl_adapter.compute_score_async(**given, **{wrong: 1}))
    with pytest.raises(BadJob, match=r"limits\.fuel must be an integer"):
        compute_score(**given, fuel="many")
    with pytest.raises(ValueError, match="'exact' is not a valid Comparison"):
        compute_score(**(given | {"ground_truth": {"inputs": ["1"], "outputs": ["1"]}}),
                      comparison="exact")  # fmt: skip


def test_factories_refuse_keywords_that_they_do_not_have():
    for make in (trl_reward, verifiers_reward):
        with pytest.raises(TypeError, match="fuel"):
            make(Scripted(), fuel=5)


def test_several_columns_make_one_row_and_a_wrong_row_is_named():
    reward = trl_reward(Scripted(), column=("test", "entry_point"))
    check = "def check(candidate):\n    assert candidate(1)\n"
    columns = {"prompts": ["p", "p"], "completions": [fenced("good"), fenced("bad")]}
    assert reward(**columns, test=[check] * 2, entry_point=["f"] * 2) == [1.0, 0.0]
    with pytest.raises(ValueError, match=r"row 1 of the batch: no program can fail"):
        reward(**columns, test=[check] * 2, entry_point=["f", None])
    with pytest.raises(ValueError, match="no column 'entry_point'"):
        reward(**columns, test=[check] * 2)
    with pytest.raises(ValueError, match="column 'test' has 1 rows for 2"):
        reward(**columns, test=[check], entry_point=["f"] * 2)


def test_what_failed_at_its_first_case_costs_no_other():
    executor = Scripted()
    runs = Stdin((("a", "A"), ("b", "B"), ("c", "C")))
    calls = Calls("f", (("1", "[1]"), ("2", "[2]"), ("3", "[3]")))
    assert grade(executor, ["bad", "good"], [runs, runs]) == [0.0, 1.0]
    assert [job.stdin for job in executor.jobs] == ["a", "a", "b", "c"]
    executor.jobs.clear()
    assert grade(executor, ["bad", "good"], [calls, calls]) == [0.0, 1.0]
    assert [job.calls for job in executor.jobs] == [("1",), ("1",), ("2", "3")]


def test_a_check_is_tried_with_an_empty_program_once():
    executor = Scripted()
    check = Tests("assert only_here()")
    for _ in range(3):
        assert grade(executor, ["good", "bad"], [check, check]) == [1.0, 0.0]
    assert [job.source for job in executor.jobs] == ["", *["good", "bad"] * 3]


def test_verl_awaits_the_async_one():
    compute_score, module = as_verl_loads_it("compute_score_async")
    assert inspect.iscoroutinefunction(compute_score)  # verl asks, and awaits it then
    module._executor = lambda endpoint: Scripted()
    score = compute_score(
        data_source="x", solution_str="good = 1", ground_truth="assert 1", extra_info={},
        reward_router_address=None, reward_model_tokenizer=None,
    )  # fmt: skip
    assert asyncio.run(score)["score"] == 1.0
