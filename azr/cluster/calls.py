"""Calls to actors that are waited for together: with a limit, and an error that says of whom.

Functions here block; coroutines call them in a thread.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# (torch, transformers and vllm are typed in part)

import time
from collections.abc import Mapping
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError

from azr.errors import AzrError, WorkerLost, one_line

__all__ = ["all_answers", "cause_of", "is_told", "lost", "outcomes"]

GRACE_S = 20.0
"""After the first failure the others have so long: most failures take their peers along."""


def outcomes(
    calls: Mapping[str, Any], timeout_s: float, grace_s: float = GRACE_S
) -> dict[str, Any]:
    """What became of each call, by the name of whom it was made to: its answer, or its exception.

    Who has not answered in time has a `WorkerLost`. After a failure that time is `grace_s`.
    """
    found: dict[str, Any] = {}
    names = {call: name for name, call in calls.items()}
    deadline = time.monotonic() + timeout_s
    while names:
        left_s = max(0.0, deadline - time.monotonic())
        done, _ = ray.wait(list(names), num_returns=1, timeout=left_s)
        if not done:
            late = WorkerLost(f"no answer within {timeout_s:g} s (cluster.timeout_s)")
            return {**found, **dict.fromkeys(names.values(), late)}
        name = names.pop(done[0])
        try:
            found[name] = ray.get(done[0])
        except RayError as error:
            found[name] = cause_of(error)
            deadline = min(deadline, time.monotonic() + grace_s)
    return found


def all_answers(calls: Mapping[str, Any], timeout_s: float) -> dict[str, Any]:
    """What all of them answer.

    Raises:
        AzrError: What one raised that can go on, where all raised it or one alone was called.
        WorkerLost: One is gone, failed or is silent; the message names it.
    """
    found = outcomes(calls, timeout_s)
    failed = {name: answer for name, answer in found.items() if isinstance(answer, Exception)}
    if not failed:
        return found
    told = [error for error in failed.values() if is_told(error)]
    if len(told) == len(calls):
        raise told[0]
    # who is gone explains more than who noticed it
    name, error = min(failed.items(), key=lambda pair: (not isinstance(pair[1], RayError), pair[0]))
    raise lost(name, error) from error


def is_told(error: Exception) -> bool:
    """Whether an actor said on purpose what is wrong, and is as it was before."""
    return isinstance(error, AzrError) and not isinstance(error, WorkerLost)


def lost(name: str, error: Exception) -> WorkerLost:
    """The error of a run that has lost this one."""
    if isinstance(error, WorkerLost):
        return WorkerLost(f"{name}: {error}")
    how = "is gone" if isinstance(error, RayError) else "failed"
    return WorkerLost(f"{name} {how}: {one_line(error)}")


def cause_of(error: RayError) -> Exception:
    """What was raised in the actor; of an actor that is gone Ray's own error."""
    cause: object = getattr(error, "cause", None)
    return cause if isinstance(error, RayTaskError) and isinstance(cause, Exception) else error
