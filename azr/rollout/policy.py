"""The policy: many coroutines ask, one thread steps the engine, answers go back to their loops.

The thread is the only one that touches the engine. Commands reach it through a queue, in order:
an adoption lets what was asked before it finish, and holds back what is asked after it, so every
rollout is of exactly one version. With rollout.max_staleness what was asked before goes on with
the new weights instead, and the rollout says which tokens are whose. It is not a daemon of the
event loop: several loops may use one policy, one after another (as tests do).
"""

import asyncio
import logging
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field

import torch
from torch.profiler import record_function

from azr.config.run import RolloutConfig
from azr.errors import AzrError, ModelError, WorkerLost
from azr.models.weights import TorchWeights
from azr.ports import Weights
from azr.rollout.asking import AskingPolicy
from azr.rollout.engine import Engine
from azr.rollout.prompt_tokens import Renderer
from azr.rollout.requests import Request, Sampled
from azr.rollout.weight_proof import Probe
from azr.types import Prompt, Rollout

__all__ = ["EnginePolicy"]

log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class Order:
    """One rollout that somebody waits for."""

    prompt: Prompt
    request: Request
    version: int = 0
    """The policy's when the engine took it on."""
    done: "Future[Rollout]" = field(default_factory=Future[Rollout])


@dataclass(slots=True, eq=False)
class Adoption:
    """The wish to change weights."""

    weights: TorchWeights
    version: int
    done: "Future[None]" = field(default_factory=Future[None])


@dataclass(slots=True, frozen=True)
class Cancel:
    """Nobody waits for this order any more."""

    order: Order


class Stop:
    """The thread ends."""


Command = Order | Adoption | Cancel | Stop


class EnginePolicy(AskingPolicy):
    """ports.Policy over any engine.

    Args:
        make_engine: Called in the policy's own thread, where the engine then lives.
        renderer: The model's.
        config: Sampling.
        max_model_len: Tokens of a prompt and its completion together.
        make_probe: What proves that the engine has the learner's weights.
    """

    def __init__(
        self,
        make_engine: Callable[[], Engine],
        renderer: Renderer,
        config: RolloutConfig,
        max_model_len: int,
        make_probe: type[Probe] = Probe,
    ) -> None:
        super().__init__(renderer, config, max_model_len)
        self._probe = make_probe.of(renderer, config)
        self._commands: queue.SimpleQueue[Command] = queue.SimpleQueue()
        self._version = 0
        self._orders: dict[int, Order] = {}
        self._next_key = 0
        self._failure: BaseException | None = None
        ready: Future[None] = Future()
        self._thread = threading.Thread(
            target=self._run, args=(make_engine, ready), name="azr-policy", daemon=True
        )
        self._thread.start()
        ready.result()

    async def sample(self, prompt: Prompt) -> Rollout:
        """Complete the prompt once; cancelling the caller frees the engine of it.

        Raises:
            ModelError: The prompt is too long, or the engine failed.
        """
        order = Order(*self._request(prompt))
        self._send(order)
        try:
            rollout = await asyncio.wrap_future(order.done)
        except asyncio.CancelledError:
            self._commands.put(Cancel(order))
            raise
        self.watch(rollout)
        return rollout

    async def adopt(self, weights: Weights, version: int) -> None:
        """Take over the learner's newest weights and prove it; later rollouts carry `version`.

        Waits for the rollouts under way, if none may be stale. Leave the weights alone until it
        returns.

        Raises:
            StaleWeights: The engine was not given these weights, or does not compute with them.
        """
        if not isinstance(weights, TorchWeights):
            raise TypeError(f"weights must be azr.models.weights.TorchWeights, got {type(weights)}")
        adoption = Adoption(weights, version)
        with record_function("azr/adopt"):
            self._send(adoption)
            await asyncio.shield(asyncio.wrap_future(adoption.done))

    def close(self) -> None:
        """Give back the engine's memory and threads; open requests fail."""
        self._commands.put(Stop())
        self._thread.join()

    def _send(self, command: Order | Adoption) -> None:
        if self._failure is not None or not self._thread.is_alive():
            raise stopped(self._failure or ModelError("closed"))
        self._commands.put(command)
        if not self._thread.is_alive():  # it stopped in between and may not have seen us
            self._fail_all(self._failure or ModelError("the engine is closed"))

    # ------------------------------------------------------------ below: in the thread only

    def _run(self, make_engine: Callable[[], Engine], ready: "Future[None]") -> None:
        try:
            engine = make_engine()
        except BaseException as error:  # noqa: BLE001 - raised again by whoever opens the policy
            ready.set_exception(error)
            return
        ready.set_result(None)
        try:
            while self._obey(engine):
                self._step(engine)
        except BaseException as error:  # the waiting callers get it
            log.exception("the engine failed")
            self._failure = error
        finally:
            self._fail_all(self._failure or ModelError("the engine is closed"))
            engine.close()

    def _obey(self, engine: Engine) -> bool:
        """Carry out what was asked since the last step; False ends the thread."""
        while True:
            try:
                command = self._commands.get(block=not self._orders)
            except queue.Empty:
                return True
            match command:
                case Stop():
                    return False
                case Order():
                    self._begin(engine, command)
                case Cancel():
                    self._cancel(engine, command.order)
                case Adoption():
                    self._adopt(engine, command)

    def _begin(self, engine: Engine, order: Order) -> None:
        if not order.done.set_running_or_notify_cancel():
            return
        try:
            engine.add(self._next_key, order.request)
        except AzrError as error:
            order.done.set_exception(error)
            return
        order.version = self._version
        self._orders[self._next_key] = order
        self._next_key += 1

    def _cancel(self, engine: Engine, order: Order) -> None:
        keys = [key for key, known in self._orders.items() if known is order]
        engine.abort(keys)
        for key in keys:
            del self._orders[key]

    def _step(self, engine: Engine) -> None:
        if not self._orders:
            return
        with self._tally.step(len(self._orders)):
            finished = engine.step()
        for key, sampled in finished:
            self._answer(key, sampled)

    def _answer(self, key: int, sampled: Sampled) -> None:
        order = self._orders.pop(key)
        order.done.set_result(self._rollout(order.prompt, order.request, sampled, order.version))

    def _adopt(self, engine: Engine, adoption: Adoption) -> None:
        """Finish what is under way, unless it may be stale; change the weights, compare."""
        while self._orders and not self._config.max_staleness:
            self._step(engine)
        try:
            with self._tally.timed("sync/push_s"):
                engine.load(adoption.weights, adoption.version)
            with self._tally.timed("sync/probe_s"):
                figures = self._probe.check(
                    engine, adoption.weights, adoption.version, self._answer
                )
        except AzrError as error:
            adoption.done.set_exception(error)
            return
        except BaseException as error:
            adoption.done.set_exception(error)
            raise
        if torch.cuda.is_available():
            torch.cuda.empty_cache()  # the proof's: the next update computes on another stream
        self._tally.note(figures)
        self._version = adoption.version
        adoption.done.set_result(None)

    def _fail_all(self, error: BaseException) -> None:
        """Answer everybody who still waits, also those whose command was never read."""
        waiting: list[Order | Adoption] = list(self._orders.values())
        self._orders.clear()
        with suppress(queue.Empty):
            while True:
                command = self._commands.get(block=False)
                if isinstance(command, Order | Adoption):
                    waiting.append(command)
        for command in waiting:
            if not command.done.done():
                command.done.set_exception(stopped(error))


def stopped(error: BaseException) -> AzrError:
    """Why nothing more is sampled, for whoever waits or asks."""
    return (
        error if isinstance(error, WorkerLost) else ModelError(f"the engine has stopped: {error}")
    )
