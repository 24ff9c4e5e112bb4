"""The loop: ask, read, grade, write down. Many attempts run at once, and each is made once.

Every attempt's seed is a function of (suite, item, seed, index). So an evaluation that was killed
continues with the attempts that an uninterrupted one would have made.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from azr.errors import ConfigError
from azr.evaluation.grading.graders import Grader
from azr.evaluation.ledger import Ledger
from azr.evaluation.suites.data import SuiteData
from azr.evaluation.suites.items import Attempt, Item, Mark, Status
from azr.evaluation.template import Template
from azr.gather import all_or_nothing
from azr.ports import Policy
from azr.seeds import derive_seed
from azr.types import Prompt

__all__ = ["Examiner", "Plan", "attempt_suite"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a model is examined; the same for every suite."""

    template: Template
    temperature: float = 0.0
    """0 is greedy."""
    samples: int = 1
    """Attempts at each item with each seed."""
    seeds: tuple[int, ...] = (0,)
    max_tokens: int = 2048
    """Longest completion."""

    def __post_init__(self) -> None:
        """Refuse values that make no sense."""
        if not 0 <= self.temperature < math.inf:
            raise ConfigError(
                f"--temperature must be a finite number, at least 0, got {self.temperature}"
            )
        if self.samples < 1:
            raise ConfigError(f"--samples must be at least 1, got {self.samples}")
        if not self.seeds or len(set(self.seeds)) != len(self.seeds):
            raise ConfigError(f"--seeds must be different numbers, got {list(self.seeds)}")
        if self.max_tokens < 1:
            raise ConfigError(f"--max-tokens must be at least 1, got {self.max_tokens}")
        if self.temperature == 0 and self.attempts > 1:
            raise ConfigError(
                "--temperature must be above 0 with several samples or seeds:"
                " greedy completions of an item are all alike"
            )

    @property
    def attempts(self) -> int:
        """Attempts at each item."""
        return self.samples * len(self.seeds)

    def keys(self, item: Item) -> Iterator[tuple[str, int, int]]:
        """Return the keys of the attempts at an item."""
        for seed in self.seeds:
            for index in range(self.samples):
                yield item.id, seed, index


@dataclass(frozen=True, slots=True, kw_only=True)
class Examiner:
    """The policy that is asked and the graders that decide."""

    policy: Policy
    grader: Grader
    count_tokens: Callable[[str], int]
    max_prompt_tokens: int
    max_concurrent: int = 256
    """Attempts at the same time: enough to keep the engine full while others are graded."""


async def attempt_suite(
    data: SuiteData,
    plan: Plan,
    examiner: Examiner,
    ledger: Ledger,
    watch: Callable[[Attempt], None] = lambda _: None,
) -> None:
    """Make every attempt that the ledger does not hold yet.

    Raises:
        ExecutorUnavailable: The machinery failed; the ledger holds what was done before.
    """
    open_keys = ((item, key) for item in data.items for key in plan.keys(item) if key not in ledger)

    async def work() -> None:
        for item, (_, seed, index) in open_keys:  # shared: each takes the next one
            attempt = await attempt_item(data, item, (seed, index), plan, examiner)
            ledger.add(attempt)
            watch(attempt)

    await all_or_nothing([work() for _ in range(examiner.max_concurrent)])


async def attempt_item(
    data: SuiteData, item: Item, draw: tuple[int, int], plan: Plan, examiner: Examiner
) -> Attempt:
    """Make one attempt, from the prompt to the mark."""
    seed, index = draw
    prompt = plan.template.ask(
        item,
        seed=derive_seed("evaluation", data.suite.name, item.id, seed, index),
        temperature=plan.temperature,
        max_tokens=plan.max_tokens,
    )
    if examiner.count_tokens(prompt.text + prompt.prefill) > examiner.max_prompt_tokens:
        mark = Mark(status=Status.PROMPT_TOO_LONG)
        return Attempt(item=item.id, seed=seed, index=index, completion="", answer=None, mark=mark)
    return await complete(item, draw, prompt, plan.template, examiner)


async def complete(
    item: Item, draw: tuple[int, int], prompt: Prompt, template: Template, examiner: Examiner
) -> Attempt:
    """Sample, read, grade."""
    rollout = await examiner.policy.sample(prompt)
    answer = template.answer_in(item, rollout)
    if answer is None:
        reason = "truncated" if rollout.truncated else ""
        mark = Mark(status=Status.NO_ANSWER, reason=reason)
    else:
        mark = await examiner.grader.grade(item, answer)
    return Attempt(
        item=item.id,
        seed=draw[0],
        index=draw[1],
        completion=rollout.completion,
        answer=answer,
        mark=mark,
        truncated=rollout.truncated,
        prompt_tokens=len(rollout.prompt_ids),
        completion_tokens=len(rollout.completion_ids),
    )
