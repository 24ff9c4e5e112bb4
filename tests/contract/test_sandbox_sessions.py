"""Sessions over ZeroMQ: one server keeps each; a server that starts again has lost them."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sandbox_wasm import (
    BadJob,
    Job,
    JobResult,
    Limits,
    Outcome,
    Sandbox,
    SandboxClient,
    SandboxUnavailable,
    Session,
    SessionGone,
    SessionLimits,
)
from sandbox_wasm.types import FUEL_A_SECOND, CallResult
from tests.fake_sandbox import FakeSandbox, NoIsolationWarning, serve_in_thread

pytestmark = [pytest.mark.guest, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def pools() -> Iterator[list[Sandbox]]:
    with Sandbox(workers=1, images=1) as one, Sandbox(workers=1, images=1) as other:
        yield [one, other]


def values(session: Session, *sources: str) -> list[str | None]:
    return [session.run(source).value for source in sources]


def test_a_session_over_zeromq_is_as_one_in_process(pools: list[Sandbox], tmp_path: Path) -> None:
    turns = ["x = [1]", "x.append(2); x", "1 // 0", "print(x)", "x = ="]
    turns.append("open('/tmp/a', 'w').write('a')")
    bind = f"ipc://{tmp_path}/s"
    with serve_in_thread(pools[0], bind), SandboxClient(bind, timeout_s=60) as client:
        here, there = pools[1].session(), client.session()
        for source in turns:
            assert here.run(source) == there.run(source)
        fork = there.fork()
        assert values(there, "x.append(3); x", "input()") == ["[1, 2, 3]", None]
        assert there.run("input()", stdin="word").value == "'word'"
        assert values(fork, "x", "open('/tmp/a').read()") == ["[1, 2]", "'a'"]


def test_a_session_saved_at_one_server_goes_on_at_another_or_in_process(
    pools: list[Sandbox], tmp_path: Path
) -> None:
    binds = [f"ipc://{tmp_path}/{n}" for n in range(2)]
    with serve_in_thread(pools[0], binds[0]), serve_in_thread(pools[1], binds[1]), \
            SandboxClient(binds[0], timeout_s=60) as one, \
            SandboxClient(binds[1], timeout_s=60) as other:  # fmt: skip
        session = one.session()
        values(session, "x = [1]; f = open('/tmp/a', 'w+')", "f.write('abc'); x.append(2)")
        saved, digest = session.save(), session.digest()
        for keeper in (other, one, pools[1]):
            again = keeper.load_session(saved)
            assert again.digest() == digest
            assert values(again, "f.seek(1); x, f.read()") == ["([1, 2], 'bc')"]
        assert one.load_session(one.session().save()).run("1 + 1").value == "2"
        banned = other.load_session(saved, banned_modules=["socket"])
        assert banned.run("import socket").outcome is Outcome.REFUSED
        with pytest.raises(BadJob, match="no saved session of this version"):
            other.load_session(b"nothing")
        pools[0]._states.clear()
        with pytest.raises(SessionGone):
            session.save()


def test_a_saved_session_is_refused_where_it_does_not_fit(tmp_path: Path) -> None:
    bind = f"ipc://{tmp_path}/s"
    small = SessionLimits(max_session_bytes=200_000)
    with Sandbox(workers=1, images=1) as here, \
            Sandbox(workers=1, images=1, sessions=small) as pool, \
            serve_in_thread(pool, bind, max_message_bytes=1 << 20), \
            SandboxClient(bind, timeout_s=60) as client:  # fmt: skip
        session = here.session()
        session.run("x = bytes(range(256)) * 2000")
        with pytest.raises(BadJob, match="has more than the 200000 bytes"):
            client.load_session(session.save())
        session.run("x = bytes(range(256)) * 8000")
        with pytest.raises(BadJob, match=r"more than ipc.* accepts .see serve --max-message-bytes"):
            client.load_session(session.save())
        assert client.session().run("1").value == "1"
        assert pool.stats()["sessions"] <= 1


def test_sessions_stay_at_their_server_and_are_dropped_with_their_last_reference(
    pools: list[Sandbox], tmp_path: Path
) -> None:
    num_before = sum(pool.stats()["sessions"] for pool in pools)
    binds = [f"ipc://{tmp_path}/{n}" for n in range(2)]
    with serve_in_thread(pools[0], binds[0]), serve_in_thread(pools[1], binds[1]), \
            SandboxClient(binds, timeout_s=60) as client:  # fmt: skip
        client.wait_ready()
        sessions = [client.session() for _ in range(12)]
        for number, session in enumerate(sessions):
            session.run(f"x = {number}")
        forks = [session.fork() for session in sessions]
        for fork in forks:
            fork.run("x = 'fork'")
        assert [session.run("x").value for session in sessions] == [str(n) for n in range(12)]
        for session in [*sessions, *forks]:
            session.close()
        client.session().run("1")  # a turn of the thread, after which the drops are sent
        client.session().run("1")
        assert sum(pool.stats()["sessions"] for pool in pools) <= num_before + 2


def test_a_server_that_starts_again_loses_sessions_with_a_clear_error_and_no_client(
    pools: list[Sandbox], tmp_path: Path
) -> None:
    bind = f"ipc://{tmp_path}/s"
    with SandboxClient(bind, timeout_s=60) as client:
        with serve_in_thread(pools[0], bind):
            session = client.session()
            session.run("x = 1")
            kept = session.fork()
        with serve_in_thread(pools[0], bind):
            with pytest.raises(SessionGone, match="was started again; begin another"):
                session.run("x")
            with pytest.raises(SessionGone):
                kept.run("x")
            assert client.session().run("1 + 1").value == "2"


def test_a_state_that_the_server_gave_up_is_gone_and_nothing_is_tried_again(
    pools: list[Sandbox], tmp_path: Path
) -> None:
    bind = f"ipc://{tmp_path}/s"
    with serve_in_thread(pools[0], bind), SandboxClient(bind, timeout_s=60) as client:
        session = client.session()
        assert session.run("x = 1").outcome is Outcome.RETURNED
        pools[0]._states.clear()
        with pytest.raises(SessionGone, match="begin another"):
            session.run("x")
        assert client.stats()["resent"] == 0


def test_a_turn_whose_server_is_gone_for_good_ends_though_another_server_lives(
    pools: list[Sandbox], tmp_path: Path
) -> None:
    binds = [f"ipc://{tmp_path}/{n}" for n in range(2)]
    with SandboxClient(binds, timeout_s=3, heartbeat_s=0.2, liveness_s=1) as client:
        lost = client.session()
        with serve_in_thread(pools[0], binds[0]):
            lost.run("x = 1")
        with serve_in_thread(pools[1], binds[1]):
            assert client.session().run("1").value == "1"
            with pytest.raises(SandboxUnavailable, match="the session's server is gone"):
                lost.run("x")


def test_a_turn_that_is_too_large_is_refused_and_ends_no_other_job(
    pools: list[Sandbox], tmp_path: Path
) -> None:
    bind = f"ipc://{tmp_path}/s"
    with serve_in_thread(pools[0], bind, max_message_bytes=1 << 20), \
            SandboxClient(bind, timeout_s=60) as client:  # fmt: skip
        session = client.session()
        session.run("x = 1")
        with pytest.raises(BadJob, match="bytes encoded are more than ipc"):
            session.run("x = 2", stdin="a" * (2 << 20))
        assert session.run("x").value == "1"
        assert client.stats()["resent"] == 0


def test_states_dropped_in_a_burst_are_all_dropped(pools: list[Sandbox], tmp_path: Path) -> None:
    bind = f"ipc://{tmp_path}/s"
    table = pools[0]._states
    with serve_in_thread(pools[0], bind), SandboxClient(bind, timeout_s=60) as client:
        session = client.session()
        session.run("x = 1")
        ref = session._ref
        assert ref is not None
        server_id, _, name = ref.name.rpartition("/")
        names = [table.put(table.get(name)) for _ in range(5_000)]
        for burst in names:
            client.drop_state(f"{server_id}/{burst}")
        session.run("x")  # a turn of the thread, after which the drops are sent
        session.run("x")
        assert table._states.keys().isdisjoint(names)


def test_what_a_client_left_grows_old_on_a_server_that_nobody_asks(
    pools: list[Sandbox], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bind = f"ipc://{tmp_path}/s"
    table = pools[0]._states
    with serve_in_thread(pools[0], bind), SandboxClient(bind, timeout_s=60) as client:
        session = client.session()
        session.run("x = 1")
        assert len(table) > 0
        monkeypatch.setattr(table, "limits", replace(table.limits, max_idle_s=0.1))
        give_up_at = time.monotonic() + 60
        while len(table) > 0 and time.monotonic() < give_up_at:
            time.sleep(0.05)
        assert len(table) == 0


def test_a_turn_that_is_cancelled_is_not_run_on_and_leaves_nothing(
    pools: list[Sandbox], tmp_path: Path
) -> None:
    bind = f"ipc://{tmp_path}/s"

    async def cancel(client: SandboxClient, session: Session) -> None:
        endless = Limits(fuel=60 * FUEL_A_SECOND)
        turn = asyncio.create_task(session.arun("while True: pass", limits=endless))
        while not client.stats()["outstanding"]:  # noqa: ASYNC110 - the client has no event for it
            await asyncio.sleep(0.01)
        turn.cancel()
        with pytest.raises(asyncio.CancelledError):
            await turn
        assert (await session.arun("x")).value == "1"

    num_before = pools[0].stats()["out_of_fuel"]
    with serve_in_thread(pools[0], bind), SandboxClient(bind, timeout_s=120) as client:
        session = client.session()
        session.run("x = 1")
        asyncio.run(cancel(client, session))
        assert pools[0].stats()["out_of_fuel"] == num_before
        assert client.stats()["outstanding"] == 0


def test_a_result_that_comes_after_its_job_was_cancelled_keeps_no_state(
    pools: list[Sandbox], tmp_path: Path
) -> None:
    bind = f"ipc://{tmp_path}/s"
    table = pools[0]._states
    with serve_in_thread(pools[0], bind), SandboxClient(bind, timeout_s=60) as client:
        session = client.session()
        session.run("x = 1")
        assert session._ref is not None
        late = table.put(table.get(session._ref.name.rpartition("/")[2]))
        call = CallResult(outcome=Outcome.RETURNED, state=f"{client.servers()[0].server_id}/{late}")
        client._wire.answered(None, (call,))
        session.run("x")  # a turn of the thread, after which the drops are sent
        session.run("x")
        assert late not in table._states


class Keeping(FakeSandbox):
    """A fake whose turns cannot be stopped, and whose states are named after their source."""

    def __init__(self) -> None:
        super().__init__()
        self.dropped: list[str] = []

    def drop_state(self, name: str) -> None:
        self.dropped.append(name)

    def _run(self, job: Job, command: str, argument: str) -> JobResult:
        super()._run(job, command, argument)
        call = CallResult(outcome=Outcome.RETURNED, state=job.source)
        return JobResult(id=job.id, calls=(call,))


def test_what_a_cancelled_turn_leaves_after_all_is_dropped_by_the_server(tmp_path: Path) -> None:
    bind = f"ipc://{tmp_path}/s"
    with pytest.warns(NoIsolationWarning):
        fake = Keeping()
    with fake, serve_in_thread(fake, bind), SandboxClient(bind, timeout_s=60) as client:
        turn = client.submit(Job("turn", "sleep 1", state=""))
        give_up_at = time.monotonic() + 60
        while not fake.stats()["jobs"] and time.monotonic() < give_up_at:
            time.sleep(0.01)
        assert turn.cancel()
        while not fake.dropped and time.monotonic() < give_up_at:
            time.sleep(0.01)
        assert fake.dropped == ["sleep 1"]
