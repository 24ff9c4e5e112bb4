"""The loop: play a step, weigh it, learn from it, tell the policy. Start reading here.

With rollout.max_staleness later steps are played meanwhile (azr.game.ahead).
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

from azr.game.ahead import Ahead
from azr.game.anchors import prove_anchors
from azr.game.rewards.baselines import advantages_over_baselines
from azr.game.table import Table
from azr.ports import Evaluation, Learner, Policy, Recorder
from azr.records.metrics import Stopwatch
from azr.run.interrupt import Interrupt

__all__ = ["Run", "train"]


@dataclass(slots=True, kw_only=True)
class Run:
    """One training run: the table the game is played at, the pupil, and the ledger."""

    table: Table
    policy: Policy
    learner: Learner
    recorder: Recorder
    interrupt: Interrupt = field(default_factory=Interrupt)
    first_step: int = 1
    evaluation: Evaluation | None = None
    profiled: Callable[[int], AbstractContextManager[None]] = lambda _: nullcontext()
    """Around what a step computes once its rollouts are there (azr.run.torch_trace)."""

    @property
    def evaluates_untrained(self) -> bool:
        """Whether the model is evaluated before its first step: wanted, and not done before."""
        begins = self.first_step == 1 and self.table.config.steps > 0
        return begins and self.evaluation is not None and self.evaluation.is_due(0)


async def train(run: Run) -> None:
    """Play and learn until the step budget is spent; one step is one update.

    The six streams (two roles, three modes) share the update but not the baseline.
    Should the executor fail, `ExecutorUnavailable` ends the run at the last checkpoint:
    a step is scored in full or not at all. An interrupt ends it between two updates.
    """
    config = run.table.config
    await run.interrupt.guard(prove_anchors(run.table))
    if run.evaluates_untrained:
        await evaluate_untrained(run)
    async with Ahead(run.table, run.first_step) as ahead:
        for step in range(run.first_step, config.steps + 1):
            await train_step(run, ahead, step)


async def train_step(run: Run, ahead: Ahead, step: int) -> None:
    """One turn of the loop."""
    watch, table = Stopwatch(), run.table
    with watch.phase("play"):
        experiences = await run.interrupt.guard(ahead.experiences(step))
    with run.profiled(step):
        with watch.phase("train"):
            penalised, penalty = await ahead.beside(run.learner.penalised, experiences)
            advantages = advantages_over_baselines(penalised, table.config.learner, table.buffers)
            update = await ahead.beside(run.learner.update, experiences, advantages)
        with watch.phase("sync"):
            await run.policy.adopt(run.learner.weights, version=step)
    scores = {}
    if run.evaluation is not None and run.evaluation.is_due(step):
        # not to be interrupted: the update that was taken is not recorded yet
        with watch.phase("evaluate"):
            scores = await run.evaluation.scores(step)
    statistics = {**penalty, **update, **ahead.figures, **watch.seconds(), **scores}
    run.recorder.record(step, experiences, advantages, statistics)


async def evaluate_untrained(run: Run) -> None:
    """What training starts from; an interrupt leaves it to the next attempt."""
    assert run.evaluation is not None
    watch = Stopwatch()
    with watch.phase("evaluate"):
        scores = await run.interrupt.guard(run.evaluation.scores(0))
    run.recorder.record_untrained({"time/evaluate": watch.seconds()["time/evaluate"], **scores})
