"""`compute_score` for verl, which loads this file by its path.

    reward.custom_reward_function.path=.../sandbox_wasm/adapters/verl.py
    reward.custom_reward_function.name=compute_score_async
    +reward.custom_reward_function.reward_kwargs.endpoint=tcp://sandbox:5555

verl calls it once per completion, with keywords, from many threads, coroutines and processes.
"""

import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from sandbox_wasm.adapters.grading import (
    Executor,
    Graded,
    agrade_all,
    grade_all,
    parse_check,
    program_of,
)
from sandbox_wasm.client.client import SandboxClient
from sandbox_wasm.grading.checks import Check
from sandbox_wasm.grading.limits import limits_of
from sandbox_wasm.types import Limits, fuel_of_seconds

__all__ = ["compute_score", "compute_score_async"]

FRAMEWORK_KEYWORDS = frozenset(
    ("reward_router_address", "reward_model_tokenizer", "sandbox_fusion_url",
     "concurrent_semaphore", "memory_limit_mb")
)  # fmt: skip
"""Keywords that verl's reward loop and reward managers pass for other rewards than this one."""
LIMITS = ("fuel", "memory_bytes", "output_bytes")
"""Names of limits; `seconds` also sets the fuel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The keys of `reward_kwargs`, besides the limits."""

    endpoint: str | None = None
    """The server (or several, separated by commas); with None a pool runs in this process."""
    is_partial: bool = False
    """Score the share of passed tests."""
    comparison: str | None = None
    """`typed`, `lcb`, `apps` or `fusion`; None for the rule of the check's own form."""
    packages: Sequence[str] = ()
    """Third-party packages that programs may import; the server must have loaded them."""


OPTIONS = tuple(field.name for field in fields(Options))
_executors: dict[tuple[object, ...], Executor] = {}
_lock = threading.Lock()


def compute_score(
    data_source: str,  # noqa: ARG001 - verl passes it
    solution_str: str,
    ground_truth: Any,
    extra_info: dict[str, Any] | None = None,  # noqa: ARG001 - verl passes it
    **keywords: Any,
) -> dict[str, Any]:
    """Score one completion.

    Args:
        data_source: Not used.
        solution_str: The completion.
        ground_truth: See `parse_check`.
        extra_info: Not used.
        **keywords: The keys of `Options` and `Limits`. Those that verl itself passes are ignored.

    Returns:
        `score`, on which verl trains. For verl's logs: `passed` of `tests` (a test that was not run
        has not passed), `ending` (one of `ENDINGS`), and `error`, why the first test failed.

    Raises:
        SandboxUnavailable: The machinery failed; nothing was scored.
        TypeError: `reward_kwargs` has an unknown keyword.
    """
    check, executor, grading = _prepared(ground_truth, keywords)
    return _row(grade_all(executor, [program_of(solution_str, check)], [check], **grading))


async def compute_score_async(
    data_source: str,  # noqa: ARG001 - verl passes it
    solution_str: str,
    ground_truth: Any,
    extra_info: dict[str, Any] | None = None,  # noqa: ARG001 - verl passes it
    **keywords: Any,
) -> dict[str, Any]:
    """Score one completion as `compute_score` does; concurrent calls travel together."""
    check, executor, grading = _prepared(ground_truth, keywords)
    programs = [program_of(solution_str, check)]
    return _row(await agrade_all(executor, programs, [check], **grading))


def _prepared(truth: Any, keywords: dict[str, Any]) -> tuple[Check, Executor, dict[str, Any]]:
    """The check, what runs it, and how to grade."""
    unknown = sorted(keywords.keys() - FRAMEWORK_KEYWORDS - {*OPTIONS, "seconds", *LIMITS})
    if unknown:
        raise TypeError(
            f"reward_kwargs has {', '.join(map(repr, unknown))}; allowed are"
            f" {', '.join(OPTIONS)}, seconds, {', '.join(LIMITS)}"
        )
    options = Options(
        **{name: keywords[name] for name in OPTIONS if keywords.get(name) is not None}
    )
    check = parse_check(truth, comparison=options.comparison)
    limits = _limits(check, keywords)
    executor = _executor(options)
    grading: dict[str, Any] = {
        "limits": limits,
        "is_partial": options.is_partial,
        "packages": getattr(executor, "packages", options.packages),  # a wheel's modules
    }
    return check, executor, grading


def _row(graded: Sequence[Graded]) -> dict[str, Any]:
    """What verl keeps of a completion: the same keys and types for each."""
    [one] = graded
    return {
        "score": one.score,
        "passed": sum(one.passed),
        "tests": one.num_tests,
        "ending": one.ending,
        "error": one.first_error or "",
    }


def _limits(check: Check, keywords: dict[str, Any]) -> Limits | None:
    """The limits that reward_kwargs name, the others as they are without them."""
    named = {name: keywords[name] for name in LIMITS if keywords.get(name) is not None}
    if keywords.get("seconds") is not None:
        if "fuel" in named:
            raise ValueError("reward_kwargs has fuel and seconds: give one of them")
        named["fuel"] = fuel_of_seconds(keywords["seconds"])
    if not named:
        return None
    usual = limits_of(check)
    return Limits(**{name: named.get(name, getattr(usual, name)) for name in LIMITS})


def _executor(options: Options) -> Executor:
    """Make one executor a process and endpoint: verl's workers fork, and a client must not."""
    key = (os.getpid(), options.endpoint, None if options.endpoint else frozenset(options.packages))
    with _lock:
        if key not in _executors:
            _executors[key] = _opened(options)
        return _executors[key]


def _opened(options: Options) -> Executor:
    if options.endpoint is not None:
        return SandboxClient([url.strip() for url in options.endpoint.split(",")])
    from sandbox_wasm.sandbox import Sandbox  # noqa: PLC0415 - loads the native pool

    return Sandbox(packages=options.packages)
