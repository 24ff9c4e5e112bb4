# ruff: noqa: E501 - a source a line
"""Sessions: a state that goes on from turn to turn, forks, is saved, and is never another's."""

import asyncio
import random
import time
from collections.abc import Iterator, Sequence

import pytest

from sandbox_wasm import BadJob, Job, Limits, Outcome, Sandbox, Session, SessionGone, SessionLimits
from sandbox_wasm.http.runs.notebook import Allowance, job_of_cells, result_of_cells
from sandbox_wasm.http.runs.sessions import HeldSession
from sandbox_wasm.sessions.errands import Errand
from sandbox_wasm.types import FUEL_A_SECOND, JobResult

pytestmark = pytest.mark.guest

SMALL = Limits(fuel=200_000_000, memory_bytes=96 << 20, output_bytes=10_000)
STOPPED = {
    "while True:\n    x += 1": Outcome.OUT_OF_FUEL,
    "x = bytearray(200 << 20)": Outcome.OUT_OF_MEMORY,
    "x = 7; import os; os.abort()": Outcome.TRAPPED,
    "x = 7; print('a' * 20_000)": Outcome.OUTPUT_TOO_LARGE,
    "x = 7; 'a' * 20_000": Outcome.OUTPUT_TOO_LARGE,
    "x = 7; import os; os._exit(3)": Outcome.EXITED,
    "x = = 7": Outcome.SYNTAX_ERROR,
}
SOURCES = [
    "x = {n}", "x += {n}; x", "xs.append(x)", "xs[-{n}:]", "len(xs), sum(xs)", "d[{n}] = xs[:3]", "d",
    "def f(a):\n    return a * {n} + x", "f({n})",
    "class C:\n    n = {n}\n    def __init__(self):\n        self.v = x", "c = C(); c.v, C.n", "next(g)", "g = (i * i for i in range({n}, 99))", "1 // (x % 2)",
    "random.random()", "print('{n}', x)", "xs.sort(key=lambda v: -v); xs[:2]", "_", "y", "f(",
    "raise KeyError({n})", "import collections; collections.Counter(xs).most_common(1)", "x = 'a' * {n}; x;",
    "try:\n    f('a')\nexcept TypeError as e:\n    xs.append(1)", "len(input()) + {n}", "x = len(str(d))",
    "open('/tmp/{n}', 'w').write(str(x)); import os; sorted(os.listdir('/tmp'))",
]  # fmt: skip
PROBE = """
def f():
    import builtins, sys, os, json
    main = vars(sys.modules['__main__'])
    return [hasattr(builtins, 'mark'), 'mark' in sys.modules, json.dumps is sys, os.listdir('/tmp'), 'mark' in main]
"""
POISON = """
import builtins, sys, os, json
mark = builtins.mark = b'SECRET' * 100000
json.dumps = sys.modules['mark'] = sys
open('/tmp/mark', 'w').write('x')
f = open('/tmp/mark')
"""


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """Compares each slot with its image after every run."""
    with Sandbox(workers=2, images=1, check_every=1) as pool:
        yield pool
        assert pool.stats()["restore_check_failures"] == 0


def values(session: Session, *sources: str) -> list[str | None]:
    return [session.run(source).value for source in sources]


def test_what_a_turn_leaves_is_there_for_the_next(sandbox: Sandbox) -> None:
    with sandbox.session() as session:
        first = session.run(
            "import math\nx = [1]\ndef f(n):\n    return n + len(x)\nprint('hi')\nf(2)"
        )
        assert (first.outcome, first.value, first.stdout) == (Outcome.RETURNED, "3", "hi\n")
        assert first.is_kept
        assert first.fuel > 0
        assert values(session, "x.append(f(1))", "x", "_ is x", "math.tau > 6;", "__name__") == [
            None, "[1, 2]", "True", None, "'__main__'",
        ]  # fmt: skip


def test_a_turn_that_raises_leaves_what_it_did_and_its_traceback_has_all_turns_lines(
    sandbox: Sandbox,
) -> None:
    session = sandbox.session()
    session.run("def f(n):\n    return 1 // n  # here")
    failed = session.run("import sys\nx = 5\nprint('e', file=sys.stderr)\nf(0)")
    assert (failed.outcome, failed.stderr) == (Outcome.RAISED, "e\n")
    assert failed.error == "ZeroDivisionError: division by zero"
    assert failed.traceback == (
        'Traceback (most recent call last):\n  File "<turn 2>", line 4, in <module>\n    f(0)\n'
        '  File "<turn 1>", line 2, in f\n    return 1 // n  # here\n'
        "ZeroDivisionError: division by zero\n"
    )
    assert session.run("x").value == "5"
    assert session.run("import inspect; inspect.getsource(f)").value == (
        "'def f(n):\\n    return 1 // n  # here'"
    )
    ended = session.run("x = 6\nsys.exit(2)")
    assert (ended.outcome, ended.is_kept, ended.error) == (Outcome.EXITED, True, "SystemExit: 2")
    wrong = session.run("x = \n")
    assert wrong.traceback is not None
    assert 'File "<turn 6>", line 1' in wrong.traceback
    assert session.run("x").value == "6"


@pytest.mark.parametrize("source", STOPPED)
def test_a_turn_that_is_stopped_leaves_the_session_as_it_was(sandbox: Sandbox, source: str) -> None:
    session = sandbox.session()
    session.run("x = 1")
    before = session.digest()
    stopped = session.run(source, limits=SMALL)
    assert (stopped.outcome, stopped.is_kept) == (STOPPED[source], False)
    assert session.digest() == before
    assert session.run("x").value == "1"


def test_forks_go_their_own_ways(sandbox: Sandbox) -> None:
    session = sandbox.session()
    session.run("x = [0]; open('/tmp/a', 'w').write('0'); f = open('/tmp/a', 'a')")
    forks = [session.fork() for _ in range(4)]
    for number, fork in enumerate(forks, 1):
        fork.run(f"x.append({number}); f.write('{number}'); f.flush()")
    session.close()
    for number, fork in enumerate(forks, 1):
        assert fork.run("x, open('/tmp/a').read()").value == f"([0, {number}], '0{number}')"
    with pytest.raises(BadJob, match="the session is closed"):
        session.run("1")


def test_a_session_has_files_stdin_clock_and_entropy_of_its_own(sandbox: Sandbox) -> None:
    session = sandbox.session()
    assert session.run("input()", stdin="a\nb\nc").value == "'a'"
    assert values(session, "input()") == ["'b'"]  # what was not read yet
    assert session.run("import sys; sys.stdin.read()", stdin="new").value == "'new'"
    session.run("import time, os, random; t = time.time(); time.sleep(100)")
    assert values(session, "90 < time.time() - t < 110") == ["True"]
    session.run("drawn = [os.urandom(4) for _ in range(2)]; w = open('/tmp/w', 'w+')")
    assert values(session, "os.urandom(4) not in drawn") == ["True"]
    session.run("w.write('unflushed'); os.remove('/tmp/w')")
    assert values(session, "w.seek(0); w.read()", "os.listdir('/tmp')") == ["'unflushed'", "[]"]
    session.run("big = bytearray(40 << 20); big[-1] = 9")  # memory beyond the image's
    assert values(session, "big[-1], len(big)") == [f"(9, {40 << 20})"]
    poor = session.run("1", limits=Limits(memory_bytes=64 << 20))
    assert (poor.outcome, poor.is_kept) == (Outcome.OUT_OF_MEMORY, False)


def test_what_a_state_holds_is_counted_and_what_forks_share_once(sandbox: Sandbox) -> None:
    session = sandbox.session()
    session.run("x = bytearray(16 << 20); x[::4096] = b'1' * 4096")
    session.run("f = open('/tmp/a', 'w'); f.write('a' * (8 << 20)); f.flush(); n = 0")
    before = sandbox.stats()["state_bytes"]
    forks = [session.fork() for _ in range(5)]
    assert all(fork.run(f"n = {number}").is_kept for number, fork in enumerate(forks))
    held = sandbox.stats()["state_bytes"] - before
    assert 5 * 4096 * 20 < held < 5 * 4096 * 20 + (2 << 20)  # lists of pages; no page and no file
    forks.clear()
    assert sandbox.stats()["state_bytes"] <= before


def test_entering_and_leaving_a_state_is_paid_in_fuel(sandbox: Sandbox) -> None:
    small, large, files = (sandbox.session() for _ in range(3))
    large.run("x = bytearray(96 << 20); x[::4096] = b'1' * (96 << 8)")
    files.run("f = open('/tmp/a', 'w'); f.write('a' * (16 << 20)); f.flush()")
    assert small.run("").fuel < 50_000_000
    assert files.run("").fuel > small.run("").fuel + (16 << 20) * 5
    began = time.process_time()
    turn = large.run("")
    assert turn.fuel > (time.process_time() - began) * FUEL_A_SECOND / 4
    before = large.digest()
    poor = large.run("x = 1", limits=Limits(fuel=turn.fuel // 4))
    assert (poor.outcome, poor.is_kept) == (Outcome.OUT_OF_FUEL, False)
    poor = large.run("x = 1", limits=Limits(fuel=turn.fuel * 3 // 4))  # cannot leave
    assert (poor.outcome, poor.is_kept) == (Outcome.OUT_OF_FUEL, False)
    assert large.digest() == before


def random_turns(rng: random.Random) -> list[tuple[str, str]]:
    sources = rng.choices(SOURCES, k=rng.randrange(4, 12))
    first = "import random; x = 1; xs = [3]; d = {}; g = iter('abc')"
    return [(first, "")] + [
        (source.format(n=rng.randrange(1, 9)), rng.choice(["", "one\ntwo"])) for source in sources
    ]


@pytest.mark.parametrize("seed", range(6))
def test_random_turns_do_what_replaying_them_does(sandbox: Sandbox, seed: int) -> None:
    """The oracle is `run_cells`, which runs all turns again, in one run; at some turn, a fork."""
    turns = random_turns(random.Random(seed))
    (replayed,) = sandbox.run([job_of_cells(turns, Allowance(seconds=10))])
    expected = result_of_cells(replayed, len(turns)).cells
    assert expected
    session = sandbox.session()
    for (source, stdin), cell in zip(turns, expected, strict=True):
        session.fork().run("x = xs = d = g = f = None; import random; random.random()")
        turn = session.run(source, stdin=stdin)
        error = None if cell.error is None else f"{cell.error.name}: {cell.error.message}"
        assert (turn.value, turn.stdout) == (cell.value, cell.stdout), source
        if not isinstance(error, str) or not error.startswith("SyntaxError"):
            assert (turn.error or "").rstrip(": ") == (error or "").rstrip(": "), source


def test_equal_turns_leave_equal_bytes_on_any_worker_after_a_fork_and_a_move(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = random_turns(random.Random(99))
    digests: list[list[str]] = []
    monkeypatch.setenv("AZR_DIRTY_PAGES", "compare")
    with Sandbox(workers=1, images=1) as other:
        for pool in (sandbox, sandbox, other):
            session, seen = pool.session(), list[str]()
            for index, (source, stdin) in enumerate(turns):
                session.run(source, stdin=stdin)
                seen.append(session.digest())
                pool.run([Job("between", f"x = [{index}] * 1000", stdin="")])
                if index % 3 == 1:
                    session = session.fork()
                if index % 3 == 2 and pool is other:
                    session = sandbox.load_session(session.save())  # goes on at another worker
            digests.append(seen)
    assert digests[0] == digests[1] == digests[2]
    assert len(set(digests[0])) > len(turns) // 2


def test_nothing_of_a_session_is_in_a_call_or_in_another_session(sandbox: Sandbox) -> None:
    secret = "any(b'SECRET' * 2 in bytearray(200000) for _ in range(20))"
    for _ in range(3):
        session = sandbox.session()
        assert session.run(POISON).outcome is Outcome.RETURNED
        for worker in range(4):
            (result,) = sandbox.run([Job(str(worker), PROBE, [""])])
            assert result.calls[0].value == "[False, False, False, [], False]"
        clean = sandbox.session()
        clean.run(PROBE)
        assert values(clean, "f()", secret) == ["[False, False, False, [], False]", "False"]
        assert values(session, "len(mark), f.read()") == ["(600000, 'x')"]


def test_turns_are_bounded_and_the_session_idle_longest_goes_first() -> None:
    limits = SessionLimits(max_sessions=3, max_session_bytes=1 << 20, max_bytes=1 << 21)
    with Sandbox(workers=1, images=1, sessions=limits) as pool:
        sessions = [pool.session() for _ in range(5)]
        for number in range(5):
            sessions[number].run(f"x = {number}")
        assert pool.stats()["sessions"] == 3
        with pytest.raises(SessionGone, match="begin another"):
            sessions[0].run("x")
        assert values(sessions[4], "x") == ["4"]
        full = sessions[4].run("xs = list(range(200_000))")
        assert (full.outcome, full.is_kept) == (Outcome.OUT_OF_MEMORY, False)
        assert full.error == f"the session would hold more than {1 << 20} bytes"
        for _ in range(4):  # 0.9 MB each
            sessions.append(pool.session())
            assert sessions[-1].run("y = bytes(range(1, 201)) * 4_000").is_kept
        stats = pool.stats()
        assert stats["state_bytes"] <= limits.max_bytes
        assert (stats["sessions"], stats["sessions_expired"]) == (2, 7)
        sessions.clear()
        assert (pool.stats()["sessions"], pool.stats()["state_bytes"]) == (0, 0)


def test_a_session_that_may_hold_nothing_cannot_be_saved_and_says_why() -> None:
    with Sandbox(workers=1, images=1, sessions=SessionLimits(max_session_bytes=1000)) as pool:

        async def run(jobs: Sequence[Job | Errand]) -> list[JobResult]:
            return [pool.submit(job).result() for job in jobs]

        with pytest.raises(BadJob, match=r"no state to save: .* more than 1000 bytes"):
            pool.session().save()
        with pytest.raises(BadJob, match=r"no state to save: .* more than 1000 bytes"):
            asyncio.run(HeldSession(pool.drop_state).save(run))


def test_turns_of_one_session_come_one_after_the_other_and_forks_run_together(
    sandbox: Sandbox,
) -> None:
    async def play() -> list[str | None]:
        session = sandbox.session()
        await session.arun("x = 1")
        forks = [session.fork() for _ in range(8)]
        running = asyncio.create_task(session.arun("sum(range(10 ** 6))"))
        await asyncio.sleep(0)
        with pytest.raises(BadJob, match="a turn of this session is running"):
            await session.arun("x")
        await running
        turns = [fork.arun(f"x + {number}") for number, fork in enumerate(forks)]
        return [turn.value for turn in await asyncio.gather(*turns)]

    assert asyncio.run(play()) == [str(1 + number) for number in range(8)]


def test_a_banned_module_stays_out_and_a_turn_is_no_other_kind_of_job(sandbox: Sandbox) -> None:
    session = sandbox.session(banned_modules={"random"})
    assert session.run("import random").outcome is Outcome.REFUSED
    assert session.run("1; __import__('ran' + 'dom')").outcome is Outcome.RAISED
    with pytest.raises(BadJob, match="a session's turn has no calls"):
        Job("1", "x = 1", calls=["1"], state="")
    with pytest.raises(SessionGone):
        sandbox.run([Job("1", "x = 1", state="nobody's")])
