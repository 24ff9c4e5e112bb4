"""Suites from the hub: the real client against a hub on this machine, in the hub's own columns."""

import asyncio
import base64
import hashlib
import json
import os
import pickle  # noqa: TID251 - what must be read without it
import subprocess
import sys
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from huggingface_hub import constants
from hypothesis import given
from hypothesis import strategies as st

from azr.errors import ConfigError, DataUnavailable
from azr.evaluation.grading.code import CodeGrader
from azr.evaluation.suites.data import SuiteData, load_suite
from azr.evaluation.suites.hub_sources import HUB_SOURCES
from azr.evaluation.suites.items import CodeItem, ExecutionItem, HiddenTests, MathsItem, Status
from azr.evaluation.suites.suites import SUITES
from azr.types import Case
from sandbox_wasm.grading.forms.packed import (
    PackedTestsError,
    at_most,
    text_of_pickle,
    unpack_tests,
)
from sandbox_wasm.grading.guest.numpy_stand_in import NUMPY_STAND_IN
from sandbox_wasm.types import CallResult, Job, JobResult, Outcome
from tests.fake_hub import COMMIT, FakeHub, serving
from tests.fakes import ScriptedExecutor
from tests.hub_records import as_jsonl, as_parquet, hub_of_all, packed_cases


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    with serving(hub_of_all()) as there:
        monkeypatch.chdir(tmp_path)  # no ../shared/data beside it
        point_at(monkeypatch, there.url)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        yield there


def point_at(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """What HF_ENDPOINT does, when the client is imported."""
    monkeypatch.setattr(constants, "ENDPOINT", url)
    template = url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)


def load(name: str) -> SuiteData:
    return load_suite(SUITES[name], None)


def test_every_suite_but_azrs_own_can_be_fetched_and_names_where_it_is_from(hub: FakeHub) -> None:
    for name, suite in SUITES.items():
        if suite.shipped:
            assert name not in HUB_SOURCES
            continue
        data = load(name)
        revision = HUB_SOURCES[name].revision
        commit = COMMIT if revision == "main" else revision
        assert data.origin == f"hf://datasets/{HUB_SOURCES[name].repo}@{commit}"
        assert data.items
        assert len(data.sha256) == 64
    assert not [path for path in hub.requests if path.endswith(".py")]


def test_pins_are_commits_and_main_is_rare() -> None:
    revisions = {name: source.revision for name, source in HUB_SOURCES.items()}
    assert [name for name, revision in revisions.items() if revision == "main"] == ["leetcode"]
    assert {len(revision) for revision in revisions.values()} == {4, 40}


def test_evalplus_suites_have_one_check_which_needs_no_numpy(hub: FakeHub) -> None:
    [item] = load("humaneval+").items
    assert isinstance(item, CodeItem)
    assert item.id == "HumanEval/0"
    assert item.entry == "half"
    [check] = item.checks
    assert check.name == "plus"
    run_here(item.gold, check.check.source)
    with pytest.raises(AssertionError):
        run_here(item.opening + "    return x / 2 + 0.001\n", check.check.source)
    run_here(item.opening + "    return x / 2 + 1e-9\n", check.check.source)  # nearly equal


def test_mbpps_prompt_is_evalplus_docstring(hub: FakeHub) -> None:
    [item] = load("mbpp+").items
    assert isinstance(item, CodeItem)
    assert item.id == "Mbpp/2"
    assert item.entry == "twice"
    assert item.opening == (
        '"""\nWrite a function to double.\nassert twice([1]) == [2]\n"""\n'
    )  # fmt: skip
    run_here(item.gold, item.checks[0].check.source)
    with pytest.raises(AssertionError):
        run_here("def twice(xs):\n    return xs\n", item.checks[0].check.source)


def run_here(program: str, tests: str) -> None:
    names: dict[str, object] = {}
    before = dict(sys.modules)
    try:
        exec(program, names)  # trusted: this test's own
        exec(tests, names)
    finally:
        sys.modules.clear()
        sys.modules.update(before)


@pytest.mark.parametrize(
    ("out", "exp", "close"),
    [
        ("1.0", "1.0 + 1e-9", True),
        ("1.0", "1.1", False),
        ("[1.0, 2.0]", "(1.0, 2.0)", True),
        ("[1.0]", "[1.0, 2.0]", False),
        ("[1.0, 1.0]", "1.0", True),  # numpy spreads a number over a list
        ("float('nan')", "1.0", False),
        ("float('inf')", "float('inf')", True),
        ("float('inf')", "1.0", False),
        ("[[1.0], [2.0]]", "[[1.0], [2.0 + 1e-9]]", True),
    ],
)
def test_the_stand_in_compares_like_numpy(out: str, exp: str, close: bool) -> None:
    call = f"import numpy as np\nassert np.allclose({out}, {exp}, rtol=1e-07, atol=1e-6) is {close}"
    run_here("", NUMPY_STAND_IN + call)


def test_livecodebench_keeps_its_hidden_tests_in_the_file(hub: FakeHub) -> None:
    data = load("livecodebench")
    assert data.suite.title == "LiveCodeBench v5"
    assert [item.id for item in data.items] == [
        "lcb/abc1_a", "lcb/3001", "lcb/v3", "lcb/v4", "lcb/v5",
    ]  # fmt: skip
    first, second = data.items[:2]
    assert isinstance(first, CodeItem)
    assert isinstance(second, CodeItem)
    assert [check.name for check in first.checks] == ["samples", "hidden"]
    assert isinstance(first.checks[1], HiddenTests)
    assert isinstance(second.checks[1], HiddenTests)
    assert second.checks[1].entry == "add"
    assert second.opening.startswith("class Solution:\n    def add(")


def graded(item: CodeItem, right: bool) -> tuple[Status, list[Job]]:
    def script(job: Job) -> JobResult:
        if job.stdin is None:
            return JobResult(id=job.id, calls=tuple(
                CallResult(outcome=Outcome.RETURNED, value={"1, [2, 3]": "6", "0, []": "0"}[call])
                for call in job.calls
            ))  # fmt: skip
        total = sum(map(int, job.stdin.split())) if right or job.stdin == "1 2\n" else -1
        return JobResult(id=job.id, calls=(
            CallResult(outcome=Outcome.RETURNED, stdout=f"{total}\n"),
        ))  # fmt: skip

    executor = ScriptedExecutor(script)
    mark = asyncio.run(CodeGrader(executor).grade(item, "pass"))
    return mark.status, executor.jobs


def test_hidden_tests_decide_and_are_run_a_few_at_a_time(hub: FakeHub) -> None:
    first, second = load("livecodebench").items[:2]
    assert isinstance(first, CodeItem)
    assert isinstance(second, CodeItem)
    status, jobs = graded(first, right=True)
    assert (status, len(jobs)) == (Status.PASSED, 21)
    status, jobs = graded(first, right=False)
    assert status is Status.WRONG
    assert len(jobs) == 1 + 8
    assert graded(second, right=True)[0] is Status.PASSED


def test_columns_become_records(hub: FakeHub) -> None:
    items = load("livecodebench-o").items
    assert [item.id for item in items] == ["2777/sample_2", "2777/sample_3"]
    assert isinstance(items[0], ExecutionItem)
    assert items[0].task.cases == (Case("nums = [1, 2]", "2"),)
    golds = {}
    for name in ("aime24", "aime25", "amc23", "math500", "minerva", "olympiadbench", "gsm8k"):
        [item] = load(name).items
        assert isinstance(item, MathsItem)
        golds[item.id] = item.gold
    assert golds == {
        "aime24/0000": "2", "aime25/0000": "3", "amc23/0000": "27", "math500/algebra/7": "\\frac12",
        "minerva_math/0000": "1.6e3", "olympiadbench/1606": "$69$,$84$", "gsm8k/0000": "1200",
    }  # fmt: skip


def test_a_second_look_is_from_the_cache_even_without_the_hub(
    hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = load("math500")
    hub.repos.clear()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    again = load("math500")
    assert (first.sha256, first.origin, first.items) == (again.sha256, again.origin, again.items)
    content = hub_of_all().repos["HuggingFaceH4/MATH-500"]["test.jsonl"]
    assert first.sha256 == hashlib.sha256(content).hexdigest()


def test_the_clients_own_variables_count(hub: FakeHub, tmp_path: Path) -> None:
    """HF_ENDPOINT, HF_HOME and HF_HUB_OFFLINE, in a process of its own."""
    code = (
        "from azr.evaluation.suites.data import load_suite;"
        "from azr.evaluation.suites.suites import SUITES;"
        "print(load_suite(SUITES['aime25'], None).origin)"
    )
    home = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home")}
    for more in ({}, {"HF_HUB_OFFLINE": "1", "HF_ENDPOINT": "http://127.0.0.1:9"}):
        there = subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, **home, **more},
            capture_output=True, text=True, check=False, cwd=tmp_path,
        )  # fmt: skip
        assert there.returncode == 0, there.stderr
        assert there.stdout.startswith("hf://datasets/math-ai/aime25@")
    assert list(
        (tmp_path / "home" / "hub").glob("datasets--math-ai--aime25/snapshots/*/test.jsonl")
    )


def one_line(raised: pytest.ExceptionInfo[Exception]) -> str:
    text = str(raised.value)
    assert "\n" not in text
    assert "--data FOLDER" in text
    return text


@pytest.mark.parametrize("is_offline", [True, False])
def test_no_network_is_one_line_that_names_the_way_out(
    hub: FakeHub, monkeypatch: pytest.MonkeyPatch, is_offline: bool
) -> None:
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda _: None)  # it retries
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", is_offline)
    point_at(monkeypatch, "http://127.0.0.1:9")
    with pytest.raises(DataUnavailable, match=r"gsm8k: openai/gsm8k is not in the cache") as raised:
        load("gsm8k")
    one_line(raised)


def test_a_gated_or_missing_data_set_wants_a_token(hub: FakeHub) -> None:
    hub.gated.add("openai/gsm8k")
    with pytest.raises(
        ConfigError, match=r"does not give openai/gsm8k .*Gated.*HF_TOKEN"
    ) as raised:
        load("gsm8k")
    one_line(raised)
    del hub.repos["math-ai/aime25"]
    with pytest.raises(ConfigError, match=r"does not give math-ai/aime25") as raised:
        load("aime25")
    one_line(raised)


def test_a_file_that_is_gone_is_told_by_its_name(hub: FakeHub) -> None:
    hub.add("math-ai/aime25", {"other.jsonl": b"{}\n"})
    with pytest.raises(ConfigError, match=r"has no file test\.jsonl") as raised:
        load("aime25")
    one_line(raised)


def test_an_unknown_column_is_told_with_those_that_there_are(hub: FakeHub) -> None:
    rows = [{"Problem": "p", "answer": "1"}]
    hub.add("math-ai/aime25", {"test.jsonl": as_jsonl(rows)})
    with pytest.raises(ConfigError, match=r"record 1: no column 'problem' .*Problem, answer") as it:
        load("aime25")
    one_line(it)
    hub.add("openai/gsm8k", {"main/test-0.parquet": as_parquet([{"question": "q", "answer": 7}])})
    with pytest.raises(ConfigError, match=r"record 1: AttributeError") as it:
        load("gsm8k")
    one_line(it)


@pytest.mark.parametrize("content", [b"[1]\n", b"{\n", b"", b"\xff\xfe\n"])
def test_a_damaged_file_is_one_clear_error(hub: FakeHub, content: bytes) -> None:
    hub.add("math-ai/aime25", {"test.jsonl": content})
    with pytest.raises(ConfigError, match="aime25"):
        load("aime25")
    hub.add("openai/gsm8k", {"main/test-0.parquet": content})
    with pytest.raises(ConfigError, match="is not Parquet"):
        load("gsm8k")


def test_a_folder_that_is_named_is_never_mixed_with_the_hub(hub: FakeHub, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_suite(SUITES["aime25"], tmp_path)
    assert hub.requests == []


# ---------------------------------------------------------------- packed tests

CASES = [{"input": "1\n", "output": "2 é\n", "testtype": "stdin"}]


@pytest.mark.parametrize("protocol", range(6))
def test_packed_tests_of_every_protocol_are_read_without_unpickling(protocol: int) -> None:
    assert unpack_tests(packed_cases(CASES, protocol)) == CASES
    assert unpack_tests(json.dumps(CASES)) == CASES


def test_a_long_text_is_read_too() -> None:
    many = CASES * 20_000  # beyond one frame of a pickle
    assert unpack_tests(packed_cases(many)) == many


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch owned",)


@pytest.mark.parametrize(
    "content",
    [
        pickle.dumps(Evil()), pickle.dumps(["text"]), pickle.dumps(b"text"), pickle.dumps(None),
        pickle.dumps(("a", "b")), pickle.dumps("text") + b"x", pickle.dumps("text")[:-1], b"",
        pickle.dumps("text") + pickle.dumps(Evil()), b"\x80\x04\x8e", b"(",
    ],
)  # fmt: skip
def test_a_pickle_of_anything_else_is_refused(content: bytes, tmp_path: Path) -> None:
    with pytest.raises(PackedTestsError):
        text_of_pickle(content)
    packed = base64.b64encode(zlib.compress(content)).decode()
    with pytest.raises(PackedTestsError):
        unpack_tests(packed)
    assert not Path("owned").exists()


@given(st.binary(max_size=200))
def test_no_bytes_do_more_than_be_refused(content: bytes) -> None:
    with suppress(PackedTestsError):
        assert isinstance(text_of_pickle(content), str)


@given(st.text(max_size=50))
def test_no_text_does_more_than_be_refused(packed: str) -> None:
    with suppress(PackedTestsError):
        unpack_tests(packed)


def test_a_bomb_is_refused() -> None:
    with at_most(1000), pytest.raises(PackedTestsError, match="more than 1000 bytes"):
        unpack_tests(packed_cases(CASES * 500))


def test_tests_that_cannot_be_unpacked_end_the_command_and_are_no_mark(hub: FakeHub) -> None:
    broken = json.loads(hub.repos["livecodebench/code_generation_lite"]["test.jsonl"])
    broken["private_test_cases"] = base64.b64encode(zlib.compress(pickle.dumps(Evil()))).decode()
    hub.repos["livecodebench/code_generation_lite"]["test.jsonl"] = as_jsonl([broken])
    item = load("livecodebench").items[0]
    assert isinstance(item, CodeItem)
    with pytest.raises(ConfigError, match=r"test\.jsonl, at byte 0: PackedTestsError"):
        graded(item, right=True)
