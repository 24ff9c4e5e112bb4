"""The policy over engines that may die: a request that is lost with one is asked again of another.

The seed of a request is its own, so whoever answers it samples the same.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# (torch, transformers and vllm are typed in part)

import asyncio
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, Final, cast

import ray
from ray.exceptions import RayError
from torch.profiler import record_function

from azr.cluster.calls import cause_of
from azr.cluster.fleet import Fleet
from azr.cluster.learners import Learners
from azr.cluster.push import Engine, State
from azr.config.run import RunConfig
from azr.errors import AzrError, StaleWeights, WorkerLost, one_line
from azr.ports import Weights
from azr.rollout.asking import AskingPolicy
from azr.rollout.prompt_tokens import Renderer
from azr.rollout.requests import Request, Sampled
from azr.rollout.statistics import Tally
from azr.rollout.weight_proof import Probe
from azr.types import Prompt, Rollout

__all__ = ["ClusterPolicy"]

DETOUR: Final = 8
"""Requests that an engine may have more than the idlest and still be given a prompt it knows."""
REMEMBERED: Final = 4096
"""Prompts whose engine is known; the oldest are forgotten."""
MAX_ASKED: Final = 4
"""A request that so many engines died of, or with, is given up."""


class ClusterPolicy(AskingPolicy):
    """ports.Policy over engines as actors.

    Args:
        engines: In quarantine until weights are adopted.
        renderer: The model's.
        config: The run.
        max_model_len: Tokens of a prompt and its completion together.
    """

    def __init__(
        self, engines: Sequence[Engine], renderer: Renderer, config: RunConfig, max_model_len: int
    ) -> None:
        super().__init__(renderer, config.rollout, max_model_len)
        self._tally = Tally(len(engines))
        self.fleet = Fleet(engines, config, Probe.of(renderer, config.rollout))
        self._homes: OrderedDict[tuple[int, ...], Engine] = OrderedDict()
        self._sampled: Counter[int] = Counter()
        """Completion tokens of each engine since the last push."""

    async def sample(self, prompt: Prompt) -> Rollout:
        """Complete the prompt once; cancelling the caller frees the engine of it.

        Raises:
            ModelError: The prompt is too long, or vLLM refuses it.
            WorkerLost: There is no engine any more, or none survives the request.
            StaleWeights: It was sampled from other weights than the policy's.
        """
        prompt, request = self._request(prompt)
        sampled = await self._sample(request)
        rollout = self._rollout(prompt, request, sampled, self.fleet.version)
        self.watch(rollout)
        return rollout

    async def _sample(self, request: Request) -> Sampled:
        loss: Exception | None = None
        for _ in range(MAX_ASKED):
            engine = await self._engine_for(request.prompt_ids)
            engine.open += 1
            try:
                with self._tally.request(engine.number):
                    sampled = await asked(engine, request)
            except RayError as error:
                loss = cause_of(error)
                if isinstance(loss, AzrError):
                    raise loss from None
            else:
                if not (loss := self._stale(engine, sampled)):
                    self._sampled[engine.number] += len(sampled.ids)
                    return sampled
            finally:
                engine.open -= 1
            self.fleet.lose(engine, loss)
        assert loss is not None
        raise WorkerLost(
            f"{MAX_ASKED} engines were lost with the same request; the last: {one_line(loss)}"
        )

    def _stale(self, engine: Engine, sampled: Sampled) -> StaleWeights | None:
        """What is wrong if the engine says that other weights than the policy's sampled this.

        It died and came back before anybody asked it: its weights are the disk's. Steps that are
        played ahead may be older than the policy by as much as they may be stale, and newer while
        a push is proved.
        """
        version = self.fleet.version
        oldest = max(0, version - self._config.max_staleness)
        if set(sampled.versions) <= {*range(oldest, version + 1), self.fleet.pushed}:
            return None
        found = sorted(set(sampled.versions))
        return StaleWeights(f"{engine.name} sampled from {found}, the policy is {version}")

    async def _engine_for(self, prompt_ids: tuple[int, ...]) -> Engine:
        """The engine that knows the prompt, or the idlest, whose prompt it then is."""
        idlest = min(await self.fleet.live(), key=lambda engine: engine.open)
        home = self._homes.get(prompt_ids, idlest)
        is_near = home.state is State.LIVE and home.open <= idlest.open + DETOUR
        engine = home if is_near else idlest
        self._homes[prompt_ids] = engine
        self._homes.move_to_end(prompt_ids)
        if len(self._homes) > REMEMBERED:
            self._homes.popitem(last=False)
        return engine

    async def adopt(self, weights: Weights, version: int) -> None:
        """Push the learners' newest weights to all engines that are there, and prove it.

        Raises:
            StaleWeights: An engine was not given these weights, or does not compute with them.
            WorkerLost: A learner is gone, or all engines are.
        """
        self._take_imbalance()
        learners, started = cast(Learners, weights), time.perf_counter()
        with record_function("azr/adopt"):
            figures = await in_thread(self.fleet.adopt, learners, version)
        self._homes.clear()
        self._tally.note({**figures, "sync/push_s": time.perf_counter() - started})

    def _take_imbalance(self) -> None:
        """Note the completion tokens of the busiest engine, relative to an even share."""
        if total := self._sampled.total():
            most = max(self._sampled.values())
            self._tally.note({"rollout/imbalance": most * len(self.fleet.engines) / total})
        self._sampled.clear()

    def close(self) -> None:
        """Let nobody be waited for any more; the engines end with the cluster."""
        self.fleet.close()


async def asked(engine: Engine, request: Request) -> Sampled:
    """What the engine samples; it stops when the caller is cancelled."""
    call: Any = engine.actor.sample.remote(request)
    try:
        return await call
    except asyncio.CancelledError:
        ray.cancel(call)
        raise


async def in_thread(
    push: Callable[[Learners, int], Mapping[str, float]], learners: Learners, version: int
) -> Mapping[str, float]:
    """Push in a thread that goes on where the caller is cancelled; an ending process leaves it."""
    done: Future[Mapping[str, float]] = Future()

    def run() -> None:
        try:
            done.set_result(push(learners, version))
        except BaseException as error:  # noqa: BLE001 - raised again by whoever waits
            done.set_exception(error)

    threading.Thread(target=run, name="azr-push", daemon=True).start()
    return await asyncio.shield(asyncio.wrap_future(done))
