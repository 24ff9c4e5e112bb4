"""What each public form of ground truth is read as, and what is refused when a check is made."""

import base64
import json
import pickle  # noqa: TID251 - what is refused
import zlib
from typing import Any

import numpy as np
import pytest

from sandbox_wasm.grading import Calls, Comparison, Stdin, Tests, parse_check
from sandbox_wasm.grading.forms import FORMS, asserts, cases
from sandbox_wasm.grading.forms.row import opened
from sandbox_wasm.grading.guest.prelude import CONTEST_PRELUDE, joined

LCB, APPS = Comparison.LIVECODEBENCH, Comparison.APPS

CASES = [{"input": "1\n", "output": "2\n", "testtype": "stdin"}]
IN_OUT = {"inputs": ["1\n"], "outputs": ["2\n"]}
FUNCTIONAL = [{"input": "[1, 2]\n3", "output": "6", "testtype": "functional"}]
STDIN = (("1\n", "2\n"),)
CALL = (("[1, 2], 3", "6"),)
CHECK = "def check(candidate):\n    assert candidate(1) == 2\n"
METADATA = '{"func_name": "add"}'


def packed(text: str, *, pickled: bool = True) -> str:
    """LiveCodeBench's way."""
    raw = pickle.dumps(text) if pickled else text.encode()
    return base64.b64encode(zlib.compress(raw)).decode()


def form_of(truth: Any) -> Any:
    return next(form for form in FORMS if form.fits(opened(truth)))


STDIN_FORMS = {
    "APPS": ({"inputs": ["1\n"], "outputs": ["2\n"]}, cases.Apps),
    "APPS, lists of lines": ({"inputs": [["1", ""]], "outputs": [["2", ""]]}, cases.Apps),
    "APPS, a row": ({"input_output": '{"inputs": ["1\\n"], "outputs": ["2\\n"]}'}, cases.Apps),
    "verl, a row": (
        {"reward_model": {"style": "rule", "ground_truth": json.dumps(IN_OUT)}},
        cases.Apps,
    ),
    "CodeContests": (
        {"public_tests": {"input": ["1\n"], "output": ["2\n"]},
         "private_tests": {"input": [], "output": []}, "generated_tests": None},
        cases.CodeContests,
    ),
    "CodeContests, objects": (
        {"private_tests": [{"input": "1\n", "output": "2\n"}]}, cases.CodeContests,
    ),
    "LiveCodeBench": (CASES, cases.LiveCodeBench),
    "LiveCodeBench, JSON": (json.dumps(CASES), cases.LiveCodeBench),
    "LiveCodeBench, a row": (
        {"public_test_cases": json.dumps(CASES), "private_test_cases": "", "metadata": "{}"},
        cases.LiveCodeBench,
    ),
    "LiveCodeBench, packed": (
        {"public_test_cases": "[]", "private_test_cases": packed(json.dumps(CASES)),
         "metadata": "{}"},
        cases.LiveCodeBench,
    ),
    "open-instruct": ([{"input": "1\n", "output": "2\n"}], cases.LiveCodeBench),
    "open-instruct, packed JSON": (packed(json.dumps(CASES), pickled=False), cases.LiveCodeBench),
    "SYNTHETIC-1": (
        {"verification_info": json.dumps({"language": "python", "test_cases": [
            {"type": "stdin_stdout", "input": "1\n", "output": "2\n", "fn_name": None}]})},
        cases.Synthetic1,
    ),
    "SYNTHETIC-1, a Python literal": (
        {"verification_info": repr({"language": "python", "test_cases": [
            {"type": "stdin_stdout", "input": "1\n", "output": "2\n", "fn_name": None}]})},
        cases.Synthetic1,
    ),
    "DeepCoder": ({"tests": json.dumps(CASES)}, cases.LiveCodeBench),
    "columns of cases": ({"input": ["1\n"], "output": ["2\n"]}, cases.LiveCodeBench),
    "columns of cases, JSON": ('{"input": ["1\\n"], "output": ["2\\n"]}', cases.LiveCodeBench),
    "columns of cases, Arrow": (
        {"tests": {"input": np.array(["1\n"]), "output": np.array(["2\n"]),
                   "testtype": np.array(["stdin"]), "fn_name": None}, "difficulty": "easy"},
        cases.LiveCodeBench,
    ),
    "columns of cases, a row": (
        {"reward_model": {"ground_truth": json.dumps({"stdin": ["1\n"], "stdout": ["2\n"]})},
         "prompt": "?", "data_source": "codecontests"},
        cases.LiveCodeBench,
    ),
    "columns of typed cases": (
        {"verification_info": {"test_cases": {
            "type": ["stdin_stdout"], "input": ["1\n"], "output": ["2\n"]}}},
        cases.Synthetic1,
    ),
    "columns in LiveCodeBench's row": (
        {"public_test_cases": {"input": ["1\n"], "output": ["2\n"], "testtype": ["stdin"]},
         "private_test_cases": None},
        cases.LiveCodeBench,
    ),
    "columns by other names": (
        {"inputs": ["1\n"], "expected_outputs": ["2\n"]}, cases.LiveCodeBench,
    ),
    "cases by other names": (
        [{"stdin": "1\n", "expected_output": "2\n", "output": None}], cases.LiveCodeBench,
    ),
    "one case": ({"input": "1\n", "output": "2\n"}, cases.LiveCodeBench),
    "SandboxFusion": (
        {"test": [{"input": {"stdin": "1\n"}, "output": {"stdout": "2\n"}}]}, cases.LiveCodeBench,
    ),
    "DeepCoder, TACO": ({"tests": '{"inputs": ["1\\n"], "outputs": ["2\\n"]}'}, cases.Apps),
}  # fmt: skip

CALL_FORMS = {
    "Eurus": ({"fn_name": "add", "inputs": ["[1, 2]\n3"], "outputs": ["6"]}, cases.Apps),
    "TACO": ({"fn_name": "add", "inputs": [[[1, 2], 3]], "outputs": [[6]]}, cases.Apps),
    "APPS": ({"fn_name": "add", "inputs": [[[1, 2], 3]], "outputs": [6]}, cases.Apps),
    "LiveCodeBench, a row": (
        {"public_test_cases": json.dumps(FUNCTIONAL), "metadata": METADATA}, cases.LiveCodeBench,
    ),
    "LiveCodeBench, a list": (
        [{**FUNCTIONAL[0], "metadata": {"func_name": "add"}}], cases.LiveCodeBench,
    ),
    "open-instruct": (
        [{"input": "[1, 2]\n3", "output": "6", "fn_name": "add"}], cases.LiveCodeBench,
    ),
    "columns of cases": (
        {"fn_name": "add", "input": ["[1, 2]\n3"], "output": ["6"]}, cases.LiveCodeBench,
    ),
    "columns of functional cases": (
        {"input": ["[1, 2]\n3"], "output": ["6"], "testtype": ["functional"],
         "metadata": [METADATA]},
        cases.LiveCodeBench,
    ),
    "SYNTHETIC-1": (
        {"test_cases": [{"type": "function_call", "fn_name": "add", "input": [[1, 2], 3],
                         "output": [6]}]},
        cases.Synthetic1,
    ),
}  # fmt: skip

ASSERT_FORMS = {
    "MBPP": ({"test_list": ["assert f(1) == 2"], "test_imports": [], "text": "?"}, asserts.Mbpp),
    "AceCode": ({"test_cases": ["assert f(1) == 2"], "question": "?"}, asserts.Mbpp),
    "open-instruct": ('["assert f(1) == 2"]', asserts.Mbpp),
    "a list": (["assert f(1) == 2"], asserts.Mbpp),
    "azr, a list": ({"tests": ["assert f(1) == 2"]}, asserts.Mbpp),
    "HumanEval": (
        {"test": CHECK, "entry_point": "f", "prompt": 'def f(x):\n    """Next."""\n'},
        asserts.HumanEval,
    ),
    "HumanEval, a chat": (
        {"test": CHECK, "entry_point": "f", "prompt": "Write f."}, asserts.Asserts,
    ),
    "LeetCode": (
        {"test": CHECK, "entry_point": "Solution().f", "prompt": "import math\n"}, asserts.LeetCode,
    ),
    "DeepCoder, LeetCode": ({"tests": {"functional": CHECK + "\ncheck(f)"}}, asserts.Asserts),
    "KodCode": (
        {"test": "from solution import f\n\ndef test_f():\n    assert f(1) == 2\n"},
        asserts.KodCode,
    ),
    "unittest": (
        "import unittest\nclass TestF(unittest.TestCase):\n    def test_f(self):\n        f(1)\n",
        asserts.Asserts,
    ),
    "text": ("assert f(1) == 2", asserts.Asserts),
}  # fmt: skip


@pytest.mark.parametrize("name", STDIN_FORMS)
def test_whole_programs_of_every_form_are_read(name: str) -> None:
    truth, form = STDIN_FORMS[name]
    check = parse_check(truth)
    assert isinstance(check, Stdin)
    assert check.cases in (STDIN, (("1\n", "2\n"),))
    assert form_of(truth) is form
    assert check.comparison is (LCB if form is cases.LiveCodeBench else APPS)


@pytest.mark.parametrize("name", CALL_FORMS)
def test_calls_of_every_form_are_read(name: str) -> None:
    truth, form = CALL_FORMS[name]
    check = parse_check(truth)
    assert isinstance(check, Calls)
    assert (check.entry, check.cases) == ("add", CALL)
    assert form_of(truth) is form
    assert check.comparison is (LCB if form is cases.LiveCodeBench else APPS)


@pytest.mark.parametrize("name", ASSERT_FORMS)
def test_asserts_of_every_form_are_read(name: str) -> None:
    truth, form = ASSERT_FORMS[name]
    check = parse_check(truth)
    assert isinstance(check, Tests)
    assert "f(1)" in check.source or "check(" in check.source
    assert form_of(truth) is form


@pytest.mark.parametrize(
    "truth",
    [
        None, 5, "", "   ", "[]", "{}", "null", [], {}, [None], [""], ["", "# nothing"],
        {"tests": ""}, {"tests": None}, {"tests": []}, {"tests": {}}, {"test_list": None},
        "# a comment", "pass", "...", "'''A text.'''", "import math", "x = 1", "def f(): return 1",
        "def helper():\n    assert f(1) == 2", "@property\ndef g():\n    assert f(1) == 2",
        CHECK, {"test": CHECK}, {"test": CHECK, "entry_point": ""}, {"tests": CHECK, "prompt": "?"},
        "if __name__ == '__main__':\n    assert f(1) == 2",
        "class Helper:\n    def test_f(self):\n        assert f(1) == 2",
        {"inputs": [], "outputs": []}, {"inputs": ["1"], "outputs": []}, {"inputs": ["1"]},
        {"inputs": ["1"], "outputs": [""]}, {"inputs": ["1", "2"], "outputs": ["\n", " "]},
        {"inputs": "1", "outputs": "2"}, {"fn_name": "f", "inputs": [], "outputs": []},
        {"calls": [], "expected": []}, {"calls": ["1"], "expected": None},
        {"calls": ["1"], "expected": ["object()"]},
        [{"input": "1", "output": ""}], [{"input": "1"}], [{"output": None, "input": "1"}],
        [{"input": "1", "output": "2", "testtype": "functional"}],
        [{**CASES[0]}, {**FUNCTIONAL[0]}],
        {"public_tests": {"input": [], "output": []}},
        {"public_tests": {"input": ["1"], "output": []}},
        {"public_test_cases": "[]", "private_test_cases": "[]"},
        {"fn_name": "f", "inputs": ["not JSON"], "outputs": ["1"]},
        {"fn_name": "f()", "inputs": [[1]], "outputs": [1]},
        {"test_cases": [{"type": "stdin_stdout", "input": "1", "output": "2"}], "language": "cpp"},
        ["assert f(1)", {"input": "1", "output": "2"}], [["1", "2"]], {"nothing": 1},
        {"test": CHECK, "entry_point": "f); import os; (f"},
        object(), {"tests": object()},
        {"input": ["1"], "output": ["1", "2"]}, {"input": ["1"], "output": None},
        {"input": ["1", "2"], "output": ["", None]}, {"input": [], "output": []},
        {"input": "Write f.", "output": "def f(): ...", "instruction": "Be brief."},
    ],
)  # fmt: skip
def test_what_every_program_passes_or_none_is_refused_when_it_is_made(truth: Any) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse_check(truth)


TWO = (
    "def check(candidate):\n    xs = [1]\n    # of both\n"
    "    assert candidate(xs) == 1\n\n    assert candidate(\n        2,\n    ) == 3, 'é'\n"
)
APART = {
    "asserts": ("import math\nassert f(1) == 2\nassert f(\n  2\n) == 3 and \\\n f(3)", 2),
    "asserts of a check": (TWO, 2),
    "a check that is called": (f"X = 1\n{TWO}\ncheck(f)\n", 2),
    "asserts of nothing do not count": (f"{TWO}    assert True, 'prints'\n", 2),
    "one": ("assert f(1) == 2", 0),
    "one at a time, with something between": ("assert f(1)\nx = 2\nassert f(x)", 0),
    "a loop": ("for i in (1, 2):\n    assert f(i)", 0),
    "a loop after": ("assert f(1)\nassert f(3)\nfor i in (1, 2):\n    assert f(i)", 0),
    "long texts": ("assert f('''\nassert 1\n''')\nassert f(2)", 0),
}


@pytest.mark.parametrize("name", APART)
def test_asserts_are_counted_singly_where_they_can_be_told_apart(name: str) -> None:
    text, count = APART[name]
    check = parse_check({"tests": text, "entry_point": "f"})
    assert isinstance(check, Tests)
    assert len(check.each) == count
    for one in check.each:
        compile(one, name, "exec")
        assert one.count("assert ") == 1
    if "X = 1" in text:
        assert all(one.startswith("X = 1\n") and "check(f)\n" in one for one in check.each)


@pytest.mark.parametrize("make", [
    lambda: Tests(""), lambda: Tests("# no"), lambda: Tests("def test_x():\n    assert f()"),
    lambda: Stdin(()), lambda: Stdin((("1", ""),)), lambda: Calls("f", ()),
    lambda: Stdin((("\ud800", "1"),)), lambda: Stdin((("1" * (8 * 1024**2 + 1), "1"),)),
    lambda: Stdin((("1", "1" * (16 * 1024**2 + 1)),)), lambda: Tests("assert '\ud800'"),
])  # fmt: skip
def test_a_check_that_says_nothing_or_cannot_be_sent_cannot_be_made(make: Any) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        make()


def test_what_arrow_and_pandas_make_of_a_row_is_the_same_check() -> None:
    row = {"fn_name": "add", "inputs": [[[1, 2], 3]], "outputs": [6]}
    arrow = {**row, "tests": None, "test_list": None, "entry_point": None, "calls": None}
    pandas = {
        "fn_name": np.str_("add"),
        "inputs": np.array([np.array([[1, 2], 3], dtype=object)], dtype=object),
        "outputs": np.array([6]),
    }
    pandas["inputs"] = np.empty(1, dtype=object)
    pandas["inputs"][0] = [np.array([1, 2]), np.int64(3)]
    assert parse_check(row) == parse_check(arrow) == parse_check(pandas)
    stdin = {"inputs": ["1\n"], "outputs": ["2\n"]}
    assert parse_check({"tests": None, "fn_name": None, **stdin}) == parse_check(stdin)
    assert parse_check({"tests": "", **stdin}) == parse_check(stdin)
    as_bytes = {"inputs": (b"1\n",), "outputs": (b"2\n",)}
    assert parse_check(as_bytes) == parse_check(stdin)


def test_null_keys_of_cases_are_absent_and_null_arguments_are_none() -> None:
    case = {"input": "1\n", "output": "2\n", "testtype": "stdin", "fn_name": None, "metadata": None}
    assert parse_check([case]) == parse_check(CASES)
    check = parse_check({"fn_name": "f", "inputs": [[None, 1]], "outputs": [None]})
    assert check.cases == (("None, 1", "None"),)
    named = [{"a": 1, "b": None, "other": None}, {"a": 1, "b": 2, "other": None}]
    check = parse_check({"fn_name": "f", "inputs": named, "outputs": [1, 2]})
    assert check.cases == (("a=1, b=None", "1"), ("a=1, b=2", "2"))


def test_outputs_in_lists_of_their_own_are_told_by_all_of_them() -> None:
    given = {"fn_name": "f", "inputs": [[1], [2]]}
    wrapped = parse_check({**given, "outputs": [[4], [5]]})
    assert (wrapped.cases, wrapped.may_be_wrapped) == ((("1", "4"), ("2", "5")), True)
    lists = parse_check({**given, "outputs": [[4], [5, 6]]})
    assert (lists.cases, lists.may_be_wrapped) == ((("1", "[4]"), ("2", "[5, 6]")), False)
    nested = parse_check({**given, "outputs": [[[1, 2]], [[3]]]})
    assert (nested.cases, nested.may_be_wrapped) == ((("1", "[1, 2]"), ("2", "[3]")), True)


def test_pickled_objects_are_refused_and_never_loaded() -> None:
    tests = base64.b64encode(zlib.compress(pickle.dumps([("a", "b")] * 9))).decode()
    with pytest.raises(ValueError, match="never unpickled"):
        parse_check(tests)
    with pytest.raises(ValueError, match="never unpickled"):
        parse_check({"private_test_cases": tests})


def test_the_comparison_may_be_chosen_and_a_wrong_name_is_refused() -> None:
    assert parse_check(CASES, comparison="typed").comparison is Comparison.TYPED
    check = parse_check({"calls": ["1"], "expected": ["2"]}, comparison=LCB)
    assert check.comparison is LCB
    with pytest.raises(ValueError, match="'exact' is not a valid Comparison"):
        parse_check(CASES, comparison="exact")


def test_a_prelude_stands_after_imports_from_the_future_and_before_the_rest() -> None:
    program = (
        '"""Doc."""\n# so\nfrom __future__ import annotations\n'
        "from __future__ import (\n    division,\n)\nx = 1\n"
    )
    for prelude in ("import os\n", CONTEST_PRELUDE):
        whole = joined(prelude, program)
        compile(whole, "p", "exec")
        assert whole.startswith("from __future__ import annotations\nfrom __future__")
        assert whole.endswith("x = 1\n")
    assert joined("", program) == program
    assert joined("def f(x):\n", "    return x\n") == "def f(x):\n    return x\n"
    text = "s = '''\nfrom __future__ import annotations\n'''\n"
    assert joined("import os", text) == f"import os\n\n{text}"
