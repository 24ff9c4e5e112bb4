"""All suites: where their data is, and how a record becomes an item.

A damaged file gives a clear error; otherwise records are trusted. Their programs run in the sandbox
like a model's.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from azr.errors import ConfigError
from azr.evaluation.suites.fields import (
    FieldError,
    Record,
    items_in,
    literal,
    record_in,
    tests_in,
    text,
)
from azr.evaluation.suites.items import CodeItem, ExecutionItem, HiddenTests, Item, MathsItem, Part
from azr.types import Case, Mode, Task
from sandbox_wasm.grading.checks import Tests
from sandbox_wasm.grading.forms import parse_check

__all__ = ["SUITES", "Suite", "published_check", "says_something", "suites_named"]

SOLUTION_MARK = "#@@SOLUTION@@"

DEFINED = re.compile(r"^(?:async[ \t]+)?(?:def|class)[ \t]+(\w+)", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """One public data set and one way to ask it."""

    name: str
    title: str
    """Title for tables; it says what the suite is not, if that is needed."""
    file: str
    """Path below the data folder: gzipped JSON Lines, one record per line."""
    origin: str
    """Where the official data is, for people who lack the file."""
    item_of: Callable[[Record], Item]
    evalplus: bool = False
    """Whether EvalPlus can grade the same programs."""
    shipped: bool = False
    """Whether the file is in this package as plain JSON Lines, so that no folder is needed."""


def humaneval_item(record: Record) -> CodeItem:
    """A function to complete; its signature and docstring are the statement."""
    prompt, solution = text(record, "prompt"), text(record, "canonical_solution")
    return CodeItem(
        id=text(record, "id"),
        opening=prompt,
        context=prompt,
        checks=evalplus_checks(record),
        gold=prompt + solution,
        entry=entry_in(record, prompt + solution),
    )


def mbpp_item(record: Record) -> CodeItem:
    """A docstring with a description and an assertion, and the function to write after it."""
    solution = text(record, "canonical_solution")
    return CodeItem(
        id=text(record, "id"),
        opening=text(record, "prompt"),
        checks=evalplus_checks(record),
        gold=solution,
        entry=entry_in(record, solution),
    )


def evalplus_checks(record: Record) -> tuple[Part, ...]:
    """The original tests, then those that EvalPlus adds (the original inputs included)."""
    base = (Part("base", asserts_in(record, "tests")),) if "tests" in record else ()
    return *base, Part("plus", asserts_in(record, "plus_tests"))


def asserts_in(record: Record, name: str, prelude: str = "") -> Tests:
    """Test source, as it stands."""
    source = tests_in(record, name)
    try:
        return Tests(source, prelude)
    except ValueError as error:
        raise FieldError(f"{name}: {error}") from error


def entry_in(record: Record, solution: str) -> str:
    """The function to write: as the record says, else the last one which the tests call."""
    if "entry_point" in record:
        return text(record, "entry_point")
    tests = text(record, "tests" if "tests" in record else "plus_tests")
    named: list[str] = DEFINED.findall(solution)
    return next((name for name in reversed(named) if mentions(tests, name)), "")


def mentions(tests: str, name: str) -> bool:
    """Whether the tests hold the name as a word."""
    return re.search(rf"\b{re.escape(name)}\b", tests) is not None


def leetcode_item(record: Record) -> CodeItem:
    """A class to complete; graded by assertions."""
    prelude = text(record, "code_prefix") + "\nfrom builtins import *\n"
    return CodeItem(
        id=text(record, "id"),
        statement=text(record, "prompt"),
        opening=text(record, "starter_code").rstrip() + "\n",
        checks=(Part("tests", asserts_in(record, "tests", prelude)),),
        gold=text(record, "canonical_solution"),
    )


def livecodebench_item(record: Record) -> CodeItem:
    """A contest's problem; graded by the statement's samples and what other tests there are."""
    checks: list[Part | HiddenTests] = []
    if "hidden" in record:
        hidden: HiddenTests = record["hidden"]
        checks += samples(record["samples"], hidden.entry)
        checks.append(hidden)
    else:
        checks += samples(*sample_cases(record_in(record, "io_tests")))
    if record.get("extra_tests"):
        prelude, _, source = text(record, "extra_tests").partition(SOLUTION_MARK)
        if source.strip():
            checks.append(Part("extra", Tests(source, prelude + "\nfrom builtins import *\n")))
    starter = text(record, "starter_code")
    return CodeItem(
        id=text(record, "id"),
        statement=text(record, "prompt"),
        opening=starter.rstrip() + "\n" if starter.strip() else "",
        checks=tuple(checks),
        gold=record["canonical_solution"] or "",
    )


def samples(cases: Sequence[Record], entry: str) -> list[Part]:
    """None if there is no case: whatever is written would pass such a check."""
    return [published_check("samples", entry, cases)] if says_something(cases) else []


def says_something(cases: Sequence[Record]) -> bool:
    """Whether one of the cases expects an output."""
    return any(str(case["output"]).strip() for case in cases)


def sample_cases(tests: Record) -> tuple[Sequence[Record], str]:
    """The samples of the statements, and the method that is called; arguments have their names."""
    cases, kind = items_in(tests, "cases", "io_tests"), text(tests, "kind", "io_tests")
    if kind not in ("stdin", "functional"):
        raise FieldError(f"io_tests.kind must be stdin or functional, got {kind!r}")
    for case in cases:
        if kind == "functional":
            record_in(case, "input")
        else:
            text(case, "input", "a case")
            text(case, "output", "a case")
    return cases, text(tests, "fn_name", "io_tests") if kind == "functional" else ""


def published_check(name: str, entry: str, cases: Sequence[Record]) -> Part:
    """LiveCodeBench's own form, read as a reward's ground truth is.

    Raises:
        ValueError: An argument or a value is not JSON, or a field is missing.
    """
    pairs = [{"input": case["input"], "output": case["output"]} for case in cases]
    return Part(name, parse_check({"cases": pairs, "fn_name": entry or None}))


def cruxeval_output(record: Record) -> ExecutionItem:
    """CRUXEval-O is deduction."""
    return ExecutionItem(id=text(record, "id"), task=cruxeval_task(record, Mode.DEDUCTION))


def cruxeval_input(record: Record) -> ExecutionItem:
    """CRUXEval-I is abduction."""
    return ExecutionItem(id=text(record, "id"), task=cruxeval_task(record, Mode.ABDUCTION))


def cruxeval_task(record: Record, mode: Mode) -> Task:
    """One program, one case."""
    case = Case(text(record, "input"), literal(record, "output"))
    return Task(mode=mode, program=text(record, "code"), cases=(case,))


def livecodebench_output(record: Record) -> ExecutionItem:
    """LiveCodeBench execution: the input stands in a call of a function that is not named f."""
    name, _, rest = text(record, "input").partition("(")
    program = f"{text(record, 'code')}\n\nf = {name.strip()}"
    case = Case(rest.rstrip().removesuffix(")"), literal(record, "output"))
    return ExecutionItem(
        id=str(record["id"]), task=Task(mode=Mode.DEDUCTION, program=program, cases=(case,))
    )


def maths_item(record: Record) -> MathsItem:
    """A statement and its answer."""
    return MathsItem(
        id=text(record, "id"), statement=text(record, "problem"), gold=text(record, "answer")
    )


def maths(name: str, title: str, file: str, origin: str) -> Suite:
    """A suite of maths."""
    return Suite(
        name=name, title=title, file=f"math/{file}.jsonl.gz", origin=origin, item_of=maths_item
    )


EASY = "scripts/suites/easy_suite.py: 45 programs of one to five lines, four inputs each"
AZR_MATHS = "evaluation/math_eval/eval/data of github.com/LeapLabTHU/Absolute-Zero-Reasoner"

SUITES: Mapping[str, Suite] = {
    suite.name: suite
    for suite in (
        Suite(
            name="humaneval+",
            title="HumanEval+",
            file="code_generation/humaneval_plus.jsonl.gz",
            origin="github.com/evalplus/humanevalplus_release v0.1.10",
            item_of=humaneval_item,
            evalplus=True,
        ),
        Suite(
            name="mbpp+",
            title="MBPP+",
            file="code_generation/mbpp_plus.jsonl.gz",
            origin="github.com/evalplus/mbppplus_release v0.2.0",
            item_of=mbpp_item,
            evalplus=True,
        ),
        Suite(
            name="livecodebench",
            title="LCB v5, public samples",
            file="code_generation/livecodebench_v5_public.jsonl.gz",
            origin="huggingface.co/datasets/livecodebench/code_generation_lite (hidden tests)",
            item_of=livecodebench_item,
        ),
        Suite(
            name="livecodebench-o",
            title="LCB execution",
            file="execution/livecodebench_execution.jsonl.gz",
            origin="huggingface.co/datasets/livecodebench/execution-v2 (id, code, input, output)",
            item_of=livecodebench_output,
        ),
        Suite(
            name="leetcode",
            title="LeetCode 2024 H2",
            file="code_generation/leetcode_2024h2.jsonl.gz",
            origin="github.com/newfacade/LeetCodeDataset v0.3.1 test",
            item_of=leetcode_item,
        ),
        Suite(
            name="cruxeval-o",
            title="CRUXEval-O",
            file="execution/cruxeval.jsonl.gz",
            origin="github.com/facebookresearch/cruxeval data/cruxeval.jsonl",
            item_of=cruxeval_output,
        ),
        Suite(
            name="cruxeval-i",
            title="CRUXEval-I",
            file="execution/cruxeval.jsonl.gz",
            origin="github.com/facebookresearch/cruxeval data/cruxeval.jsonl",
            item_of=cruxeval_input,
        ),
        Suite(
            name="easy-o",
            title="azr easy, outputs",
            file="easy.jsonl",
            origin=EASY,
            item_of=cruxeval_output,
            shipped=True,
        ),
        Suite(
            name="easy-i",
            title="azr easy, inputs",
            file="easy.jsonl",
            origin=EASY,
            item_of=cruxeval_input,
            shipped=True,
        ),
        maths("aime24", "AIME 2024", "aime24", AZR_MATHS),
        maths("aime25", "AIME 2025", "aime25", AZR_MATHS),
        maths("amc23", "AMC 2023", "amc23", AZR_MATHS),
        maths("math500", "MATH-500", "math500", AZR_MATHS),
        maths("minerva", "Minerva Math", "minerva_math", AZR_MATHS),
        maths("olympiadbench", "OlympiadBench", "olympiadbench", AZR_MATHS),
        maths("gsm8k", "GSM8K", "gsm8k", AZR_MATHS),
    )
}


def suites_named(names: list[str], key: str = "--suite") -> list[Suite]:
    """Return the suites with these names, in this order, each once.

    Raises:
        ConfigError: There is no suite of that name.
    """
    unknown = next((name for name in names if name not in SUITES), None)
    if unknown is not None:
        raise ConfigError(f"{key} must be one of {', '.join(SUITES)}; got {unknown!r}")
    return [SUITES[name] for name in dict.fromkeys(names)]
