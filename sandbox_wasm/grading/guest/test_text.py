"""What a data set's test text does, found by its lines: nothing is parsed or run on the host.

Many sets publish tests that are only defined: `def check(candidate)`, `def test_x()`, a
`unittest.TestCase`. Run as they stand, they pass with every program. Here their calls are added.
"""

import re

from sandbox_wasm.grading.guest.numpy_stand_in import NUMPY_STAND_IN
from sandbox_wasm.grading.guest.pytest_stand_in import PYTEST_STAND_IN
from sandbox_wasm.grading.guest.test_runner import NO_UNITTEST_MAIN, SOLUTION_MODULE, TEST_RUNNER

__all__ = ["can_fail", "imports", "runnable"]

CHECK = re.compile(r"^def[ \t]+check[ \t]*\(", re.MULTILINE)
CHECK_CALL = re.compile(r"^check[ \t]*\(", re.MULTILINE)
TEST_FUNCTION = re.compile(r"^(?:async[ \t]+)?def[ \t]+(test\w*)[ \t]*\(", re.MULTILINE)
TEST_CLASS = re.compile(
    r"^class[ \t]+(?:(Test\w*)[ \t]*(?:\([ \t]*\))?[ \t]*:|(\w+)[ \t]*\([^)\n]*TestCase[ \t]*\))",
    re.MULTILINE,
)
INERT = re.compile(
    r"(?:#|@|def[ \t]|class[ \t]|async[ \t]+def[ \t]|import[ \t]|from[ \t]"
    r"|pass\b|\.\.\.|[A-Za-z_]\w*[ \t]*=[^=]"
    r"|[)\]}\"']|if[ \t]+__name__\b|[\w.]+[ \t]*(?:#.*)?$)"
)
"""Beginnings of lines that can fail no program: definitions, imports, constants, names."""

EVALPLUS_NUMPY = {"allclose", "ndarray", "float32", "float64", "testing"}
"""What EvalPlus' tests use numpy for: the stand-in has it."""
NUMPY_NAME = re.compile(r"\bnp\.(\w+)")


def can_fail(source: str) -> bool:
    """Whether some line at the left edge does something that could raise."""
    lines = (line for line in source.split("\n") if line.strip() and not line[0].isspace())
    return any(";" in line or not INERT.match(line) for line in lines)


def runnable(source: str, entry: str = "") -> str:
    """The test text with the calls of what it only defines, and what it imports.

    Args:
        source: As its data set has it.
        entry: What `check` is called with: a function's name, or `Solution().name`.

    Raises:
        ValueError: No program could fail it: it asserts nothing, or only defines functions that
            are not called `test...`, or `check` where no entry point is given.
    """
    calls = calls_of(source, entry)
    if not calls and not can_fail(source):
        raise ValueError(
            "no program can fail the tests: they assert nothing, or call nothing that they define"
            " (check needs an entry_point; test functions are named test...)"
        )
    return "\n\n".join([*stand_ins(source), source.rstrip(), *calls]) + "\n"


def calls_of(source: str, entry: str) -> list[str]:
    """The calls that are missing."""
    if CHECK.search(source) and not CHECK_CALL.search(source) and entry:
        if not re.fullmatch(r"[A-Za-z_]\w*(?:\(\)\.[A-Za-z_]\w*|\.[A-Za-z_]\w*)?", entry):
            raise ValueError(f"entry_point must name a function, got {entry!r}")
        return [f"check({entry})"]
    functions = [name for name in TEST_FUNCTION.findall(source) if not is_called(source, name)]
    classes = [first or second for first, second in TEST_CLASS.findall(source)]
    names = ", ".join(dict.fromkeys([*functions, *classes]))
    return [f"{TEST_RUNNER}\n_run_tests([{names}])"] if names else []


def is_called(source: str, name: str) -> bool:
    """Whether the text itself calls a function that it defines."""
    return len(re.findall(rf"\b{name}[ \t]*\(", source)) > 1


def stand_ins(source: str) -> list[str]:
    """What stands for the modules that the tests import and the sandbox does not have."""
    found: list[str] = []
    if imports(source, "solution"):
        found.append(SOLUTION_MODULE)
    if imports(source, "pytest"):
        found.append(PYTEST_STAND_IN)
    if imports(source, "unittest"):
        found.append(NO_UNITTEST_MAIN)
    if imports(source, "numpy") and set(NUMPY_NAME.findall(source)) <= EVALPLUS_NUMPY:
        found.append(NUMPY_STAND_IN)
    return found


def imports(source: str, module: str) -> bool:
    """Whether a line of it imports the module."""
    return re.search(rf"^[ \t]*(?:from|import)[ \t]+{module}\b", source, re.MULTILINE) is not None
