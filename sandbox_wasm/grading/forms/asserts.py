"""Forms whose tests are Python. They run after the program, in its namespace."""

import re
from typing import Any

from sandbox_wasm.grading.checks import Tests
from sandbox_wasm.grading.forms.row import Row
from sandbox_wasm.grading.guest.assert_texts import apart
from sandbox_wasm.grading.guest.test_text import runnable

__all__ = ["Asserts", "HumanEval", "KodCode", "LeetCode", "Mbpp"]


class Mbpp:
    """`test_list`, with `test_imports`, `test_setup_code` and `challenge_test_list` where given.

    MBPP (github.com/google-research/google-research/tree/master/mbpp), AceCode's `test_cases`
    (github.com/TIGER-AI-Lab/AceCoder, data/inference/EvaluateInferencedCode.py) and open-instruct's
    `ground_truth` (open_instruct/code_utils/code_utils.py, get_successful_tests_fast): each assert
    is a test of its own where a share is counted.
    """

    @staticmethod
    def fits(row: Row) -> bool:
        """A list of test texts."""
        return "test_list" in row

    @staticmethod
    def check(row: Row) -> Tests:
        """All asserts in one text, and one at a time."""
        setup = "\n".join([*texts(row.get("test_imports")), *texts(row.get("test_setup_code"))])
        asserts = [*texts(row["test_list"]), *texts(row.get("challenge_test_list"))]
        entry = str(row.get("entry_point", ""))
        each = tuple(runnable(f"{setup}\n{text}".lstrip(), entry) for text in asserts)
        return Tests(runnable("\n".join([setup, *asserts]).lstrip(), entry), each=each)


class HumanEval:
    """`test` defines `check(candidate)`, `entry_point` names the candidate, `prompt` precedes it.

    HumanEval (github.com/openai/human-eval, human_eval/execution.py) and HumanEval+
    (github.com/evalplus/evalplus).
    """

    @staticmethod
    def fits(row: Row) -> bool:
        """The prompt is code that begins the function."""
        entry, prompt = str(row.get("entry_point", "")), row.get("prompt")
        return (
            "tests" in row and entry.isidentifier() and isinstance(prompt, str)
            and "```" not in prompt
            and re.search(rf"^def[ \t]+{entry}[ \t]*\(", prompt, re.MULTILINE) is not None
        )  # fmt: skip

    @staticmethod
    def check(row: Row) -> Tests:
        """Put the prompt's imports and helpers before a program that does not repeat them."""
        return whole_and_apart(row["tests"], row["entry_point"], row["prompt"])


class LeetCode:
    """`entry_point` is `Solution().name`; `prompt` holds imports that every solution may use.

    LeetCodeDataset (github.com/newfacade/LeetCodeDataset).
    """

    @staticmethod
    def fits(row: Row) -> bool:
        """A method of Solution is named."""
        return "tests" in row and str(row.get("entry_point", "")).startswith("Solution().")

    @staticmethod
    def check(row: Row) -> Tests:
        """Put the builtins last, because math.pow takes no third argument."""
        prompt: Any = row.get("code_prefix", row.get("prompt", ""))
        is_code = isinstance(prompt, str) and re.match(r"\s*(?:from|import)[ \t]", prompt)
        prelude = f"{prompt.rstrip()}\nfrom builtins import *\n" if is_code else ""
        return whole_and_apart(row["tests"], row["entry_point"], prelude)


class KodCode:
    """A pytest file: `from solution import f` and functions `test_x`.

    KodCode (github.com/KodCode-AI/kodcode).
    """

    @staticmethod
    def fits(row: Row) -> bool:
        """It imports its solution."""
        return "tests" in row and "from solution import" in row["tests"]

    @staticmethod
    def check(row: Row) -> Tests:
        """Run it with a stand-in for pytest."""
        return Tests(runnable(row["tests"]))


class Asserts:
    """A text of assert statements, of `check(candidate)`, or of test functions and classes.

    `tests` in azr's own form; `functional` in DeepCoder's LeetCode part (github.com/rllm-org/rllm,
    rllm/rewards/code_reward.py, leetcode_check_correctness).
    """

    @staticmethod
    def fits(row: Row) -> bool:
        """A test text."""
        return isinstance(row.get("tests"), str)

    @staticmethod
    def check(row: Row) -> Tests:
        """Take the text as it is, and call the functions that it only defines."""
        return whole_and_apart(row["tests"], str(row.get("entry_point", "")))


def whole_and_apart(source: str, entry: str, prelude: str = "") -> Tests:
    """Return the text as a whole, and its asserts one at a time if they can be separated."""
    each = tuple(runnable(text, entry) for text in apart(source))
    return Tests(runnable(source, entry), prelude, each)


def texts(value: Any) -> list[str]:
    """Return a list of texts from a text or a list, without empty ones."""
    found = [value] if isinstance(value, str) else (value or [])
    return [str(item) for item in found if item]
