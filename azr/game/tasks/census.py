"""Counts of the buffers' content: tasks, programs, and types of values.

Tasks are counted as they come, never by reading all of them again. Types are read from a canonical
literal's first characters; nothing is evaluated. (AZR's code: the type counters of DatasetManager)
"""

from collections import Counter
from dataclasses import dataclass, field
from hashlib import blake2b

from azr.game.tasks.literal_types import literal_type
from azr.types import Mode, Task

__all__ = ["Census"]


@dataclass(slots=True)
class Census:
    """Counts of one mode's tasks, including those that can no longer be drawn."""

    size: int = 0
    programs: set[bytes] = field(default_factory=set[bytes])
    """Hashes of the different programs."""
    types: Counter[str] = field(default_factory=Counter[str])
    """Outputs by type; an induction task has several outputs."""

    def count(self, task: Task) -> None:
        """Count one task."""
        self.size += 1
        text = task.program.encode("utf-8", "surrogatepass")
        self.programs.add(blake2b(text, digest_size=8).digest())
        self.types.update(literal_type(case.output) for case in task.cases)

    def as_metrics(self, mode: Mode) -> dict[str, float]:
        """Return buffer/<mode>/{size,distinct_programs} and buffer/<mode>/type/<type>."""
        name = f"buffer/{mode}"
        return {
            f"{name}/size": self.size,
            f"{name}/distinct_programs": len(self.programs),
            **{f"{name}/type/{kind}": number for kind, number in sorted(self.types.items())},
        }
