"""What is in the buffers, in numbers: how many tasks and programs, and of which types their values.

Counted as tasks come, never by going through all of them again. Types are read off a canonical
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
    """Of one mode's tasks, those included that can no longer be drawn."""

    size: int = 0
    programs: set[bytes] = field(default_factory=set[bytes])
    """Hashes of the different programs."""
    types: Counter[str] = field(default_factory=Counter[str])
    """Outputs by type; an induction task has several."""

    def count(self, task: Task) -> None:
        """Take in one task."""
        self.size += 1
        text = task.program.encode("utf-8", "surrogatepass")
        self.programs.add(blake2b(text, digest_size=8).digest())
        self.types.update(literal_type(case.output) for case in task.cases)

    def as_metrics(self, mode: Mode) -> dict[str, float]:
        """buffer/<mode>/{size,distinct_programs} and buffer/<mode>/type/<type>."""
        name = f"buffer/{mode}"
        return {
            f"{name}/size": self.size,
            f"{name}/distinct_programs": len(self.programs),
            **{f"{name}/type/{kind}": number for kind, number in sorted(self.types.items())},
        }
