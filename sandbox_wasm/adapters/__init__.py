"""Rewards for other trainers: TRL, verl, verifiers. This package imports none of them.

    trl        trl_reward(executor)        f(prompts, completions, **columns) -> list[float]
    verl       compute_score               f(data_source, solution_str, ground_truth, ...) -> dict
    verifiers  verifiers_reward(executor)  async f(completion, answer, info, **kwargs) -> float

A completion that is wrong, malformed or hostile scores 0. A machine that fails raises.
"""

from sandbox_wasm.adapters.grading import (
    Calls,
    Check,
    Comparison,
    Graded,
    Stdin,
    Tests,
    agrade,
    agrade_all,
    grade,
    grade_all,
    parse_check,
    program_of,
    shares_of,
)
from sandbox_wasm.adapters.trl import trl_reward
from sandbox_wasm.adapters.verifiers import ScoringStopped, verifiers_reward

__all__ = [
    "Calls",
    "Check",
    "Comparison",
    "Graded",
    "ScoringStopped",
    "Stdin",
    "Tests",
    "agrade",
    "agrade_all",
    "grade",
    "grade_all",
    "parse_check",
    "program_of",
    "shares_of",
    "trl_reward",
    "verifiers_reward",
]
