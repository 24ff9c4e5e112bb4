"""A program and a check to a score. Expected values stay on this side; the program never sees them.

Only `Tests` are run beside the program, in its own namespace: a program may read and patch what its
tests use. Where that matters, use `Calls` or `Stdin`.
"""

import asyncio
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, cast

from sandbox_wasm import values
from sandbox_wasm.types import CallResult, Job, JobResult, Limits, Outcome

__all__ = [
    "Calls",
    "Check",
    "Executor",
    "Stdin",
    "Tests",
    "agrade",
    "grade",
    "parse_check",
    "program_of",
    "text_of",
]


class Executor(Protocol):
    """`Sandbox` or `SandboxClient`."""

    def run(self, jobs: Iterable[Job]) -> list[JobResult]:
        """Run all jobs; results in their order."""
        ...


@dataclass(frozen=True, slots=True)
class Tests:
    """Assert statements, run after the program; passed when none raises."""

    __test__ = False  # not a test class, whatever pytest thinks of its name

    source: str


@dataclass(frozen=True, slots=True)
class Stdin:
    """Whole-program runs: (stdin, expected stdout); trailing blanks do not count."""

    cases: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Calls:
    """Calls of a function: (argument literals, expected value's literal), compared typed."""

    entry: str
    cases: tuple[tuple[str, str], ...]


Check = Tests | Stdin | Calls


def parse_check(truth: object) -> Check:
    """Read a data set's ground truth.

    Accepted: a `Check`; a mapping, or the text of a JSON object, with `tests` (assert source), or
    `inputs` and `outputs` (stdin and stdout, or with `fn_name` arguments, in order or by name, and
    results as in APPS and LiveCodeBench), or `entry`, `calls` and `expected` (literals); any other
    text is assert source.

    Raises:
        ValueError: None of these; the data set is wrong, which no completion can mend.
    """
    if isinstance(truth, Tests | Stdin | Calls):
        return truth
    if isinstance(truth, str):
        stripped = truth.strip()
        if not stripped.startswith("{"):
            return Tests(truth)
        truth = json.loads(stripped)
    if not isinstance(truth, Mapping):
        raise ValueError(f"ground truth must be a text or a mapping, got {type(truth).__name__}")  # noqa: TRY004
    return _check_of_fields(cast("Mapping[str, Any]", truth))


def _check_of_fields(fields: Mapping[str, Any]) -> Check:
    if "tests" in fields:
        return Tests(str(fields["tests"]))
    if "calls" in fields:
        pairs = _pairs(fields["calls"], fields.get("expected"))
        return Calls(str(fields.get("entry", "f")), tuple((str(a), str(b)) for a, b in pairs))
    if "inputs" in fields:
        pairs = _pairs(fields["inputs"], fields.get("outputs"))
        name = fields.get("fn_name")
        if name:
            return Calls(str(name), tuple((_arguments(a), _result(a, b)) for a, b in pairs))
        return Stdin(tuple((str(a), str(b)) for a, b in pairs))
    raise ValueError(f"ground truth has none of tests, calls, inputs; its keys: {sorted(fields)}")


def _pairs(questions: Any, answers: Any) -> list[tuple[Any, Any]]:
    if len(questions) != len(answers or ()) or not len(questions):
        raise ValueError(f"ground truth has {len(questions)} inputs, {len(answers or ())} outputs")
    return list(zip(questions, answers, strict=True))


def _arguments(given: Any) -> str:
    """Spell the arguments: a list of values, names with values, or one JSON value a line."""
    if isinstance(given, Mapping):
        named = cast("Mapping[str, Any]", given)
        return ", ".join(f"{name}={value!r}" for name, value in named.items())
    values = [json.loads(line) for line in given.splitlines()] if isinstance(given, str) else given
    return ", ".join(repr(value) for value in values)


def _result(arguments: Any, given: Any) -> str:
    """Spell the expected result: JSON where the arguments are JSON too, else the value itself."""
    is_json = isinstance(arguments, str) and isinstance(given, str)
    return repr(json.loads(given) if is_json else given)


# Blanks have one place to match in, so that a line of them is read once and not n times.
_FENCE = re.compile(
    r"```[ \t]*(?:python3?[ \t]*|py[ \t]*)?\r?\n(.*?)```", re.DOTALL | re.IGNORECASE
)


def program_of(completion: object) -> str:
    """Take the program out of a completion: the last fenced block, else the whole text."""
    text = text_of(completion)
    blocks = _FENCE.findall(text)
    return blocks[-1] if blocks else text


def text_of(completion: object) -> str:
    """Return a completion's text: of a string, or of the last message of a conversation."""
    content: Any = completion
    if isinstance(content, list | tuple) and content:
        content = cast("Sequence[Any]", content)[-1]
    if isinstance(content, Mapping):
        content = cast("Mapping[str, Any]", content).get("content")
    else:
        content = getattr(cast("Any", content), "content", cast("Any", content))
    if isinstance(content, list | tuple):  # a message in parts
        parts = cast("Sequence[Any]", content)
        return "".join(str(dict(part).get("text", "")) for part in parts)
    return content if isinstance(content, str) else ""


def grade(
    executor: Executor,
    programs: Sequence[str],
    checks: Sequence[Check],
    *,
    limits: Limits | None = None,
    is_partial: bool = False,
) -> list[float]:
    """Score programs, all of them in one batch.

    Args:
        executor: Runs the jobs.
        programs: Untrusted sources.
        checks: One for each program.
        limits: Of each run; fuel decides, so a score never depends on the machine's load.
        is_partial: Score the share of passed cases, instead of 1.0 for all and 0.0 otherwise.

    Raises:
        SandboxUnavailable: The machinery failed; nothing was scored.
    """
    jobs, counts = _jobs(programs, checks, limits)
    return _scores(executor.run(jobs), checks, counts, is_partial=is_partial)


async def agrade(
    executor: Executor,
    programs: Sequence[str],
    checks: Sequence[Check],
    *,
    limits: Limits | None = None,
    is_partial: bool = False,
) -> list[float]:
    """Score programs without blocking the event loop; see `grade`."""
    jobs, counts = _jobs(programs, checks, limits)
    arun = getattr(executor, "arun", None)
    results = await (arun(jobs) if arun else asyncio.to_thread(executor.run, jobs))
    return _scores(results, checks, counts, is_partial=is_partial)


def _jobs(
    programs: Sequence[str], checks: Sequence[Check], limits: Limits | None
) -> tuple[list[Job], list[int]]:
    jobs: list[Job] = []
    counts: list[int] = []
    for index, (program, check) in enumerate(zip(programs, checks, strict=True)):
        own = _jobs_of(f"{index}", program, check)
        jobs += [replace(job, limits=limits) for job in own] if limits else own
        counts.append(len(own))
    return jobs, counts


def _jobs_of(id_: str, program: str, check: Check) -> list[Job]:
    match check:
        case Tests(source):
            return [Job(id_, program, tests=source)]
        case Stdin(cases):
            return [Job(id_, program, stdin=given, want_stdout=True) for given, _ in cases]
        case Calls(entry, cases):
            calls = tuple(arguments for arguments, _ in cases)
            if not entry.isidentifier():
                raise ValueError(f"entry must be a function's name, got {entry!r}")
            if re.search(r"^class Solution\b", program, re.MULTILINE):
                program += (
                    "\n\ndef entry_of_solution(*args, **named):"
                    f"\n    return Solution().{entry}(*args, **named)\n"
                )
                entry = "entry_of_solution"
            return [Job(id_, program, calls=calls, entry=entry)]


def _scores(
    results: list[JobResult], checks: Sequence[Check], counts: list[int], *, is_partial: bool
) -> list[float]:
    scores: list[float] = []
    rest = iter(results)
    for check, count in zip(checks, counts, strict=True):
        calls = [call for _ in range(count) for call in next(rest).calls]
        passed = _passed(check, calls)
        share = sum(passed) / len(passed)
        scores.append(share if is_partial else float(share == 1.0))
    return scores


def _passed(check: Check, calls: list[CallResult]) -> list[bool]:
    """Tell for each case whether it passed; a program that failed before its calls passed none."""
    match check:
        case Tests():
            return [calls[0].outcome is Outcome.RETURNED]
        case Stdin(cases):
            # The program's output is its answer; how it ends after that is its own affair.
            ended = (Outcome.RETURNED, Outcome.EXITED)
            return [call.outcome in ended and _lines(call.stdout or "") == _lines(expected)
                    for call, (_, expected) in zip(calls, cases, strict=True)]  # fmt: skip
        case Calls(_, cases):
            if len(calls) != len(cases):
                return [False] * len(cases)
            return [call.value is not None and values.equal(call.value, expected)
                    for call, (_, expected) in zip(calls, cases, strict=True)]  # fmt: skip


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.rstrip().splitlines()]
