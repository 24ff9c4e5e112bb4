"""A reward function for a verifiers rubric: `vf.Rubric(funcs=[verifiers_reward(executor)])`."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from sandbox_wasm.adapters.grading import Executor, agrade, parse_check, program_of
from sandbox_wasm.errors import SandboxError
from sandbox_wasm.grading.checks import Comparison
from sandbox_wasm.types import Limits

__all__ = ["ScoringStopped", "verifiers_reward"]


class ScoringStopped(BaseException):
    """The machine failed, so there is no score.

    This is deliberately not an Exception: a rubric turns every Exception of a reward function into
    a reward of 0.0, and a broken executor must not train a model.
    """


def verifiers_reward(
    executor: Executor,
    *,
    name: str = "sandbox_reward",
    limits: Limits | None = None,
    is_partial: bool = False,
    comparison: Comparison | str | None = None,
    packages: Iterable[str] = (),
) -> Callable[..., Awaitable[float]]:
    """Make a reward function over `answer`, or over `info` if there is no answer.

    A rubric passes what the function asks for by name, so the parameters must have these names.

    Args:
        executor: A `SandboxClient`, or a `Sandbox` (which then runs in a thread).
        name: What the rubric calls the reward in its metrics.
        limits: The limits of each run. None gives what right programs of public data sets need.
        is_partial: Score the share of passed tests.
        comparison: `typed`, `lcb`, `apps` or `fusion`; None for the rule of the check's own form.
        packages: Third-party packages that programs may import; the executor must have loaded them.
    """
    packages = frozenset(packages)

    async def reward(completion: Any, answer: Any = None, info: Any = None, **_: Any) -> float:
        try:
            check = parse_check(answer or info, comparison=comparison)
            scores = await agrade(
                executor,
                [program_of(completion, check)],
                [check],
                limits=limits,
                is_partial=is_partial,
                packages=packages,
            )
        except (SandboxError, ValueError) as exc:
            raise ScoringStopped(str(exc)) from exc
        return scores[0]

    reward.__name__ = reward.__qualname__ = name
    return reward
