"""What every executor promises, local or over the wire: one suite, for fakes and the real one.

pytest tests/contract/test_sandbox_contract.py               # everything
pytest tests/contract/test_sandbox_contract.py -m "not guest"  # without the guest image
"""

import asyncio
import contextlib
import random
import threading
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

from sandbox_wasm.client.client import SandboxClient
from sandbox_wasm.errors import BadJob
from sandbox_wasm.sandbox import Sandbox
from sandbox_wasm.types import Job, Limits, Outcome
from tests.fake_sandbox import FakeSandbox, NoIsolationWarning, serve_in_thread

pytestmark = pytest.mark.timeout(120)

LITERALS = [
    "0",
    "-7",
    "'a b'",
    "[1, [2]]",
    "(1,)",
    "{'k': None}",
    "True",
    "1.5",
    "'\\n'",
    "b'\\x00'",
]


@dataclass
class Subject:
    """An executor, and how its programs are spelled."""

    executor: Any
    echo: str
    loops: str


@pytest.fixture(scope="module")
def real_pool() -> Iterator[Any]:
    with Sandbox(workers=2) as pool:
        yield pool


def make_subject(kind: str, request, tmp_path) -> Iterator[Subject]:
    what, where = kind.split("-")
    with contextlib.ExitStack() as stack:
        if what == "fake":
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", NoIsolationWarning)
                executor = stack.enter_context(FakeSandbox(workers=2))
            echo, loops = "echo", "fuel"
        else:
            executor = request.getfixturevalue("real_pool")
            echo, loops = "def f(x):\n    return x", "def f(x):\n    while True: x = x"
        if where == "wire":
            bind = f"ipc://{tmp_path}/s"
            stack.enter_context(serve_in_thread(executor, bind))
            executor = stack.enter_context(SandboxClient(bind, timeout_s=60))
        yield Subject(executor, echo, loops)


REAL = [pytest.mark.guest, pytest.mark.slow]


@pytest.fixture(
    params=[
        "fake-local",
        "fake-wire",
        pytest.param("real-local", marks=REAL),
        pytest.param("real-wire", marks=REAL),
    ]
)
def subject(request, tmp_path) -> Iterator[Subject]:
    yield from make_subject(request.param, request, tmp_path)


@pytest.fixture(params=["fake-wire", pytest.param("real-wire", marks=REAL)])
def remote(request, tmp_path) -> Iterator[Subject]:
    yield from make_subject(request.param, request, tmp_path)


@pytest.fixture
def fake_remote(request, tmp_path) -> Iterator[Subject]:
    yield from make_subject("fake-wire", request, tmp_path)


def echo_jobs(subject: Subject, count: int) -> list[Job]:
    literals = [LITERALS[i % len(LITERALS)] for i in range(count)]
    return [Job(f"job-{i}", subject.echo, calls=(text,)) for i, text in enumerate(literals)]


def values(results) -> list[tuple[str, str | None]]:
    return [(result.id, result.calls[0].value) for result in results]


def expected(jobs: list[Job]) -> list[tuple[str, str]]:
    return [(job.id, job.calls[0]) for job in jobs]


def test_results_come_in_the_order_of_the_jobs(subject):
    jobs = echo_jobs(subject, 700)
    random.Random(0).shuffle(jobs)
    assert values(subject.executor.run(jobs)) == expected(jobs)


def test_a_job_with_many_calls_has_one_result_a_call_in_order(subject):
    (result,) = subject.executor.run([Job("many", subject.echo, calls=tuple(LITERALS))])
    assert [call.value for call in result.calls] == LITERALS
    assert all(call.outcome is Outcome.RETURNED for call in result.calls)
    assert all(type(call.fuel) is int and call.fuel > 0 for call in result.calls)
    assert result.deterministic


def test_no_jobs_give_no_results(subject):
    assert subject.executor.run([]) == []


def test_two_jobs_may_have_the_same_id(subject):
    jobs = [Job("twin", subject.echo, calls=("1",)), Job("twin", subject.echo, calls=("2",))]
    assert values(subject.executor.run(jobs)) == [("twin", "1"), ("twin", "2")]


def test_running_out_of_fuel_is_an_outcome_and_not_an_exception(subject):
    job = Job("loop", subject.loops, calls=("1",), limits=Limits(fuel=20_000_000))
    (result,) = subject.executor.run([job])
    assert result.calls[0].outcome is Outcome.OUT_OF_FUEL
    assert result.calls[0].value is None


def test_submit_gives_a_future_of_the_result(subject):
    futures = [subject.executor.submit(job) for job in echo_jobs(subject, 20)]
    jobs = echo_jobs(subject, 20)
    assert values([future.result(timeout=60) for future in futures]) == expected(jobs)


def test_many_threads_share_one_executor(subject):
    def run(seed: int):
        jobs = echo_jobs(subject, 150)
        random.Random(seed).shuffle(jobs)
        return values(subject.executor.run(jobs)) == expected(jobs)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(run, range(8)))


def test_text_that_is_not_valid_unicode_survives_the_wire(fake_remote):
    job = Job("odd", "echo", stdin="\ud800 \x00 \U0001f40d", want_stdout=True)
    assert fake_remote.executor.run([job])[0].calls[0].stdout == "\ud800 \x00 \U0001f40d"


# ---------------------------------------------------------------------- the client's own methods


def test_a_stream_yields_every_result_once(remote):
    jobs = echo_jobs(remote, 300)
    streamed = dict(remote.executor.stream(jobs))
    assert values(streamed[i] for i in range(300)) == expected(jobs)


def test_many_coroutines_share_one_client(remote):
    jobs = echo_jobs(remote, 400)

    async def main():
        one_each = [remote.executor.arun([job]) for job in jobs]
        together = remote.executor.arun(jobs)
        *singles, whole = await asyncio.gather(*one_each, together)
        streamed = {index: result async for index, result in remote.executor.astream(jobs)}
        return singles, whole, streamed

    singles, whole, streamed = asyncio.run(main())
    assert values([result for (result,) in singles]) == expected(jobs)
    assert values(whole) == expected(jobs)
    assert values(streamed[i] for i in range(400)) == expected(jobs)


def test_several_event_loops_and_threads_share_one_client(remote):
    jobs = echo_jobs(remote, 60)
    outcomes = []

    def in_a_loop():
        async def main():
            return await asyncio.gather(*(remote.executor.arun([job]) for job in jobs))

        outcomes.append(values([r for (r,) in asyncio.run(main())]) == expected(jobs))

    threads = [threading.Thread(target=in_a_loop) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert values(remote.executor.run(jobs)) == expected(jobs)
    for thread in threads:
        thread.join()
    assert outcomes == [True] * 4


def test_a_client_refuses_a_job_whose_answer_could_not_be_sent(fake_remote):
    limits = Limits(output_bytes=64 * 1024 * 1024)
    with pytest.raises(BadJob, match="output_bytes"):
        fake_remote.executor.run([Job("bad", "echo", calls=("1",) * 10, limits=limits)])
    jobs = echo_jobs(fake_remote, 3)
    assert values(fake_remote.executor.run(jobs)) == expected(jobs)


@pytest.mark.parametrize("num_chars", [4 * 1024**2 + 1, 9 * 1024**2, 20 * 1024**2])
def test_a_program_too_long_to_look_at_is_refused_alone(subject, num_chars):
    """A model wrote it: its own outcome, and the rest of the batch runs."""
    jobs = echo_jobs(subject, 3)
    jobs[1:1] = [
        Job("long", "#" * num_chars, calls=("1", "2")),
        Job("wide", "#" + "\ud800" * (num_chars // 3 + 1), tests="pass"),
    ]
    results = subject.executor.run(jobs)
    assert values([results[0], *results[3:]]) == expected([jobs[0], *jobs[3:]])
    for result in results[1:3]:
        (call,) = result.calls
        assert call.outcome is Outcome.REFUSED
        assert call.error.startswith("SourceTooLong: ")
    assert subject.executor.submit(jobs[1]).result(timeout=60) == results[1]
    assert subject.executor.run(jobs[1:3]) == results[1:3]


@pytest.mark.guest
@pytest.mark.slow
def test_the_wire_changes_nothing_of_a_result(real_pool, tmp_path):
    jobs = [
        Job("values", "def f(x):\n    print(x)\n    return {x: [x, None]}", calls=("1", "'é'"),
            want_stdout=True),
        Job("raises", "def f(x):\n    raise ValueError('no ' + x)", calls=("'way'",)),
        Job("syntax", "def f(:", calls=("1",)),
        Job("refused", "import os\ndef f(x):\n    return x", calls=("1",),
            banned_modules=frozenset({"os"})),
        Job("expressions", "y = 3", expressions=("y + 1", "undefined")),
        Job("stdin", "print(input())", stdin="hi", want_stdout=True),
        Job("tests", "def f(x):\n    return x", tests="assert f(1) == 1"),
        Job("wrong", "def f(x):\n    return x", tests="assert f(1) == 2"),
        Job("surrogate", "x = '\ud800'", calls=("1",)),
        Job("nul", "x = 1\0", tests="pass"),
        Job("separators", "def f(x):\n    return x", calls=("'\u2028\x85\x1c'", "1\x0c", "\ud800")),
        Job("seeds", "def f(x):\n    return list({'a', 'b', 'c', 'd'})", calls=("1",), images=2),
    ]  # fmt: skip
    bind = f"ipc://{tmp_path}/s"
    with serve_in_thread(real_pool, bind), SandboxClient(bind, timeout_s=60) as client:
        assert client.run(jobs) == real_pool.run(jobs)
