"""Every public form in the real guest: the reference is paid, ten mutants and nothing are not."""

import json
from typing import Any

import pytest

from sandbox_wasm import Sandbox
from sandbox_wasm.grading import Tests, grade, parse_check

pytestmark = pytest.mark.guest

EMPTY = ["", "pass", "# nothing\n", "x = 1\n", "import os\n", "def other():\n    return 0\n"]

FUNCTION = """\
def longest(words, least):
    found = {{}}
    for word in words:
        if len(word) {at_least} least:
            found.setdefault({key}, []).append(word{append})
    return {result}
"""
RIGHT = {
    "at_least": ">=", "key": "len(word)", "append": "",
    "result": "sorted([n, sorted(set(ws))] for n, ws in found.items())",
}  # fmt: skip
CHANGES = [
    {"at_least": ">"}, {"at_least": "<"}, {"at_least": "=="}, {"key": "word[0]"},
    {"append": "[1:]"}, {"append": ".upper()"}, {"result": "None"}, {"result": "found"},
    {"result": "sorted([n, ws] for n, ws in found.items())"},
    {"result": "sorted(([n, sorted(set(ws))] for n, ws in found.items()), reverse=True)"},
]  # fmt: skip
FUNCTIONS = [FUNCTION.format(**RIGHT), *(FUNCTION.format(**(RIGHT | one)) for one in CHANGES)]
CASES = [
    ([["a", "bb", "cc", "bb", "ddd"], 2], [[2, ["bb", "cc"]], [3, ["ddd"]]]),
    ([["a", "b", "a"], 1], [[1, ["a", "b"]]]),
    ([["aaa", "bbb"], 4], []),
]

SUMS = "n = int(input())\nrows = [list(map(int, input().split())) for _ in range(n)]\n"
PROGRAMS = [
    SUMS + line
    for line in (
        "for r in rows: print(sum(r), max(r) / 2)",
        "for r in rows: print(sum(r), max(r))",
        "for r in rows: print(sum(r), min(r) / 2)",
        "for r in rows: print(sum(r) + 1, max(r) / 2)",
        "for r in rows[1:]: print(sum(r), max(r) / 2)",
        "for r in rows[::-1]: print(sum(r), max(r) / 2)",
        "for r in rows: print(max(r) / 2, sum(r))",
        "for r in rows: print(sum(r)); print(max(r) / 2)",
        "print(*[sum(r) for r in rows])",
        "for r in rows: print(sum(r), max(r) / 2)\nraise ValueError",
        "for r in rows: print(sum(r), max(r) / 2, end=' ')",
    )
]
RUNS = [("2\n1 2 3\n4 5\n", "6 1.5\n9 2.5\n"), ("2\n7\n2 2\n", "7 3.5\n4 1.0\n")]


def method_of(function: str) -> str:
    """The same in LeetCode's class."""
    lines = function.replace("def longest(", "def longest(self, ").splitlines()
    return "class Solution:\n" + "".join(f"    {line}\n" for line in lines)


def asserts() -> list[str]:
    return [f"assert longest({a!r}, {n!r}) == {right!r}" for (a, n), right in CASES]


def json_lines(arguments: list[Any]) -> str:
    return "\n".join(map(json.dumps, arguments))


CHECK = "def check(candidate):\n" + "".join(
    f"    assert candidate({a!r}, {n!r}) == {right!r}\n" for (a, n), right in CASES
)
TEXTS = [(json_lines(given), json.dumps(right)) for given, right in CASES]
FUNCTIONAL = [{"input": a, "output": b, "testtype": "functional"} for a, b in TEXTS]
STDIN = [{"input": a, "output": b, "testtype": "stdin"} for a, b in RUNS]
UNITTEST = "import unittest\n\nclass TestLongest(unittest.TestCase):\n    def test_all(self):\n" + (
    "".join(f"        {line}\n" for line in asserts())
    + "        self.assertEqual(longest(['x'], 1), [[1, ['x']]])\n\n"
    "if __name__ == '__main__':\n    unittest.main()\n"
)
PYTEST = (
    "import pytest\nfrom solution import longest\n\n"
    "@pytest.mark.parametrize('words, least, right', [\n"
    + "".join(f"    ({a!r}, {n!r}, {right!r}),\n" for (a, n), right in CASES)
    + "])\ndef test_longest(words, least, right):\n    assert longest(words, least) == right\n\n"
    "@pytest.fixture\ndef words():\n    return ['q']\n\n"
    "def test_one(words):\n    assert longest(words, 1) == [[1, ['q']]]\n\n"
    "class TestErrors:\n    def test_type(self):\n"
    "        with pytest.raises(TypeError):\n            longest(None, 1)\n"
)
IN_OUT = {"inputs": [given for given, _ in CASES], "outputs": [right for _, right in CASES]}

CALLED: dict[str, Any] = {
    "azr": {"entry": "longest", "calls": [f"{a!r}, {n!r}" for (a, n), _ in CASES],
            "expected": [repr(right) for _, right in CASES]},
    "APPS": {"fn_name": "longest", **IN_OUT},
    "APPS, wrapped": {"fn_name": "longest", **IN_OUT, "outputs": [[r] for _, r in CASES]},
    "Eurus": json.dumps({"fn_name": "longest", "inputs": [a for a, _ in TEXTS],
                         "outputs": [b for _, b in TEXTS]}),
    "LiveCodeBench": {"public_test_cases": json.dumps(FUNCTIONAL[:1]),
                      "private_test_cases": json.dumps(FUNCTIONAL[1:]),
                      "metadata": '{"func_name": "longest"}'},
    "open-instruct": [{"input": a, "output": b, "fn_name": "longest"} for a, b in TEXTS],
    "DeepCoder": json.dumps([{**one, "metadata": {"func_name": "longest"}} for one in FUNCTIONAL]),
    "SYNTHETIC-1": {"verification_info": {"test_cases": [
        {"type": "function_call", "fn_name": "longest", "input": given, "output": [right]}
        for given, right in CASES]}},
}  # fmt: skip
TESTED: dict[str, Any] = {
    "text": "\n".join(asserts()),
    "MBPP": {"test_list": asserts()[:2], "challenge_test_list": asserts()[2:],
             "test_imports": ["import math"]},
    "AceCode": {"test_cases": asserts()},
    "open-instruct's asserts": json.dumps(asserts()),
    "HumanEval": {"test": CHECK, "entry_point": "longest",
                  "prompt": "def longest(words, least):\n    '''By length.'''\n"},
    "EvalPlus": {"test": "import numpy as np\n" + CHECK + "    assert np.allclose(1.0, 1.0)\n",
                 "entry_point": "longest"},
    "unittest": UNITTEST,
    "KodCode": {"test": PYTEST},
    "DeepCoder's functional": {"tests": {"functional": CHECK + "\ncheck(longest)\n"}},
}  # fmt: skip
METHODS: dict[str, Any] = {
    "LeetCode": {"test": CHECK, "entry_point": "Solution().longest", "prompt": "import math\n"},
}
RUN: dict[str, Any] = {
    "APPS": {"inputs": [a for a, _ in RUNS], "outputs": [b for _, b in RUNS]},
    "TACO, lists of lines": json.dumps({"inputs": [a.split("\n") for a, _ in RUNS],
                                        "outputs": [b.split("\n") for _, b in RUNS]}),
    "CodeContests": {"public_tests": {"input": [RUNS[0][0]], "output": [RUNS[0][1]]},
                     "private_tests": {"input": [RUNS[1][0]], "output": [RUNS[1][1]]},
                     "generated_tests": {"input": [], "output": []}},
    "LiveCodeBench": STDIN,
    "open-instruct": json.dumps([{"input": a, "output": b} for a, b in RUNS]),
    "SYNTHETIC-1": {"verification_info": json.dumps({"language": "python", "test_cases": [
        {"type": "stdin_stdout", "input": a, "output": b, "fn_name": None} for a, b in RUNS]})},
    "verl": {"reward_model": {"ground_truth": json.dumps(
        {"inputs": [a for a, _ in RUNS], "outputs": [b for _, b in RUNS]})}},
}  # fmt: skip
FORMS = [
    *(("function", name, truth, FUNCTIONS) for name, truth in (CALLED | TESTED).items()),
    *(("method", name, truth, list(map(method_of, FUNCTIONS)))
      for name, truth in (CALLED | METHODS).items()),
    *(("program", name, truth, PROGRAMS) for name, truth in RUN.items()),
]  # fmt: skip


@pytest.mark.parametrize(
    ("truth", "programs"), [(truth, programs) for _, _, truth, programs in FORMS],
    ids=[f"{kind}: {name}" for kind, name, _, _ in FORMS],
)  # fmt: skip
@pytest.mark.parametrize("is_partial", [False, True])
def test_the_reference_is_paid_ten_mutants_and_nothing_are_not(
    sandbox: Sandbox, truth: Any, programs: list[str], is_partial: bool
) -> None:
    check = parse_check(truth)
    tried = [*programs, *EMPTY]
    scores = grade(sandbox, tried, [check] * len(tried), is_partial=is_partial)
    assert len(programs) == 11
    assert scores[0] == 1.0
    assert max(scores[1:11]) < 1.0 if is_partial else max(scores[1:11]) == 0.0
    assert set(scores[11:]) == {0.0}


VACUOUS = [
    "assert True",
    "assert 1 == 1",
    "assert len('ab') == 2, 'no'",
    "print('all tests passed')",
    "try:\n    assert f(1) == 2\nexcept Exception:\n    pass",
    "from contextlib import suppress\nwith suppress(Exception):\n    assert f(1) == 2",
    "if False:\n    assert f(1) == 2",
    "for case in []:\n    assert f(case)",
    "def test_f():\n    pass",
    "import unittest\nclass TestF(unittest.TestCase):\n    def helper(self):\n        assert f(1)",
    "import unittest\n@unittest.skip('')\nclass T(unittest.TestCase):\n    def test_f(self): f(1)",
    "async def test_f():\n    pass",
    "lambda: f(1)",
    "(f(x) for x in range(3))",
    "not None",
    "'assert f(1) == 2'; 'done'",
    "globals().get('f')",
    "exec('')",
    "def run():\n    assert f(1) == 2\ncallable(run)",
    "def check(candidate):\n    assert candidate(1) == 2\nif __name__ == '__main__':\n    check(f)",
]


@pytest.mark.parametrize("source", VACUOUS)
def test_tests_that_an_empty_program_passes_are_refused_and_never_paid(
    sandbox: Sandbox, source: str
) -> None:
    with pytest.raises(ValueError, match=r"empty program passes|no program can fail"):
        grade(sandbox, ["def f(x):\n    return x + 1\n"], [parse_check(source)])


@pytest.mark.parametrize(
    "source",
    ["assert (", "import torch\nassert f(1) == 2", "def test_f(:\n    pass\nassert f(1)",
     "from nowhere import f\nassert f(1) == 2"],
)  # fmt: skip
def test_tests_that_no_program_passes_are_refused_too(sandbox: Sandbox, source: str) -> None:
    with pytest.raises(ValueError, match=r"do not compile|does not have"):
        grade(sandbox, ["def f(x):\n    return x + 1\n"], [parse_check(source)])


def test_a_prelude_that_imports_what_is_not_there_fails_its_programs_alone(
    sandbox: Sandbox,
) -> None:
    check = Tests("assert f(1) == 2", prelude="import sortedcontainers_of_nobody\n")
    assert grade(sandbox, ["def f(x):\n    return 2\n"], [check]) == [0.0]


def test_one_vacuous_assert_of_a_list_is_found_where_a_share_is_counted(sandbox: Sandbox) -> None:
    check = parse_check({"test_list": ["assert f(1) == 2", "assert True"]})
    assert grade(sandbox, ["def f(x):\n    return 2\n", ""], [check] * 2) == [1.0, 0.0]
    with pytest.raises(ValueError, match="empty program passes"):
        grade(sandbox, [""], [check], is_partial=True)


def test_a_share_of_asserts_and_of_outputs_is_counted(sandbox: Sandbox) -> None:
    asserts_of_f = [f"assert f({n}) == {n + 1}" for n in range(4)]
    runs = {"inputs": ["0", "1", "2", "3"], "outputs": ["1", "2", "3", ""]}
    half = "def f(x):\n    return x + 1 if x < 2 else None\n"
    printed = "n = int(input())\nif n < 1: print(n + 1)"
    checks = [parse_check({"test_list": asserts_of_f}), parse_check(runs)]
    assert grade(sandbox, [half, printed], checks, is_partial=True) == [0.5, pytest.approx(1 / 3)]
    assert grade(sandbox, [half, printed], checks) == [0.0, 0.0]


# -------------------------------------------------------------- how a function is called, and what


def scores_of(sandbox: Sandbox, truth: Any, programs: list[str], **how: Any) -> list[float]:
    check = parse_check(truth, **how)
    return grade(sandbox, programs, [check] * len(programs))


def test_outputs_of_apps_may_be_in_lists_of_their_own(sandbox: Sandbox) -> None:
    ways = ["4", "[4]", "(4,)", "4.0", "5", "[[4]]", "None", "'4'"]
    programs = [f"def half(x):\n    return {way}\n" for way in ways]
    given = {"fn_name": "half", "inputs": [[8]]}
    wrapped = scores_of(sandbox, {**given, "outputs": [[4]]}, programs)
    assert wrapped == [1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0]
    plain = scores_of(sandbox, {**given, "outputs": [4]}, programs)
    assert plain == [1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0]
    lists = ["[1, 2]", "(1, 2)", "[[1, 2]]", "1", "[1]", "[2, 1]"]
    programs = [f"def half(x):\n    return {way}\n" for way in lists]
    assert scores_of(sandbox, {**given, "outputs": [[[1, 2]]]}, programs)[:3] == [1.0, 1.0, 1.0]
    assert scores_of(sandbox, {**given, "outputs": [[[1, 2]]]}, programs)[3:] == [0.0, 0.0, 0.0]
    assert scores_of(sandbox, {**given, "outputs": [[1, 2]]}, programs) == [1, 1, 0, 0, 0, 0]


def test_keys_that_json_made_texts_are_numbers_for_apps(sandbox: Sandbox) -> None:
    truth = {"fn_name": "flip", "inputs": [[{"1": 5, "2": 6}]], "outputs": [{"5": 1, "6": 2}]}
    right = "def flip(d):\n    return {v: k for k, v in d.items()}\n"
    wrong = "def flip(d):\n    return d\n"
    assert scores_of(sandbox, truth, [right, wrong]) == [1.0, 0.0]


PLAIN_VALUES = {
    "Counter('aab')": ({"a": 2, "b": 1}, 1),
    "defaultdict(int, {'a': 2})": ({"a": 2}, 1),
    "OrderedDict(a=2)": ({"a": 2}, 1),
    "namedtuple('P', 'x y')(1, 2)": ([1, 2], 1),
    "(1, 2)": ([1, 2], 1),
    "[(1, 2)]": ([[1, 2]], 0),
    "Decimal('0.5')": (0.5, 1),
    "Decimal(3)": (3, 1),
    "Fraction(1, 4)": (0.25, 1),
    "Fraction(1, 3)": (1 / 3, 0),
    "IntEnum('E', 'a').a": (1, 1),
    "True": (1, 1),
    "1.0": (1, 1),
    "deque([1, 2])": ([1, 2], 0),
    "{1, 2}": ([1, 2], 0),
    "range(2)": ([0, 1], 0),
    "(x for x in [1])": ([1], 0),
    "'ab'": (["a", "b"], 0),
    "[]": (None, 0),
    "None": (None, 1),
    "float('inf')": (10**400, 0),
    "type('Any', (), {'__eq__': lambda *a: True})()": (1, 0),
}


@pytest.mark.parametrize("spelled", PLAIN_VALUES)
def test_what_python_takes_for_equal_is_right_by_livecodebenchs_rule(
    sandbox: Sandbox, spelled: str
) -> None:
    """By reading its grade_call_based; an object of its own that equals all is wrong here."""
    expected, score = PLAIN_VALUES[spelled]
    cases = [{"input": "1", "output": json.dumps(expected), "testtype": "functional"}]
    truth = {"cases": cases, "fn_name": "value", "tests": None}
    imports = (
        "from fractions import Fraction\nfrom decimal import Decimal\nfrom enum import IntEnum\n"
    )
    program = f"{imports}class Solution:\n    def value(self, x):\n        return {spelled}\n"
    assert scores_of(sandbox, truth, [program]) == [float(score)]


@pytest.mark.parametrize("name", ["gcd", "max", "reduce", "deque", "sorted", "string", "value"])
def test_a_name_of_the_prelude_is_not_what_the_program_has_written(
    sandbox: Sandbox, name: str
) -> None:
    truth = {"cases": [{"input": "4\n6", "output": "2", "testtype": "functional"}], "fn_name": name}
    right = f"def {name}(a, b):\n    while b:\n        a, b = b, a % b\n    return a\n"
    assert scores_of(sandbox, truth, [right, "", "pass", f"{name}"]) == [1.0, 0.0, 0.0, 0.0]


CONTEST = [
    "print(json.dumps(1), deepcopy(3))", "print(json.loads('1'), math.gcd(3, 6))",
    "a, b = 1, 3; stdout.write(f'{a} {b}\\n')", "print(Counter('a')['a'], reduce(add, [1, 2]))",
    "print(datetime.date(1, 1, 3).month, datetime.date(1, 1, 3).day)",
    "print(statistics.mean([1, 1]), ceil(2.5))", "print(1, mean([3, 3]))",
    "s = io.StringIO('1 3'); print(s.read())", "print(pow(3, 0, 2), pow(3, 1))",
    "print(len(string.digits) - 9, len(ascii_lowercase) - 23)",
    "def f(n): return 0 if n == 0 else 1 + f(n - 1)\nprint(1, f(20000) - 19997)",
    "from __future__ import annotations\ndef f(x: Nothing) -> List[int]: return x\nprint(f(1), 3)",
    '"""A docstring."""\nfrom __future__ import annotations\nprint(1, 3)',
    "import sys\nsys.setrecursionlimit(10**6)\nprint(1, 3)\nsys.exit(0)", "print(1, 3)\nexit()",
    "if __name__ == '__main__':\n    print(1, 3)",
]  # fmt: skip


@pytest.mark.parametrize("program", CONTEST)
def test_programs_of_contests_have_livecodebenchs_prelude(sandbox: Sandbox, program: str) -> None:
    for truth in ([{"input": "", "output": "1 3"}], {"inputs": [""], "outputs": ["1 3\n"]}):
        assert scores_of(sandbox, truth, [program]) == [1.0]


def test_right_programs_keep_the_usual_limits(sandbox: Sandbox) -> None:
    loop = "s = 0\nfor i in range(800_000): s += i\nprint(s)"
    wide = "print('x' * 300_000)"
    heavy = "print(len([0] * 30_000_000))"
    for program, out in ((loop, str(sum(range(800_000)))), (wide, "x" * 300_000),
                         (heavy, "30000000")):  # fmt: skip
        assert scores_of(sandbox, {"inputs": ["1"], "outputs": [out]}, [program]) == [1.0]
    calls = {"fn_name": "f", "inputs": [[1_500_000]], "outputs": [["x" * 1_500_000]]}
    assert scores_of(sandbox, calls, ["def f(n):\n    return 'x' * n"]) == [1.0]


def test_text_that_cannot_be_sent_is_wrong_alone(sandbox: Sandbox) -> None:
    check = parse_check({"inputs": ["1"], "outputs": ["1"]})
    programs = ["print(1)", "x = '\ud800'", "#" * (5 * 1024**2), "print(1)"]
    assert grade(sandbox, programs, [check] * 4) == [1.0, 0.0, 0.0, 1.0]
