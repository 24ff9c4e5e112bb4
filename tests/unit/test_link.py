"""Commands as bytes, and the link that carries them: order, threads, who is lost and who may in."""

import queue
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import msgpack
import pytest
import zmq
from hypothesis import given
from hypothesis import strategies as st

from azr.cluster.link import LOST, Gate, Link, new_socket
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
    pack,
    unpack,
)
from azr.cluster.workers import Workers
from azr.errors import ModelError, StaleWeights, WorkerLost
from azr.models.process_group import Ranks
from azr.rollout.requests import Request, Sampled
from tests.ends import join, open_fakes, wait_until

IDS = st.lists(st.integers(0, 2**31 - 1), max_size=4).map(tuple)
LOGPROBS = st.lists(st.floats(allow_nan=False), max_size=4).map(tuple)
COUNTS = st.integers(0, 2**63)
TEXT = st.text(st.characters(), max_size=8)  # lone surrogates too
LESSONS = st.builds(Lesson, IDS, IDS, LOGPROBS, st.floats(allow_nan=False))
REQUESTS = st.builds(
    Request, prompt_ids=IDS, max_tokens=COUNTS, seed=COUNTS, temperature=st.floats(0, 2),
    stop=st.lists(TEXT, max_size=2).map(tuple),
)  # fmt: skip
SAMPLED = st.builds(
    Sampled, ids=IDS, logprobs=LOGPROBS, text=TEXT, truncated=st.booleans(), cached_tokens=COUNTS
)
MESSAGES = st.one_of(
    st.builds(Open, TEXT),
    st.builds(Sample, COUNTS, REQUESTS),
    st.builds(Abort, IDS),
    st.builds(Load, st.integers(0, 2**31)),
    st.builds(Prove, COUNTS),
    st.builds(Compare, st.lists(LESSONS, max_size=3).map(tuple)),
    st.builds(Learn, st.lists(LESSONS, max_size=3).map(tuple)),
    st.builds(Save, TEXT),
    st.just(Stop()),
    st.builds(Hello, COUNTS, TEXT),
    st.builds(Completed, COUNTS, SAMPLED),
    st.builds(Proved, st.dictionaries(TEXT, st.floats(allow_nan=False), max_size=2)),
    st.builds(Failed, TEXT, TEXT),
)  # fmt: skip

COMPLETED = Completed(7, Sampled(ids=(1,), logprobs=(0.5,), text="a", truncated=False))


@given(MESSAGES)
def test_a_message_arrives_as_it_was_sent(message: Message) -> None:
    """Bit for bit: the learners of all ranks must be given the same numbers."""
    assert unpack(pack(message)) == message


SHORT = msgpack.packb(["Sample", 1, [[1, 2], 9]])
LONG = msgpack.packb(["Completed", 1, [[1], [0.5], "a", False, 0, 0]])


@pytest.mark.parametrize(
    "junk", [b"", b"\xc1", b"\x91\xa4Nope", b"\x80", pack(Stop()) + b"x", SHORT, LONG]
)
def test_what_is_no_message_is_refused(junk: bytes) -> None:
    with pytest.raises(ValueError, match="no message"):
        unpack(junk)


def test_messages_of_many_threads_arrive_each_threads_in_order() -> None:
    """The policy's thread and the main thread both speak to a worker."""
    with open_fakes(3) as (workers, ends):

        def speak(number: int) -> None:
            for count in range(200):
                workers.tell(Abort((number, count)))

        threads = [threading.Thread(target=speak, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for _, inbox in ends.values():
            got = [inbox.get(timeout=10)[1].keys for _ in range(800)]
            for number in range(4):
                assert [count for who, count in got if who == number] == list(range(200))


def test_last_words_come_before_the_end_and_are_told_with_the_rank() -> None:
    with open_fakes(3) as (workers, ends):
        end, _ = ends[2]
        end.send(0, COMPLETED)
        end.send(0, Failed("ValueError", "no room"))
        end.close()
        assert workers.completed.get(timeout=10) == (2, COMPLETED)
        wait_until(workers._is_lost.is_set)
        with pytest.raises(WorkerLost, match=r"rank 2 \(pid 102 on here\) failed: .*no room") as e:
            workers.tell(Load(1))
        assert "--resume" in e.value.__notes__[0]


def test_a_worker_that_is_gone_without_a_word_is_lost_at_once() -> None:
    with open_fakes(2) as (workers, ends):
        started = time.monotonic()
        ends[1][0].close()
        with pytest.raises(WorkerLost, match=r"rank 1 .* gone without a word"):
            workers.answers(Proved, 60)
        assert time.monotonic() - started < 50  # not the 60 s of the wait
        assert workers.completed.get(timeout=1) is None  # whoever waits for completions wakes


@pytest.mark.parametrize("kind", [StaleWeights, ModelError])
def test_a_workers_own_error_is_raised_as_what_it_is(kind: type[Exception]) -> None:
    with open_fakes(2) as (workers, ends):
        ends[1][0].send(0, Failed(kind.__name__, "they differ"))
        with pytest.raises(kind, match=r"rank 1 .*: they differ"):
            workers.answers(Proved, 60)


def test_what_a_broken_collective_says_is_explained_by_the_loss() -> None:
    with open_fakes(2) as (workers, ends):
        ends[1][0].send(0, Failed("OutOfMemoryError", "out of memory"))
        with pytest.raises(WorkerLost, match="out of memory"):
            break_off(workers, "Connection closed by peer")


def test_a_runtime_error_without_a_loss_stays_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("azr.cluster.workers.NOTICE_S", 0.2)
    with open_fakes(2) as (workers, _), pytest.raises(RuntimeError, match="of its own"):
        break_off(workers, "of its own")


def break_off(workers: Workers, message: str) -> None:
    with workers.explained():
        raise RuntimeError(message)


def test_a_worker_that_does_not_come_is_named() -> None:
    workers = Workers(Ranks(0, 3, 0))
    link, ends = join(workers.ranks, workers.deliver)
    ends[1][0].send(0, Hello(1, "here"))
    workers._link = link
    with pytest.raises(WorkerLost, match=r"no answer from rank 2 within 0.5 s"):
        workers.answers(Hello, 0.5)
    link.close()
    for end, _ in ends.values():
        end.close()


def test_only_the_key_of_the_rank_may_come_in() -> None:
    """Whoever can reach the port but has no key, or another rank's, says nothing to the leader."""
    context: Any = zmq.Context()
    gate = Gate(context)
    server, secret = zmq.curve_keypair()
    good, bad = zmq.curve_keypair(), zmq.curve_keypair()
    gate.allowed = {b"1": good[0]}
    listening: Any = new_socket(context)
    listening.curve_server = True
    listening.curve_publickey, listening.curve_secretkey = server, secret
    listening.zap_domain = b"1"
    listening.bind("tcp://127.0.0.1:*")
    address = listening.last_endpoint.rstrip(b"\0").decode()
    heard: queue.SimpleQueue[tuple[int, Message]] = queue.SimpleQueue()
    link = Link(context, {1: listening}, lambda r, m: heard.put((r, m)), gate)
    strangers: Any = zmq.Context()
    unwanted = [strangers.socket(zmq.DEALER) for _ in range(2)]
    for keys, stranger in zip((bad, None), unwanted, strict=True):
        stranger.linger = 0
        if keys:
            stranger.curve_publickey, stranger.curve_secretkey = keys
            stranger.curve_serverkey = server
        stranger.connect(address)
        stranger.send(pack(Failed("Forged", "")))
    with pytest.raises(queue.Empty):
        heard.get(timeout=0.7)
    friend = strangers.socket(zmq.DEALER)
    friend.curve_publickey, friend.curve_secretkey = good
    friend.curve_serverkey = server
    friend.connect(address)
    friend.send(pack(Proved({})))
    assert heard.get(timeout=10) == (1, Proved({}))
    strangers.destroy(linger=0)
    assert heard.get(timeout=10) == (1, LOST)
    link.close()


STUCK = """\
import time
from azr.cluster import worker
from azr.cluster import workers
from azr.cluster.messages import Failed
from tests.ends import open_fakes
workers.PATIENCE_S = worker.ORPHAN_S = 0.3
if {is_leader}:
    with open_fakes(2) as (lost, ends):
        ends[1][0].send(0, Failed("OutOfMemoryError", "no room on the GPU"))
        time.sleep(60)
inbox = worker.Inbox()
inbox.deliver(0, worker.LOST)
time.sleep(60)
"""


@pytest.mark.slow
@pytest.mark.parametrize("is_leader", [True, False])
def test_who_is_stuck_in_a_collective_with_the_lost_ends_by_force(*, is_leader: bool) -> None:
    """NCCL can wait for ever for a rank that is gone; here it is a sleep."""
    done = subprocess.run(
        [sys.executable, "-c", STUCK.format(is_leader=is_leader)],
        capture_output=True,
        text=True,
        timeout=50,
        cwd=Path(__file__).parents[2],
        check=False,
    )
    assert done.returncode == 1
    told = "rank 1 (pid 101 on here) failed: OutOfMemoryError: no room on the GPU"
    assert done.stderr == (f"azr: error: {told}\n" if is_leader else "")
