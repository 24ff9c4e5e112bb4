"""The executor's contract, on the real guest."""

import threading
from pathlib import Path

import pytest

from sandbox_wasm import (
    DEFAULT_BANNED_MODULES,
    BadJob,
    CallResult,
    Job,
    Limits,
    Outcome,
    Sandbox,
    SandboxUnavailable,
)

pytestmark = pytest.mark.guest


SMALL = Limits(fuel=2_000_000_000, output_bytes=64 * 1024)


def one(sandbox: Sandbox, source: str, **fields: object) -> CallResult:
    job = Job("one", source, **{"limits": SMALL, **fields})  # type: ignore[arg-type]
    (result,) = sandbox.run([job])
    (call,) = result.calls
    return call


def test_a_call_returns_the_canonical_literal_of_its_value(sandbox: Sandbox) -> None:
    call = one(sandbox, "def f(x, k=1): return {x: [k, {3, 1, 2}]}", calls=["'a', k=(2.5,)"])
    assert (call.outcome, call.value) == (Outcome.RETURNED, "{'a': [(2.5,), {1, 2, 3}]}")
    assert call.fuel > 0


def test_every_call_starts_from_a_fresh_state(sandbox: Sandbox) -> None:
    source = "seen = []\ndef f(x):\n    seen.append(x)\n    return seen"
    (result,) = sandbox.run([Job("1", source, calls=["1", "2", "3"])])
    assert [call.value for call in result.calls] == ["[1]", "[2]", "[3]"]


def test_results_come_in_the_order_of_the_jobs(sandbox: Sandbox) -> None:
    slow = "def f(n): return sum(range(n))"
    jobs = [Job(str(i), slow, calls=[str(1_000_000 if i % 7 == 0 else i)]) for i in range(40)]
    results = sandbox.run(jobs)
    assert [result.id for result in results] == [str(i) for i in range(40)]
    assert results[5].calls[0].value == "10"


def test_stream_yields_each_job_once(sandbox: Sandbox) -> None:
    jobs = [Job(str(i), "def f(x): return x", calls=[str(i)]) for i in range(30)]
    seen = dict(sandbox.stream(jobs))
    assert {i: r.calls[0].value for i, r in seen.items()} == {i: str(i) for i in range(30)}


def test_submissions_from_many_threads_all_finish(sandbox: Sandbox) -> None:
    failures: list[int] = []

    def submit(base: int) -> None:
        for i in range(base, base + 20):
            job = Job(str(i), "def f(x): return x * 2", calls=[str(i)])
            if sandbox.submit(job).result(timeout=60).calls[0].value != str(2 * i):
                failures.append(i)

    threads = [threading.Thread(target=submit, args=(100 * n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_arguments_are_data_not_code(sandbox: Sandbox) -> None:
    bad = "__import__('os').getpid()"
    (result,) = sandbox.run([Job("1", "def f(x): return x", calls=["1", bad, "2"])])
    assert [call.outcome for call in result.calls] == [
        Outcome.RETURNED, Outcome.SYNTAX_ERROR, Outcome.RETURNED,
    ]  # fmt: skip
    assert "__import__" in (result.calls[1].error or "")


def test_an_entry_may_be_an_expression(sandbox: Sandbox) -> None:
    source = "class Solution:\n    def add(self, a, b): return a + b"
    assert one(sandbox, source, calls=["1, b=2"], entry="Solution().add").value == "3"


def test_a_missing_entry_is_a_name_error(sandbox: Sandbox) -> None:
    call = one(sandbox, "x = 1", calls=["1"])
    assert (call.outcome, call.error) == (Outcome.RAISED, "NameError: name 'f' is not defined")


def test_expressions_see_the_programs_names(sandbox: Sandbox) -> None:
    (result,) = sandbox.run([Job("1", "a = 20", expressions=["a + 1", "a[", "a * 2"])])
    assert [c.outcome.value for c in result.calls] == ["returned", "syntax_error", "returned"]
    assert result.calls[2].value == "40"


def test_a_whole_program_reads_stdin_and_prints(sandbox: Sandbox) -> None:
    source = "import sys\nn = int(input())\nprint(n + sum(map(int, sys.stdin.read().split())))"
    call = one(sandbox, source, stdin="1\n2 3\n4\n")
    assert (call.outcome, call.stdout) == (Outcome.RETURNED, "10\n")


def test_a_whole_program_is_main_and_a_library_is_not(sandbox: Sandbox) -> None:
    source = (
        "ran = 0\nif __name__ == '__main__':\n    ran = 1\n    print('main')\ndef f(): return ran"
    )
    assert one(sandbox, source, stdin="").stdout == "main\n"
    assert one(sandbox, source, calls=[""]).value == "0"


def test_sys_exit_of_a_whole_program_is_a_normal_end(sandbox: Sandbox) -> None:
    call = one(sandbox, "print(1)\nimport sys\nsys.exit()", stdin="")
    assert (call.outcome, call.stdout) == (Outcome.RETURNED, "1\n")
    assert one(sandbox, "import sys\nsys.exit(3)", stdin="").outcome is Outcome.EXITED


@pytest.mark.parametrize(
    ("tests", "outcome", "error"),
    [
        ("assert g(1) == 2", Outcome.RETURNED, None),
        ("assert g(1) == 3", Outcome.RAISED, "AssertionError"),
        ("import sys; sys.exit(0)", Outcome.EXITED, "SystemExit: 0"),
        ("assert", Outcome.SYNTAX_ERROR, None),
    ],
)
def test_tests_run_in_the_programs_namespace(
    sandbox: Sandbox, tests: str, outcome: Outcome, error: str | None
) -> None:
    call = one(sandbox, "def g(x): return x + 1", tests=tests)
    assert call.outcome is outcome
    assert error is None or call.error == error


@pytest.mark.parametrize(
    ("source", "outcome"),
    [
        ("def f(): return 1 / 0", Outcome.RAISED),
        ("def f(:", Outcome.SYNTAX_ERROR),
        ("x = '\0'", Outcome.SYNTAX_ERROR),
        ("x = '\ud800'", Outcome.SYNTAX_ERROR),
        ("def f():\n    while True: pass", Outcome.OUT_OF_FUEL),
        ("def f(): return [bytearray(1 << 20) for _ in range(1000)]", Outcome.OUT_OF_MEMORY),
        ("def f(): return 'x' * 100_000", Outcome.OUTPUT_TOO_LARGE),
        ("def f(): return 10 ** 5000", Outcome.OUTPUT_TOO_LARGE),
        ("def f():\n    for _ in range(100): print('x' * 1000)", Outcome.OUTPUT_TOO_LARGE),
        ("def f(): return object()", Outcome.NOT_A_VALUE),
        ("def f(): return f", Outcome.NOT_A_VALUE),
        ("def f():\n    a = []\n    a.append(a)\n    return a", Outcome.NOT_A_VALUE),
        ("import os\ndef f(): os._exit(0)", Outcome.EXITED),
        ("import os\ndef f(): os.abort()", Outcome.TRAPPED),
    ],
)
def test_each_way_to_end_has_its_outcome(sandbox: Sandbox, source: str, outcome: Outcome) -> None:
    limits = Limits(fuel=300_000_000, output_bytes=64 * 1024)
    call = one(sandbox, source, calls=[""], limits=limits)
    assert call.outcome is outcome
    assert call.value is None


def test_a_program_that_catches_memory_error_goes_on(sandbox: Sandbox) -> None:
    source = "def f():\n    try: bytearray(1 << 29)\n    except MemoryError: return 'caught'"
    assert one(sandbox, source, calls=[""]).value == "'caught'"


@pytest.mark.parametrize(
    "value",
    ["True", "Counter('aab')", "[IntEnum('E', 'a').a]", "bytearray(b's')", "[memoryview(b's')]",
     "type('S', (str,), {})('GOOD')", "[type('L', (list,), {})()]", "array('i', [1])", "...",
     "slice(1)", "type('B', (), {'__buffer__': lambda s, f: memoryview(b's')})()"],
)  # fmt: skip
def test_only_exact_types_are_values(sandbox: Sandbox, value: str) -> None:
    source = "from collections import Counter\nfrom enum import IntEnum\nfrom array import array\n"
    call = one(sandbox, source, expressions=[value])
    expected = Outcome.RETURNED if value == "True" else Outcome.NOT_A_VALUE
    assert call.outcome is expected


@pytest.mark.parametrize(
    ("source", "differs"),
    [
        ("def f(): return [3, 1]", None),
        ("def f(): return set('abcdefgh')", None),
        ("def f(): return {c: 1 for c in set('abcdefgh')}", None),
        ("def f(): return list(set('abcdefgh'))", "value"),
        ("def f(): return hash('a')", "value"),
        ("def f(): return id(object())", "value"),
        ("import time\ndef f(): return time.time()", "value"),
        ("import datetime\ndef f(): return str(datetime.datetime.now())", "value"),
        ("import random\ndef f(): return random.random()", "value"),
        ("import random\ndef f():\n    random.seed(1)\n    return random.random()", None),
        ("import os\ndef f(): return os.urandom(4)", "value"),
        ("import uuid\ndef f(): return str(uuid.uuid4())", "value"),
    ],
)
def test_two_images_tell_what_is_not_deterministic(
    sandbox: Sandbox, source: str, differs: str | None
) -> None:
    call = one(sandbox, source, calls=[""], images=2)
    assert call.differs == differs
    assert call == one(sandbox, source, calls=[""], images=2)


def test_stdout_is_compared_between_images_and_reported_on_request(sandbox: Sandbox) -> None:
    source = "def f(): print(hash('a'))"
    assert one(sandbox, source, calls=[""], images=2).stdout is None
    assert one(sandbox, source, calls=[""], images=2, want_stdout=True).differs == "stdout"


@pytest.mark.parametrize(
    "source",
    [
        "import random",
        "import os.path",
        "from os import path",
        "from os import environ as e",
        "import sys\nsys.exit()",
        "def f():\n    from datetime import date",
        "__import__('time')",
    ],
)
def test_banned_imports_are_refused_before_anything_runs(sandbox: Sandbox, source: str) -> None:
    call = one(sandbox, source, stdin="", banned_modules=DEFAULT_BANNED_MODULES)
    assert (call.outcome, call.fuel) == (Outcome.REFUSED, 0)


@pytest.mark.parametrize(
    "source",
    [
        "__import__('ti' + 'me')",
        "import importlib\nimportlib.import_module('ti' + 'me')",
        "exec('imp' + 'ort time')",
        "import sys\nsys.modules['ti' + 'me'].time()",
    ],
)
def test_banned_modules_are_absent_at_run_time(sandbox: Sandbox, source: str) -> None:
    call = one(sandbox, source, stdin="", banned_modules=DEFAULT_BANNED_MODULES)
    assert call.outcome is Outcome.RAISED


@pytest.mark.parametrize("source", ["import math, itertools", "important = 1", "x = 'import time'"])
def test_what_is_not_banned_runs(sandbox: Sandbox, source: str) -> None:
    call = one(sandbox, source, stdin="", banned_modules=DEFAULT_BANNED_MODULES)
    assert call.outcome is Outcome.RETURNED


def test_a_bad_job_is_refused_before_any_runs(sandbox: Sandbox) -> None:
    calls = sandbox.stats()["calls"]
    good = Job("good", "def f(): return 1", calls=[""])
    for wrong, fields in (
        ("source", {"source": 1, "stdin": ""}),  # refused when the job is made
        ("stdin", {"source": "", "stdin": 2}),
        ("images", {"source": "x", "stdin": "", "images": 11}),  # refused by this sandbox
        ("packages", {"source": "x", "stdin": "", "packages": {"numpy"}}),
    ):
        made = (job or Job("bad", **fields) for job in (good, None))  # type: ignore[arg-type]
        with pytest.raises(BadJob, match=f"bad.*{wrong}"):
            sandbox.run(made)
    assert sandbox.stats()["calls"] == calls


def test_the_same_program_uses_the_same_fuel_under_any_load(sandbox: Sandbox) -> None:
    job = Job("1", "def f(n): return sorted(str(i) for i in range(n))[-1]", calls=["2000"])
    noise = Job("2", "def f(): return sum(range(300000))", calls=[""])
    alone = sandbox.run([job])[0].calls[0]
    crowded = sandbox.run([job, noise, job, noise, job, noise])
    assert {r.calls[0].fuel for r in crowded if r.id == "1"} == {alone.fuel}


def test_modules_of_the_standard_library_import_and_others_do_not(sandbox: Sandbox) -> None:
    source = "import tomllib, csv, html, graphlib, zlib\ndef f(): return tomllib.loads('a = 1')"
    assert one(sandbox, source, calls=[""]).value == "{'a': 1}"
    call = one(sandbox, "import numpy", stdin="")
    assert call.error == "ModuleNotFoundError: No module named 'numpy'"


def test_a_closed_sandbox_refuses_and_can_be_closed_again() -> None:
    pool = Sandbox(workers=1)
    pending = pool.submit(Job("1", "while True: pass", limits=Limits(fuel=10**14)))
    pool.close()
    pool.close()
    with pytest.raises(SandboxUnavailable):
        pending.result(timeout=30)
    with pytest.raises(SandboxUnavailable):
        pool.submit(Job("2", "x = 1"))


def test_many_sandboxes_leave_no_address_space_behind() -> None:
    def mapped_gib() -> float:
        return int(Path("/proc/self/statm").read_text().split()[0]) * 4096 / 2**30

    def use() -> None:
        with Sandbox(workers=1) as pool:
            assert pool.run([Job("1", "def f(): return 1", calls=[""])])[0].calls[0].value == "1"

    use()
    before = mapped_gib()
    for _ in range(4):
        use()
    assert mapped_gib() - before < 1.0
