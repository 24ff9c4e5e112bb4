"""Isolation on machines that are not as this one: where the kernel counts no faults, cannot be
asked, holds all memory, or stops telling the truth in the middle
(native/executor/memory/dirty/dirty_pages.h).
"""

import json
from pathlib import Path
from typing import Any

import pytest

from sandbox_wasm import Job, Sandbox, _pool
from sandbox_wasm.cli.doctor import main_doctor
from sandbox_wasm.image.manifest import locate_wasmtime
from sandbox_wasm.server.metrics import ServerCounters, prometheus_text
from tests.hostile.conftest import WAYS
from tests.hostile.unwilling import LIES, preload, run_child

pytestmark = [pytest.mark.guest, pytest.mark.hostile]

POISONED = """
import builtins, copyreg, math, random, re, string, sys
MARKS = [(builtins, "len"), (builtins, "canary"), (math, "pi"), (math, "floor"), (string, "digits"),
         (random, "random"), (re, "compile"), (copyreg, "pickle"), (sys, "canary")]

def f():
    seen = [f"{m.__name__}.{n}" for m, n in MARKS if getattr(m, n, None) == "poison"]
    seen += [n for n in sys.modules if n.startswith("poison")]
    for module, name in MARKS:
        setattr(module, name, "poison")
    sys.modules["poison" + "x" * 5000] = math
    return seen
"""
"""A program that looks for what another one like it has left, and leaves as much."""

CHILD = (
    """
import ctypes, errno, json, os, struct, sys
from sandbox_wasm import Job, Limits, Outcome, Sandbox, SandboxError, SandboxUnavailable
from tests.hostile.unwilling import LIES, load_library

POISONED = """
    + repr(POISONED)
    + '''
libc = ctypes.CDLL(None, use_errno=True)

def lock_all_memory():
    """MCL_CURRENT | MCL_FUTURE: copies all private memory ahead of any write."""
    if libc.mlockall(3) != 0:
        print(json.dumps({"skip": os.strerror(ctypes.get_errno())}))
        sys.exit(0)

def deny(number, argument=None):
    """Install a seccomp filter: EPERM for a system call, for one value of its second argument."""
    def step(code, k, yes=0, no=0):
        return struct.pack("HBBI", code, yes, no, k)
    load, equal, give = 0x20, 0x15, 0x06
    steps = [step(load, 0), step(equal, number, 0, 1 if argument is None else 3)]
    if argument is not None:
        steps += [step(load, 24), step(equal, argument, 0, 1)]
    steps += [step(give, 0x0005_0000 | errno.EPERM), step(give, 0x7FFF_0000)]
    code = ctypes.create_string_buffer(b"".join(steps))
    header = struct.pack("HxxxxxxP", len(steps), ctypes.addressof(code))
    program = ctypes.create_string_buffer(header)
    assert libc.prctl(38, 1, 0, 0, 0) == 0  # PR_SET_NO_NEW_PRIVS
    assert libc.prctl(22, 2, program, 0, 0) == 0  # PR_SET_SECCOMP, SECCOMP_MODE_FILTER

IOCTL, MEMFD_CREATE = {"x86_64": (16, 319), "aarch64": (29, 279)}[os.uname().machine]
before = {
    "lock": lock_all_memory,
    "no scan": lambda: deny(IOCTL, 0xC0606610),
    "no memfd": lambda: deny(MEMFD_CREATE),
    "no pagemap": lambda: load_library().refuse(b"open pagemap", 1, errno.EACCES, 1),
    "no counts": lambda: load_library().refuse(b"getrusage", 1, errno.EPERM, 1),
    "no dropping": lambda: load_library().refuse(b"madvise", 1, errno.EINVAL, 1),
    **{name: lambda name=name: load_library().lie(LIES[name]) for name in LIES},
}

def say(**facts):
    print(json.dumps(facts))
    sys.exit(0)

start, middle, check_every = sys.argv[1], sys.argv[2], int(sys.argv[3])
before[start]()
try:
    sandbox = Sandbox(workers=1, check_every=check_every)
except (SandboxError, ValueError) as error:
    say(refused=str(error))
seen, unavailable = [], []
big = Job("big", "def f(): return sum(bytearray(40 << 20)[::4096])", calls=[""])
with sandbox:
    for i in range(36):
        if i == 8:
            before[middle]()
        jobs = [Job(str(i), POISONED, calls=["", ""], images=2), big]
        for job in jobs:
            try:
                call = sandbox.run([job])[0].calls[-1]
            except SandboxUnavailable as error:
                unavailable.append([i, str(error)])
                continue
            assert call.outcome is Outcome.RETURNED and call.differs is None, call
            if call.value not in ("[]", "0"):
                seen.append([i, call.value])
    say(seen=seen, unavailable=unavailable, stats=sandbox.stats())
'''
)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return preload(tmp_path_factory.mktemp("unwilling"))


def told(
    library: Path, start: str, middle: str = "nothing", check_every: int = 0, way: str = ""
) -> dict[str, Any]:
    """What 36 programs saw of each other where a machine starts so, and turns so after 8."""
    done = run_child(library, CHILD, start, middle, str(check_every), AZR_DIRTY_PAGES=way)
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout.splitlines()[-1])
    if "skip" in facts:
        pytest.skip(f"this user may not lock memory: {facts['skip']}")
    return facts | {"stderr": done.stderr}


def test_the_poison_is_seen_where_nothing_is_restored() -> None:
    with Sandbox(workers=1) as sandbox:
        job = Job("both", POISONED + "first = f()", expressions=["(first, f()[:2])"])
        assert sandbox.run([job])[0].calls[0].value == "([], ['builtins.len', 'builtins.canary'])"


# ---- at the start


@pytest.mark.slow
@pytest.mark.parametrize(
    ("start", "expected"),
    [
        ("nothing", None),
        ("zero faults", "traps"),
        ("frozen faults", "traps"),
        ("no counts", "traps"),
        ("no scan", "traps"),
        ("empty scans", "traps"),
        ("no pagemap", "traps"),
        ("lock", "traps"),
        ("no dropping", "traps"),
        ("no populate", None),
        ("no memfd", None),
    ],
)
def test_no_program_sees_another_on_a_machine_that_starts_so(
    library: Path, start: str, expected: str | None
) -> None:
    facts = told(library, start)
    assert facts.get("seen") == [], facts
    assert facts["unavailable"] == []
    assert facts["stats"]["isolation_lost"] == 0
    if expected is not None:
        assert facts["stats"]["dirty_pages"] == expected


@pytest.mark.slow
@pytest.mark.parametrize(
    ("start", "way"),
    [
        ("zero faults", "faults"),
        ("no counts", "faults"),
        ("no scan", "faults"),
        ("no scan", "scan"),
        ("no pagemap", "scan"),
        ("empty scans", "scan"),
        ("lock", "faults"),
    ],
)
def test_a_way_that_is_asked_for_and_does_not_work_is_refused(
    library: Path, start: str, way: str
) -> None:
    refused = told(library, start, way=way)["refused"]
    assert f"AZR_DIRTY_PAGES={way} does not work on this machine" in refused
    assert "\n" not in refused


@pytest.mark.slow
@pytest.mark.parametrize("start", ["zero faults", "lock", "no scan", "no pagemap", "no dropping"])
def test_comparing_works_on_any_machine(library: Path, start: str) -> None:
    facts = told(library, start, way="compare")
    assert (facts["seen"], facts["unavailable"]) == ([], [])
    assert facts["stats"]["dirty_pages"] == "compare"


def test_a_way_that_does_not_exist_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZR_DIRTY_PAGES", "magic")
    with pytest.raises(ValueError, match="must be one of faults, traps, scan, compare, got magic"):
        Sandbox(workers=1)


def test_here_all_ways_but_those_the_kernel_lacks_work() -> None:
    trials = dict(_pool.try_dirty_pages(str(locate_wasmtime()[0])))
    assert tuple(trials) == WAYS
    assert trials["compare"] is None
    assert trials["traps"] is None


# ---- in the middle


@pytest.mark.slow
@pytest.mark.parametrize(
    ("middle", "way"),
    [
        *[("lock", way) for way in WAYS],
        *[("no dropping", way) for way in WAYS],
        ("no counts", "faults"),
        ("no scan", "faults"),
        ("no scan", "scan"),
        ("no populate", "faults"),
    ],
)
def test_a_machine_that_turns_so_leaves_nothing(library: Path, middle: str, way: str) -> None:
    """What can be seen at once makes the slot be renewed after every run: slow, and right."""
    facts = told(library, "nothing", middle, way=way)
    assert (facts["seen"], facts["unavailable"]) == ([], [])
    assert facts["stats"]["isolation_lost"] == 0


@pytest.mark.parametrize(
    ("way", "middle", "check_every"),
    [
        ("faults", "zero faults", 0),  # seen at once, and by the sentinel
        ("faults", "frozen faults", 0),  # by the sentinel alone
        ("faults", "empty scans", 8),  # by the sampled comparison alone
        ("scan", "empty scans", 8),
    ],
)
def test_a_way_that_begins_to_lie_stops_the_sandbox(
    library: Path, way: str, middle: str, check_every: int
) -> None:
    facts = told(library, "nothing", middle, check_every, way)
    stopped_at = facts["unavailable"][0][0]
    # 2 calls in 2 images, so at most 16 programs until a slot's 32nd restore.
    assert 8 <= stopped_at <= 26
    assert all("isolation was lost" in message for _, message in facts["unavailable"])
    # Nothing was answered any more: of each program two jobs, until the last.
    assert len(facts["unavailable"]) >= 2 * (36 - stopped_at) - 1
    assert all(8 <= i <= stopped_at for i, _ in facts["seen"])
    assert facts["stats"]["isolation_lost"] == 1
    assert facts["stats"]["machine_failures"] == len(facts["unavailable"])
    assert facts["stats"]["restore_check_failures"] >= 1
    assert facts["stderr"].count("azr-sandbox: STOPPED: isolation was lost") == 1


def test_nothing_lies_about_the_same_lies() -> None:
    assert sorted(LIES.values()) == list(range(len(LIES)))


# ---- a file for the image


def test_without_memory_files_the_image_is_a_file_without_a_name(library: Path) -> None:
    program = (
        "import errno, os\nfrom sandbox_wasm import Sandbox\n"
        "from tests.hostile.unwilling import load_library\n"
        "load_library().refuse(b'memfd_create', 1, errno.EPERM, 1)\n"
        "with Sandbox(workers=1):\n"
        "    print(*{os.readlink(f'/proc/self/fd/{n}') for n in os.listdir('/proc/self/fd')"
        " if os.path.islink(f'/proc/self/fd/{n}')}, sep='\\n')\n"
    )
    done = run_child(library, program)
    assert done.returncode == 0, done.stderr
    images = [line for line in done.stdout.splitlines() if "azr-image" in line]
    assert len(images) == 3
    assert all(line.endswith("(deleted)") for line in images)


def test_without_any_file_the_doctor_says_so_in_a_line(library: Path) -> None:
    program = (
        "import errno, sys\nfrom sandbox_wasm.cli.main import main\n"
        "from tests.hostile.unwilling import load_library\n"
        "load_library().refuse(sys.argv[1].encode(), 1, errno.EPERM, 1)\n"
        "sys.exit(main(['doctor']))\n"
    )
    done = run_child(library, program, "ftruncate")
    assert (done.returncode, done.stderr) == (0, "")  # another file is found
    done = run_child(library, program, "pwrite")
    assert done.returncode == 1
    assert "canary         the sandbox cannot start: cannot fill the image (pwrite)" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_the_way_in_use_is_told(by_each_way: str, capfd: pytest.CaptureFixture[str]) -> None:
    with Sandbox(workers=1) as sandbox:
        stats = sandbox.stats()
    assert stats["dirty_pages"] == by_each_way
    page = prometheus_text(ServerCounters(), stats)
    assert f'azr_sandbox_pool_info{{dirty_pages="{by_each_way}",image="' in page
    assert "azr_sandbox_pool_isolation_lost 0\n" in page
    assert main_doctor(deep=False) == 0
    assert f"written pages  {by_each_way}, forced; here work: " in capfd.readouterr().out
