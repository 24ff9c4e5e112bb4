"""What the trainer needs of the world, and no more: small ports, each with a scripted fake.

The trainer imports this file, never torch, vLLM or ZeroMQ; tests plug in scripted fakes.
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

__all__ = ["Buffers", "Evaluation", "Judge", "Learner", "Past", "Policy", "Recorder", "Weights"]


class Weights(Protocol):
    """The learner's parameters, as the policy takes them over (a torch module behind it)."""

    @property
    def is_exact(self) -> bool:
        """Whether `probe_logprobs` computes in float32."""
        ...

    def probe_logprobs(self, token_ids: Sequence[int]) -> list[float]:
        """Natural-log probability of each token but the first, under the learner's weights."""
        ...

    def checksums(self, dtype: str) -> Mapping[str, int]:
        """A number for all bits of each parameter, as it is handed over in this precision."""
        ...

    def probe_rounding(self, token_ids: Sequence[int], logprobs: Sequence[float]) -> float:
        """How far 16-bit arithmetic alone moves what `probe_logprobs` gave: mean, in nats."""
        ...


class Policy(Protocol):
    """The model as a player (azr.rollout: vLLM, or plain transformers)."""

    async def sample(self, prompt: Prompt) -> Rollout:
        """Complete the prompt once; many calls may be under way at the same time."""
        ...

    async def adopt(self, weights: Weights, version: int) -> None:
        """Take over the learner's newest weights and prove it; later rollouts carry `version`.

        Raises:
            StaleWeights: The engine's log-probabilities of a probe differ from the learner's.
        """
        ...

    def close(self) -> None:
        """Give back the engine's memory and threads."""
        ...


class Judge(Protocol):
    """The executor behind it is hidden, and so is every way in which it can fail but one.

    Raises:
        ExecutorUnavailable: The machinery failed. Never turned into a verdict.
    """

    async def admit(self, proposal: Proposal, born_step: int) -> Ruling:
        """Run the proposal in several images; a `Task` if it is valid, safe and deterministic."""
        ...

    async def grade(self, task: Task, answer: Answer) -> Grade:
        """Is the answer right for this task?"""
        ...

    async def refutes(self, task: Task, seed: int) -> bool:
        """Whether a run of the task's program under other seeds gives another output."""
        ...

    async def compose(self, programs: Sequence[str], count: int) -> tuple[str, ...]:
        """The first `count` of the programs that can be built upon, as functions g_0, g_1, ..."""
        ...

    async def profile(self, programs: Sequence[str]) -> list[Profile | None]:
        """What programs look like, in order; None where the analysis does not finish."""
        ...


class Learner(Protocol):
    """The model as a pupil (azr.learner.learner: torch)."""

    @property
    def weights(self) -> Weights:
        """The parameters after the last update."""
        ...

    def penalised(
        self, experiences_N: Sequence[Experience]
    ) -> tuple[Sequence[Experience], Mapping[str, float]]:
        """One step with the rewards to learn from, in order, and statistics of the difference.

        They are less by what rewards.kl takes off for the divergence from the initial model;
        without it, as they were.
        """
        ...

    def update(
        self, experiences_N: Sequence[Experience], advantages_N: Sequence[float]
    ) -> Mapping[str, float]:
        """Learn from one step; returns statistics (loss, grad_norm, ...).

        Raises:
            TrainingDiverged: Loss or gradient is not finite; that optimizer step was not taken.
        """
        ...


class Past(Protocol):
    """Tasks to make prompts of. `seed` makes every draw a function of (contents, seed)."""

    def references(self, mode: Mode, n: int, seed: int) -> list[Task]:
        """Up to `n` different past tasks a proposer of this mode is shown."""
        ...

    def draw(self, mode: Mode, seed: int) -> Task:
        """One past task to solve."""
        ...

    def program(self, modes: Sequence[Mode], seed: int) -> Task:
        """A task of one of the modes, whose program another mode's proposer is shown."""
        ...


class Buffers(Past, Protocol):
    """All valid tasks so far, by mode (azr.game.tasks.buffers: SQLite)."""

    def add(self, tasks: Sequence[Task], solve_rates: Sequence[float | None] = ()) -> int:
        """Store in one transaction; duplicates by content are dropped. Returns how many are new."""
        ...

    def remeasure(self, attempts: Sequence[tuple[Task, bool]], weight: float) -> None:
        """Let each attempt at a stored task, solved or not, move its solve rate."""
        ...

    def remove(self, tasks: Sequence[Task]) -> int:
        """Forget these tasks; returns how many there were."""
        ...

    def count(self, mode: Mode) -> int:
        """All tasks of a mode."""
        ...

    def tasks(self, mode: Mode, start: int = 0) -> Iterator[Task]:
        """All tasks of a mode but the `start` oldest, the oldest first."""
        ...

    def past(self, sampling: str, before: int | None) -> Past:
        """What was there before a step (None = all there is), drawn by this weighting."""
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
        """Exactly `n` tasks for solvers; those born at step `since` or later are the new ones."""
        ...


class Evaluation(Protocol):
    """Public suites during training (azr.evaluation.in_training)."""

    def is_due(self, step: int) -> bool:
        """Whether the weights of this step are evaluated; step 0 is the untrained model."""
        ...

    async def scores(self, step: int) -> Mapping[str, float]:
        """What the policy scores now, as metrics; they win over others of the same name.

        Raises:
            ExecutorUnavailable: The machinery failed.
        """
        ...


class Recorder(Protocol):
    """What survives the process: metrics, rollouts, checkpoints."""

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
        """Write what the model scores before it learns anything, as the metrics of step 0."""
        ...
