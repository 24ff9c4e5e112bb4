"""A reward function for TRL's trainers: `GRPOTrainer(reward_funcs=[trl_reward(executor)], ...)`."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sandbox_wasm.adapters.grading import (
    Check,
    Executor,
    Graded,
    grade_all,
    parse_check,
    program_of,
    shares_of,
)
from sandbox_wasm.grading.checks import Comparison
from sandbox_wasm.types import Limits

__all__ = ["trl_reward"]


def trl_reward(  # noqa: PLR0913 - each has a default
    executor: Executor,
    *,
    column: str | Sequence[str] = "ground_truth",
    name: str = "sandbox_reward",
    limits: Limits | None = None,
    is_partial: bool = False,
    comparison: Comparison | str | None = None,
    packages: Iterable[str] = (),
) -> Callable[..., list[float]]:
    """Make a reward function over the data set's `column` of checks (see `parse_check`).

    Args:
        executor: A `Sandbox` or a `SandboxClient`.
        column: The column that holds the checks; TRL passes every column of the data set by name.
            Some forms need several columns, which together make one row (`("test", "entry_point",
            "prompt")`).
        name: What TRL calls the reward in its logs.
        limits: The limits of each run. None gives what right programs of public data sets need.
        is_partial: Score the share of passed tests.
        comparison: `typed`, `lcb`, `apps` or `fusion`; None for the rule of the check's own form.
        packages: Third-party packages that programs may import; the executor must have loaded them.

    If TRL allows it, the function logs the share of each ending (`shares_of`) as a metric, and each
    completion's ending as a column of TRL's table.
    """
    packages = frozenset(packages)
    names = [column] if isinstance(column, str) else list(column)

    def reward(
        prompts: Sequence[object],
        completions: Sequence[object],
        log_extra: Callable[[str, list[str]], object] | None = None,
        log_metric: Callable[[str, float], object] | None = None,
        **columns: Any,
    ) -> list[float]:
        rows = rows_of({"prompt": prompts, "prompts": prompts, **columns}, names, len(completions))
        checks = [check_of(row, index, comparison) for index, row in enumerate(rows)]
        programs = list(map(program_of, completions, checks))
        graded = grade_all(
            executor, programs, checks, limits=limits, is_partial=is_partial, packages=packages
        )
        log(name, graded, log_extra, log_metric)
        return [one.score for one in graded]

    reward.__name__ = reward.__qualname__ = name
    return reward


def log(
    name: str,
    graded: Sequence[Graded],
    log_extra: Callable[[str, list[str]], object] | None,
    log_metric: Callable[[str, float], object] | None,
) -> None:
    """Tell TRL how the completions ended."""
    if log_extra:
        log_extra(f"{name}_ending", [one.ending for one in graded])
    if log_metric:
        for ending, share in shares_of(graded).items():
            log_metric(f"{name}/{ending}", share)


def rows_of(columns: Mapping[str, Any], names: Sequence[str], num_rows: int) -> list[Any]:
    """Return a ground truth per completion: the column's value, or an object of several columns."""
    for name in names:
        if name not in columns:
            known = sorted(columns.keys() - {"prompt", "prompts"})
            raise ValueError(f"the data set has no column {name!r}, only {known}")
        if len(columns[name]) != num_rows:
            raise ValueError(f"column {name!r} has {len(columns[name])} rows for {num_rows}")
    if len(names) == 1:
        return list(columns[names[0]])
    return [{name: columns[name][index] for name in names} for index in range(num_rows)]


def check_of(truth: object, index: int, comparison: Comparison | str | None) -> Check:
    """Read the check of one row; an error names the row."""
    try:
        return parse_check(truth, comparison=comparison)
    except ValueError as error:
        raise ValueError(f"row {index} of the batch: {error}") from error
