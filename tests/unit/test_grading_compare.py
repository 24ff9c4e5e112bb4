"""The rules of comparison, each beside the published code that it follows.

LiveCodeBench's verdicts follow from reading its `grade_call_based` and `grade_stdio` (at 15808c7);
they were checked once against a retyped copy of both, on programs that return or print what stands
here. No test runs its code.
"""

import pytest

from sandbox_wasm.grading import Calls, Comparison
from sandbox_wasm.grading.compare import same_output, same_value

TYPED, LCB, APPS = Comparison.TYPED, Comparison.LIVECODEBENCH, Comparison.APPS

VALUES = [
    # given, expected, typed, livecodebench, apps
    ("4", "4", True, True, True),
    ("4.0", "4", False, True, True),
    ("True", "1", False, True, True),
    ("'4'", "4", False, False, False),
    ("[4]", "4", False, False, False),
    ("(1, 2)", "[1, 2]", False, True, True),
    ("[(1, 2)]", "[[1, 2]]", False, False, True),
    ("(1, (2, 3))", "[1, [2, 3]]", False, False, True),
    ("{1: 2}", "{'1': 2}", False, False, True),
    ("{'1': 2}", "{'1': 2}", True, True, True),
    ("{'a': (1,)}", "{'a': [1]}", False, False, True),
    ("{1, 2}", "[1, 2]", False, False, False),
    ("None", "None", True, True, True),
    ("0.30000000000000004", "0.3", False, False, False),
    ("[2, 1]", "[1, 2]", False, False, False),
    ("'a'", "'a'", True, True, True),
    ("{'-1': 1}", "{-1: 1}", False, False, True),
    ("{'--1': 1}", "{'--1': 1}", True, True, True),
    ("[]", "[]", True, True, True),
    ("()", "[]", False, True, True),
]
OUTPUTS = [
    ("1 2\n3", "1 2\n3\n", True, True, True),
    (" 1 ", "1", False, True, True),
    ("0.50", "0.5", False, True, True),
    ("1e3", "1000", False, True, True),
    ("1.0", "1", False, True, True),
    ("0.3333333333333333", "0.333333333333", False, False, True),
    ("0.3334", "0.333333333333", False, False, False),
    ("50000000000000001", "50000000000000000", False, False, False),
    ("1  2", "1 2", False, True, True),
    ("a  b", "a b", False, False, True),
    ("yes", "YES", False, False, False),
    ("1\n\n2", "1\n2", False, False, False),
    ("2\n1", "1\n2", False, False, False),
    ("1\r\n2\r\n", "1\n2\n", True, True, True),
    ("", "1", False, False, False),
    ("nan", "nan", True, True, True),
    ("NaN", "nan", False, False, False),
    ("inf", "Infinity", False, True, False),
    ("1_0", "10", False, True, True),
    ("1\x0b2", "1\n2", False, False, False),
    ("1\u20282", "1\n2", False, False, False),
]


@pytest.mark.parametrize(("given", "expected", "typed", "lcb", "apps"), VALUES)
def test_values_are_compared_by_each_rule(
    given: str, expected: str, typed: bool, lcb: bool, apps: bool
) -> None:
    found = [
        same_value(given, expected, Calls("f", (("", expected),), rule))
        for rule in (TYPED, LCB, APPS)
    ]
    assert found == [typed, lcb, apps]


@pytest.mark.parametrize(("given", "expected", "typed", "lcb", "apps"), OUTPUTS)
def test_outputs_are_compared_by_each_rule(
    given: str, expected: str, typed: bool, lcb: bool, apps: bool
) -> None:
    found = [same_output(given, expected, rule) for rule in (TYPED, LCB, APPS)]
    assert found == [typed, lcb, apps]


@pytest.mark.parametrize(
    ("given", "same"), [("4", True), ("[4]", True), ("(4,)", True), ("[[4]]", False), ("5", False)]
)
def test_a_result_may_come_in_a_list_of_its_own_where_the_set_writes_it_so(
    given: str, same: bool
) -> None:
    check = Calls("f", (("", "4"),), APPS, may_be_wrapped=True)
    assert same_value(given, "4", check) is same
    assert same_value("[4]", "4", Calls("f", (("", "4"),), APPS)) is False


@pytest.mark.parametrize("given", ["not a value", "(", "f()", "1 +", "\ud800"])
def test_a_value_that_is_no_literal_is_wrong(given: str) -> None:
    for rule in (LCB, APPS):
        assert not same_value(given, "1", Calls("f", (("", "1"),), rule))
