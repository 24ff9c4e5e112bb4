"""The guest's program about structure, run here on the tests' own texts; it parses, never runs."""

import asyncio
import contextlib
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from azr.config.run import SandboxConfig
from azr.game.judge.guest.compose import compose
from azr.game.judge.guest.objection import objection
from azr.game.judge.judge import SandboxJudge
from azr.game.judge.structure import as_functions, as_reason, compose_call, objection_call
from azr.types import Demands, prefix_of
from sandbox_wasm.literals import parse_arguments
from tests.fakes import InProcessExecutor
from tests.unit.test_parse import TEXTS

DOUBLE = "def f(x):\n    # twice\n    return x * 2"
WITH_HELPERS = (
    "import math\nfrom collections import Counter as C\n\nLIMIT = 3\n\n"
    "class Point:\n    def __init__(self, x):\n        self.x = x\n\n"
    "def helper(p, *, scale=1):\n    return p.x * scale\n\n"
    "def f(x):\n    c = C([x])\n    return helper(Point(math.floor(x)), scale=LIMIT) + c[x]"
)
RECURSIVE = "def f(n):\n    return n if n < 2 else f(n - 1) + f(n - 2)"
MATCHING = (
    "class Pair:\n    pass\n\n# of a list\nLAST = 3\n\n"
    "def f(x: 'list', k: int = LAST) -> 'f':\n    match x:\n        case [a, *rest]:\n"
    "            return f'{a + LAST} {k} é {LAST!r}', isinstance(x, Pair)\n    return LAST"
)


def run(program: str, *arguments: object) -> object:
    names: dict[str, object] = {}
    exec(program, names)  # trusted: the test wrote it
    return names["f"](*arguments)  # type: ignore[operator]


@pytest.mark.parametrize(
    ("program", "argument"), [(DOUBLE, 4), (WITH_HELPERS, 2.5), (RECURSIVE, 9), (MATCHING, [1, 2])]
)
def test_a_function_does_what_its_program_did(program: str, argument: object):
    [function] = compose([program], 1)
    caller = f"{function}\n\n\ndef f(x):\n    return g_0(x)"
    assert run(caller, argument) == run(program, argument)


def test_comments_and_layout_stay():
    assert compose([DOUBLE], 1) == [DOUBLE.replace("f(", "g_0(")]


def test_several_functions_live_together_though_their_names_are_the_same():
    """The reference renames f alone, so that helpers of the same name replace one another."""
    other = WITH_HELPERS.replace("p.x * scale", "p.x - scale")
    functions = compose([WITH_HELPERS, other, RECURSIVE], 3)
    body = "def helper(a):\n    return a\n\ndef f(x):\n    return helper([g_0(x), g_1(x), g_2(x)])"
    found = run(prefix_of(tuple(functions)) + body, 7)
    assert found == [run(WITH_HELPERS, 7), run(other, 7), run(RECURSIVE, 7)]


@pytest.mark.parametrize(
    "program",
    [
        "def f(x):\n    g = lambda f: f(1)\n    return g(x)",
        "def f(f):\n    return f",
        "def h(f):\n    return f\ndef f(x):\n    return h(f=x)",
        "class A:\n    def f(self):\n        return 1\ndef f(x):\n    return A().f()",
        "count = 0\ndef f(x):\n    global count\n    count += 1\n    return count",
        "from math import *\ndef f(x):\n    return floor(x)",
        "from __future__ import annotations\ndef f(x):\n    return x",
        "def g_0(x):\n    return x\ndef f(x):\n    return g_0(x)",
        "def f(x):\n    g_1 = x\n    return g_1",
        "__hidden = 1\ndef f(x):\n    return __hidden",
        "import math\nmath = 3\ndef f(x):\n    return math",
        "from math import floor as h\nfrom math import ceil as h\ndef f(x):\n    return h(x)",
        "f = lambda x: x",
        "match 3:\n    case n:\n        pass\ndef f(x):\n    return n",
        "def \\\n f(x):\n    return x",
        "async def f(x):\n    return x",
        "def g(x):\n    return x",
        "def f(x:\n    return x",
        "",
        "def f(x):\n    return " + "(" * 500 + "x" + ")" * 500,
        "\ud800",
        "def f(x):\n\x00    return x",
        "def f(x):\n    return " + "-" * 20_000 + "x",
    ],
)
def test_what_cannot_be_renamed_for_certain_is_passed_over(program: str):
    functions = compose([program, DOUBLE, RECURSIVE], 2)
    assert [run(f"{function}\nf = g_{n}", 5) for n, function in enumerate(functions)] == [10, 5]


def test_imports_that_clash_are_passed_over():
    first = "from math import floor as h\ndef f(x):\n    return h(x)"
    second = "from math import ceil as h\ndef f(x):\n    return h(x)"
    assert len(compose([first, second, first], 3)) == 2


def test_the_programs_given_are_not_edited():
    """A10: the reference renames the shared records in place."""
    programs = [DOUBLE, RECURSIVE]
    compose(programs, 2)
    assert programs == [DOUBLE, RECURSIVE]


FUNCTIONS = compose([DOUBLE, WITH_HELPERS], 2)


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        ("def f(x):\n    return g_0(x) + g_1(x)", ""),
        ("def f(x):\n    return g_0(g_1(x + 1))", ""),
        ("def f(xs):\n    return sorted(map(g_0, xs), key=g_1)", ""),
        ("def h(x):\n    return g_1(x)\n\ndef f(x):\n    return g_0(x) + h(x)", ""),
        ("h = lambda x: g_1(x)\n\ndef f(x):\n    return g_0(x) + h(x)", ""),
        ("class A:\n    def m(s, x):\n        return g_1(x)\ndef f(x):\n    return A().m(g_0(x))",
         ""),
        ("def f(x):\n    def inner(y):\n        return g_1(y)\n    return g_0(x) + inner(x)", ""),
        ("import math\ndef f(x):\n    return math.floor(g_0(x) + g_1(x))", ""),
        ("def f(x):\n    return g_0(x)", "g_1 is not called"),
        ("def f(x):\n    return [g_0, g_1, x]", "g_0 is not called"),
        ("def h(x):\n    return g_1(x)\n\ndef f(x):\n    return g_0(x)", "g_1 is not called"),
        ("def f(x):\n    return g_0(x) + len('g_1(x)')  # g_1(x)", "g_1 is not called"),
        ("def f(x):\n    return g_0(3) + g_1(x)", "g_0 gets constants only"),
        ("K = 3\ndef f(x):\n    return g_0(K) + g_1(x)", "g_0 gets constants only"),
        ("def f(x):\n    return x + g_0() + g_1(x)", "g_0 gets constants only"),
        ("def f(x):\n    return x + sum(map(g_0, [1])) + g_1(x)", "g_0 gets constants only"),
        ("def g_0(x):\n    return x\n\ndef f(x):\n    return g_0(x) + g_1(x)",
         "redefines a given function"),
        ("def f(x):\n    g_0 = abs\n    return g_0(x) + g_1(x)", "redefines a given function"),
        ("def f(x, g_0=abs):\n    return g_0(x) + g_1(x)", "redefines a given function"),
        ("g_1_helper = None\ndef f(x):\n    return g_0(x) + g_1(x)", "redefines a given function"),
        ("from m import g_0\ndef f(x):\n    return g_0(x) + g_1(x)", "redefines a given function"),
        ("import m as g_0\ndef f(x):\n    return g_0(x) + g_1(x)", "redefines a given function"),
        ("def f(x):\n    return g_0(x) + g_1(x)\ndel g_0", "redefines a given function"),
        ("def f(x):\n    return [g_0(x) + g_1(x) for g_0 in [abs]]", "redefines a given function"),
        ("def f(x):\n    (g_0 := abs)\n    return g_0(x) + g_1(x)", "redefines a given function"),
        ("def f(x):\n    match x:\n        case g_0:\n            return g_0(x) + g_1(x)",
         "redefines a given function"),
        ("math = 1\ndef f(x):\n    return g_0(x) + g_1(x)", "redefines an import"),
        ("import cmath as math\ndef f(x):\n    return g_0(x) + g_1(x)", "redefines an import"),
        ("from os import *\ndef f(x):\n    return g_0(x) + g_1(x)", "redefines an import"),
        ("globals()['g_0'] = abs\ndef f(x):\n    return g_0(x) + g_1(x)", "reaches around"),
        ("exec('g_0 = abs')\ndef f(x):\n    return g_0(x) + g_1(x)", "reaches around"),
        ("g_0.__code__ = abs\ndef f(x):\n    return g_0(x) + g_1(x)", "reaches around"),
        ("import sys\ndef f(x):\n    return g_0(x) + g_1(x)", "reaches around"),
        ("locals()['g_0'] = abs\ndef f(x):\n    return g_0(x) + g_1(x)", "reaches around"),
        ("def f(x):\n    return g_0(x) + g_1(x)\ndef f(x):\n    return x", "not one function f"),
        ("def f(x):\n    return g_0(x) + g_1(x)\nf = lambda x: x", "not one function f"),
        ("def f(x):\n    g_0(x)\n    return g_1(x)", "g_0 is not called"),
        ("def f(x):\n    map(g_0, x)\n    return g_1(x)", "g_0 is not called"),
        ("def f(x):\n    if False:\n        y = g_0(x)\n    return g_1(x)", "g_0 is not called"),
        ("def f(x):\n    if x:\n        y = g_0(x)\n    return g_1(x)", ""),
        ("def f(x):\n    if not 1:\n        y = g_0(x)\n    return g_1(x)", "g_0 is not called"),
        ("def f(x):\n    if 1:\n        y = 2\n    else:\n        y = g_0(x)\n    return g_1(x)",
         "g_0 is not called"),
        ("def f(x):\n    while 0:\n        y = g_0(x)\n    return g_1(x)", "g_0 is not called"),
        ("def f(x):\n    while True:\n        return g_0(x)\n    else:\n        return g_1(x)", ""),
        ("def f(x):\n    return g_1(x) if 1 else g_0(x)", "g_0 is not called"),
        ("def f(x):\n    return g_1(x) or (None and g_0(x))", "g_0 is not called"),
        ("def f(x):\n    return g_1(x), (not '' or g_0(x))", "g_0 is not called"),
        ("def f(x):\n    return g_1(x) and g_0(x)", ""),
        ("def f(x):\n    return g_1(x)\n    return g_0(x)", "g_0 is not called"),
        ("def f(x):\n    for y in x:\n        continue\n        z = g_0(y)\n    return g_1(x)",
         "g_0 is not called"),
        ("def f(x):\n    if x:\n        return g_1(x)\n    return g_0(x)", ""),
        ("def f(x):\n    def h(y):\n        return y\n        return g_0(y)\n    return g_1(h(x))",
         "g_0 is not called"),
        ("def h(x):\n    return g_0(x) + g_1(x)", "not one function f"),
        ("f = lambda x: g_0(x) + g_1(x)", "not one function f"),
        ("def f(x:", "syntax error"),
        ("\ud800", "syntax error"),
        ("def f(x):\x00", "syntax error"),
    ],
)  # fmt: skip
def test_f_must_call_each_function_on_data_and_leave_it_as_it_is(program: str, expected: str):
    """Feature 33; METHOD 2, item 8."""
    assert objection(program, FUNCTIONS, 0, []) == expected


@pytest.mark.parametrize(
    ("body", "is_wrapper"),
    [
        ("return g_0(x)", True),
        ("y = g_0(x)\n    return y", True),
        ("return (g_0(x), g_0(g_0(x)))", True),
        ("return [g_0(x)][0]", False),
        ("return g_0(x) + 1", False),
        ("return -g_0(x)", False),
        ("return max(g_0(x))", False),
        ("return [g_0(y) for y in x]", False),
        ("if x:\n        return g_0(x)\n    return x", False),
    ],
)
def test_mere_wrappers_are_refused_on_demand(body: str, is_wrapper: bool):
    """Paper, D.2: trivially wrapped functions are what the option was given up for."""
    program, functions = f"def f(x):\n    {body}", compose([DOUBLE], 1)
    assert objection(program, functions, 0, []) == ""
    assert objection(program, functions, 1, []) == ("a mere wrapper" if is_wrapper else "")


@settings(max_examples=200, deadline=None)
@given(TEXTS)
def test_no_text_makes_a_reply_of_another_kind(text: str):
    for functions, banned in itertools.product(([], FUNCTIONS), ([], ["raise", "try"])):
        # in the guest these are outcomes: the judge says "unreadable"
        with contextlib.suppress(RecursionError, MemoryError):
            assert isinstance(objection(text, functions, 1, banned), str)
    assert len(compose([text], 1)) <= 1


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(), max_size=4), st.text(), st.integers(0, 9))
def test_texts_go_to_the_guest_as_literals(programs: list[str], program: str, number: int):
    arguments, names = parse_arguments(compose_call(programs, number))
    assert (arguments, names) == ((programs, number), {})
    demands = Demands(tuple(programs), number, ("raise",))
    arguments, names = parse_arguments(objection_call(program, demands))
    assert (arguments, names) == ((program, programs, number, ["raise"]), {})


@pytest.mark.parametrize("answer", [None, 3, [1, b"x"], {"a": 1}])
def test_an_answer_of_another_kind_is_none(answer: object):
    assert as_functions(answer) == ()
    assert as_reason(answer) == "unreadable"


def test_the_judge_asks_and_reads_the_answer():
    judge = SandboxJudge(InProcessExecutor(), SandboxConfig())
    assert asyncio.run(judge.compose((DOUBLE, "junk", RECURSIVE), 2)) == tuple(
        compose([DOUBLE, RECURSIVE], 2)
    )
