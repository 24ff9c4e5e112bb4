"""One reader of checks: a data set's ground truth becomes a `Check`, or is refused."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol

from sandbox_wasm.grading.checks import Calls, Check, Comparison, Stdin, Tests
from sandbox_wasm.grading.forms.asserts import Asserts, HumanEval, KodCode, LeetCode, Mbpp
from sandbox_wasm.grading.forms.cases import (
    Apps,
    CodeContests,
    Literals,
    LiveCodeBench,
    Synthetic1,
)
from sandbox_wasm.grading.forms.row import Row, opened

__all__ = ["FORMS", "Form", "parse_check"]


class Form(Protocol):
    """One public way to write a ground truth."""

    def fits(self, row: Row) -> bool:
        """Tell whether the row has this form."""
        ...

    def check(self, row: Row) -> Check:
        """Make the check that the row describes."""
        ...


FORMS: Sequence[Form] = (
    Literals, CodeContests, Apps, Synthetic1, LiveCodeBench, Mbpp, HumanEval, LeetCode, KodCode,
    Asserts,
)  # fmt: skip
"""The first form that fits decides."""


def parse_check(truth: object, *, comparison: Comparison | str | None = None) -> Check:
    """Read a data set's ground truth.

    Args:
        truth: A `Check`, a text of tests, a list of asserts or of cases, a row or an object of one
            of the `FORMS`, or its JSON text; values may come from JSON, Arrow or pandas.
        comparison: The rule by which outputs and values are compared; None for the form's own.

    Raises:
        ValueError: It has none of the forms, or every program would pass it, or none. Then the data
            set is wrong, and no completion can change that.
    """
    check = truth if isinstance(truth, Tests | Stdin | Calls) else read(truth)
    if comparison is None or isinstance(check, Tests):
        return check
    return replace(check, comparison=Comparison(comparison))


def read(truth: Any) -> Check:
    """Make the check of the first form that fits."""
    row = opened(truth)
    form = next((form for form in FORMS if form.fits(row)), None)
    if form is None:
        raise ValueError(
            "ground truth has no tests: give tests, test_list, inputs with outputs, cases of input"
            f" and output, or calls with expected; its keys: {sorted(row)}"
        )
    return form.check(row)
