"""`compute_score` for verl, which loads this file by its path.

    reward.custom_reward_function.path=.../sandbox_wasm/adapters/verl.py
    reward.custom_reward_function.name=compute_score_async
    +reward.custom_reward_function.reward_kwargs.endpoint=tcp://sandbox:5555

verl calls it once a completion, with keywords, from many threads or coroutines and processes.
"""

import os
import threading
from typing import Any

from sandbox_wasm.adapters.grading import Executor, agrade, grade, parse_check, program_of
from sandbox_wasm.client.client import SandboxClient
from sandbox_wasm.grading.checks import Check
from sandbox_wasm.grading.limits import limits_of
from sandbox_wasm.types import Limits, fuel_of_seconds

__all__ = ["compute_score", "compute_score_async"]

FRAMEWORK_KEYWORDS = frozenset(
    ("reward_router_address", "reward_model_tokenizer", "sandbox_fusion_url",
     "concurrent_semaphore", "memory_limit_mb")
)  # fmt: skip
"""What verl's reward loop and reward managers pass beside the four, for other rewards than this."""
LIMITS = ("fuel", "memory_bytes", "output_bytes")
"""`seconds` says the fuel, too."""

_executors: dict[tuple[int, str | None], Executor] = {}
_lock = threading.Lock()


def compute_score(  # noqa: PLR0913 - verl's four, and ours
    data_source: str,  # noqa: ARG001 - verl passes it
    solution_str: str,
    ground_truth: Any,
    extra_info: dict[str, Any] | None = None,  # noqa: ARG001 - verl passes it
    *,
    endpoint: str | None = None,
    is_partial: bool = False,
    comparison: str | None = None,
    **keywords: Any,
) -> float:
    """Score one completion.

    Args:
        data_source: Not used.
        solution_str: The completion.
        ground_truth: See `parse_check`.
        extra_info: Not used.
        endpoint: Of the server (several, comma-separated); None runs a pool in this process.
        is_partial: Score the share of passed tests.
        comparison: `typed`, `livecodebench` or `apps`; None for the form's own rule.
        **keywords: `seconds` or `fuel`, `memory_bytes` and `output_bytes`, as of `Limits`; verl's
            own, which are not used.

    Raises:
        SandboxUnavailable: The machinery failed; nothing was scored.
        TypeError: A keyword of `reward_kwargs` that is none of these.
    """
    check = parse_check(ground_truth, comparison=comparison)
    limits = _limits(check, keywords)
    executor = _executor(endpoint)
    programs = [program_of(solution_str, check)]
    return grade(executor, programs, [check], limits=limits, is_partial=is_partial)[0]


async def compute_score_async(  # noqa: PLR0913 - as above
    data_source: str,  # noqa: ARG001 - verl passes it
    solution_str: str,
    ground_truth: Any,
    extra_info: dict[str, Any] | None = None,  # noqa: ARG001 - verl passes it
    *,
    endpoint: str | None = None,
    is_partial: bool = False,
    comparison: str | None = None,
    **keywords: Any,
) -> float:
    """Score one completion as `compute_score`; many at once travel to the server together."""
    check = parse_check(ground_truth, comparison=comparison)
    limits = _limits(check, keywords)
    executor = _executor(endpoint)
    programs = [program_of(solution_str, check)]
    return (await agrade(executor, programs, [check], limits=limits, is_partial=is_partial))[0]


def _limits(check: Check, keywords: dict[str, Any]) -> Limits | None:
    """The limits that reward_kwargs name, the others as they are without them."""
    unknown = sorted(keywords.keys() - FRAMEWORK_KEYWORDS - {"seconds", *LIMITS})
    if unknown:
        raise TypeError(
            f"reward_kwargs has {', '.join(map(repr, unknown))}; allowed are endpoint, is_partial,"
            f" comparison, seconds, {', '.join(LIMITS)}"
        )
    named = {name: keywords[name] for name in LIMITS if keywords.get(name) is not None}
    if keywords.get("seconds") is not None:
        if "fuel" in named:
            raise ValueError("reward_kwargs has fuel and seconds: give one of them")
        named["fuel"] = fuel_of_seconds(keywords["seconds"])
    if not named:
        return None
    usual = limits_of(check)
    return Limits(**{name: named.get(name, getattr(usual, name)) for name in LIMITS})


def _executor(endpoint: str | None) -> Executor:
    """Make one executor a process and endpoint: verl's workers fork, and a client must not."""
    key = (os.getpid(), endpoint)
    with _lock:
        executor = _executors.get(key)
        if executor is None:
            if endpoint is None:
                from sandbox_wasm.sandbox import Sandbox  # noqa: PLC0415 - loads the native pool

                executor = Sandbox()
            else:
                executor = SandboxClient([url.strip() for url in endpoint.split(",")])
            _executors[key] = executor
        return executor
