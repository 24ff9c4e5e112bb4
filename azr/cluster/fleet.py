"""The engines of a run: which of them may sample, and how those that were lost come back.

Ray starts a lost engine anew, with the weights of the disk. It stays in quarantine until it has
been pushed those of the policy and has proved it. An adoption takes the engines that are there. A
thread brings the others back as they come, in the middle of a step if need be; the rest go on
sampling.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# (torch, transformers and vllm are typed in part)

import asyncio
import logging
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final

import ray
from ray.exceptions import ActorDiedError, RayActorError, RayError

from azr.cluster.calls import outcomes
from azr.cluster.learners import Learners
from azr.cluster.push import Engine, PushTorn, State, push
from azr.config.run import RunConfig
from azr.errors import StaleWeights, WorkerLost, one_line
from azr.rollout.weight_proof import Probe

__all__ = ["Fleet"]

log = logging.getLogger(__name__)

POLL_S: Final = 0.5
PRESENT_S: Final = 10.0
"""An engine that is up answers that it is within so long, whatever it samples."""
ENDING_S: Final = 60.0
"""What was to end has ended after so long."""
FAREWELLS: Final = 40
"""An engine that is said to be dead so often in a row does not come back."""


class Fleet:
    """All engines, and the weights that those which may sample have.

    Args:
        engines: In quarantine until weights are adopted.
        config: The run.
        probe: What proves that an engine computes with the weights that it was given.
    """

    def __init__(self, engines: Sequence[Engine], config: RunConfig, probe: Probe) -> None:
        self.engines = engines
        self.version = 0
        """Of the weights of all that may sample."""
        self.pushed = 0
        """The newest that was pushed to any of them, proved or not."""
        self._config, self._probe = config, probe
        self._learners: Learners | None = None
        """Whose weights these are."""
        self._failure: Exception | None = None
        """Why those that came back could not be given them."""
        self._lock = threading.Lock()  # one push at a time
        self._is_closed = threading.Event()
        self._keeper = threading.Thread(target=self._bring_back, name="azr-engines", daemon=True)
        self._keeper.start()

    def within(self, state: State) -> list[Engine]:
        """Those in this state now."""
        return [engine for engine in self.engines if engine.state is state]

    async def live(self) -> list[Engine]:
        """Those that may sample; waits until there is one.

        Raises:
            StaleWeights: One that came back was not given the policy's weights.
            WorkerLost: None comes back, or a learner was lost.
        """
        deadline = time.monotonic() + self._config.cluster.timeout_s
        while not (live := self.within(State.LIVE)) and self._failure is None:
            self._refuse_to_wait(deadline)
            await asyncio.sleep(POLL_S)
        if self._failure is not None:
            raise self._failure
        return live

    def adopt(self, learners: Learners, version: int) -> Mapping[str, float]:
        """Push the learners' weights to the engines that are there; returns what the probe found.

        Blocks until one engine at least has proved them.

        Raises:
            StaleWeights: An engine was not given these weights, or does not compute with them.
            WorkerLost: A learner is gone, or all engines are.
        """
        with self._lock:
            engines = self._there()
            for engine in self.within(State.LIVE):
                engine.state = State.QUARANTINED
            engines = engines or self._first_back()
            self.pushed = version
            while (figures := self._pushed(learners, engines, version)) is None:
                engines = self._first_back()
            self._learners, self._failure, self.version = learners, None, version
            learners.is_ahead = False
            admit(engines)
            return figures

    def lose(self, engine: Engine, error: Exception) -> None:
        """Take an engine out, and see to it that it is started anew."""
        if engine.state is not State.LIVE:
            return  # others have noticed
        log.warning("event=engine_lost engine=%d reason=%s", engine.number, one_line(error))
        engine.state = State.QUARANTINED
        if isinstance(error, RayActorError | StaleWeights):
            engine.pid = 0
        else:
            start_anew(engine)  # it is up, and of no use

    def close(self) -> None:
        """Let nobody be waited for any more; the engines end with the cluster."""
        self._is_closed.set()
        self._keeper.join(2 * PRESENT_S)

    def _there(self) -> list[Engine]:
        """Those that are up; who is starting is not waited for while others sample."""
        live = self.within(State.LIVE)
        others = self.within(State.QUARANTINED)
        return [*present(live, PRESENT_S), *present(others, POLL_S if live else PRESENT_S)]

    def _first_back(self) -> list[Engine]:
        """Those in quarantine that are up; waits until there is one.

        Raises:
            WorkerLost: None comes within cluster.timeout_s, or all are gone for good.
        """
        deadline = time.monotonic() + self._config.cluster.timeout_s
        while not (back := present(self.within(State.QUARANTINED), PRESENT_S)):
            self._refuse_to_wait(deadline)
            time.sleep(POLL_S)
        return back

    def _refuse_to_wait(self, deadline: float) -> None:
        is_hopeless = self._is_closed.is_set() or not self.within(State.QUARANTINED)
        if is_hopeless or time.monotonic() > deadline:
            raise WorkerLost(
                f"no engine came back within {self._config.cluster.timeout_s:g} s"
                " (cluster.timeout_s, cluster.restarts): what each wrote last is in Ray's logs"
            )

    def _bring_back(self) -> None:
        """Give the policy's weights to whoever comes back, until the fleet is closed."""
        while not self._is_closed.wait(POLL_S):
            if self._learners is None or self._failure is not None:
                continue  # the next adoption includes them
            try:
                self._push_again(present(self.within(State.QUARANTINED), PRESENT_S))
            except Exception as failure:  # noqa: BLE001 - raised by whoever samples next
                log.warning("event=push_failed reason=%s", one_line(failure))
                self._failure = failure

    def _push_again(self, back: Sequence[Engine]) -> None:
        with self._lock:
            # an adoption may have had them meanwhile, and lost them
            back = [engine for engine in back if engine.state is State.QUARANTINED and engine.pid]
            learners = self._learners
            if not back or learners is None:
                return
            with learners.lock:  # they would learn meanwhile, and be pushed as what they were
                is_behind = learners.is_ahead  # the adoption to come includes these
                if not is_behind and self._pushed(learners, back, self.version) is not None:
                    admit(back)

    def _pushed(
        self, learners: Learners, engines: Sequence[Engine], version: int
    ) -> Mapping[str, float] | None:
        """Push to these; None where one of them was lost, which the others cannot be used after.

        Raises:
            StaleWeights: An engine was not given these weights, or does not compute with them.
            WorkerLost: A learner is gone.
        """
        try:
            return push(learners, engines, self._config, version, self._probe)
        except (PushTorn, WorkerLost) as torn:
            for engine in engines:  # they hold a mixture, or wait for somebody who is gone
                start_anew(engine)
            if isinstance(torn, WorkerLost):
                self._learners = None  # others will have weights to give
                raise
            log.warning("event=push_torn version=%d reason=%s", version, torn)
            return None


def admit(engines: Sequence[Engine]) -> None:
    """Let these sample."""
    for engine in engines:
        engine.state = State.LIVE


def present(engines: Sequence[Engine], timeout_s: float) -> list[Engine]:
    """Those whose actors answer in time; who was said to be dead too often is given up."""
    calls = {engine.name: engine.actor.ready.remote() for engine in engines}
    answers, found = outcomes(calls, timeout_s), list[Engine]()
    for engine in engines:
        answer = answers[engine.name]
        engine.farewells = engine.farewells + 1 if isinstance(answer, ActorDiedError) else 0
        if isinstance(answer, int) and not is_ending(engine, answer):
            engine.pid = answer
            found.append(engine)
        elif engine.farewells >= FAREWELLS:
            engine.state = State.GONE
            log.error("event=engine_gone engine=%d", engine.number)
    return found


def start_anew(engine: Engine) -> None:
    """End an engine whose weights or state are not to be trusted; Ray starts it again."""
    engine.state = State.QUARANTINED
    engine.ended, engine.ended_s, engine.pid = engine.pid or engine.ended, time.monotonic(), 0
    with suppress(RayError):
        ray.kill(engine.actor, no_restart=False)


def is_ending(engine: Engine, pid: int) -> bool:
    """Whether the answer is that of the process which was ended a moment ago.

    Ray kills it in its own time. On another node an engine may get the same number.
    """
    return pid == engine.ended and time.monotonic() < engine.ended_s + ENDING_S
