"""The learner of a run on several processes, as the trainer uses it: what one does, all do.

A group that has lost a rank cannot go on. It ends whole (over NCCL the others would wait for ever),
and a new one begins at the newest checkpoint (azr.run.session); the engines stay.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# (torch, transformers and vllm are typed in part)

import threading
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import ray

from azr.cluster.actors.learner import Reading
from azr.cluster.calls import all_answers
from azr.config.run import RunConfig
from azr.errors import WorkerLost
from azr.learner.packing import Sequence1, sequences_of
from azr.learner.reward_kl import RewardKl
from azr.models.checkpoint import Checkpoint
from azr.types import Experience, Mode, Prompt, Role

__all__ = ["Learners"]

NO_PROMPT: Final = Prompt(role=Role.SOLVER, mode=Mode.DEDUCTION, text="")


class Learners:
    """ports.Learner, and what a checkpoint is made of, over the actors of all ranks.

    Args:
        config: The run.
        actors: One for each rank, in order; they are this object's to end.
        cut: The checkpoint that they go on from.
    """

    def __init__(self, config: RunConfig, actors: Sequence[Any], cut: Checkpoint | None) -> None:
        self._actors = {f"learner {rank}": actor for rank, actor in enumerate(actors)}
        self._timeout_s = config.cluster.timeout_s
        self.lock = threading.RLock()
        """Held while anything is asked of them: they are one program and do one thing at a time."""
        self.is_ahead = True
        """Whether they have learned since their weights were pushed."""
        self.met: tuple[Any, ...] = ()
        """Which engines they have met for pushes."""
        with self.together():
            meeting = self.first("address")
            checkpoint = "" if cut is None else str(cut.path.absolute())
            opened = self.all("open", config, meeting, checkpoint)
        self.pids = [pid for pid, _, _ in opened]
        self.shapes: dict[str, list[int]] = opened[0][1]
        """Of each parameter, in the order in which they are sent."""
        self._reward_kl: RewardKl | None = opened[0][2]

    @property
    def weights(self) -> "Learners":
        """The parameters after the last update: they stay where they are until they are pushed."""
        return self

    def update(
        self, experiences_N: Sequence[Experience], advantages_N: Sequence[float]
    ) -> Mapping[str, float]:
        """Learn from one step on all ranks; returns the statistics of all.

        Raises:
            TrainingDiverged: Loss or gradient is not finite; that step was not taken.
            WorkerLost: A rank is gone.
        """
        with self.together():
            self.is_ahead = True
            return self.all("learn", bare(sequences_of(experiences_N, advantages_N)))[0]

    def penalised(
        self, experiences_N: Sequence[Experience]
    ) -> tuple[Sequence[Experience], Mapping[str, float]]:
        """Take rewards.kl off the rewards; without it nothing is asked of anybody.

        Raises:
            TrainingDiverged: A log-probability is not finite.
            WorkerLost: A rank is gone.
        """
        if self._reward_kl is None:
            return experiences_N, {}
        with self.together():
            sequences = bare(sequences_of(experiences_N, [0.0] * len(experiences_N)))
            divergences = self.all("divergences", sequences)[0]
        return self._reward_kl.taken_off(experiences_N, divergences)

    def save(self, folder: Path) -> None:
        """Write weights, tokenizer and training state, each rank its own part.

        Raises:
            CheckpointError: It cannot be written.
            WorkerLost: A rank is gone.
        """
        state = self._reward_kl and self._reward_kl.state()
        with self.together():
            self.all("save", str(folder.absolute()), state)

    def read(self, token_ids: Sequence[int], *, is_exact: bool) -> Reading:
        """How likely the text is; `is_exact`: what it is compared with computes in float32."""
        with self.together():
            return self.all("read", tuple(token_ids), is_exact=is_exact)[0]

    @contextmanager
    def together(self) -> Generator[None]:
        """Around what all ranks do. Where one is lost, all end: none may wait for it.

        Raises:
            WorkerLost: One is lost.
        """
        with self.lock:
            try:
                yield
            except WorkerLost as loss:
                self.end()
                loss.add_note("go on from the newest checkpoint: --resume")
                raise

    def calls(self, method: str, *arguments: Any, **named: Any) -> dict[str, Any]:
        """The same call to each rank, by the rank's name; large arguments travel once a node."""
        shared = [ray.put(one) if isinstance(one, list) else one for one in arguments]
        return {
            name: getattr(actor, method).remote(*shared, **named)
            for name, actor in self._actors.items()
        }

    def call_first(self, method: str, *arguments: Any) -> dict[str, Any]:
        """A call to rank 0 alone."""
        name, actor = next(iter(self._actors.items()))
        return {name: getattr(actor, method).remote(*arguments)}

    def all(self, method: str, *arguments: Any, **named: Any) -> list[Any]:
        """What each rank answers, in order."""
        found = all_answers(self.calls(method, *arguments, **named), self._timeout_s)
        return [found[name] for name in self._actors]

    def first(self, method: str, *arguments: Any) -> Any:
        """What rank 0 answers."""
        [answer] = all_answers(self.call_first(method, *arguments), self._timeout_s).values()
        return answer

    def end(self) -> None:
        """End all ranks, whatever they are doing."""
        for actor in self._actors.values():
            ray.kill(actor)


def bare(sequences: Sequence[Sequence1]) -> list[Sequence1]:
    """Without texts, which learning does not read; of a prompt it reads the temperature."""
    return [
        replace(
            one,
            rollout=replace(
                one.rollout,
                prompt=replace(NO_PROMPT, temperature=one.rollout.prompt.temperature),
                completion="",
                versions=(),
            ),
        )
        for one in sequences
    ]
