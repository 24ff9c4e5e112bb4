"""The wire's bytes: stable, bounded, total. No socket here."""

import time

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox_wasm.errors import BadJob, ProtocolError
from sandbox_wasm.server.queues import FairQueue, QueueLimits, Session, Ticket
from sandbox_wasm.types import FUEL_A_SECOND, CallResult, Job, JobResult, Limits, Outcome
from sandbox_wasm.wire import codec, protocol
from sandbox_wasm.wire.endpoints import parse_endpoint
from sandbox_wasm.wire.protocol import (
    LARGE_FRAME_BYTES,
    MAX_JOB_ITEMS,
    PROTOCOL_VERSION,
    Kind,
    ServerInfo,
)
from tests.fake_sandbox import FakeSandbox, NoIsolationWarning

pytestmark = pytest.mark.timeout(60)

INFO = ServerInfo("id", "0.1.0", 2, "sha256:x", 16_000_000, 1024, 16_384, 10**8, 60.0)
any_text = st.text(st.characters(exclude_categories=()), max_size=40)  # surrogates too
maybe_text = st.none() | any_text


def jobs() -> st.SearchStrategy[Job]:
    ways = st.one_of(
        st.fixed_dictionaries({"calls": st.lists(any_text, min_size=1, max_size=4)}),
        st.fixed_dictionaries({"expressions": st.lists(any_text, min_size=1, max_size=4)}),
        st.fixed_dictionaries({"stdin": any_text}),
        st.fixed_dictionaries({"tests": any_text}),
        st.just({}),
    )
    limits = st.builds(
        Limits, fuel=st.integers(1, 10**15), memory_bytes=st.integers(2**26, 2**31),
        output_bytes=st.integers(1, 2**20),
    )  # fmt: skip
    rest = st.fixed_dictionaries(
        {
            "id": any_text, "source": any_text, "entry": any_text, "limits": limits,
            "images": st.integers(1, 16),
            "banned_modules": st.frozensets(st.sampled_from(["os.path", "math", "été", "_"])),
            "want_stdout": st.booleans(),
            "want_stderr": st.booleans(),
        }
    )  # fmt: skip
    return st.builds(lambda a, b: Job(**a, **b), ways, rest)


call_results = st.builds(
    CallResult, outcome=st.sampled_from(Outcome), value=maybe_text, error=maybe_text,
    fuel=st.integers(0, 2**53), stdout=maybe_text, stderr=maybe_text, differs=maybe_text,
)  # fmt: skip


@given(st.lists(jobs(), max_size=20))
@settings(max_examples=60, deadline=None)
def test_a_frame_of_jobs_is_read_back_as_it_was_written(batch):
    parts = [codec.pack_job(number, job, 10**6) for number, job in enumerate(batch)]
    kind, (items,) = protocol.unpack(protocol.frame_of_parts(Kind.JOBS, parts))
    assert kind is Kind.JOBS
    assert [codec.number_of_fields(fields, "$") for fields in items] == list(range(len(batch)))
    assert [codec.job_of_fields(fields, "$") for fields in items] == batch


@given(st.lists(st.lists(call_results, max_size=4), max_size=20))
@settings(max_examples=60, deadline=None)
def test_a_frame_of_results_is_read_back_as_it_was_written(batch):
    results = [JobResult(id="never sent", calls=tuple(calls)) for calls in batch]
    parts = [codec.pack_result(number, result) for number, result in enumerate(results)]
    kind, body = protocol.unpack(protocol.frame_of_parts(Kind.RESULTS, parts))
    assert kind is Kind.RESULTS
    assert codec.results_of(body) == list(enumerate(result.calls for result in results))


@given(st.binary(max_size=200))
@settings(max_examples=500, deadline=None)
def test_decoding_any_bytes_gives_a_message_or_a_protocol_error(data):
    try:
        kind, body = protocol.unpack(data)
    except ProtocolError as exc:
        assert str(exc).startswith("$")  # noqa: PT017 - most inputs do raise, not all
    else:
        assert isinstance(kind, Kind)
        assert isinstance(body, tuple)


json_like = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats() | any_text
    | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(any_text, inner, max_size=3),
    max_leaves=30,
)  # fmt: skip


@given(json_like)
@settings(max_examples=300, deadline=None)
def test_reading_any_body_gives_values_or_the_errors_of_the_contract(value):
    frozen = msgpack.unpackb(
        msgpack.packb(value, unicode_errors="surrogatepass"),
        use_list=False, strict_map_key=False, unicode_errors="surrogatepass",
    )  # fmt: skip
    for read in (codec.results_of, codec.numbers_of, codec.pairs_of, protocol.parse_info):
        for body in ((frozen,), (frozen, "why"), ()):
            try:
                read(body)
            except ProtocolError as exc:
                assert len(str(exc)) < 1000  # noqa: PT017 - some inputs are fine
    try:
        codec.number_of_fields(frozen, "$")
        codec.job_of_fields(frozen, "$")
    except (ProtocolError, BadJob):
        pass


def test_the_bytes_of_version_6_are_these():
    """Golden: change them only together with PROTOCOL_VERSION."""
    job = Job("a", "x = 1", calls=("1",), limits=Limits(fuel=5, output_bytes=7))
    frame = protocol.frame_of_parts(Kind.JOBS, [codec.pack_job(3, job, 1000)])
    assert frame.hex() == (
        "9306a46a6f627391dc001103a161a578203d203191a131a16690c0c09305ce10000000070190c2c290c09090"
    )
    assert protocol.pack(Kind.PING, 0).hex() == "9306a470696e6700"
    assert protocol.PROTOCOL_VERSION == 6


def test_a_long_frame_of_parts_is_the_same_as_packing_it_whole():
    for count in (0, 1, 15, 16, 1024):
        parts = [codec.pack_pair(n, "x") for n in range(count)]
        whole = protocol.pack(Kind.FAILED, [(n, "x") for n in range(count)])
        assert protocol.frame_of_parts(Kind.FAILED, parts) == whole


def test_a_welcome_is_read_back_as_it_was_written():
    kind, body = protocol.unpack(protocol.pack_info(INFO))
    assert kind is Kind.WELCOME
    assert protocol.parse_info(body) == INFO


def test_an_error_message_never_carries_the_whole_of_a_hostile_value():
    assert len(protocol.short_repr("x" * 10**6)) < 200
    assert len(protocol.short_repr(["x" * 10**6])) < 200
    assert len(protocol.short_repr(10**3000)) < 200


# ---------------------------------------------------------------------- the queue


def ticket(session: Session, number: int, size_bytes: int = 1) -> Ticket:
    return Ticket(session, number, Job("j", "echo"), size_bytes, 0.0)


def session(name: str) -> Session:
    return Session(name.encode(), name, 0.0)


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans(), st.integers(0, 9)), max_size=120))
@settings(max_examples=100, deadline=None)
def test_the_queues_counts_agree_with_its_contents_whatever_is_done(steps):
    fair = FairQueue(QueueLimits(), workers=1000)
    sessions = [session(f"s{i}") for i in range(4)]
    running: list[Ticket] = []
    number = 0
    for which, is_add, what in steps:
        chosen = sessions[which]
        if is_add:
            number += 1
            fair.add(chosen, ticket(chosen, number, what))
        elif what < 4 and (taken := fair.next()):
            running.append(taken)
        elif what < 6 and running:
            fair.finish(running.pop())
        elif what < 9:
            fair.cancel(chosen, list(chosen.tickets.values())[:what])
        else:
            fair.forget(chosen)
        assert fair.num_jobs == sum(len(s.tickets) for s in sessions)
        assert fair.size_bytes == sum(t.size_bytes for s in sessions for t in s.tickets.values())
        waiting = {id(t) for s in sessions for t in s.queue if t.is_waiting}
        assert fair.num_waiting == len(waiting)
    left = []
    while taken := fair.next():
        left.append(taken)
    assert {id(t) for t in left} == waiting if steps else not left
    assert fair.num_waiting == 0


def test_sessions_take_turns_whatever_they_queued():
    fair = FairQueue(QueueLimits(), workers=1000)
    greedy, modest = session("greedy"), session("modest")
    for number in range(100):
        fair.add(greedy, ticket(greedy, number))
    for number in range(3):
        fair.add(modest, ticket(modest, number))
    names = [fair.next().session.name for _ in range(6)]
    assert names == ["greedy", "modest"] * 3


def test_asking_and_cancelling_for_ever_does_not_grow_the_queue():
    fair = FairQueue(QueueLimits())
    one = session("one")
    for number in range(10_000):
        fair.add(one, ticket(one, number))
        fair.cancel(one, [one.tickets[number]])
    assert len(one.queue) < 200


def test_a_session_that_does_not_read_is_passed_over():
    fair = FairQueue(QueueLimits())
    stuck, other = session("stuck"), session("other")
    fair.add(stuck, ticket(stuck, 1))
    fair.add(other, ticket(other, 1))
    stuck.stuck_since = 1.0
    assert fair.next().session is other
    assert fair.next() is None
    stuck.stuck_since = None
    assert fair.next().session is stuck


@pytest.mark.parametrize(
    ("limits", "word"),
    [
        ({"max_jobs": 5}, "5 jobs are waiting here"),
        ({"max_bytes": 50}, "the waiting jobs take"),
        ({"max_client_jobs": 5}, "this client has 5 unanswered"),
        ({"max_client_bytes": 50}, "this client's jobs take"),
    ],
)
def test_each_limit_of_the_queue_says_so_itself(limits, word):
    fair = FairQueue(QueueLimits(**limits))
    one = session("one")
    for number in range(5):
        assert fair.why_busy(one, 1, 10) is None
        fair.add(one, ticket(one, number, 10))
    assert word in fair.why_busy(one, 1, 10)


# ---------------------------------------------------------------------- endpoints, the fake


@pytest.mark.parametrize(
    ("url", "is_local"),
    [
        ("ipc:///tmp/x", True), ("tcp://127.0.0.1:1", True), ("tcp://127.9.9.9:1", True),
        ("tcp://localhost:1", True), ("tcp://[::1]:1", True), ("tcp://10.0.0.1:1", False),
        ("tcp://0.0.0.0:1", False), ("tcp://*:1", False), ("tcp://[::]:1", False),
        ("tcp://eth0:1", False), ("tcp://localhost.evil.example:1", False),
    ],
)  # fmt: skip
def test_only_an_address_known_to_be_private_counts_as_local(url, is_local):
    assert parse_endpoint(url, bind=True).is_local is is_local


def test_the_fake_says_loudly_that_it_isolates_nothing():
    with pytest.warns(NoIsolationWarning, match="isolates nothing"):
        FakeSandbox().close()


def test_the_client_that_has_used_least_is_next_by_fuel_and_not_by_jobs():
    fair = FairQueue(QueueLimits(), workers=4)
    heavy, light = session("heavy"), session("light")
    for one in (heavy, light):
        fair.sessions[one.identity] = one
    for number in range(400):
        fair.add(heavy, ticket(heavy, number))
        fair.add(light, ticket(light, number))
    taken = {"heavy": 0, "light": 0}
    while light.queue and (given := fair.next()):
        taken[given.session.name] += 1
        fair.returned(given, 100_000_000 if given.session is heavy else 1_000_000)
    assert taken["light"] > 15 * taken["heavy"]


def test_costly_jobs_leave_a_worker_to_the_others():
    fair = FairQueue(QueueLimits(), workers=3)
    greedy, modest = session("greedy"), session("modest")
    fair.sessions = {one.identity: one for one in (greedy, modest)}
    for number in range(9):
        fair.add(greedy, ticket(greedy, number))
    held = [fair.next() for _ in range(3)]
    assert [one is not None for one in held] == [True, True, False]
    fair.add(modest, ticket(modest, 1))
    assert fair.next().session is modest


def test_answers_that_are_not_read_stop_the_clients_next_jobs_and_nobody_elses():
    fair = FairQueue(QueueLimits(max_client_reply_bytes=100), workers=8)
    slow, other = session("slow"), session("other")
    for number in range(9):
        fair.add(slow, Ticket(slow, number, Job("j", "echo"), 1, 0.0, reply_bytes=40))
    running = [fair.next(), fair.next()]
    assert fair.next() is None
    for one in running:
        fair.returned(one, 10)
        fair.hold(slow, 40)
    assert fair.next() is None
    fair.add(other, Ticket(other, 1, Job("j", "echo"), 1, 0.0, reply_bytes=400))
    assert fair.next().session is other
    fair.hold(slow, -40)
    assert fair.next().session is slow


def test_a_job_that_was_stopped_counts_as_the_time_it_ran():
    """Else a client could use a worker for ever with jobs that it cancels."""
    fair = FairQueue(QueueLimits(), workers=1)
    one = session("one")
    fair.add(one, ticket(one, 1))
    running = fair.next()
    fair.to_give_way(time.monotonic() - 10)
    fair.returned(running, None)
    assert one.used_fuel >= 10 * FUEL_A_SECOND


def test_long_jobs_give_way_to_clients_that_wait_and_to_no_others():
    fair = FairQueue(QueueLimits(), workers=2)
    heavy, light, full = session("heavy"), session("light"), session("full")
    fair.sessions = {one.identity: one for one in (heavy, light, full)}
    now = 100.0
    fair.add(heavy, ticket(heavy, 1))
    fair.add(full, ticket(full, 1))
    held = [fair.next(), fair.next()]
    assert fair.to_give_way(now) == []
    fair.add(full, ticket(full, 2))
    assert fair.to_give_way(now + 9) == []  # nobody waits of whose jobs none runs
    fair.add(light, ticket(light, 1))
    light.served_at = now + 9
    assert fair.to_give_way(now + 9.5) == []  # not for long yet
    light.stuck_since = 1.0
    assert fair.to_give_way(now + 99) == []  # it does not read, so nothing of it may run
    light.stuck_since = None
    given = fair.to_give_way(now + 99)
    assert given == [held[0]]
    fair.returned(held[0], None)
    assert fair.put_back(held[0])
    assert fair.next().session is light
    assert held[0].slices == 2
    fair.cancel(heavy, [held[0]])
    assert not fair.put_back(held[0])


def test_a_large_frame_of_small_items_is_not_decoded_whole():
    half = MAX_JOB_ITEMS // 2
    for many in (((0,) * 8000,) * 2000, (((),) * 8000,) * 500, ((((1,),),) * 1000,) * 1000):
        frame = msgpack.packb((PROTOCOL_VERSION, "jobs", many))
        assert len(frame) > LARGE_FRAME_BYTES
        with pytest.raises(ProtocolError, match=f"more than {MAX_JOB_ITEMS} items"):
            protocol.unpack_of_client(frame)
    frame = msgpack.packb((PROTOCOL_VERSION, "jobs", ((0,) * 8000,) * (half // 8000), "a" * 2**20))
    assert protocol.unpack_of_client(frame) == protocol.unpack(frame)
