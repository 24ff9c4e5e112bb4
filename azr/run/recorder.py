"""What survives a step: its rollouts, its metrics, and a checkpoint when one is due.

The order is the promise: rollouts, then the metrics line, then the checkpoint. A resume goes
back to the newest checkpoint and drops what was written after it, so nothing is lost that a
checkpoint knew of, and nothing is kept twice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from azr.config.run import RunConfig
from azr.game.judge.judge import SandboxJudge
from azr.game.tasks.buffers import TaskBuffers
from azr.models.checkpoint import Saveable, save_checkpoint
from azr.records.metrics import step_metrics
from azr.records.rollouts import rollout_records
from azr.records.run_folder import RunFolder
from azr.records.sinks import MetricsWriter
from azr.report.curriculum import Curriculum
from azr.rollout.asking import AskingPolicy
from azr.run.display import Display
from azr.run.new_tasks import drawn_tasks, task_text
from azr.seeds import derive_seed
from azr.types import Experience

__all__ = ["RunRecorder"]


@dataclass(slots=True, kw_only=True)
class RunRecorder:
    """ports.Recorder over a run folder."""

    config: RunConfig
    folder: RunFolder
    writer: MetricsWriter
    display: Display
    learner: Saveable
    buffers: TaskBuffers
    policy: AskingPolicy
    judge: SandboxJudge
    curriculum: Curriculum = field(default_factory=Curriculum)
    """Of the steps before; it goes on only where rollouts are kept, from which a resume reads it.
    """
    saved_step: int = -1
    last_step: int = 0
    """The newest step that is learned from and recorded."""

    def record(
        self,
        step: int,
        experiences_N: Sequence[Experience],
        advantages_N: Sequence[float],
        statistics: Mapping[str, float],
    ) -> None:
        """Write one finished step; see the module's docstring for the order."""
        parts = {
            **self.policy.stats(),
            **self.judge.stats(),
            **self.buffers.stats(),
            **statistics,
        }
        metrics = step_metrics(experiences_N, advantages_N, parts)
        if self.config.logging.rollouts:
            records = list(rollout_records(step, experiences_N, advantages_N))
            self.folder.write_rollouts(step, records)
            metrics |= self.curriculum.metrics(step, records)
        self.writer.write(step, metrics)
        if step % self.config.checkpoint.every == 0 or step == self.config.steps:
            self.checkpoint(step)
        self.last_step = step
        self.display.step_done(step, metrics)
        seed = derive_seed(self.config.seed, step)
        for new in drawn_tasks(experiences_N, self.config.logging.print_tasks, seed):
            self.display.message(task_text(step, new))

    def record_untrained(self, scores: Mapping[str, float]) -> None:
        """A line of step 0, which has no rollouts and no checkpoint of its own."""
        self.writer.write(0, scores)

    def checkpoint(self, step: int) -> None:
        """Save one consistent cut of the whole run, unless this step is saved already."""
        if step == self.saved_step:
            return
        save_checkpoint(
            self.folder.checkpoints,
            step,
            learner=self.learner,
            backup_tasks=self.buffers.backup,
            keep=self.config.checkpoint.keep,
        )
        self.saved_step = step
