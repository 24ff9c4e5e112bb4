"""A worker obeys, answers, and says what it dies of. FAKE learner and engine; a real link."""

import signal
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest
import torch

from azr.cluster import worker
from azr.cluster.leader import LeadingLearner, lesson_of
from azr.cluster.link import LOST
from azr.cluster.messages import (
    Abort,
    Compare,
    Completed,
    Failed,
    Hello,
    Learn,
    Lesson,
    Load,
    Message,
    Open,
    Prove,
    Proved,
    Sample,
    Save,
    Stop,
)
from azr.cluster.worker import Inbox, Worker, sequence_of
from azr.config.run import RewardConfig, RolloutConfig, RunConfig
from azr.errors import StaleWeights
from azr.learner.packing import Sequence1, pack
from azr.learner.reward_kl import RewardKl
from azr.models.process_group import Ranks
from azr.rollout.requests import Request, Sampled
from azr.rollout.weight_proof import Probe
from tests.ends import open_fakes
from tests.fakes import make_experience
from tests.unit.test_fleet import MuteWorkers
from tests.unit.test_policy import ScriptedEngine, ScriptedWeights


class Pupil:
    """FAKE learner: keeps what it was told."""

    def __init__(self) -> None:
        self.weights = ScriptedWeights(-2.0)
        self.lessons: list[list[Sequence1]] = []
        self.saved: list[Path] = []
        self.compared: list[list[Sequence1]] = []
        self.reward_kl: RewardKl | None = None

    def divergences(self, sequences: list[Sequence1]) -> list[float]:
        self.compared.append(sequences)
        return [2.0 for _ in sequences]

    def learn(self, sequences: list[Sequence1]) -> dict[str, float]:
        self.lessons.append(sequences)
        return {"loss": 0.0}

    def save(self, folder: Path) -> None:
        self.saved.append(folder)


class Letters:
    """FAKE link: keeps what was sent."""

    def __init__(self) -> None:
        self.sent: list[Message] = []

    def send(self, rank: int, message: Message) -> None:
        assert rank == 0
        self.sent.append(message)


def serve(*messages: Message, engine: ScriptedEngine | None = None) -> tuple[Any, Any, list[Any]]:
    pupil, letters, inbox = Pupil(), Letters(), Inbox()
    engine = engine or ScriptedEngine()
    probe = Probe((5, 6, 7), RolloutConfig())
    for message in messages:
        inbox.deliver(0, message)
    Worker(cast(Any, pupil), engine, probe, cast(Any, letters)).serve(inbox)
    inbox.close()
    return pupil, engine, letters.sent


REQUEST = Request(prompt_ids=(1, 2), max_tokens=9, seed=3, temperature=1.0)
SAMPLE = Sample(4, REQUEST)
LESSON = Lesson((1, 2), (3, 4), (-0.5, -0.25), 0.75)


def test_it_obeys_in_order_until_told_to_stop() -> None:
    messages = (
        Load(7),
        Prove(7),
        Compare((LESSON,)),
        Learn((LESSON,)),
        Save("/x"),
        Stop(),
        Load(7),
    )
    pupil, engine, sent = serve(*messages)
    assert engine.logprob == -2.0
    assert sent == [Proved({"sync/probe_mean_abs": 0.0, "sync/probe_max_abs": 0.0})]
    [[sequence]] = pupil.lessons
    assert sequence == sequence_of(LESSON)
    assert pupil.compared == pupil.lessons
    assert pupil.saved == [Path("/x")]


def test_it_samples_between_orders_and_drops_what_is_given_up() -> None:
    engine = ScriptedEngine(steps=1)
    inbox, letters = Inbox(), Letters()
    inbox.deliver(0, SAMPLE)
    inbox.deliver(0, Sample(5, REQUEST))
    inbox.deliver(0, Abort((5,)))
    send = letters.send

    def send_and_stop(rank: int, message: Message) -> None:
        send(rank, message)
        inbox.deliver(0, Stop())

    letters.send = send_and_stop  # type: ignore[method-assign]
    probe = Probe((5, 6, 7), RolloutConfig())
    Worker(cast(Any, Pupil()), engine, probe, cast(Any, letters)).serve(inbox)
    sampled = Sampled(ids=(7,), logprobs=(-1.0,), text="x", truncated=False)
    assert letters.sent == [Completed(4, sampled)]
    assert engine.aborted == [5]


def test_an_engine_that_does_not_take_the_weights_fails_its_proof() -> None:
    with pytest.raises(StaleWeights, match="version 7"):
        serve(Load(7), Prove(7), engine=ScriptedEngine(is_deaf=True))


def test_it_ends_when_its_leader_is_gone() -> None:
    _, _, sent = serve(SAMPLE, LOST)
    assert sent == []


def test_all_ranks_are_given_the_same_to_learn() -> None:
    """What the leader packs and what the workers pack from its letter is one and the same."""
    experiences = [make_experience(reward, tokens=n) for n, reward in enumerate((0.1, 1 / 3), 2)]
    sequences = [Sequence1(e.rollout, e.reward) for e in experiences]
    told = [sequence_of(lesson_of(sequence)) for sequence in sequences]
    for mine, theirs in zip(pack(sequences, 64), pack(told, 64), strict=True):
        for name in ("input_ids", "positions", "rows", "targets", "advantages", "rollout_logprobs"):
            assert torch.equal(getattr(mine, name), getattr(theirs, name)), name


def test_the_leaders_learner_tells_the_others_before_it_begins() -> None:
    workers, pupil = MuteWorkers(3), Pupil()
    learner = LeadingLearner(cast(Any, pupil), workers)
    experience = make_experience(1.0, tokens=2)
    assert learner.update([experience], [0.5]) == {"loss": 0.0}
    assert learner.weights is pupil.weights
    learner.save(Path("/x/partial"))
    lesson = lesson_of(Sequence1(experience.rollout, 0.5, "solver/deduction"))
    assert workers.told == [(None, Learn((lesson,))), (None, Save("/x/partial"))]
    assert pupil.saved == [Path("/x/partial")]


def test_the_leader_takes_off_what_all_ranks_have_compared() -> None:
    workers, pupil = MuteWorkers(3), Pupil()
    learner, experience = LeadingLearner(cast(Any, pupil), workers), make_experience(1.0, tokens=4)
    assert learner.penalised([experience]) == ([experience], {})
    assert workers.told == []
    pupil.reward_kl = RewardKl.of(RunConfig(rewards=RewardConfig(kl="k1", kl_coef=0.25)))
    [penalised], found = learner.penalised([experience])
    assert penalised.reward == 1.0 - 0.25 * 2.0
    assert found == {"reward_kl/coef": 0.25, "reward_kl/mean": 0.5, "reward_kl/penalty": 0.5}
    lesson = lesson_of(Sequence1(experience.rollout, 0.0, "solver/deduction"))
    assert workers.told == [(None, Compare((lesson,)))]


# ---------------------------------------------------------------- the process


@pytest.fixture
def joined(monkeypatch: pytest.MonkeyPatch) -> Generator[Any]:
    """`work` of rank 1 is connected with a leader; signals are put back."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    handlers = {number: signal.getsignal(number) for number in numbers}
    with open_fakes(2) as (workers, ends):
        end, inbox = ends[1]

        @contextmanager
        def open_link(_ranks: Ranks, deliver: Any) -> Generator[Any]:
            end._deliver = deliver
            while not inbox.empty():
                deliver(*inbox.get())
            yield end

        monkeypatch.setattr(worker, "open_link", open_link)
        yield workers
    for number, handler in handlers.items():
        signal.signal(number, handler)


def work() -> int:
    return worker.work(RunConfig(), Ranks(1, 2, 1))


@pytest.mark.usefixtures("alarms_are_cancelled")
def test_a_worker_says_what_it_dies_of(joined: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> Any:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(worker, "open_worker", fail)
    joined.tell(Open(""))
    assert work() == 1
    rank, failed = joined._answers.get(timeout=10)
    while isinstance(failed, Hello):
        rank, failed = joined._answers.get(timeout=10)
    assert (rank, failed) == (1, Failed("ZeroDivisionError", "a bug"))


@pytest.mark.usefixtures("alarms_are_cancelled")
def test_a_worker_whose_run_is_over_has_nothing_to_say(
    joined: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The leader failed while all were in a collective: that is what broke here."""

    def fail(*_: Any) -> Any:
        raise RuntimeError("Connection closed by peer")

    monkeypatch.setattr(worker, "open_worker", fail)
    joined.tell(Open(""))
    joined.end(wait_s=0.0)  # Stop
    assert work() == 1
    assert not joined._losses


def test_a_worker_that_is_never_needed_ends_well(joined: Any) -> None:
    """The leader could not begin: its folder is taken, or the sandbox does not start."""
    joined.end(wait_s=0.0)
    assert work() == 0
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
