"""Which engines may sample while others are lost and come back; the engines and the push are fakes.

Real engines, killed: tests/e2e/test_cluster.py.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Generator, Sequence
from typing import Any, cast

import pytest
from ray.exceptions import ActorDiedError, ActorUnavailableError

from azr.cluster import fleet
from azr.cluster.fleet import Fleet
from azr.cluster.push import Engine, PushTorn, State
from azr.config.run import ClusterConfig, RunConfig
from azr.errors import StaleWeights, WorkerLost

DIED = ActorUnavailableError("it died", None)
LIVE, QUARANTINED, GONE = State.LIVE, State.QUARANTINED, State.GONE


class FakeActor:
    """An engine that is up, starting or dead, as a test says."""

    def __init__(self) -> None:
        self.answer: int | Exception = 1
        """To whoever asks whether it is there."""
        self.next_pid = 0
        """What it is when it has been started anew; 0: that takes until the test says."""
        self.num_killed = 0
        self.last_words = 0
        """How often it answers as process 1 after it was killed."""

    @property
    def ready(self) -> Any:
        return self

    def remote(self) -> int | Exception:
        if self.num_killed and self.last_words:
            self.last_words -= 1
            return 1
        answer, self.answer = self.answer, self.next_pid or self.answer
        return answer

    def starts(self) -> None:
        self.answer = ActorUnavailableError("it is starting", None)


class FakeLearners:
    """Weights are pushed as soon as they are asked for."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.is_ahead = True


class Pushes:
    """A push that fails as a test says, and is taken down: which engines, who could sample."""

    def __init__(self) -> None:
        self.made: list[tuple[int, list[int], list[int]]] = []
        self.failures: list[Exception] = []
        self.fleet: Fleet | None = None

    def __call__(
        self, _learners: Any, engines: Sequence[Engine], _config: Any, version: int, _probe: Any
    ) -> dict[str, float]:
        assert self.fleet is not None
        able = [engine.number for engine in self.fleet.within(LIVE)]
        self.made.append((version, [engine.number for engine in engines], able))
        if self.failures:
            raise self.failures.pop(0)
        return {"sync/probe_max_abs": 0.0}


def answers(calls: dict[str, Any], _: float) -> dict[str, Any]:
    return calls


@pytest.fixture
def pushes(monkeypatch: pytest.MonkeyPatch) -> Pushes:
    made = Pushes()

    def kill(actor: FakeActor, *, no_restart: bool) -> None:
        assert not no_restart
        actor.num_killed += 1
        actor.starts()

    monkeypatch.setattr(fleet, "push", made)
    monkeypatch.setattr(fleet, "outcomes", answers)
    monkeypatch.setattr(fleet.ray, "kill", kill)
    monkeypatch.setattr(fleet, "POLL_S", 0.005)
    return made


@pytest.fixture
def learners() -> Any:
    return FakeLearners()


@pytest.fixture
def crew(pushes: Pushes, learners: Any) -> Generator[Fleet]:
    """Two engines, which are up and have version 1."""
    engines = [Engine(number, FakeActor()) for number in range(2)]
    config = RunConfig(cluster=ClusterConfig(learners=1, engines=2, timeout_s=60))
    pushes.fleet = crew = Fleet(engines, config, cast(Any, None))
    crew.adopt(learners, 1)
    assert pushes.made.pop() == (1, [0, 1], [])
    yield crew
    crew.close()


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_who_comes_back_after_the_first_is_not_left_to_the_next_adoption(
    pushes: Pushes, crew: Fleet, learners: Any
) -> None:
    """A push is torn; one engine is back first and goes on alone; the other follows by itself."""
    first, second = crew.engines
    pushes.failures = [PushTorn("engine 0 is gone")]
    second.actor.next_pid = 22
    crew.adopt(learners, 2)
    assert pushes.made == [(2, [0, 1], []), (2, [1], [])]
    assert [engine.state for engine in crew.engines] == [QUARANTINED, LIVE]
    assert [engine.actor.num_killed for engine in crew.engines] == [1, 1], "both held a mixture"
    first.actor.answer = 11
    until(lambda: first.state is LIVE)
    assert pushes.made[2:] == [(2, [0], [1])], "to it alone; the other went on sampling"
    assert [engine.pid for engine in crew.engines] == [11, 22]


def test_the_answer_of_one_that_is_being_ended_is_not_its_return(
    pushes: Pushes, crew: Fleet, learners: Any
) -> None:
    """Ray kills in its own time; a push to the process of before would wait for nobody."""
    _, second = crew.engines
    pushes.failures = [PushTorn("engine 0 is gone")]
    second.actor.next_pid, second.actor.last_words = 22, 3
    crew.adopt(learners, 2)
    assert pushes.made == [(2, [0, 1], []), (2, [1], [])]
    assert (second.pid, second.actor.last_words) == (22, 0)


def test_one_that_is_lost_comes_back_without_an_adoption(pushes: Pushes, crew: Fleet) -> None:
    first, _ = crew.engines
    first.actor.starts()
    crew.lose(first, DIED)
    assert first.state is QUARANTINED
    assert not first.actor.num_killed, "it is dead already"
    first.actor.answer = 11
    until(lambda: first.state is LIVE)
    assert pushes.made == [(1, [0], [1])]


def test_one_that_comes_back_while_the_learners_are_ahead_waits_for_the_adoption(
    pushes: Pushes, crew: Fleet, learners: Any
) -> None:
    first, _ = crew.engines
    learners.is_ahead = True
    crew.lose(first, StaleWeights("it has the disk's weights"))
    time.sleep(0.05)
    assert (first.state, pushes.made) == (QUARANTINED, [])
    crew.adopt(learners, 2)
    assert pushes.made == [(2, [1, 0], [])]
    assert (first.state, crew.version) == (LIVE, 2)


def test_wrong_weights_in_one_that_came_back_stop_the_run(pushes: Pushes, crew: Fleet) -> None:
    pushes.failures = [StaleWeights("engine 0 was given other bits of model.norm")]
    crew.lose(crew.engines[0], DIED)
    until(lambda: not pushes.failures)

    async def ask() -> None:
        while True:
            await crew.live()
            await asyncio.sleep(0.005)

    with pytest.raises(StaleWeights, match="other bits"):
        asyncio.run(asyncio.wait_for(ask(), 60))
    assert crew.engines[0].state is QUARANTINED


def test_where_all_are_gone_for_good_nobody_waits(crew: Fleet, learners: Any) -> None:
    for engine in crew.engines:
        engine.actor.answer = ActorDiedError()
        crew.lose(engine, ActorDiedError())
    until(lambda: {engine.state for engine in crew.engines} == {GONE})
    with pytest.raises(WorkerLost, match="no engine came back"):
        asyncio.run(crew.live())
    with pytest.raises(WorkerLost, match="no engine came back"):
        crew.adopt(learners, 2)
