"""Forms whose tests are inputs and outputs, of whole programs or of a function's calls.

Expected outputs stay on the host. Each data set has its own rule of comparison.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from sandbox_wasm.grading.checks import Calls, Comparison, Stdin
from sandbox_wasm.grading.forms.arguments import (
    arguments_of,
    lines_of,
    unnamed_keys,
    value_of,
    without_absent,
)
from sandbox_wasm.grading.forms.row import Row, opened, structure
from sandbox_wasm.grading.guest.prelude import CONTEST_PRELUDE
from sandbox_wasm.literals import LiteralError, parse_literal, require_literal

__all__ = ["Apps", "CodeContests", "Literals", "LiveCodeBench", "Synthetic1"]


class Literals:
    """`entry`, `calls` and `expected`: azr's own form, literals compared with their types."""

    @staticmethod
    def fits(row: Row) -> bool:
        """Calls are given."""
        return "calls" in row

    @staticmethod
    def check(row: Row) -> Calls:
        """As it says."""
        pairs = paired(row["calls"], row.get("expected"))
        for _, expected in pairs:
            try:
                require_literal(str(expected))
            except LiteralError as error:
                raise ValueError(
                    f"expected must hold literals, got {expected!r}: {error}"
                ) from error
        return Calls(str(row.get("entry", "f")), tuple((str(a), str(b)) for a, b in pairs))


class Apps:
    """`inputs` and `outputs`, and `fn_name` if a function is called.

    APPS (github.com/hendrycks/apps, eval/testing_util.py), TACO (github.com/FlagOpen/TACO,
    metrics/testing_util.py), Eurus and PRIME (verl/utils/reward_score/prime_code/testing_util.py).
    An input of a call is a list of arguments, or a text with one JSON value per line. Outputs of
    calls may be in a list of their own. If every output is a list of one element, the result may be
    the element or the list, as in APPS (`output == expected or output == expected[0]`). Any other
    list is the result itself; APPS would also accept its first element.
    """

    @staticmethod
    def fits(row: Row) -> bool:
        """Inputs are given."""
        return "inputs" in row

    @staticmethod
    def check(row: Row) -> Calls | Stdin:
        """Make calls if a function is named, else runs of the program."""
        pairs = paired(row["inputs"], row.get("outputs"))
        name = row.get("fn_name")
        return apps_calls(str(name), pairs) if name else apps_runs(pairs)


class CodeContests:
    """`public_tests`, `private_tests` and `generated_tests`, each with inputs and outputs.

    CodeContests (github.com/google-deepmind/code_contests, contest_problem.proto).
    """

    KEYS = ("public_tests", "private_tests", "generated_tests")

    @classmethod
    def fits(cls, row: Row) -> bool:
        """One of its three."""
        return any(key in row for key in cls.KEYS)

    @classmethod
    def check(cls, row: Row) -> Stdin:
        """All of them, in this order."""
        return apps_runs([pair for key in cls.KEYS for pair in columns(row.get(key))])


class LiveCodeBench:
    """Cases of `input`, `output` and `testtype`; `metadata` names the method.

    LiveCodeBench (lcb_runner/benchmarks/code_generation.py and evaluation/testing_util.py), also
    its rows with `public_test_cases` and `private_test_cases`, packed or not; the lists of
    open-instruct; DeepCoder, where each case has its metadata (github.com/rllm-org/rllm).
    """

    KEYS = ("public_test_cases", "private_test_cases")

    @classmethod
    def fits(cls, row: Row) -> bool:
        """A list of cases, or its two columns."""
        return "cases" in row or any(key in row for key in cls.KEYS)

    @classmethod
    def check(cls, row: Row) -> Calls | Stdin:
        """Make calls if a method is named, else runs of the program."""
        listed = [case for key in cls.KEYS for case in listed_cases(row.get(key))]
        cases = [*row.get("cases", ()), *listed]
        pairs = [(case.get("input", ""), case.get("output")) for case in required(cases)]
        if not is_functional(row, cases):
            return Stdin(runs_of(pairs), Comparison.LIVECODEBENCH, CONTEST_PRELUDE)
        name = method_name(row, cases)
        if not name:
            raise ValueError("functional tests need fn_name, or metadata with func_name")
        called = [(arguments_of(given), value_of(given, expected)) for given, expected in pairs]
        return Calls(name, tuple(called), Comparison.LIVECODEBENCH, CONTEST_PRELUDE)


class Synthetic1:
    """Cases of `type`, `input`, `output` and `fn_name`; `verification_info` holds them.

    SYNTHETIC-1 and verifiable-coding-problems (huggingface.co/PrimeIntellect), graded as by
    github.com/rllm-org/rllm, rllm/rewards/code_reward.py, primeintellect_check_correctness.
    """

    TYPES = ("stdin_stdout", "function_call")

    @classmethod
    def fits(cls, row: Row) -> bool:
        """Cases that say how they are run."""
        return any(case.get("type") in cls.TYPES for case in row.get("cases", ()))

    @staticmethod
    def check(row: Row) -> Calls | Stdin:
        """Compare as APPS and TACO do, of which the data set is made."""
        if str(row.get("language", "python")).lower() not in ("python", "python3"):
            raise ValueError(f"only Python can be run, got the language {row['language']!r}")
        cases = row["cases"]
        pairs = [(case.get("input", ""), case.get("output")) for case in required(cases)]
        name = method_name(row, cases)
        return apps_calls(name, pairs) if name else apps_runs(pairs)


Pairs = Sequence[tuple[Any, Any]]


def paired(questions: Any, answers: Any) -> list[tuple[Any, Any]]:
    """Pair each input with its output."""
    if not isinstance(questions, list) or not isinstance(answers, list):
        raise ValueError("ground truth must have a list of inputs and a list of outputs")  # noqa: TRY004
    first, second = cast("list[Any]", questions), cast("list[Any]", answers)
    if len(first) != len(second) or not first:
        raise ValueError(f"ground truth has {len(first)} inputs and {len(second)} outputs")
    return list(zip(first, second, strict=True))


def columns(tests: Any) -> list[tuple[Any, Any]]:
    """Read a list of objects, or an object of two lists, as Arrow writes it."""
    found = structure(tests)
    if isinstance(found, Mapping):
        both = cast("Mapping[str, Any]", found)
        given, expected = both.get("input"), both.get("output")
        return paired(given, expected) if given or expected else []
    return [(case["input"], case["output"]) for case in required(found or [])]


def listed_cases(tests: Any) -> list[Any]:
    """A list of cases, or their columns, packed or not."""
    found = structure(tests)
    return opened(found).get("cases", found) if found else []


def required(cases: Any) -> list[dict[str, Any]]:
    """Return the cases; every one must have an output."""
    for number, case in enumerate(cases):
        if not isinstance(case, dict) or cast("Row", case).get("output") is None:
            raise ValueError(f"test {number} must be an object with input and output, got {case!r}")
    return list(cases)


def runs_of(pairs: Pairs) -> tuple[tuple[str, str], ...]:
    """Return inputs and outputs as texts; some data sets have lists of lines."""
    return tuple((lines_of(given).replace("\r\n", "\n"), lines_of(out)) for given, out in pairs)


def apps_runs(pairs: Pairs) -> Stdin:
    """Whole programs, by APPS' rule."""
    return Stdin(runs_of(pairs), Comparison.APPS, CONTEST_PRELUDE)


def apps_calls(name: str, pairs: Pairs) -> Calls:
    """Calls, by APPS' rule."""
    given = without_absent([question for question, _ in pairs])
    arguments = [arguments_of(unnamed_keys(question)) for question in given]
    expected = [value_of(question, answer) for question, answer in pairs]
    values = [parse_literal(text) for text in expected]
    wrapped = all(
        isinstance(value, list) and len(cast("list[Any]", value)) == 1 for value in values
    )
    if wrapped:
        expected = [repr(value[0]) for value in cast("list[list[Any]]", values)]
    cases = tuple(zip(arguments, expected, strict=True))
    return Calls(name, cases, Comparison.APPS, CONTEST_PRELUDE, may_be_wrapped=wrapped)


def is_functional(row: Row, cases: Sequence[Row]) -> bool:
    """Tell whether a method is called: the cases say so, or one is named."""
    kinds = {str(case["testtype"]) for case in cases if case.get("testtype")}
    if len(kinds) > 1:
        raise ValueError(f"the tests of one row must have one testtype, got {sorted(kinds)}")
    return kinds == {"functional"} if kinds else bool(method_name(row, cases))


def method_name(row: Row, cases: Sequence[Row]) -> str:
    """Find the name of the method that is called; empty if there is none."""
    for place in (row, *cases):
        for found in (place, structure(place.get("metadata"))):
            if isinstance(found, Mapping):
                named = cast("Row", found)
                if name := named.get("fn_name") or named.get("func_name"):
                    return str(name)
    return ""
