"""The learner of a run of several processes, as the leader uses it: what it does, all do.

Every rank holds a part of the weights and of the optimizer (learner), and calls the same
methods with the same arguments at the same time; the leader tells the workers when.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from torch.profiler import record_function

from azr.cluster.messages import Compare, Learn, Lesson, Open, Save
from azr.cluster.workers import Workers
from azr.config.run import RunConfig
from azr.learner.learner import TorchLearner
from azr.learner.packing import Sequence1, sequences_of
from azr.models.checkpoint import Checkpoint
from azr.models.weights import TorchWeights
from azr.types import Experience

__all__ = ["LeadingLearner", "open_learner"]


class LeadingLearner:
    """ports.Learner, and what a checkpoint is made of, over the learners of all ranks."""

    def __init__(self, local: TorchLearner, workers: Workers) -> None:
        self._local = local
        self._workers = workers

    @property
    def weights(self) -> TorchWeights:
        """The parameters after the last update; to read them is a collective."""
        return self._local.weights

    def update(
        self, experiences_N: Sequence[Experience], advantages_N: Sequence[float]
    ) -> Mapping[str, float]:
        """Learn from one step on all ranks; returns the statistics of all.

        Raises:
            TrainingDiverged: Loss or gradient is not finite; that step was not taken.
            WorkerLost: A worker is gone.
        """
        sequences = sequences_of(experiences_N, advantages_N)
        self._workers.tell(Learn(tuple(map(lesson_of, sequences))))
        with record_function("azr/update"), self._workers.explained():
            return self._local.learn(sequences)

    def penalised(
        self, experiences_N: Sequence[Experience]
    ) -> tuple[Sequence[Experience], Mapping[str, float]]:
        """Take rewards.kl off the rewards, on all ranks; without it nothing is said to them.

        Raises:
            TrainingDiverged: A log-probability is not finite.
            WorkerLost: A worker is gone.
        """
        if self._local.reward_kl is None:
            return experiences_N, {}
        sequences = sequences_of(experiences_N, [0.0] * len(experiences_N))
        self._workers.tell(Compare(tuple(map(lesson_of, sequences))))
        with record_function("azr/penalised"), self._workers.explained():
            divergences = self._local.divergences(sequences)
        return self._local.reward_kl.taken_off(experiences_N, divergences)

    def save(self, folder: Path) -> None:
        """Write weights, tokenizer and training state, each rank its own part.

        Raises:
            WorkerLost: A worker is gone.
        """
        self._workers.tell(Save(str(folder.absolute())))
        with self._workers.explained():
            self._local.save(folder)


def open_learner(
    config: RunConfig, model: Path, cut: Checkpoint | None, workers: Workers | None
) -> TorchLearner | LeadingLearner:
    """The run's learner, as the checkpoint has it if there is one.

    Args:
        config: The run.
        model: The model it started from.
        cut: Where it goes on.
        workers: The other ranks, if there are any.
    """
    folder = model if cut is None else cut.model
    if workers is None:
        learner = TorchLearner(config, folder, initial=model)
        if cut is not None:
            learner.restore(cut)
        return learner
    workers.tell(Open("" if cut is None else str(cut.path.absolute())))
    with workers.explained():
        local = TorchLearner(config, folder, model, workers.ranks)
        if cut is not None:
            local.restore(cut)
    return LeadingLearner(local, workers)


def lesson_of(sequence: Sequence1) -> Lesson:
    """What the workers need of a rollout."""
    rollout = sequence.rollout
    return Lesson(
        prompt_ids=tuple(rollout.prompt_ids),
        completion_ids=tuple(rollout.completion_ids),
        rollout_logprobs=tuple(rollout.rollout_logprobs),
        advantage=sequence.advantage,
        stream=sequence.stream,
    )
