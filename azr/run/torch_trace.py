"""A look into chosen steps: torch.profiler over the update, as a file for ui.perfetto.dev.

    runs/NAME/profile/step_N.json.gz

It begins when the step's rollouts are there and ends when the engine has the new weights. Play is
left out: on a GPU all kernels of a process are traced, and sampling starts millions. The ranges
are those the learner and the policy name (azr/update, azr/forward, azr/adopt, ...), below them
torch's own. A process looks at itself: of a run of several the leader's part is seen.
"""

from collections.abc import Collection, Generator
from contextlib import contextmanager
from pathlib import Path

from torch.profiler import profile, supported_activities

from azr.atomic_write import whole

__all__ = ["StepProfiler"]


class StepProfiler:
    """Writes a trace of each of the steps into the folder."""

    def __init__(self, folder: Path, steps: Collection[int]) -> None:
        self._folder = folder
        self._steps = frozenset(steps)

    @contextmanager
    def over(self, step: int) -> Generator[None]:
        """Around what is to be seen of a step; nothing happens if it is not one of them.

        A body that fails leaves no trace.

        Raises:
            CheckpointError: The disk is full or gone.
        """
        if step not in self._steps:
            yield
            return
        with profile(activities=supported_activities(), record_shapes=True) as seen:
            yield
        file = self._folder / f"step_{step}.json.gz"
        with whole(file, ".{}") as partial:  # its ending tells torch to compress
            seen.export_chrome_trace(str(partial))
