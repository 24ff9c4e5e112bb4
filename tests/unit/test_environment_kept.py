"""No test passes a variable of the environment on to the next (tests/conftest.py)."""

import os

import pytest


@pytest.mark.parametrize("turn", [1, 2])
def test_a_variable_that_a_test_sets_is_gone_after_it(turn: int) -> None:
    assert "AZR_LEFT_BY_A_TEST" not in os.environ, f"seen in turn {turn}"
    assert os.environ.get("HOME") != "nowhere"
    os.environ["AZR_LEFT_BY_A_TEST"] = os.environ["HOME"] = "nowhere"
