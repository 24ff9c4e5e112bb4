"""The part of the buffers from which prompts are made."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from azr.types import Mode, Task

if TYPE_CHECKING:
    from azr.game.tasks.buffers import TaskBuffers

__all__ = ["View"]


@dataclass(frozen=True, slots=True)
class View:
    """The buffers as a proposer sees them: weighted, and as they were before a step."""

    buffers: "TaskBuffers"
    sampling: str
    before: int | None

    def references(self, mode: Mode, n: int, seed: int) -> list[Task]:
        """Draw up to `n` different tasks."""
        return self.buffers.references(mode, n, seed, self.sampling, self.before)

    def program(self, modes: Sequence[Mode], seed: int) -> Task:
        """Draw a task whose program another mode's proposer is shown."""
        return self.buffers.program(modes, seed, self.sampling, self.before)

    def draw(self, mode: Mode, seed: int) -> Task:
        """Draw one task uniformly, for a solver that has no other task."""
        return self.buffers.draw(mode, seed, self.before)
