"""Summaries of a mode's stored tasks. They are derived from the buffers and never stored apart.

So a run that was killed and resumed finds the same history as its buffers.
"""

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from azr.config.rewards import NoveltyConfig
from azr.game.rewards.intrinsic import Frequencies
from azr.game.rewards.memory import Memory
from azr.game.rewards.novelty import Precedents, copy_key
from azr.ports import Buffers
from azr.types import Mode, Profile, Task

__all__ = ["History", "ModeHistory"]

Profiles = Callable[[Sequence[str]], Awaitable[Sequence[Profile | None]]]


@dataclass(slots=True)
class ModeHistory:
    """A summary of one mode's tasks."""

    num_tasks: int = 0
    inputs: Frequencies = field(default_factory=Frequencies)
    outputs: Frequencies = field(default_factory=Frequencies)
    past: Precedents = field(default_factory=Precedents)
    memory: Memory = field(default_factory=Memory)
    """Of programs that have a profile; empty unless a run pays for likeness to it."""

    def count(self, task: Task) -> None:
        """Count the cases of one more task."""
        self.num_tasks += 1
        for case in task.cases:
            self.inputs.add(case.input)
            self.outputs.add(case.output)


class History:
    """The history of every mode; it catches up with the buffers when told to."""

    def __init__(self, buffers: Buffers, profiles: Profiles, config: NoveltyConfig) -> None:
        self._buffers = buffers
        self._profiles = profiles
        self._config = config
        self._of = dict[Mode, ModeHistory]()
        self.start_over()

    def of(self, mode: Mode) -> ModeHistory:
        """Return a mode's history as of the last `catch_up`."""
        return self._of[mode]

    def start_over(self) -> None:
        """Forget all: the buffers have lost tasks other than their newest."""
        self._of = {mode: ModeHistory() for mode in Mode}

    async def catch_up(self, before: int | None = None) -> None:
        """Take in new tasks of the buffers; start over if they have lost some (a rewind).

        Those born at step `before` or later are left for another time; None = there are none.
        """
        for mode in Mode:
            if self._buffers.count(mode) < self._of[mode].num_tasks:
                self._of[mode] = ModeHistory()
            known = self._of[mode]
            new = [
                task
                for task in self._buffers.tasks(mode, known.num_tasks)
                if before is None or task.born_step < before
            ]
            profiles = await self._profiles_of_last(new)
            for task, profile in zip(new, profiles, strict=True):
                known.count(task)
                known.past.copies[copy_key(task, profile)] += 1
                if self._config.remembers and profile is not None:
                    known.memory.add(profile)
            recent = [*known.past.recent, *profiles]
            known.past.recent = deque(recent, maxlen=self._config.window)

    async def _profiles_of_last(self, tasks: Sequence[Task]) -> list[Profile | None]:
        """Profiles of as many of the tasks as some rule asks for, the newest; None for others."""
        config = self._config
        wanted = config.window if config.min_distance > 0 else 0
        wanted = len(tasks) if config.needs_structures else min(wanted, len(tasks))
        old = len(tasks) - wanted
        profiles = await self._profiles([task.own_program for task in tasks[old:]])
        return [*[None] * old, *profiles]
