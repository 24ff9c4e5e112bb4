"""How the curriculum grows and decays, told at each step of a run that is being trained.

The figures are the report's own (azr.report.growth, azr.report.html.decay) as it would give them if
the run ended now. So the step of decay may come, go and move: what fell may rise again.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from time import monotonic
from typing import Any, Self

from azr.records.rollouts import read_rollouts
from azr.records.run_folder import rollout_files
from azr.report.growth import Growth
from azr.report.html.decay import DEATH, fall_of

__all__ = ["Curriculum"]

Record = Mapping[str, Any]
FRESH = DEATH.removesuffix("*")
PATIENCE_S = 2.0
"""So long nothing is said while a run's rollouts are read."""


class Curriculum:
    """What a run's rollouts say about its tasks, step by step, oldest first."""

    def __init__(self) -> None:
        self._growth = Growth()
        self._steps: list[int] = []
        self._fresh: list[float] = []
        """New learnable tasks of these steps, all modes together."""

    @classmethod
    def of(cls, folder: Path, tell: Callable[[str], None] = lambda _: None) -> Self:
        """Read the steps that a resumed run has behind it; a new run has none.

        Args:
            folder: The run's.
            tell: Called with a line of progress every two seconds.

        Raises:
            CheckpointError: They are of a later version of azr.
        """
        curriculum, files, told = cls(), rollout_files(folder), monotonic()
        for done, (step, file) in enumerate(files.items()):
            if monotonic() - told >= PATIENCE_S:
                told = monotonic()
                tell(f"reading stored rollouts: {done} of {len(files)} steps")
            curriculum.metrics(step, read_rollouts(file))
        return curriculum

    def metrics(self, step: int, records: Iterable[Record]) -> dict[str, float]:
        """Take one more step; return its `curriculum/...` and `decay/...`."""
        self._growth.take(step, records)
        metrics = self._growth.metrics(step)
        fresh = [value for name, value in metrics.items() if name.startswith(FRESH)]
        if fresh:
            self._steps.append(step)
            self._fresh.append(sum(fresh))
        return metrics | decay_metrics(self._steps, self._fresh)


def decay_metrics(steps: Sequence[int], fresh: Sequence[float]) -> dict[str, float]:
    """The decay of new learnable tasks up to now; what cannot be told is left out."""
    if not any(fresh):
        return {}
    fall = fall_of(DEATH, steps, fresh)
    figures = {"left": fall.last / fall.best, "step": fall.step, "half_life": fall.half_life}
    return {f"decay/{name}": float(value) for name, value in figures.items() if value is not None}
