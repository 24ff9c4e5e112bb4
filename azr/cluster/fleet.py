"""One engine to the policy, many in truth: the local one, and one in each worker.

Requests wait in order until an engine has room. A prompt that was seen goes where its keys and
values lie, as long as that engine is not much busier than the idlest: the trials of a task share
a prompt, and reading it once a machine is most of what sharing can save.
"""

import queue
from collections import Counter, OrderedDict, deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from azr.cluster.messages import Abort, Load, Prove, Proved, Sample
from azr.cluster.workers import Workers
from azr.config.run import RunConfig
from azr.errors import AzrError
from azr.models.checksums import Receipt
from azr.models.weights import TorchWeights
from azr.ports import Weights
from azr.rollout.engine import Engine
from azr.rollout.opening import engine_maker, open_policy
from azr.rollout.policy import EnginePolicy
from azr.rollout.prompt_tokens import open_renderer
from azr.rollout.requests import Request, Sampled
from azr.rollout.weight_proof import Probe

__all__ = ["Fleet", "FleetProbe", "open_fleet"]

LOCAL: Final = 0
"""The leader's rank."""
DETOUR: Final = 8
"""Requests that an engine may have more than the idlest and still be given a prompt it knows."""
REMEMBERED: Final = 4096
"""Prompts whose engine is known; the oldest are forgotten."""
WAIT_S: Final = 0.02
"""How long a step without anything to compute here waits for the others."""
PROOF_TIMEOUT_S: Final = 600.0


class Fleet:
    """azr.rollout.engine.Engine over the engines of all ranks.

    Args:
        local: The leader's own.
        workers: Those who have the others.
        max_concurrent: Requests an engine has open at once.
    """

    def __init__(self, local: Engine, workers: Workers, max_concurrent: int) -> None:
        self.local = local
        self.is_exact = local.is_exact
        self._workers = workers
        self._max_concurrent = max_concurrent
        self._waiting: deque[tuple[int, Request]] = deque()
        self._ranks: dict[int, int] = {}
        """Of the open requests, by key."""
        self._open = Counter(dict.fromkeys(range(workers.ranks.size), 0))
        self._homes: OrderedDict[tuple[int, ...], int] = OrderedDict()
        self._sampled = Counter(dict.fromkeys(self._open, 0))
        """Completion tokens since the last proof."""

    @property
    def num_running(self) -> int:
        """Requests added and neither finished nor aborted."""
        return len(self._waiting) + len(self._ranks)

    def add(self, key: int, request: Request) -> None:
        """Take on a request."""
        self._waiting.append((key, request))
        self._deal()

    def step(self) -> list[tuple[int, Sampled]]:
        """Compute once here, and take what the others have finished."""
        self._workers.check()
        is_computing = self._open[LOCAL] > 0
        mine = self.local.step() if is_computing else []
        finished = [(LOCAL, key, sampled) for key, sampled in mine]
        finished += self._arrived(0.0 if is_computing else WAIT_S)
        pairs: list[tuple[int, Sampled]] = []
        for rank, key, sampled in finished:
            if self._free(key, rank):
                self._sampled[rank] += len(sampled.ids)
                pairs.append((key, sampled))
        self._deal()
        return pairs

    def abort(self, keys: Iterable[int]) -> None:
        """Drop requests; unknown keys are ignored."""
        gone = set(keys)
        self._waiting = deque(pair for pair in self._waiting if pair[0] not in gone)
        for rank in self._open:
            mine = tuple(key for key in gone if self._ranks.get(key) == rank)
            for key in mine:
                self._free(key, rank)
            if mine and rank == LOCAL:
                self.local.abort(mine)
            elif mine:
                self._workers.tell(Abort(mine), rank)
        self._deal()

    @property
    def receipt(self) -> Receipt | None:
        """What the leader's engine was given last; each rank compares its own."""
        return self.local.receipt

    def load(self, weights: TorchWeights, version: int) -> None:
        """Replace all weights on all ranks; only when idle."""
        self._homes.clear()  # the engines forget what they computed
        self._workers.tell(Load(version))
        with self._workers.explained():
            self.local.load(weights, version)

    def prompt_logprobs(self, token_ids: Sequence[int]) -> list[float]:
        """Log-probability of each token but the first, as the leader's engine has it."""
        return self.local.prompt_logprobs(token_ids)

    def close(self) -> None:
        """Give back memory and threads here; the workers give back theirs when the run ends."""
        self.local.close()

    def prove(self, probe: Probe, weights: Weights, version: int) -> dict[str, float]:
        """Compare every engine with the learner.

        Returns the largest differences, and how evenly the engines were used since the last time.

        Raises:
            StaleWeights: An engine does not sample from the learner's weights.
        """
        self._workers.tell(Prove(version))
        with self._workers.explained():
            figures = [probe.check(self.local, weights, version)]
        answers = self._workers.answers(Proved, PROOF_TIMEOUT_S)
        figures += [answer.figures for answer in answers.values()]
        largest = {name: max(found[name] for found in figures) for name in figures[0]}
        return {**largest, **self._take_imbalance()}

    def _take_imbalance(self) -> dict[str, float]:
        """Completion tokens of the busiest engine, relative to an even share."""
        most, total = max(self._sampled.values()), sum(self._sampled.values())
        self._sampled = Counter(dict.fromkeys(self._open, 0))
        return {"rollout/imbalance": most * len(self._open) / total} if total else {}

    def _deal(self) -> None:
        """Give what waits to engines that have room, in order."""
        while self._waiting and min(self._open.values()) < self._max_concurrent:
            key, request = self._waiting.popleft()
            rank = self._choose(request.prompt_ids)
            self._ranks[key] = rank
            self._open[rank] += 1
            try:
                if rank == LOCAL:
                    self.local.add(key, request)
                else:
                    self._workers.tell(Sample(key, request), rank)
            except AzrError:
                self._free(key, rank)
                raise

    def _choose(self, prompt_ids: tuple[int, ...]) -> int:
        """The engine that knows the prompt, or the idlest, whose prompt it then is."""
        idlest = min(self._open, key=lambda rank: self._open[rank])
        home = self._homes.get(prompt_ids, idlest)
        limit = min(self._open[idlest] + DETOUR, self._max_concurrent - 1)
        rank = home if self._open[home] <= limit else idlest
        self._homes[prompt_ids] = rank
        self._homes.move_to_end(prompt_ids)
        if len(self._homes) > REMEMBERED:
            self._homes.popitem(last=False)
        return rank

    def _arrived(self, wait_s: float) -> list[tuple[int, int, Sampled]]:
        """What the workers have finished, by rank and key; waits a moment for the first."""
        found: list[tuple[int, int, Sampled]] = []
        with suppress(queue.Empty):
            item = self._workers.completed.get(block=wait_s > 0, timeout=wait_s or None)
            while True:
                if item is not None:
                    rank, completed = item
                    found.append((rank, completed.key, completed.sampled))
                item = self._workers.completed.get_nowait()
        return found

    def _free(self, key: int, rank: int) -> bool:
        """Make room; False if the request is not that engine's any more."""
        if self._ranks.get(key) != rank:
            return False
        del self._ranks[key]
        self._open[rank] -= 1
        return True


class FleetProbe(Probe):
    """The proof, of all engines."""

    def check(self, engine: Engine, weights: Weights, version: int) -> dict[str, float]:
        """As of one engine; see `Fleet.prove`."""
        if not isinstance(engine, Fleet):
            return super().check(engine, weights, version)  # the leader's own, asked by `prove`
        return engine.prove(self, weights, version)


def open_fleet(config: RunConfig, model_folder: Path, workers: Workers | None) -> EnginePolicy:
    """Start this process's engine, and use those of the workers, who start theirs meanwhile.

    Without workers the one engine is all there is.

    Raises:
        ModelError: The model, its tokenizer or the engine cannot be used as the run asks.
    """
    if workers is None:
        return open_policy(config, model_folder)
    crew = workers
    renderer, max_model_len = open_renderer(config, model_folder)
    make_local = engine_maker(config, model_folder, renderer, max_model_len, crew.ranks)

    def make_fleet() -> Engine:
        with crew.explained():
            return Fleet(make_local(), crew, config.rollout.max_concurrent)

    return EnginePolicy(make_fleet, renderer, config.rollout, max_model_len, FleetProbe)
