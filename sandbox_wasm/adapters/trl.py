"""A reward function for TRL's trainers: `GRPOTrainer(reward_funcs=[trl_reward(executor)], ...)`."""

from collections.abc import Callable, Sequence
from typing import Any

from sandbox_wasm.adapters.grading import Executor, grade, parse_check, program_of
from sandbox_wasm.types import Limits

__all__ = ["trl_reward"]


def trl_reward(
    executor: Executor,
    *,
    column: str = "ground_truth",
    name: str = "sandbox_reward",
    limits: Limits | None = None,
    is_partial: bool = False,
) -> Callable[..., list[float]]:
    """Make a reward function over the data set's `column` of checks (see `parse_check`).

    Args:
        executor: A `Sandbox` or a `SandboxClient`.
        column: TRL passes every column of the data set by name; this one holds the checks.
        name: What TRL calls the reward in its logs.
        limits: Of each run.
        is_partial: Score the share of passed cases.
    """

    def reward(
        prompts: Sequence[object],  # noqa: ARG001 - TRL passes it
        completions: Sequence[object],
        **columns: Any,
    ) -> list[float]:
        if column not in columns:
            raise ValueError(f"the data set has no column {column!r}, only {sorted(columns)}")
        checks = [parse_check(truth) for truth in columns[column]]
        programs = [program_of(completion) for completion in completions]
        return grade(executor, programs, checks, limits=limits, is_partial=is_partial)

    reward.__name__ = reward.__qualname__ = name
    return reward
