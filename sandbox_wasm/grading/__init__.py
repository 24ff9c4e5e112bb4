"""Grading programs: read the program from a completion and the check from a data set, and decide.

    ground truth -> parse_check -> Check ---+
                                            +-> jobs -> sandbox -> scores
    completion --> program_of --> program --+

`forms` read what public data sets have, `checks` are what they say, `compare` holds the rules of
equality, and `scores` runs batches. The adapters and `azr eval` share all of it.
"""

from sandbox_wasm.grading.checks import Calls, Check, Comparison, Stdin, Tests
from sandbox_wasm.grading.forms import FORMS, parse_check
from sandbox_wasm.grading.graded import ENDINGS, Graded, shares_of
from sandbox_wasm.grading.limits import CASE_LIMITS, TESTS_LIMITS, limits_of
from sandbox_wasm.grading.scores import Executor, agrade, agrade_all, grade, grade_all

__all__ = [
    "CASE_LIMITS",
    "ENDINGS",
    "FORMS",
    "TESTS_LIMITS",
    "Calls",
    "Check",
    "Comparison",
    "Executor",
    "Graded",
    "Stdin",
    "Tests",
    "agrade",
    "agrade_all",
    "grade",
    "grade_all",
    "limits_of",
    "parse_check",
    "shares_of",
]
