"""Many engines as one: who gets what, what is waited for, and whose proof counts. FAKE workers."""

import asyncio
import queue
import threading
from collections import Counter
from collections.abc import Generator, Iterable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azr.cluster.fleet import DETOUR, Fleet, FleetProbe
from azr.cluster.messages import (
    Abort,
    Completed,
    Failed,
    Load,
    Message,
    Prove,
    Proved,
    Sample,
)
from azr.cluster.workers import Workers
from azr.config.run import RolloutConfig
from azr.errors import StaleWeights, WorkerLost
from azr.models.process_group import Ranks
from azr.rollout.policy import EnginePolicy
from azr.rollout.prompt_tokens import Renderer
from azr.rollout.requests import Request, Sampled
from azr.types import Mode, Prompt, Role
from tests.ends import open_fakes
from tests.tiny import make_tiny_tokenizer
from tests.unit.test_policy import ScriptedEngine, ScriptedWeights, run

ROOM = 12


def request(number: int = 0) -> Request:
    return Request(prompt_ids=(5, number), max_tokens=8, seed=number, temperature=1.0)


def sampled(tokens: int = 1) -> Sampled:
    return Sampled(ids=(7,) * tokens, logprobs=(-1.0,) * tokens, text="x", truncated=False)


class MuteWorkers(Workers):
    """FAKE: keeps what was told to whom, and completes what the test says."""

    def __init__(self, size: int) -> None:
        super().__init__(Ranks(0, size, 0))
        self.told: list[tuple[int | None, Message]] = []

    def tell(self, message: Message, rank: int | None = None) -> None:
        self.told.append((rank, message))

    def complete(self, rank: int, key: int, tokens: int = 1) -> None:
        self.completed.put((rank, Completed(key, sampled(tokens))))

    def samples(self) -> dict[int, int]:
        """Rank by key, of what was sent out."""
        return {m.key: r for r, m in self.told if isinstance(m, Sample) and r is not None}


class IdleEngine(ScriptedEngine):
    """FAKE: finishes nothing by itself."""

    def step(self) -> list[tuple[int, Sampled]]:
        return []


def fleet_of(size: int, local: ScriptedEngine | None = None) -> tuple[Fleet, MuteWorkers]:
    workers = MuteWorkers(size)
    return Fleet(local or IdleEngine(), workers, ROOM), workers


def ranks_of(fleet: Fleet) -> Counter[int]:
    return Counter(fleet._ranks.values())


def test_different_prompts_are_dealt_evenly_and_the_rest_waits_in_order() -> None:
    fleet, workers = fleet_of(3)
    for number in range(40):
        fleet.add(number, request(number))
    assert ranks_of(fleet) == {0: ROOM, 1: ROOM, 2: ROOM}
    assert fleet.num_running == 40
    workers.complete(2, key=next(k for k, rank in workers.samples().items() if rank == 2))
    fleet.step()
    assert workers.samples()[36] == 2, "the first of those that wait, to the engine with room"
    assert 37 not in workers.samples()
    assert fleet.num_running == 39


def test_the_trials_of_a_task_share_an_engine_unless_it_is_much_busier() -> None:
    fleet, _ = fleet_of(2)
    for key in range(DETOUR + 1):
        fleet.add(key, request(0))
    assert len(ranks_of(fleet)) == 1
    fleet.add(99, request(0))
    assert len(ranks_of(fleet)) == 2


def test_new_weights_make_prompts_unknown() -> None:
    fleet, workers = fleet_of(2, local := ScriptedEngine())
    fleet.add(0, request(0))
    fleet.add(1, request(1))  # known to rank 1
    workers.complete(1, 1)
    while fleet.num_running:
        fleet.step()
    fleet.load(ScriptedWeights(-2.0), 4)
    assert workers.told[-1] == (None, Load(4))
    assert local.logprob == -2.0
    fleet.add(2, request(1))
    assert ranks_of(fleet) == {0: 1}


def test_what_is_aborted_makes_room_and_its_completion_is_dropped() -> None:
    fleet, workers = fleet_of(2, local := IdleEngine())
    for key in range(2 * ROOM + 3):
        fleet.add(key, request(key))
    there = dict(fleet._ranks)
    remote = next(key for key, rank in there.items() if rank == 1)
    mine = next(key for key, rank in there.items() if rank == 0)
    waiting = 2 * ROOM + 1
    fleet.abort([remote, mine, waiting, 12345])
    assert local.aborted == [mine]
    assert (1, Abort((remote,))) in workers.told
    assert fleet.num_running == 2 * ROOM
    workers.complete(1, remote)
    assert fleet.step() == []
    assert ranks_of(fleet) == {0: ROOM, 1: ROOM}
    assert waiting not in fleet._ranks


def test_a_step_without_work_here_waits_for_the_others_a_moment_only() -> None:
    fleet, workers = fleet_of(2)
    fleet._open[0] = 1  # so that rank 1 is the idlest
    fleet.add(0, request())
    fleet._open[0] = 0
    assert fleet.step() == []
    workers.complete(1, 0, tokens=3)
    [(key, sampled)] = fleet.step()
    assert (key, sampled.ids, sampled.logprobs) == (0, (7, 7, 7), (-1.0, -1.0, -1.0))
    assert fleet.num_running == 0


class Traffic:
    """Requests that come, finish and are given up, against what the fleet says of them."""

    def __init__(self, chance: Any) -> None:
        self.chance = chance
        self.local = ScriptedEngine(steps=3)
        self.fleet, self.workers = fleet_of(3, self.local)
        self.added = 0
        self.finished, self.aborted = set[int](), set[int]()

    def add(self) -> None:
        self.fleet.add(self.added, request(self.chance.randrange(6)))
        self.added += 1

    def finish(self) -> None:
        remote = [key for key, rank in self.fleet._ranks.items() if rank]
        for key in self.chance.sample(remote, min(2, len(remote))):
            self.workers.complete(self.fleet._ranks[key], key)

    def abort(self) -> None:
        key = self.chance.randrange(self.added + 1)
        if key < self.added and key not in self.finished:
            self.aborted.add(key)
        self.fleet.abort([key])

    def step(self) -> None:
        done = [key for key, _ in self.fleet.step()]
        assert len(set(done)) == len(done)
        assert not (self.finished | self.aborted) & set(done)
        self.finished |= set(done)

    def check(self) -> None:
        assert max(self.fleet._open.values()) <= ROOM
        assert ranks_of(self.fleet) == Counter({r: n for r, n in self.fleet._open.items() if n})
        assert self.local.num_running == self.fleet._open[0]


@given(st.lists(st.sampled_from(["add", "finish", "abort", "step"]), max_size=80), st.randoms())
def test_no_request_is_lost_doubled_or_crowded(actions: list[str], chance: Any) -> None:
    """In any order of arrivals, completions and aborts (property)."""
    traffic = Traffic(chance)
    for action in actions:
        getattr(traffic, action)()
        traffic.check()
    while traffic.fleet.num_running:
        traffic.finish()
        traffic.step()
    assert traffic.finished == set(range(traffic.added)) - traffic.aborted


# ---------------------------------------------------------------- with a link, and the policy


class Obedient:
    """FAKE worker: answers every request at once, and proves what the test says."""

    def __init__(self, end: Any, inbox: Any, error: float = 0.0, answer: Message | None = None):
        self.end, self.inbox, self.error, self.answer = end, inbox, error, answer
        self.obeyed: list[Message] = []

    def obey(self, count: int = 1000) -> None:
        for _ in range(count):
            try:
                _, message = self.inbox.get(timeout=0.3)
            except queue.Empty:
                return
            self.obeyed.append(message)
            if isinstance(message, Sample):
                self.end.send(0, Completed(message.key, sampled()))
            if isinstance(message, Prove):
                figures = {"sync/probe_mean_abs": self.error, "sync/probe_max_abs": self.error}
                self.end.send(0, self.answer or Proved(figures))


class PatientEngine(ScriptedEngine):
    """FAKE: finishes no rollout before the other engine was given one too."""

    other: Obedient

    def step(self) -> list[tuple[int, Sampled]]:
        is_proof = min(self.open, default=0) < 0
        was_given = any(isinstance(message, Sample) for message in self.other.obeyed)
        return super().step() if is_proof or was_given else []


@pytest.fixture
def played() -> Generator[Any]:
    """A policy over a fleet of two, the second played by the test in a thread of its own."""
    with open_fakes(2) as (workers, ends):
        obedient = Obedient(*ends[1])
        config = RolloutConfig(max_prompt_tokens=64, max_completion_tokens=8)
        renderer = Renderer(make_tiny_tokenizer(), max_prompt_tokens=64, chat=False)
        engine = PatientEngine()
        engine.other = obedient
        policy = EnginePolicy(lambda: Fleet(engine, workers, 4), renderer, config, 72, FleetProbe)
        thread = threading.Thread(target=obedient.obey, daemon=True)
        thread.start()
        yield policy, obedient, ends
        policy.close()
        thread.join()


def prompt(text: str) -> Prompt:
    return Prompt(role=Role.SOLVER, mode=Mode.DEDUCTION, text=text)


async def sample_all(policy: EnginePolicy, texts: Iterable[str]) -> Sequence[Any]:
    return await asyncio.gather(*(policy.sample(prompt(text)) for text in texts))


def test_the_policy_uses_both_engines_and_says_how_evenly(played: Any) -> None:
    policy, obedient, _ = played
    rollouts = run(sample_all(policy, [str(number) for number in range(30)]))
    assert [rollout.prompt.text for rollout in rollouts] == [str(n) for n in range(30)]
    run(policy.adopt(ScriptedWeights(-1.0), version=1))
    stats = policy.stats()
    assert 0 < sum(isinstance(m, Sample) for m in obedient.obeyed) < 30
    assert 1.0 <= stats["rollout/imbalance"] < 2.0
    assert stats["rollout/requests"] == 30


def test_the_worst_engines_figures_are_reported(played: Any) -> None:
    policy, obedient, _ = played
    obedient.error = 0.0005
    run(policy.adopt(ScriptedWeights(-1.0), version=1))
    assert policy.stats()["sync/probe_max_abs"] == 0.0005
    assert [type(m) for m in obedient.obeyed] == [Load, Prove]


def test_stale_weights_of_any_engine_stop_the_run(played: Any) -> None:
    policy, obedient, _ = played
    obedient.answer = Failed("StaleWeights", "after version 3 was pushed they differ")
    with pytest.raises(StaleWeights, match=r"rank 1 .* version 3"):
        run(policy.adopt(ScriptedWeights(-1.0), version=3))


@pytest.mark.usefixtures("alarms_are_cancelled")
def test_a_worker_that_dies_fails_every_open_request(played: Any) -> None:
    policy, _, ends = played
    ends[1][0].close()
    with pytest.raises(WorkerLost, match=r"rank 1 .* gone without a word"):
        run(sample_all(policy, [str(number) for number in range(9)]))
