"""The policy over engines that may die: a request that is lost with one is asked again of another.

An engine that has come back has the weights of the disk. It stays in quarantine until it has been
pushed those of the policy and has proved it; then it samples again, in the middle of a step if need
be. The seed of a request is its own, so whoever answers it samples the same.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# (torch, transformers and vllm are typed in part)

import asyncio
import logging
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, Final, cast

import ray
from ray.exceptions import ActorDiedError, RayActorError, RayError
from torch.profiler import record_function

from azr.cluster.calls import cause_of, outcomes
from azr.cluster.learners import Learners
from azr.cluster.push import Engine, PushTorn, State, push
from azr.config.run import RunConfig
from azr.errors import AzrError, StaleWeights, WorkerLost, one_line
from azr.ports import Weights
from azr.rollout.asking import AskingPolicy
from azr.rollout.prompt_tokens import Renderer
from azr.rollout.requests import Request, Sampled
from azr.rollout.weight_proof import Probe
from azr.types import Prompt, Rollout

__all__ = ["ClusterPolicy"]

log = logging.getLogger(__name__)

DETOUR: Final = 8
"""Requests that an engine may have more than the idlest and still be given a prompt it knows."""
REMEMBERED: Final = 4096
"""Prompts whose engine is known; the oldest are forgotten."""
MAX_ASKED: Final = 4
"""A request that so many engines died of, or with, is given up."""
POLL_S: Final = 0.5
PRESENT_S: Final = 10.0
"""An engine that is up answers that it is within so long, whatever it samples."""
FAREWELLS: Final = 20
"""An engine that is said to be dead so often in a row does not come back."""


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
        self.engines = engines
        self._run = config
        self._probe = Probe.of(renderer, config.rollout)
        self._version = 0
        self._learners: Learners | None = None
        """Whose weights the engines have."""
        self._homes: OrderedDict[tuple[int, ...], Engine] = OrderedDict()
        self._sampled: Counter[int] = Counter()
        """Completion tokens of each engine since the last push."""
        self._reviving: Future[None] | None = None
        self._lock = threading.Lock()  # one push at a time
        self._is_closed = False

    async def sample(self, prompt: Prompt) -> Rollout:
        """Complete the prompt once; cancelling the caller frees the engine of it.

        Raises:
            ModelError: The prompt is too long, or vLLM refuses it.
            WorkerLost: There is no engine any more, or none survives the request.
            StaleWeights: It was sampled from other weights than the policy's.
        """
        prompt, request = self._request(prompt)
        with self._tally.request():
            sampled = await self._sample(request)
        rollout = self._rollout(prompt, request, sampled, self._version)
        self.watch(rollout)
        return rollout

    async def _sample(self, request: Request) -> Sampled:
        loss: Exception | None = None
        for _ in range(MAX_ASKED):
            engine = await self._engine_for(request.prompt_ids)
            engine.open += 1
            try:
                sampled = await asked(engine, request)
            except RayError as error:
                loss = cause_of(error)
                if isinstance(loss, AzrError):
                    raise loss from None
                self._lose(engine, loss)
            else:
                if not (loss := self._stale(engine, sampled)):
                    self._sampled[engine.number] += len(sampled.ids)
                    return sampled
                self._lose(engine, loss)
            finally:
                engine.open -= 1
        assert loss is not None
        raise WorkerLost(
            f"{MAX_ASKED} engines were lost with the same request; the last: {one_line(loss)}"
        )

    def _stale(self, engine: Engine, sampled: Sampled) -> StaleWeights | None:
        """What is wrong if the engine says that other weights than the policy's sampled this.

        It died and came back before anybody asked it: its weights are the disk's.
        """
        if set(sampled.versions) <= {self._version}:
            return None
        return StaleWeights(
            f"{engine.name} sampled from version {sampled.versions}, the policy is {self._version}"
        )

    async def _engine_for(self, prompt_ids: tuple[int, ...]) -> Engine:
        """The engine that knows the prompt, or the idlest, whose prompt it then is."""
        while not (live := [e for e in self.engines if e.state is State.LIVE]):
            await self._revive()
        idlest = min(live, key=lambda engine: engine.open)
        home = self._homes.get(prompt_ids, idlest)
        is_near = home.state is State.LIVE and home.open <= idlest.open + DETOUR
        engine = home if is_near else idlest
        self._homes[prompt_ids] = engine
        self._homes.move_to_end(prompt_ids)
        if len(self._homes) > REMEMBERED:
            self._homes.popitem(last=False)
        return engine

    # ------------------------------------------------------------ weights

    async def adopt(self, weights: Weights, version: int) -> None:
        """Push the learners' newest weights to all engines that are there, and prove it.

        Raises:
            StaleWeights: An engine was not given these weights, or does not compute with them.
            WorkerLost: A learner is gone, or all engines are.
        """
        learners = cast(Learners, weights)
        with record_function("azr/adopt"):
            await asyncio.shield(asyncio.wrap_future(in_thread(self._adopt, learners, version)))

    def _adopt(self, learners: Learners, version: int) -> None:
        with self._lock:
            started = time.perf_counter()
            self._take_imbalance()
            engines = self._present_now()
            while True:
                engines = engines or self._returned()
                if self._has_pushed(learners, engines, version):
                    break
                engines = []
            self._learners, self._version = learners, version
            learners.is_ahead = False
            self._homes.clear()
            self._tally.note({"sync/push_s": time.perf_counter() - started})

    def _present_now(self) -> list[Engine]:
        """Those that sample and are up, and those that have come back; nobody is waited for."""
        live = [engine for engine in self.engines if engine.state is State.LIVE]
        others = [engine for engine in self.engines if engine.state is State.QUARANTINED]
        return [*present(live), *present(others, timeout_s=POLL_S)]

    def _has_pushed(self, learners: Learners, engines: Sequence[Engine], version: int) -> bool:
        """Push to these; False where one of them was lost, which the others cannot be used after.

        Raises:
            StaleWeights: An engine was not given these weights, or does not compute with them.
            WorkerLost: A learner is gone.
        """
        for engine in self.engines if version != self._version else engines:
            if engine.state is State.LIVE:
                engine.state = State.QUARANTINED
        try:
            self._tally.note(push(learners, engines, self._run, version, self._probe))
        except (PushTorn, WorkerLost) as torn:
            for engine in engines:  # they hold a mixture, or wait for somebody who is gone
                start_anew(engine)
            if isinstance(torn, WorkerLost):
                raise
            log.warning("event=push_torn version=%d reason=%s", version, torn)
            return False
        for engine in engines:
            engine.state = State.LIVE
        return True

    def _take_imbalance(self) -> None:
        """Note the completion tokens of the busiest engine, relative to an even share."""
        if total := self._sampled.total():
            most = max(self._sampled.values())
            self._tally.note({"rollout/imbalance": most * len(self.engines) / total})
        self._sampled.clear()

    # ------------------------------------------------------------ engines that are lost

    def _lose(self, engine: Engine, error: Exception) -> None:
        """Take an engine out, and see to it that it comes back."""
        if engine.state is not State.LIVE:
            return  # others have noticed
        log.warning("event=engine_lost engine=%d reason=%s", engine.number, one_line(error))
        engine.state = State.QUARANTINED
        if not isinstance(error, RayActorError | StaleWeights):
            start_anew(engine)  # it is up, and of no use
        self._begin_to_revive()

    def _begin_to_revive(self) -> "Future[None]":
        if self._reviving is None or self._reviving.done():
            self._reviving = in_thread(self._push_to_returned)
        return self._reviving

    async def _revive(self) -> None:
        """Wait until an engine that was lost samples again.

        Raises:
            WorkerLost: None comes back.
        """
        if self._learners is None or self._learners.is_ahead:
            raise WorkerLost("an engine was asked before it had adopted the learner's weights")
        await asyncio.shield(asyncio.wrap_future(self._begin_to_revive()))

    def _push_to_returned(self) -> None:
        """Give the policy's weights to engines that have come back."""
        returned = self._returned()
        with self._lock:
            learners = self._learners
            if learners is None:
                return  # the first adoption includes them
            with learners.lock:  # they would learn meanwhile, and be pushed as what they were
                waiting = [engine for engine in returned if engine.state is State.QUARANTINED]
                if waiting and not learners.is_ahead:  # if they are, so will the next adoption
                    self._has_pushed(learners, waiting, self._version)

    def _returned(self) -> list[Engine]:
        """Those in quarantine that are there now; waits for one of them at least.

        Raises:
            WorkerLost: None comes within cluster.timeout_s, or all are gone for good.
        """
        timeout_s = self._run.cluster.timeout_s
        deadline, farewells = time.monotonic() + timeout_s, Counter[int]()
        while time.monotonic() < deadline and not self._is_closed:
            awaited = [engine for engine in self.engines if engine.state is State.QUARANTINED]
            if not awaited:
                break
            if found := present(awaited, farewells):
                return found
            for engine in awaited:
                if farewells[engine.number] >= FAREWELLS:
                    engine.state = State.GONE
                    log.error("event=engine_gone engine=%d", engine.number)
            time.sleep(POLL_S)
        raise WorkerLost(
            f"no engine came back within {timeout_s:g} s (cluster.timeout_s, cluster.restarts):"
            " what each wrote last is in Ray's logs"
        )

    def close(self) -> None:
        """Let nobody be waited for any more; the engines end with the cluster."""
        self._is_closed = True


async def asked(engine: Engine, request: Request) -> Sampled:
    """What the engine samples; it stops when the caller is cancelled."""
    call: Any = engine.actor.sample.remote(request)
    try:
        return await call
    except asyncio.CancelledError:
        ray.cancel(call)
        raise


def present(
    engines: Sequence[Engine],
    farewells: Counter[int] | None = None,
    timeout_s: float = PRESENT_S,
) -> list[Engine]:
    """Those whose actors answer now; how often each was said to be dead is counted."""
    awaited = {engine.name: engine for engine in engines if engine.state is not State.GONE}
    calls = {name: engine.actor.ready.remote() for name, engine in awaited.items()}
    found: list[Engine] = []
    for name, answer in outcomes(calls, timeout_s).items():
        if isinstance(answer, int):
            awaited[name].pid = answer
            found.append(awaited[name])
        elif farewells is not None and isinstance(answer, ActorDiedError):
            farewells[awaited[name].number] += 1
    return found


def start_anew(engine: Engine) -> None:
    """End an engine whose weights or state are not to be trusted; Ray starts it again."""
    engine.state = State.QUARANTINED
    with suppress(RayError):
        ray.kill(engine.actor, no_restart=False)


def in_thread(work: Callable[..., None], *arguments: Any) -> "Future[None]":
    """The work under way in a thread that nothing waits for at the end of the process."""
    done: Future[None] = Future()

    def run() -> None:
        try:
            work(*arguments)
        except BaseException as error:  # noqa: BLE001 - raised again by whoever waits
            log.warning("event=push_failed reason=%s", one_line(error))
            done.set_exception(error)
        else:
            done.set_result(None)

    threading.Thread(target=run, name="azr-push", daemon=True).start()
    return done
