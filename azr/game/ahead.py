"""Steps that are played while earlier ones are learned from, by rollout.max_staleness = k.

Steps begin in their order and are handed out in their order. While a step is awaited or learned
from, the next k are under way. So when step s is learned from, with the weights of version s - 1,
its oldest token was sampled from version s - 1 - k.

What a step sees does not depend on how fast others are: of the tasks born in the last k steps none
(azr.game.schedule.horizon), whether or not they are stored by now. With k = 0 nothing is ahead, and
a step is played when it is asked for.
"""

import asyncio
import time
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from statistics import fmean
from typing import Self, TypeVar, TypeVarTuple

from azr.game.selfplay import Played, play, play_step, settle
from azr.game.table import Table
from azr.ports import Sampler
from azr.types import Experience, Prompt, Rollout

__all__ = ["Ahead", "staleness"]

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")


@dataclass(frozen=True, slots=True)
class InTurn:
    """The sampler as a step asks it: what older steps ask goes first."""

    sampler: Sampler
    step: int

    async def sample(self, prompt: Prompt) -> Rollout:
        """Complete the prompt once."""
        return await self.sampler.sample(replace(prompt, priority=self.step))


@dataclass(slots=True, eq=False)
class UnderWay:
    """A step that is played."""

    step: int
    table: Table
    started: float = field(default_factory=time.perf_counter)
    ended: float = 0.0
    play: asyncio.Task[Played] = field(init=False)

    def __post_init__(self) -> None:
        self.play = asyncio.create_task(self._play())

    async def _play(self) -> Played:
        played = await play(self.table, self.step)
        self.ended = time.perf_counter()
        return played


class Ahead:
    """The steps of a run from `first_step` on; leaving the context cancels what is under way."""

    def __init__(self, table: Table, first_step: int) -> None:
        self._table = table
        self._staleness = table.config.rollout.max_staleness
        self._current = self._last = first_step - 1
        self._plays: deque[UnderWay] = deque()
        self._early: defaultdict[int, list[Experience]] = defaultdict(list)
        """Experiences of later steps, which nobody has been shown."""
        # A step begins when the one before the last k + 1 is learned from: each has its own.
        more = range(self._staleness)
        self._appraisers = [table.appraiser, *(table.appraiser.another() for _ in more)]
        self._threads = ThreadPoolExecutor(1, "azr-learner") if self._staleness else None
        self.figures: Mapping[str, float] = {}
        """Metrics of the last step that was handed out."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        plays = [one.play for one in self._plays]
        for play_ in plays:
            play_.cancel()
        await asyncio.gather(*plays, return_exceptions=True)
        if self._threads is not None:
            self._threads.shutdown()

    async def experiences(self, step: int) -> list[Experience]:
        """Return what the step is learned from, when it is played; steps are asked for in order.

        Cancelling ends the step's play.
        """
        if not self._staleness:
            found = await play_step(self._table, step)
            self.figures = staleness(found, step)
            return found
        self._begin(min(step + self._staleness, self._table.config.steps))
        self._current = step
        for experience in self._early.pop(step, ()):
            self._table.watch(experience)
        one = self._plays[0]
        played = await one.play
        self._plays.popleft()
        found = await settle(one.table, step, played)
        times = {
            "ahead/play_s": one.ended - one.started,
            "ahead/ready_s": time.perf_counter() - one.ended,
        }
        self.figures = {**staleness(found, step), **times}
        return found

    async def beside(self, work: Callable[[*Arguments], T], *arguments: *Arguments) -> T:
        """Do this while later steps are played: in a thread. Without such steps do it at once.

        What the work touches must not be touched by a play: weights are not, buffers are.
        """
        if self._threads is None:
            return work(*arguments)
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)

    def _begin(self, last: int) -> None:
        """Let all steps up to the last begin that have not."""
        for step in range(self._last + 1, last + 1):
            table = replace(
                self._table,
                policy=InTurn(self._table.policy, step),
                appraiser=self._appraisers[step % len(self._appraisers)],
                watch=partial(self._watch, step),
                before=max(1, step - self._staleness),
            )
            self._plays.append(UnderWay(step, table))
        self._last = max(self._last, last)

    def _watch(self, step: int, experience: Experience) -> None:
        """Show an experience when its step is the one that is awaited."""
        if step == self._current:
            self._table.watch(experience)
        else:
            self._early[step].append(experience)


def staleness(experiences: Sequence[Experience], step: int) -> dict[str, float]:
    """How many updates older than the learner's weights those were that sampled a token."""
    behind = [
        step - 1 - version
        for rollout in (one.rollout for one in experiences)
        for version in rollout.versions or [rollout.policy_version] * len(rollout.completion_ids)
    ]
    return {"staleness/mean": fmean(behind), "staleness/max": max(behind)} if behind else {}
