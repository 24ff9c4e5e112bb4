"""Fuel bounds time whatever a program does: the work of the host has a price, the right one."""

import time
from collections.abc import Iterator

import pytest

from sandbox_wasm import CallResult, Job, Limits, Outcome, Sandbox
from tests.guest.host_work import COMPUTING, HOST_WORK

pytestmark = [pytest.mark.guest, pytest.mark.timeout(300)]

FUEL = 400_000_000
MOST_TIME = 5.0
"""How much longer fuel may last than in computing; bench/bench_host_calls.py asks for 3."""


def spend(sandbox: Sandbox, source: str) -> tuple[CallResult, float]:
    """Run a program until its fuel is out; the result, and seconds of CPU time a unit of fuel."""
    sandbox.run([Job("c", source, calls=["1"])])  # compiled before the clock starts
    started = time.process_time()
    (result,) = sandbox.run([Job("p", source, calls=[str(10**9)], limits=Limits(fuel=FUEL))])
    return result.calls[0], (time.process_time() - started) / FUEL


@pytest.fixture(scope="module")
def pool() -> Iterator[Sandbox]:
    with Sandbox(1, images=1) as made:
        yield made


@pytest.mark.parametrize("name", HOST_WORK)
def test_fuel_lasts_no_longer_than_in_computing(pool: Sandbox, name: str) -> None:
    times: list[float] = []
    for _ in range(3):  # the machine may do something else for a moment
        _, computing = spend(pool, COMPUTING)
        call, working = spend(pool, HOST_WORK[name])
        assert (call.outcome, call.fuel) == (Outcome.OUT_OF_FUEL, FUEL)
        times.append(working / computing)
        if times[-1] <= MOST_TIME:
            return
    pytest.fail(f"{times} times the CPU time of computing")


def fuel_of(pool: Sandbox, source: str, argument: object) -> int:
    (result,) = pool.run([Job("a", source, calls=[repr(argument)])])
    assert result.calls[0].outcome is Outcome.RETURNED, result
    return result.calls[0].fuel


@pytest.mark.parametrize(
    ("name", "expression", "fuel_a_byte"),
    [
        ("read", "file.readinto(memoryview(room)[:n])", 1),
        ("write", "os.write(2, memoryview(room)[:n])", 1),
        ("entropy", "os.urandom(n)", 28),
    ],
)
def test_every_byte_has_its_price(
    pool: Sandbox, name: str, expression: str, fuel_a_byte: int
) -> None:
    source = (
        "import os\nroom = bytearray(60_000)\n"
        "file = open('/usr/local/lib/python315.zip', 'rb', buffering=0)\n"
        f"def f(n):\n    {expression}\n"
    )
    few, many = fuel_of(pool, source, 10_000), fuel_of(pool, source, 60_000)
    per_byte = (many - few) / 50_000
    # What the guest itself does with the bytes (clearing room for entropy) comes on top.
    assert fuel_a_byte * 0.99 <= per_byte <= fuel_a_byte + 6, name


def test_grown_memory_has_a_price_of_its_own(pool: Sandbox) -> None:
    # A bytearray is cleared by the guest, one fuel a byte; what is added costs a quarter more.
    source = "def f(n): bytearray(n)"
    few, many = fuel_of(pool, source, 50_000_000), fuel_of(pool, source, 100_000_000)
    assert 1.24 <= (many - few) / 50_000_000 <= 1.3


def test_the_literal_of_a_value_has_a_price(pool: Sandbox) -> None:
    # Shared references: a reply of a few bytes becomes a long literal on the host.
    source = "def f(n): return ['x' * 100] * n"
    few, many = fuel_of(pool, source, 100), fuel_of(pool, source, 400)
    assert (many - few) >= 300 * 104 * 32


@pytest.mark.parametrize("name", ["readinto", "urandom", "write_stderr", "clock"])
def test_a_call_that_is_too_dear_ends_the_run_before_its_work(pool: Sandbox, name: str) -> None:
    source = HOST_WORK[name]
    enough = fuel_of(pool, source, 3)
    for fuel in (enough - 1, enough - 1000, enough * 2 // 3, enough // 2):
        (result,) = pool.run([Job("a", source, calls=["3"], limits=Limits(fuel=fuel))])
        call = result.calls[0]
        assert (call.outcome, call.fuel) == (Outcome.OUT_OF_FUEL, fuel)
    (result,) = pool.run([Job("a", source, calls=["3"], limits=Limits(fuel=enough))])
    assert result.calls[0].outcome is Outcome.RETURNED


@pytest.mark.parametrize("name", HOST_WORK)
def test_the_fuel_of_host_work_is_the_same_each_time(pool: Sandbox, name: str) -> None:
    counts = {fuel_of(pool, HOST_WORK[name], 3) for _ in range(3)}
    with Sandbox(2, images=1, check_every=1) as other:
        counts.add(fuel_of(other, HOST_WORK[name], 3))
    assert len(counts) == 1


def test_ordinary_programs_pay_little(pool: Sandbox) -> None:
    assert fuel_of(pool, "def f(x): return x", 1) < 70_000
