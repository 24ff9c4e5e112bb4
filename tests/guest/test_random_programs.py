"""The guest against native CPython on random programs, values and texts.

AZR_FUZZ_S=600 runs each for that long instead of a fixed number; AZR_FUZZ_SEED repeats a run.
"""

import os
import random
import time
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sandbox_wasm import Job, JobResult, Limits, Outcome, Sandbox
from sandbox_wasm.literals import canonical
from sandbox_wasm.values import equal
from tests.guest.native_python import run_natively
from tests.guest.random_programs import Programs

pytestmark = [pytest.mark.guest, pytest.mark.slow]

BATCH = 500
LIMITS = Limits(fuel=2_000_000_000, output_bytes=1 << 20)
SECONDS = float(os.environ.get("AZR_FUZZ_S", "0"))
SEED = int(os.environ.get("AZR_FUZZ_SEED", random.randrange(2**32)))


def rounds(at_least: int) -> Iterator[int]:
    """Yield a seed for each round: `at_least` of them, and more until AZR_FUZZ_S is over."""
    print(f"AZR_FUZZ_SEED={SEED}")  # noqa: T201 - shown when the test fails
    until = time.monotonic() + SECONDS
    number = 0
    while number < at_least or time.monotonic() < until:
        yield SEED + number
        number += 1


def differs(result: JobResult, native: tuple[str, str]) -> bool:
    call = result.calls[0]
    kind, text = native
    if call.outcome is Outcome.RETURNED:
        return kind != "value" or call.value is None or not equal(call.value, text)
    if call.outcome is Outcome.RAISED:
        return kind != "raised" or (call.error or "").partition(":")[0] != text
    return (call.outcome, kind) not in {
        (Outcome.NOT_A_VALUE, "none"),
        (Outcome.SYNTAX_ERROR, "raised"),
    }


def test_random_programs_end_as_in_cpython(sandbox: Sandbox) -> None:
    for seed in rounds(4):
        programs = [Programs(seed * 1_000_003 + n).program() for n in range(BATCH)]
        jobs = [Job(str(n), s, calls=[a], limits=LIMITS) for n, (s, a) in enumerate(programs)]
        results = sandbox.run(jobs)
        natives = run_natively(programs)
        wrong = [
            f"{source}\nf({arguments})\nguest: {result.calls[0]}\nhost: {native}"
            for (source, arguments), result, native in zip(programs, results, natives, strict=True)
            if differs(result, native)
        ]
        assert not wrong, f"{len(wrong)} of {BATCH} differ; the first:\n{wrong[0]}"
        ended_well = sum(native[0] == "value" for native in natives)
        assert ended_well > BATCH // 2  # the generator has not gone astray


def broken(chance: random.Random) -> str:
    """Make a text that is probably no program: noise, or a program torn or shuffled."""
    source = Programs(chance.randrange(2**32)).program()[0]
    cut = chance.randrange(len(source))
    kind = chance.randrange(6)
    if kind == 0:
        return chance.randbytes(chance.randrange(400)).decode("latin-1")
    if kind == 1:
        return "".join(chr(chance.randrange(0x110000)) for _ in range(chance.randrange(100)))
    if kind == 2:
        return source[:cut]
    if kind == 3:
        return source[:cut] + chr(chance.randrange(0x110000)) + source[cut + 1 :]
    if kind == 4:
        tokens = source.split(" ")
        chance.shuffle(tokens)
        return " ".join(tokens)
    pieces = ["(", "[", "{", "f'{", "'''", "\\\n", "\0", "\t", "lambda:", "\x0c", "#", "*", "if "]
    return "".join(chance.choices(pieces, k=chance.randrange(80)))


def test_no_text_is_anything_but_an_outcome(sandbox: Sandbox) -> None:
    """A job of any text ends in an outcome: nothing is raised, and the pool goes on."""
    for seed in rounds(2):
        chance = random.Random(seed)
        jobs = [
            Job(str(n), broken(chance), calls=["1, 'a', [1], {}"], limits=LIMITS)
            for n in range(BATCH)
        ]
        results = sandbox.run(jobs)
        assert [result.id for result in results] == [job.id for job in jobs]
        assert all(len(result.calls) == 1 for result in results)
        canary = sandbox.run([Job("canary", "def f(x): return x * 2", calls=["21"])])[0].calls[0]
        assert canary.value == "42"


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(2**33), 2**33),
    st.integers(0, 4299).map(lambda n: 9 * 10**n),
    st.floats(),
    st.complex_numbers(),
    st.text(st.characters()),  # surrogates among them
    st.binary(),
    st.sampled_from([-0.0, float("nan"), complex(-0.0, float("nan")), "\ud800", 2**63]),
)
HASHABLE = st.recursive(
    SCALARS,
    lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3),
    max_leaves=6,
)
VALUES = st.recursive(
    SCALARS | st.sets(HASHABLE, max_size=4),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner)
        | st.dictionaries(HASHABLE, inner, max_size=4)
        | inner.map(lambda value: [[[[[[value]]]]]])
    ),
    max_leaves=20,
)


@given(st.lists(VALUES, min_size=8, max_size=16))
@example([nested := [[]], (), frozenset({frozenset()}), {(): {}}, {1: True, 2: 1.0}])
@settings(
    max_examples=60 if not SECONDS else 100_000,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
def test_values_come_back_from_the_guest_as_they_went_in(
    sandbox: Sandbox, values: list[object]
) -> None:
    literals = [canonical(value) for value in values]
    job = Job("same", "def f(x): return x", calls=literals, limits=LIMITS, images=2)
    (result,) = sandbox.run([job])
    assert [(call.outcome, call.value, call.differs) for call in result.calls] == [
        (Outcome.RETURNED, literal, None) for literal in literals
    ]


@pytest.mark.parametrize("depth", [1, 50, 99])
@pytest.mark.parametrize("pair", ["[]", "()", "{1: }", "(, 2)"])
def test_values_come_back_at_any_depth_that_is_allowed(
    sandbox: Sandbox, depth: int, pair: str
) -> None:
    value: object = -0.0
    for _ in range(depth):
        value = {"[]": [value], "()": (value,), "{1: }": {1: value}, "(, 2)": (value, 2)}[pair]
    literal = canonical(value)
    (result,) = sandbox.run([Job("deep", "def f(x): return x", calls=[literal])])
    assert result.calls[0].value == literal
