"""What the trainer needs of the world: small protocols, each with a scripted fake in the tests.

The trainer imports this file, and never torch, vLLM or the network.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from azr.types import (
    Answer,
    Experience,
    Grade,
    Mode,
    Profile,
    Prompt,
    Proposal,
    Rollout,
    Ruling,
    Task,
)
from sandbox_wasm.grading import Check as ProgramCheck

__all__ = [
    "Buffers",
    "Evaluation",
    "Judge",
    "Learner",
    "Past",
    "Policy",
    "Recorder",
    "Sampler",
    "Weights",
]


class Weights(Protocol):
    """The learner's parameters: who takes them over knows what they are, nobody between does."""


class Sampler(Protocol):
    """The model as the game sees it."""

    async def sample(self, prompt: Prompt) -> Rollout:
        """Complete the prompt once; many calls may run at the same time."""
        ...


class Policy(Sampler, Protocol):
    """The model as a player (azr.rollout: vLLM, or plain transformers)."""

    async def adopt(self, weights: Weights, version: int) -> None:
        """Take over the learner's newest weights and prove it; later rollouts carry `version`.

        Raises:
            StaleWeights: The engine does not have the learner's weights.
        """
        ...

    def close(self) -> None:
        """Free the engine's memory and threads."""
        ...


class Judge(Protocol):
    """Judges proposals and answers. It hides the executor, and all of its failures but one.

    Raises:
        ExecutorUnavailable: The machinery failed. It is never turned into a verdict.
    """

    async def admit(self, proposal: Proposal, born_step: int) -> Ruling:
        """Run the proposal in several images; a `Task` if it is valid, safe and deterministic."""
        ...

    async def grade(self, task: Task, answer: Answer) -> Grade:
        """Decide whether the answer is right for this task."""
        ...

    async def grade_program(self, program: str, check: ProgramCheck) -> Grade:
        """Does the program pass a check of the user's own? ValueError if an empty one does."""
        ...

    async def refutes(self, task: Task, seed: int) -> bool:
        """Tell whether the task's program gives another output under other seeds."""
        ...

    async def compose(self, programs: Sequence[str], count: int) -> tuple[str, ...]:
        """Return the first `count` programs that can be built upon, as functions g_0, g_1, ..."""
        ...

    async def profile(self, programs: Sequence[str]) -> list[Profile | None]:
        """Return the programs' profiles, in order; None if an analysis does not finish."""
        ...


class Learner(Protocol):
    """The model as a learner (azr.learner.learner: torch); what it is asked may be in a thread."""

    @property
    def weights(self) -> Weights:
        """The parameters after the last update."""
        ...

    def penalised(
        self, experiences_N: Sequence[Experience]
    ) -> tuple[Sequence[Experience], Mapping[str, float]]:
        """Return one step with the rewards to learn from, in order, and statistics of the penalty.

        rewards.kl lowers each reward by the divergence from the initial model. Without it, rewards
        stay.
        """
        ...

    def update(
        self, experiences_N: Sequence[Experience], advantages_N: Sequence[float]
    ) -> Mapping[str, float]:
        """Learn from one step; return statistics (loss, grad_norm, ...).

        Raises:
            TrainingDiverged: Loss or gradient is not finite; that optimizer step was not taken.
        """
        ...


class Past(Protocol):
    """Past tasks for prompts. `seed` makes every draw a function of (contents, seed)."""

    def references(self, mode: Mode, n: int, seed: int) -> list[Task]:
        """Draw up to `n` different past tasks to show to a proposer of this mode."""
        ...

    def draw(self, mode: Mode, seed: int) -> Task:
        """Draw one past task to solve."""
        ...

    def program(self, modes: Sequence[Mode], seed: int) -> Task:
        """Draw a task of one of the modes, whose program another mode's proposer is shown."""
        ...


class Buffers(Past, Protocol):
    """All valid tasks so far, by mode (azr.game.tasks.buffers: SQLite)."""

    def add(self, tasks: Sequence[Task], solve_rates: Sequence[float | None] = ()) -> int:
        """Store tasks in one transaction, without duplicates; return how many are new."""
        ...

    def remeasure(self, attempts: Sequence[tuple[Task, bool]], weight: float) -> None:
        """Let each attempt at a stored task, solved or not, move its solve rate."""
        ...

    def baselines(self) -> Mapping[str, float]:
        """Return the streams' baselines by the streams' names; they are stored with the tasks."""
        ...

    def keep_baselines(self, baselines: Mapping[str, float]) -> None:
        """Replace the baselines."""
        ...

    def remove(self, tasks: Sequence[Task]) -> int:
        """Forget these tasks; return how many there were."""
        ...

    def count(self, mode: Mode) -> int:
        """Count all tasks of a mode."""
        ...

    def tasks(self, mode: Mode, start: int = 0) -> Iterator[Task]:
        """Yield all tasks of a mode except the `start` oldest, oldest first."""
        ...

    def past(self, sampling: str, before: int | None) -> Past:
        """Return the tasks from before a step (None = all), drawn with this weighting."""
        ...

    def draw_batch(
        self,
        mode: Mode,
        n: int,
        seed: int,
        strategy: str,
        *,
        since: int = 0,
        before: int | None = None,
    ) -> list[Task]:
        """Draw exactly `n` tasks for solvers; those born at step `since` or later are new."""
        ...


class Evaluation(Protocol):
    """Public suites during training (azr.evaluation.in_training)."""

    def is_due(self, step: int) -> bool:
        """Tell whether the weights of this step are evaluated; step 0 is the untrained model."""
        ...

    async def scores(self, step: int) -> Mapping[str, float]:
        """Return the policy's current scores as metrics; they replace others of the same name.

        Raises:
            ExecutorUnavailable: The machinery failed.
        """
        ...


class Recorder(Protocol):
    """Writes all that survives the process: metrics, rollouts, checkpoints."""

    def record(
        self,
        step: int,
        experiences_N: Sequence[Experience],
        advantages_N: Sequence[float],
        statistics: Mapping[str, float],
    ) -> None:
        """Write the step's metrics and rollouts, and a checkpoint if one is due."""
        ...

    def record_untrained(self, scores: Mapping[str, float]) -> None:
        """Write the scores of the untrained model, as the metrics of step 0."""
        ...
