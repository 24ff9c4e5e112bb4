"""azr.game.judge.rewriting: what is asked of the guest, and what its program does to programs.

The rewriting program runs on this side here, on the tests' own programs; tests/guest runs it
where it belongs.
"""

import ast
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from azr.config.run import ParsingConfig
from azr.game.judge.guest.rewriting import NOT_RENAMED, rewrite
from azr.game.judge.rewriting import (
    Rewriting,
    Rewritten,
    objection_to_rewritten,
    read_rewritten,
    rewriting_job,
)

COMMENTED = '''\
"""A module."""
# above
import math  # why


def f(text):  # the entry
    """Count."""
    # in between
    mark = "# not a comment"
    rest = \'\'\'
# nor this\'\'\'
    return text.count(mark) + len(rest)  # done
'''


def value_of(program: str, call: str) -> object:
    names: dict[str, object] = {}
    exec(program, names)  # written in this file
    return eval(call, names)


def stripped(source: str, *strips: str) -> str:
    return rewrite(source, "f", list(strips))[0]


def renamed(source: str, rule: str) -> str:
    text, _, objection = rewrite(source, rule, [])
    assert objection == ""
    return text


def test_comments_and_docstrings_go_and_strings_keep_their_hashes():
    """Feature 19."""
    assert stripped(COMMENTED, "comments") == (
        "import math\n\n\ndef f(text):\n    mark = \"# not a comment\"\n    rest = '''\n"
        "# nor this'''\n    return text.count(mark) + len(rest)"
    )


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('def f(x):\n    """Only this."""', "def f(x):\n    pass"),
        ('class A:\n    """One."""\n    "two"\n\ndef f(x): return x',
         "class A:\n    pass\n\ndef f(x): return x"),
        ('def f(x): "doc"; return x  # c', "def f(x):\n    return x"),
        ("# only\nx = 1", "x = 1"),
        ("def f(x):\n    return 'é#' # ü\n", "def f(x):\n    return 'é#'"),
        ("def f(x:\n    # broken", "def f(x:\n    # broken"),
    ],
)  # fmt: skip
def test_what_is_left_without_comments_is_a_program(source: str, expected: str):
    """AZR leaves a function whose body was its docstring without one: it then runs no more."""
    assert stripped(source, "comments") == expected


def test_globals_go_and_imports_classes_and_functions_stay_as_they_are_written():
    source = (
        "import math\nLIMIT = 5\n\nclass A:\n    x = 1  # stays\n\nasync def g(x):\n    pass\n\n"
        "def f(x):\n    return x  # too\n\nprint(f(3))\nif True:\n    f(4)"
    )
    assert stripped(source, "globals") == (
        "import math\n\nclass A:\n    x = 1  # stays\n\nasync def g(x):\n    pass\n\n"
        "def f(x):\n    return x  # too"
    )
    assert stripped("x = 1; import math", "globals") == "import math"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("def f(x):\n    print(x)  # see\n    return x", "def f(x):\n    return x"),
        ("def f(x):\n    if x:\n        print(x)\n    else:\n        print(1)\n    return x",
         "def f(x):\n    if x:\n        pass\n    else:\n        pass\n    return x"),
        ("def f(x):\n    y = print(print(x))\n    return y",
         "def f(x):\n    y = None\n    return y"),
        ("def f(x):\n    for i in x: print(i)\n    return x",
         "def f(x):\n    for i in x: pass\n    return x"),
        ("def f(x):\n    print(x); return x", "def f(x):\n    return x"),
        ("def f(x):\n    try:\n        print(x)\n    except E:\n        print(2)\n    return x",
         "def f(x):\n    try:\n        pass\n    except E:\n        pass\n    return x"),
        ("def f(x):\n    return 'print(x)'", "def f(x):\n    return 'print(x)'"),
        ("def print(x):\n    return x\n\ndef f(x):\n    return print(x)",
         "def print(x):\n    return x\n\ndef f(x):\n    return print(x)"),
    ],
)  # fmt: skip
def test_prints_go(source: str, expected: str):
    assert stripped(source, "prints") == expected


HELPER_FIRST = "def helper(x):\n    return x + 1\n\ndef solve(x):\n    return helper(x) * 2"
F_LAST = "def helper(x):\n    return x + 1\n\ndef f(x):\n    return helper(x) * 2"
F_FIRST = "def f(x):\n    return g(x) * 2\n\ndef g(x):\n    return x + 1"


@pytest.mark.parametrize(
    ("source", "rule", "value"),
    [
        (HELPER_FIRST, "not_first", 6), (HELPER_FIRST, "any_first", 6),
        (HELPER_FIRST, "not_last", 12), (HELPER_FIRST, "any_last", 12),
        (F_LAST, "not_first", 6), (F_LAST, "any_first", 12),
        (F_LAST, "not_last", 12), (F_LAST, "any_last", 12),
        (F_FIRST, "not_first", 12), (F_FIRST, "any_first", 12),
        (F_FIRST, "not_last", 6), (F_FIRST, "any_last", 12),
    ],
)  # fmt: skip
def test_the_entry_is_chosen_by_the_rule_and_everything_else_still_works(
    source: str, rule: str, value: int
):
    """Feature 17. Where the reference leaves two definitions of f, the other makes room here."""
    assert value_of(renamed(source, rule), "f(5)") == value


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("def fact(n):\n    return 1 if n < 2 else n * fact(n - 1)  # fact",
         "def f(n):\n    return 1 if n < 2 else n * f(n - 1)  # fact"),
        ("@cache\ndef g(n):\n    return map(g, n)", "@cache\ndef f(n):\n    return map(f, n)"),
        ("def g(n):\n    def inner(g):\n        return g\n    return inner(g)",
         "def f(n):\n    def inner(g):\n        return g\n    return inner(f)"),
        ("def g(n):\n    return n.g(g=1) + 'g'", "def f(n):\n    return n.g(g=1) + 'g'"),
        ("class A:\n    def g(self):\n        return g(1)\n\ndef g(n):\n    return [g for g in n]",
         "class A:\n    def g(self):\n        return f(1)\n\ndef f(n):\n    return [g for g in n]"),
        ("async  def g(n: g = 1) -> g:\n    return n",
         "async  def f(n: f = 1) -> f:\n    return n"),
        ("class A:\n    def f(self):\n        return 1\n\ndef g(n):\n    return A().f()",
         "class A:\n    def f(self):\n        return 1\n\ndef f(n):\n    return A().f()"),
        ("x = 1", "x = 1"),
    ],
)  # fmt: skip
def test_the_definition_and_every_mention_is_renamed_and_nothing_else(source: str, expected: str):
    assert renamed(source, "any_last") == expected


@pytest.mark.parametrize(
    "source",
    [
        "def g(n):\n    f = 3\n    return g(n - f)",
        "def g(f):\n    return f and g(f - 1)",
        "def g(n):\n    global g\n    g = 1",
        "from m import g\n\ndef g(n):\n    return n",
    ],
)
def test_what_cannot_be_renamed_without_a_change_of_meaning_is_refused(source: str):
    """The reference renames by regular expression, and then g calls a number."""
    assert rewrite(source, "any_last", []) == (source, 1, NOT_RENAMED)


@pytest.mark.parametrize("source", ["def f(x:", "\x00", "\ud800", "def f(x):\n  return 1\n x"])
def test_what_does_not_parse_comes_back_as_it_was(source: str):
    assert rewrite(source, "any_last", ["comments", "globals", "prints"]) == (source, 0, "")


def test_functions_are_counted_by_grammar():
    """A11: nested ones and methods count, as the reference has it; those in strings do not."""
    source = "class A:\n    def m(self): pass\n\ndef f(x):\n    '''\n    def g(x):\n    '''"
    assert rewrite(source, "f", [])[1] == 2


NAMES = st.sampled_from(["f", "g", "h", "x"])
LINES = st.lists(
    st.one_of(
        st.builds("def {}({}):\n    return {}({})  # {}".format, NAMES, NAMES, NAMES, NAMES, NAMES),
        st.builds("{} = {}".format, NAMES, NAMES),
        st.builds("class {}:\n    def {}(self): print({})".format, NAMES, NAMES, NAMES),
        st.builds("def {}(x):\n    {} = [{} for {} in x]\n    print({}); x".format,
                  NAMES, NAMES, NAMES, NAMES, NAMES),
        st.builds("'''{}'''".format, NAMES),
    ),
    max_size=5,
).map("\n".join)  # fmt: skip
RULES = st.sampled_from(["f", "not_first", "not_last", "any_first", "any_last"])
STRIPS = st.lists(st.sampled_from(["comments", "globals", "prints"]), unique=True)


@settings(max_examples=200, deadline=None)
@given(LINES, RULES, STRIPS)
def test_a_program_stays_a_program_and_a_second_rewriting_changes_nothing(
    source: str, rule: str, strips: list[str]
):
    text, count, objection = rewrite(source, rule, strips)
    ast.parse(text)
    assert count == sum(isinstance(n, ast.FunctionDef) for n in ast.walk(ast.parse(source)))
    if objection == "" and not rule.startswith("not_"):
        assert rewrite(text, rule, strips)[0] == text


# ---------------------------------------------------------------- the host's side


def test_by_default_nothing_is_rewritten():
    config = ParsingConfig()
    assert not Rewriting.of(config, is_seeding=False).is_needed
    assert not Rewriting.of(config, is_seeding=True).is_needed


def test_seeding_and_self_play_strip_what_each_is_told_to():
    """Feature 25: AZR strips comments and globals while seeding, and nothing afterwards."""
    config = ParsingConfig(seeding_strip=("comments", "globals"))
    assert Rewriting.of(config, is_seeding=True).strips == ("comments", "globals")
    assert not Rewriting.of(config, is_seeding=False).is_needed
    playing = config.changed(strip=("prints",), entry="any_last", reject_multiple_functions=True)
    assert Rewriting.of(playing, is_seeding=False) == Rewriting("any_last", True, ("prints",))


def test_the_program_travels_as_a_literal_and_is_no_code_of_the_job():
    program = "def f(x):\n    return '''\"\\'''' # \u2028 é"
    job = rewriting_job("7", program, Rewriting("any_last", strips=("comments",)))
    assert program not in job.source
    assert ast.literal_eval(f"({job.calls[0]})") == (program, "any_last", ["comments"])
    assert job.entry == "rewrite"


@pytest.mark.parametrize("value", ["1", "('a', 'b', '')", "('a', 1)", "x", "(b'a', 1, '')"])
def test_a_reply_that_is_none_is_recognised(value: str):
    assert read_rewritten(value) is None


def test_several_functions_are_refused_only_on_request():
    """Feature 16."""
    rewritten = read_rewritten("('def f(x): return x', 2, '')")
    assert rewritten == Rewritten("def f(x): return x", 2, "")
    assert objection_to_rewritten(rewritten, Rewriting()) == ""
    assert objection_to_rewritten(rewritten, Rewriting(one_function=True)) == "several functions"
    one = replace(rewritten, functions=1, objection=NOT_RENAMED)
    assert objection_to_rewritten(one, Rewriting(one_function=True)) == NOT_RENAMED
