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
from sandbox_wasm.client import SandboxClient

__all__ = ["compute_score", "compute_score_async"]

_executors: dict[tuple[int, str | None], Executor] = {}
_lock = threading.Lock()


def compute_score(
    data_source: str,  # noqa: ARG001 - verl passes it
    solution_str: str,
    ground_truth: Any,
    extra_info: dict[str, Any] | None = None,  # noqa: ARG001 - verl passes it
    *,
    endpoint: str | None = None,
    is_partial: bool = False,
    **_: Any,
) -> float:
    """Score one completion.

    Args:
        data_source: Not used.
        solution_str: The completion.
        ground_truth: See `parse_check`.
        extra_info: Not used.
        endpoint: Of the server (several, comma-separated); None runs a pool in this process.
        is_partial: Score the share of passed cases.

    Raises:
        SandboxUnavailable: The machinery failed; nothing was scored.
    """
    check = parse_check(ground_truth)
    executor = _executor(endpoint)
    return grade(executor, [program_of(solution_str)], [check], is_partial=is_partial)[0]


async def compute_score_async(
    data_source: str,  # noqa: ARG001 - verl passes it
    solution_str: str,
    ground_truth: Any,
    extra_info: dict[str, Any] | None = None,  # noqa: ARG001 - verl passes it
    *,
    endpoint: str | None = None,
    is_partial: bool = False,
    **_: Any,
) -> float:
    """Score one completion; many at once travel to the server together."""
    check = parse_check(ground_truth)
    executor = _executor(endpoint)
    scores = await agrade(executor, [program_of(solution_str)], [check], is_partial=is_partial)
    return scores[0]


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
