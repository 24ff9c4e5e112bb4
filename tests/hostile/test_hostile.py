"""Every abuse is contained, ends as it should, and the next program sees nothing of it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox_wasm import CallResult, Job, Limits, Outcome, Sandbox
from sandbox_wasm.values import equal
from tests.hostile import bombs, escapes, forgeries, resources, spoofs

pytestmark = [pytest.mark.guest, pytest.mark.hostile]

PROGRAMS = resources.PROGRAMS + escapes.PROGRAMS + spoofs.PROGRAMS
PROGRAMS += bombs.PROGRAMS + forgeries.PROGRAMS
LIMITS = Limits(fuel=400_000_000, memory_bytes=128 << 20, output_bytes=64 << 10)
CANARY = """
import builtins, math, os, random, sys
def f(x):
    return [sorted(x), repr('a'), sys.getrecursionlimit(), math.pi, len(os.environ),
            len(sys.modules), len(vars(builtins)), random.random(), hash('a'), id(x) % 8]
"""
# Programs of the shared set that are right to return: the abuse finds nothing or is undone.
HARMLESS = {
    "sleep_forever": "None", "env_read": "None", "subclasses_trick": "None", "del_loop": "1",
    "leak_sysmodules": "1", "leak_math": "1", "leak_chdir_env": "1", "leak_reprpatch": "0",
    "frame_expected": "None",
}  # fmt: skip


def attack(sandbox: Sandbox, source: str, call: str = "f()") -> CallResult:
    job = Job("hostile", source, expressions=[call], limits=LIMITS, want_stdout=True)
    return sandbox.run([job])[0].calls[0]


@pytest.fixture(scope="session")
def expected_canary(sandbox: Sandbox) -> CallResult:
    return sandbox.run([Job("canary", CANARY, calls=["[3, 1, 2]"])])[0].calls[0]


@pytest.fixture
def canary(sandbox: Sandbox, expected_canary: CallResult) -> Iterator[None]:
    """After the test: both workers still give the same value for the same fuel."""
    yield
    results = sandbox.run([Job("canary", CANARY, calls=["[3, 1, 2]"])] * 4)
    assert {result.calls[0] for result in results} == {expected_canary}
    assert sandbox.stats()["restore_check_failures"] == 0


@pytest.mark.usefixtures("canary")
@pytest.mark.parametrize(
    ("source", "outcomes"), [p[1:] for p in PROGRAMS], ids=[p[0] for p in PROGRAMS]
)
def test_an_attack_ends_as_it_should(sandbox: Sandbox, source: str, outcomes: set[Outcome]) -> None:
    call = attack(sandbox, source)
    assert call.outcome in outcomes
    assert call.value is None or not equal(call.value, "'GOOD'")


def test_there_are_enough_attacks() -> None:
    assert len(PROGRAMS) >= 100
    assert len({name for name, _, _ in PROGRAMS}) == len(PROGRAMS)


@pytest.mark.usefixtures("canary")
def test_the_shared_attacks_are_contained(sandbox: Sandbox, shared_data: Path) -> None:
    lines = (shared_data / "hostile" / "hostile.jsonl").read_text().splitlines()
    for record in map(json.loads, lines):
        call = attack(sandbox, record["code"], record["call"])
        name = record["id"]
        if name.startswith("det_"):
            assert call.outcome is Outcome.RETURNED
            assert attack(sandbox, record["code"], record["call"]) == call
        elif name in HARMLESS:
            assert (name, call.value) == (name, HARMLESS[name])
        else:
            assert call.outcome is not Outcome.RETURNED, name


@pytest.mark.usefixtures("canary")
def test_attacks_use_the_same_fuel_each_time(sandbox: Sandbox) -> None:
    jobs = [Job(n, s, expressions=["f()"], limits=LIMITS) for n, s, _ in PROGRAMS[::4]]
    assert sandbox.run(jobs) == sandbox.run(jobs)


def test_a_program_cannot_reach_the_hosts_secrets(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZR_SECRET", "SECRETENV")
    source = "import gc, os, sys\ndef f(): return [repr(os.environ), sys.argv, os.getcwd()]"
    call = attack(sandbox, source)
    assert "SECRETENV" not in (call.value or call.error or "")
