"""A process of a run of several: it joins the others and, unless it is the leader, obeys.

A worker has one thread, a part of the learner and an engine of its own. It steps the engine while
there are requests, else it waits for the leader's word. Signals are the leader's business: a
worker ends when it is told to, or when the leader is gone.
"""

import logging
import os
import queue
import signal
import socket
import threading
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from azr.cluster.link import LOST, Link, open_link
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
from azr.cluster.workers import Workers, open_workers
from azr.config.run import RunConfig
from azr.errors import AzrError
from azr.learner.learner import TorchLearner
from azr.learner.packing import Sequence1
from azr.models.checkpoint import read_checkpoint
from azr.models.pretrained import resolve_model
from azr.models.process_group import Ranks, open_ranks
from azr.rollout.engine import Engine
from azr.rollout.opening import engine_maker
from azr.rollout.prompt_tokens import open_renderer
from azr.rollout.weight_proof import Probe
from azr.types import Mode, Prompt, Role, Rollout

__all__ = ["run_rank"]

log = logging.getLogger(__name__)

EXIT_OK, EXIT_FAILED = 0, 1
LEADER: Final = 0
NOTICE_S: Final = 3.0
"""A collective can fail before the leader's word or end is noticed, which explains it."""
ORPHAN_S: Final = 15.0
"""Without a leader this process may be inside a collective that never ends."""


def run_rank(config: RunConfig, lead: Callable[[Workers | None], int]) -> int:
    """Run this process's part, given torchrun's environment; returns its exit code.

    Args:
        config: The same on every rank.
        lead: The run itself, called on the leader; it is given None if it is alone.

    Raises:
        AzrError: As `lead` raises it; a worker's own are raised on the leader.
    """
    with open_ranks(config.cluster.timeout_s) as ranks:
        if ranks.is_alone:
            return lead(None)
        if ranks.is_leader:
            with open_workers(ranks) as workers:
                return lead(workers)
        return work(config, ranks)


def work(config: RunConfig, ranks: Ranks) -> int:
    """Obey until the run is over; returns the exit code."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    inbox = Inbox()
    with open_link(ranks, inbox.deliver) as link:
        link.send(LEADER, Hello(os.getpid(), socket.gethostname()))
        try:
            first = inbox.take()
            if isinstance(first, Open):
                with open_worker(config, ranks, first, link) as worker:
                    worker.serve(inbox)
        except Exception as error:  # the leader tells it
            if inbox.is_over.wait(NOTICE_S):
                return EXIT_FAILED  # it was the leader's end that broke something here
            if not isinstance(error, AzrError):
                log.exception("event=worker_failed rank=%d", ranks.rank)
            link.send(LEADER, Failed(type(error).__name__, str(error)))
            return EXIT_FAILED
    inbox.close()
    return EXIT_OK


class Inbox:
    """What the leader said, in order."""

    def __init__(self) -> None:
        self.is_over = threading.Event()
        """The leader has told this worker to stop, or is gone."""
        self._messages: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._alarm = threading.Timer(ORPHAN_S, os._exit, [EXIT_FAILED])
        self._alarm.daemon = True

    def deliver(self, _rank: int, message: Message) -> None:
        """Take a message; called in the link's thread."""
        if message is LOST:
            self._alarm.start()
        if isinstance(message, Stop | Failed):
            self.is_over.set()
        self._messages.put(message)

    def take(self) -> Message:
        """The next message; waits for it."""
        return self._messages.get()

    def take_now(self) -> Message | None:
        """The next message if there is one."""
        try:
            return self._messages.get_nowait()
        except queue.Empty:
            return None

    def close(self) -> None:
        """This process comes to its end by itself."""
        self._alarm.cancel()


@dataclass(frozen=True, slots=True)
class Worker:
    """A rank's part of the learner, and its engine."""

    learner: TorchLearner
    engine: Engine
    probe: Probe
    link: Link

    def serve(self, inbox: Inbox) -> None:
        """Obey until told to stop, or until there is nobody to obey."""
        while True:
            message = inbox.take_now() if self.engine.num_running else inbox.take()
            if message is None:
                self._step()
            elif isinstance(message, Stop | Failed):
                return
            else:
                self._obey(message)

    def _step(self) -> None:
        for key, sampled in self.engine.step():
            self.link.send(LEADER, Completed(key, sampled))

    def _obey(self, message: Message) -> None:
        match message:
            case Sample():
                self.engine.add(message.key, message.request)
            case Abort():
                self.engine.abort(message.keys)
            case Load():
                self.engine.load(self.learner.weights, message.version)
            case Prove():
                figures = self.probe.check(self.engine, self.learner.weights, message.version)
                self.link.send(LEADER, Proved(figures))
            case Compare():
                self.learner.divergences([sequence_of(lesson) for lesson in message.lessons])
            case Learn():
                self.learner.learn([sequence_of(lesson) for lesson in message.lessons])
            case Save():
                self.learner.save(Path(message.folder))
            case _:
                raise ValueError(f"a worker cannot obey {type(message).__name__}")


@contextmanager
def open_worker(config: RunConfig, ranks: Ranks, first: Open, link: Link) -> Generator[Worker]:
    """Open learner and engine, in the order in which the leader does."""
    model = resolve_model(config.model.name)
    cut = read_checkpoint(Path(first.checkpoint), by_content=False) if first.checkpoint else None
    folder = model if cut is None else cut.model
    learner = TorchLearner(config, folder, model, ranks)
    if cut is not None:
        learner.restore(cut)
    renderer, max_model_len = open_renderer(config, folder)
    probe = Probe.of(renderer, config.rollout)
    make_engine = engine_maker(config, folder, renderer, max_model_len, ranks)
    with closing(make_engine()) as engine:
        yield Worker(learner, engine, probe, link)


def sequence_of(lesson: Lesson) -> Sequence1:
    """The lesson as the learner takes it: of the prompt it reads the tokens alone."""
    rollout = Rollout(
        prompt=Prompt(role=Role.SOLVER, mode=Mode.DEDUCTION, text=""),
        prompt_ids=lesson.prompt_ids,
        completion_ids=lesson.completion_ids,
        rollout_logprobs=lesson.rollout_logprobs,
        completion="",
        policy_version=0,
    )
    return Sequence1(rollout, lesson.advantage, lesson.stream)
