"""Reading suites: what no answer could fail is left out, and broken data is never a verdict."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from azr.errors import ConfigError
from azr.evaluation.suites.data import SuiteData, load_suite
from azr.evaluation.suites.items import CodeItem
from azr.evaluation.suites.suites import SUITES

STARTED = {"prompt": "Add one.", "starter_code": "", "canonical_solution": None}
STDIN = {"kind": "stdin", "fn_name": None, "cases": [{"input": "1\n", "output": "2\n"}]}
CALLED = {"kind": "functional", "fn_name": "g", "cases": [{"input": {"x": 1}, "output": [2]}]}
FUNCTION = {
    "id": "a", "prompt": "def f(x):\n", "entry_point": "f", "canonical_solution": "    return x\n",
    "tests": "assert f(1) == 1", "plus_tests": "assert f(2) == 2",
}  # fmt: skip
RECORDS: dict[str, dict[str, Any]] = {
    "humaneval+": FUNCTION,
    "mbpp+": FUNCTION,
    "livecodebench": {"id": "a", "io_tests": STDIN, **STARTED},
    "leetcode": {
        "id": "a", "prompt": "p", "starter_code": "s", "code_prefix": "", "tests": "assert 1",
        "canonical_solution": "",
    },
    "livecodebench-o": {"id": "a", "code": "def g(x): ...", "input": "g(1)", "output": "1"},
    "cruxeval-o": {"id": "a", "code": "def f(x): ...", "input": "1", "output": "1"},
    "cruxeval-i": {"id": "a", "code": "def f(x): ...", "input": "1", "output": "1"},
    "gsm8k": {"id": "a", "problem": "1 + 1", "answer": "2"},
}  # fmt: skip


def load(folder: Path, name: str, *records: dict[str, Any]) -> SuiteData:
    return load_text(folder, name, "".join(json.dumps(record) + "\n" for record in records))


def load_text(folder: Path, name: str, text: str) -> SuiteData:
    file = folder / SUITES[name].file
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(gzip.compress(text.encode()))
    return load_suite(SUITES[name], folder)


def test_items_that_nothing_checks_are_left_out_and_named(tmp_path: Path) -> None:
    none = {"kind": "stdin", "fn_name": None, "cases": []}
    data = load(
        tmp_path, "livecodebench",
        {"id": "empty", "io_tests": none, **STARTED},
        {"id": "sampled", "io_tests": STDIN, **STARTED},
        {"id": "extra", "io_tests": none, "extra_tests": "#@@SOLUTION@@\nassert 1", **STARTED},
    )  # fmt: skip
    assert [item.id for item in data.items] == ["sampled", "extra"]
    assert data.left_out == ("empty",)
    checks = [item.checks for item in data.items if isinstance(item, CodeItem)]
    assert [[getattr(check, "name", "") for check in each] for each in checks] == [
        ["samples"],
        ["extra"],
    ]


def test_a_suite_of_which_nothing_can_be_checked_is_refused(tmp_path: Path) -> None:
    none = {"kind": "stdin", "fn_name": None, "cases": []}
    with pytest.raises(ConfigError, match="no record with a test"):
        load(tmp_path, "livecodebench", {"id": "empty", "io_tests": none, **STARTED})


def test_four_items_of_the_public_livecodebench_have_no_test(shared_data: Path) -> None:
    data = load_suite(SUITES["livecodebench"], shared_data)
    assert set(data.left_out) == {"lcb/1883_B", "lcb/1899_A", "lcb/abc337_e", "lcb/abc355_e"}
    assert len(data.items) == 876


@pytest.mark.parametrize("name", RECORDS)
def test_a_whole_record_is_read(tmp_path: Path, name: str) -> None:
    assert len(load(tmp_path, name, RECORDS[name]).items) == 1


BROKEN = [
    ("humaneval+", {"tests": ["assert f(1) == 1"]}, "tests must be a text, got a list"),
    ("humaneval+", {"plus_tests": None}, "plus_tests must be a text, got null"),
    ("humaneval+", {"tests": " \n"}, "tests must hold a test, got an empty text"),
    ("humaneval+", {"entry_point": 3}, "entry_point must be a text, got a number"),
    ("mbpp+", {"prompt": {}}, "prompt must be a text, got an object"),
    ("mbpp+", {"id": 7}, "id must be a text, got a number"),
    ("leetcode", {"tests": True}, "tests must be a text, got true or false"),
    ("gsm8k", {"answer": 73}, "answer must be a text, got a number"),
    ("gsm8k", {"problem": None}, "problem must be a text, got null"),
    ("cruxeval-o", {"output": "Counter({1: 2})"}, "output must be a Python literal"),
    ("cruxeval-i", {"output": "Counter({1: 2})"}, "output must be a Python literal"),
    ("cruxeval-o", {"output": 5}, "output must be a text, got a number"),
    ("cruxeval-i", {"input": 5}, "input must be a text, got a number"),
    ("livecodebench-o", {"output": "f(1)"}, "output must be a Python literal"),
    ("livecodebench", {"io_tests": []}, "io_tests must be an object, got a list"),
    ("livecodebench", {"io_tests": {**STDIN, "kind": "file"}}, "io_tests.kind must be stdin or"),
    ("livecodebench", {"io_tests": {**STDIN, "cases": {}}}, "io_tests.cases must be a list"),
    (
        "livecodebench",
        {"io_tests": {**STDIN, "cases": [{"input": "1", "output": 2}]}},
        "output must be a text, got a number",
    ),
    (
        "livecodebench",
        {"io_tests": {**CALLED, "cases": [{"input": [1], "output": 2}]}},
        "input must be an object, got a list",
    ),
    ("livecodebench", {"io_tests": {**CALLED, "fn_name": None}}, "fn_name must be a text"),
]


@pytest.mark.parametrize(("name", "changes", "message"), BROKEN)
def test_a_field_of_another_kind_is_refused_with_its_place(
    tmp_path: Path, name: str, changes: dict[str, Any], message: str
) -> None:
    good = RECORDS[name]
    with pytest.raises(ConfigError, match=message) as raised:
        load(tmp_path, name, {**good, "id": "good"}, {**good, **changes})
    assert f"{SUITES[name].file}, record 2: " in str(raised.value)


def test_a_missing_field_and_a_record_that_is_no_object_are_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"record 1: answer is missing"):
        load(tmp_path, "gsm8k", {"id": "a", "problem": "p"})
    with pytest.raises(ConfigError, match=r"record 1: a record must be an object, got a list"):
        load_text(tmp_path, "gsm8k", "[]\n")


def test_inputs_that_are_no_literals_stay(tmp_path: Path) -> None:
    """Four real ones hold a lambda or a call; another input may still be right."""
    record = {**RECORDS["cruxeval-i"], "input": "lambda x: x"}
    assert len(load(tmp_path, "cruxeval-i", record).items) == 1


def test_a_broken_line_is_named_by_its_number(tmp_path: Path) -> None:
    good = json.dumps(RECORDS["gsm8k"])
    with pytest.raises(
        ConfigError, match=r"gsm8k\.jsonl\.gz, line 3: not JSON: .*column"
    ) as raised:
        load_text(tmp_path, "gsm8k", f'{good}\n\n{{"id": "b", "problem": oops}}\n')
    assert "gzip" not in str(raised.value)


def test_a_file_that_is_not_packed_is_said_to_be_so(tmp_path: Path) -> None:
    file = tmp_path / SUITES["gsm8k"].file
    file.parent.mkdir()
    file.write_text(json.dumps(RECORDS["gsm8k"]))
    with pytest.raises(ConfigError, match=r"gsm8k\.jsonl\.gz is not gzipped: "):
        load_suite(SUITES["gsm8k"], tmp_path)


def test_the_function_to_write_is_known_from_the_record_or_its_tests(shared_data: Path) -> None:
    for name in ("humaneval+", "mbpp+"):
        file = shared_data / SUITES[name].file
        records = [json.loads(line) for line in gzip.decompress(file.read_bytes()).splitlines()]
        for record in records:
            item = SUITES[name].item_of(record)
            assert isinstance(item, CodeItem)
            assert item.entry == record.pop("entry_point")
            unnamed = SUITES[name].item_of(record)
            assert isinstance(unnamed, CodeItem)
            assert unnamed.entry == item.entry, item.id
