"""asyncio in the guest: what one thread without sockets can do comes out as in CPython."""
# ruff: noqa: E501 - programs on few lines

import pytest

from sandbox_wasm import Job, Limits, Outcome, Sandbox
from sandbox_wasm.values import equal
from tests.guest.native_python import run_natively

pytestmark = pytest.mark.guest
LIMITS = Limits(fuel=2_000_000_000)

# Each is the body of main(), which returns a value.
PROGRAMS = {
    "run": "return 3",
    "gather": "return await asyncio.gather(late(3, 1), late(1, 2), late(2, 3))",
    "gather with exceptions": "r = await asyncio.gather(late(1, 1), fail(), return_exceptions=True)\n"
    "return [r[0], repr(r[1])]",
    "sleep order": "await asyncio.gather(*(note(k) for k in (5, 1, 4, 2, 3)))\nreturn seen",
    "sleep(0) takes turns": "async def go(name):\n    for k in range(3):\n        seen.append((name, k))\n"
    "        await asyncio.sleep(0)\nawait asyncio.gather(go('a'), go('b'))\nreturn seen",
    "wait_for in time": "return await asyncio.wait_for(late(1, 7), 30)",
    "wait_for too late": "try:\n    await asyncio.wait_for(asyncio.sleep(30), 0.01)\n"
    "except asyncio.TimeoutError as error:\n    return type(error).__name__",
    "timeout": "try:\n    async with asyncio.timeout(0.01):\n        await asyncio.sleep(30)\n"
    "except TimeoutError:\n    return 'late'",
    "Queue": "q = asyncio.Queue(2)\nasync def put():\n    for k in range(6):\n        await q.put(k)\n"
    "        seen.append(('put', k))\n    await q.put(None)\nt = asyncio.create_task(put())\n"
    "while (k := await q.get()) is not None: seen.append(('got', k))\nawait t\nreturn seen",
    "Queue.join": "q = asyncio.Queue()\nasync def work(name):\n    while True:\n        k = await q.get()\n"
    "        await asyncio.sleep(0.001)\n        seen.append(k)\n        q.task_done()\n"
    "ts = [asyncio.create_task(work(n)) for n in 'ab']\nfor k in range(5): q.put_nowait(k)\n"
    "await q.join()\nfor t in ts: t.cancel()\nawait asyncio.gather(*ts, return_exceptions=True)\nreturn sorted(seen)",
    "PriorityQueue": "q = asyncio.PriorityQueue()\nfor k in (3, 1, 2): await q.put(k)\n"
    "return [await q.get() for _ in range(3)]",
    "Lock": "lock = asyncio.Lock()\nasync def go(k):\n    async with lock:\n        seen.append(k)\n"
    "        await asyncio.sleep(0)\n        seen.append(-k)\nawait asyncio.gather(go(1), go(2))\nreturn seen",
    "Semaphore": "s = asyncio.Semaphore(2)\nbusy = [0, 0]\nasync def go():\n    async with s:\n"
    "        busy[0] += 1\n        busy[1] = max(busy)\n        await asyncio.sleep(0.001)\n        busy[0] -= 1\n"
    "await asyncio.gather(*(go() for _ in range(7)))\nreturn busy",
    "Event": "e = asyncio.Event()\nasync def wait():\n    await e.wait()\n    return 'set'\n"
    "t = asyncio.create_task(wait())\nawait asyncio.sleep(0)\nseen.append(t.done())\ne.set()\nreturn seen, await t",
    "Condition": "c = asyncio.Condition()\nasync def wait():\n    async with c:\n        await c.wait_for(lambda: seen)\n"
    "        return seen\nt = asyncio.create_task(wait())\nawait asyncio.sleep(0)\nasync with c:\n"
    "    seen.append(1)\n    c.notify_all()\nreturn await t",
    "TaskGroup": "async with asyncio.TaskGroup() as g:\n    ts = [g.create_task(late(k, k)) for k in (2, 1)]\n"
    "return [t.result() for t in ts]",
    "TaskGroup that fails": "try:\n    async with asyncio.TaskGroup() as g:\n        g.create_task(fail())\n"
    "        g.create_task(asyncio.sleep(30))\nexcept* ValueError as group:\n"
    "    seen.extend(repr(e) for e in group.exceptions)\nreturn seen",
    "cancel": "async def go():\n    try: await asyncio.sleep(30)\n    finally: seen.append('cleaned')\n"
    "t = asyncio.create_task(go())\nawait asyncio.sleep(0)\nt.cancel()\ntry: await t\n"
    "except asyncio.CancelledError: seen.append('cancelled')\nreturn seen, t.cancelled()",
    "shield": "t = asyncio.create_task(late(2, 5))\ntry: await asyncio.wait_for(asyncio.shield(t), 0.001)\n"
    "except TimeoutError: seen.append('late')\nreturn seen, await t",
    "as_completed": "return [await f for f in asyncio.as_completed([late(k, k) for k in (3, 1, 2)])]",
    "wait": "ts = [asyncio.create_task(late(k, k)) for k in (1, 90)]\n"
    "done, left = await asyncio.wait(ts, return_when=asyncio.FIRST_COMPLETED)\nfor t in left: t.cancel()\n"
    "return [t.result() for t in done], len(left)",
    "async generator": "async def g():\n    try:\n        for k in range(4):\n            await asyncio.sleep(0)\n"
    "            yield k\n    finally: seen.append('closed')\nasync for k in g():\n    if k == 2: break\n"
    "return [k async for k in g()], seen",
    "callbacks": "loop = asyncio.get_running_loop()\nf = loop.create_future()\nloop.call_later(0.001, f.set_result, 4)\n"
    "loop.call_soon(seen.append, 1)\nloop.call_soon_threadsafe(seen.append, 2)\nreturn await f, seen",
    "context": "import contextvars\nv = contextvars.ContextVar('v', default=0)\nasync def go(k):\n    v.set(k)\n"
    "    await asyncio.sleep(0)\n    return v.get()\nreturn await asyncio.gather(go(1), go(2)), v.get()",
    "an exception": "await fail()",
    "a task never awaited": "asyncio.create_task(asyncio.sleep(30))\nreturn 1",
}  # fmt: skip
HEADER = """import asyncio
seen = []
async def late(k, value):
    await asyncio.sleep(k / 50)
    return value
async def note(k):
    await asyncio.sleep(k / 50)
    seen.append(k)
async def fail():
    await asyncio.sleep(0)
    raise ValueError("no")
"""
TWICE = HEADER + "def f(): return [asyncio.run(late(k, k)) for k in (1, 2)]"
OLD_WAY = HEADER + (
    "def f():\n    loop = asyncio.new_event_loop()\n    try: return loop.run_until_complete(late(1, 4))\n"
    "    finally: loop.close()"
)
RUNNER = HEADER + (
    "def f():\n    with asyncio.Runner() as r: return r.run(late(1, 1)), r.run(late(1, 2))"
)


def source(body: str) -> str:
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    return f"{HEADER}async def main():\n{lines}def f(): return asyncio.run(main())"


def test_programs_of_one_thread_run_as_natively(sandbox: Sandbox) -> None:
    sources = [*map(source, PROGRAMS.values()), TWICE, OLD_WAY, RUNNER]
    jobs = [Job(str(i), text, calls=[""], limits=LIMITS) for i, text in enumerate(sources)]
    natively = run_natively([(text, "") for text in sources])
    for name, (kind, expected), result in zip(
        [*PROGRAMS, "twice", "old way", "Runner"], natively, sandbox.run(jobs), strict=True
    ):
        call = result.calls[0]
        if kind == "raised":
            assert (call.error or "").startswith(expected), name
        else:
            assert kind == "value", name
            assert call.outcome is Outcome.RETURNED, (name, call)
            assert equal(call.value or "", expected), (name, call.value, expected)


def test_a_whole_program_prints_from_its_tasks(sandbox: Sandbox) -> None:
    body = "await asyncio.gather(*(note(int(x)) for x in input().split()))\nprint(*seen)"
    program = source(body) + "\nf()"
    [result] = sandbox.run([Job("1", program, stdin="3 1 2\n", limits=LIMITS, want_stdout=True)])
    assert result.calls[0].stdout == "1 2 3\n"


def test_sleeping_costs_no_time_and_moves_the_clock(sandbox: Sandbox) -> None:
    body = "import time\nt = time.monotonic()\nawait asyncio.sleep(86400)\nreturn round(time.monotonic() - t)"
    [result] = sandbox.run([Job("1", source(body), calls=[""], limits=LIMITS)])
    assert result.calls[0].value == "86400"


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("await asyncio.to_thread(sum, [1])", "RuntimeError: can't start new thread"),
        ("await asyncio.get_running_loop().run_in_executor(None, print)", "RuntimeError: can't start"),
        ("await asyncio.open_connection('127.0.0.1', 80)", "OSError"),
        ("await asyncio.create_subprocess_exec('ls')", "OSError"),
        ("import signal\nasyncio.get_running_loop().add_signal_handler(2, print)", "AttributeError"),
        ("await asyncio.Future()", "OSError"),  # natively it waits for ever
    ],
)  # fmt: skip
def test_threads_sockets_processes_and_signals_are_errors(
    sandbox: Sandbox, body: str, error: str
) -> None:
    [result] = sandbox.run([Job("1", source(body), calls=[""], limits=LIMITS)])
    assert result.calls[0].outcome is Outcome.RAISED
    assert (result.calls[0].error or "").startswith(error)


def test_nobody_pays_for_asyncio_but_who_imports_it(sandbox: Sandbox) -> None:
    text = "import sys\ndef f(): return [m for m in sys.modules if m.startswith('asyncio')]"
    [result] = sandbox.run([Job("1", text, calls=[""])])
    assert result.calls[0].value == "[]"
