"""No system call that fails becomes an outcome: each of the executor's calls is refused, the first,
some in the middle, the last, once and for ever (tests/hostile/unwilling.c). What comes out is the
right outcome or a failure of the machine, and nothing of one program is seen by another.
"""

import errno
import json
from pathlib import Path
from typing import Any

import pytest

from tests.hostile.unwilling import preload, run_child

pytestmark = [pytest.mark.guest, pytest.mark.hostile]

CHILD = '''
import json, os, sys
import sandbox_wasm.sandbox as module
from sandbox_wasm import ImageError, Job, Limits, Sandbox, SandboxUnavailable
from tests.hostile.unwilling import load_library

machine = load_library()
guest = module.build_guest(2, frozenset())
module.build_guest = lambda *_: guest
small = Limits(memory_bytes=96 << 20, fuel=100_000_000)
POISON = """
import builtins, math
def f():
    seen = hasattr(builtins, "canary") or math.pi == 3
    builtins.canary, math.pi = bytearray(8 << 20), 3
    return seen
"""
def job(source, **fields):
    return Job("j", source, **({"calls": [""], "limits": small} | fields))

JOBS = [
    (job("def f(): return 1 + 1"), "returned 2"),
    (job("def f(): return len(bytearray(30 << 20))"), "returned 31457280"),
    (job("def f(): return len([bytearray(1 << 20) for _ in range(99)])"), "out of memory None"),
    (job("def f():\\n    while True: pass", limits=Limits(fuel=1_000_000)), "out of fuel None"),
    (job("import os\\ndef f(): os.abort()"), "trapped None"),
    (job("def f(:"), "syntax error None"),
    (job("x = [" + "(1, 2)," * 3000 + "]\\ndef f(): return len(x)"), "returned 3000"),
    (job("print('x' * 50000)", calls=(), stdin=""), "returned None"),
    (job(POISON, calls=["", ""], images=2), "returned False"),
]

def outcome_of(sandbox, job):
    try:
        call = sandbox.run([job])[0].calls[-1]
    except (SandboxUnavailable, MemoryError) as error:
        assert str(error)
        return "machine"
    if call.differs:
        return f"differs in {call.differs}"
    if call.stdout is not None and call.stdout != "x" * 50000 + "\\n":
        return f"printed {len(call.stdout)}"
    return f"{call.outcome.value.replace('_', ' ')} {call.value}"

def run_all(sandbox):
    return [outcome_of(sandbox, job) for job, _ in JOBS]

def try_case(function, nth, error, for_ever, is_early):
    """What was wrong, if anything; and how many calls of the function were met."""
    if is_early:
        machine.refuse(function, nth, error, for_ever)
    try:
        sandbox = Sandbox(workers=1, check_every=7)
    except (SandboxUnavailable, ImageError) as refusal:
        assert str(refusal) and "Traceback" not in str(refusal)
        machine.refuse(b"", 0, 0, 0)
        return [], 0
    with sandbox:
        if not is_early:
            machine.refuse(function, nth, error, for_ever)
        during = run_all(sandbox)
        met = machine.calls_seen()
        machine.refuse(b"", 0, 0, 0)
        after = run_all(sandbox)
        lost = sandbox.stats()["isolation_lost"]
    right = [expected for _, expected in JOBS]
    wrong = [(d, r) for d, r in zip(during, right) if d not in (r, "machine")]
    wrong += [("later", a, r) for a, r in zip(after, right) if a != r]
    if lost:
        wrong.append("isolation lost")
    return wrong, met

function, errors = sys.argv[1].encode(), [int(e) for e in sys.argv[2].split(",")]
cases, wrong = 0, []
for is_early in (True, False):
    bad, met = try_case(function, 0, 0, 0, is_early)  # nothing is refused: only counted
    assert not bad, bad
    picks = [(n, 0) for n in {1, met // 2, met}] + [(1, 1), (met // 2, 1)]
    for nth, for_ever in sorted(pick for pick in picks if 1 <= pick[0] <= met):
        error = errors[cases % len(errors)]
        bad, _ = try_case(function, nth, error, for_ever, is_early)
        cases += 1
        if bad:
            wrong.append([nth, error, for_ever, is_early, bad])
print(json.dumps({"cases": cases, "wrong": wrong}))
'''

CALLS = {
    "mmap": [errno.ENOMEM, errno.EAGAIN],
    "munmap": [errno.ENOMEM],
    "mprotect": [errno.ENOMEM],
    "madvise": [errno.EINVAL, errno.ENOMEM, errno.EAGAIN],
    "ioctl": [errno.EPERM, errno.ENOTTY, errno.EINTR],
    "getrusage": [errno.EPERM],
    "pread": [errno.EIO, errno.EPERM],
    "open": [errno.EMFILE, errno.EACCES],
    "open pagemap": [errno.EMFILE, errno.EACCES],
    "memfd_create": [errno.EPERM, errno.EMFILE],
    "ftruncate": [errno.ENOSPC],
    "pwrite": [errno.ENOSPC, errno.EIO],
    "pthread_create": [errno.EAGAIN],
}
"""What each may fail with."""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return preload(tmp_path_factory.mktemp("unwilling"))


def refused(library: Path, function: str, way: str) -> dict[str, Any]:
    errors = ",".join(map(str, CALLS[function]))
    done = run_child(library, CHILD, function, errors, timeout=500, AZR_DIRTY_PAGES=way)
    assert done.returncode == 0, done.stderr[-3000:]
    facts: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return facts


@pytest.mark.parametrize(
    "function",
    [pytest.param(name, marks=() if name == "madvise" else pytest.mark.slow) for name in CALLS],
)
def test_a_refused_call_is_never_an_outcome(library: Path, function: str) -> None:
    facts = refused(library, function, "faults")
    assert facts["wrong"] == []
    assert facts["cases"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("function", ["mprotect", "madvise"])
def test_a_refused_call_is_never_an_outcome_under_traps(library: Path, function: str) -> None:
    assert refused(library, function, "traps")["wrong"] == []
