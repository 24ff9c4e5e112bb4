"""What is kept between two runs and what is not: instances, compiled code, packages' images."""

from collections.abc import Iterator

import pytest

from sandbox_wasm import BadJob, CallResult, Job, Limits, Outcome, Sandbox
from sandbox_wasm.errors import ImageError
from sandbox_wasm.image import build as image_module
from sandbox_wasm.image.audit import GuestAudit

pytestmark = pytest.mark.guest

COUNTER = "seen = []\ndef f(x):\n    seen.append(x)\n    return seen"
SMALL = Limits(fuel=200_000_000, memory_bytes=96 << 20)
LONG = "".join(f"x{i} = {i}\n" for i in range(120_000))
"""A source that takes the unmetered compile stage about a second: three times its deadline."""


@pytest.fixture(scope="module")
def alone() -> Iterator[Sandbox]:
    """One worker, so that its instances can be counted."""
    with Sandbox(workers=1, images=1, check_every=8) as pool:
        yield pool


def one(sandbox: Sandbox, source: str, **fields: object) -> CallResult:
    (result,) = sandbox.run([Job("one", source, **fields)])  # type: ignore[arg-type]
    return result.calls[0]


def instances_made(sandbox: Sandbox, *jobs: Job) -> int:
    before = sandbox.stats()["instances"]
    sandbox.run(jobs)
    return sandbox.stats()["instances"] - before


# ---- instances


def test_an_instance_is_kept_over_plain_calls(alone: Sandbox) -> None:
    job = Job("many", COUNTER, calls=[str(i) for i in range(200)])
    instances_made(alone, job)  # warm: both seats have an instance now
    assert instances_made(alone, job) == 0
    assert [c.value for c in alone.run([job])[0].calls] == [f"[{i}]" for i in range(200)]


def test_an_instance_does_not_live_for_ever() -> None:
    jobs = [Job("many", "def f(x): return x", calls=["1"] * 500) for _ in range(10)]
    with Sandbox(workers=1, images=1) as sandbox:
        # 5000 runs, 4096 an instance; the first, and the compile stage's, are the canary's
        assert instances_made(sandbox, *jobs) == 1


@pytest.mark.parametrize(
    ("source", "outcome"),
    [
        ("import os\ndef f(x): os.abort()", Outcome.TRAPPED),
        ("def f(x):\n    while True: pass", Outcome.OUT_OF_FUEL),
        ("def f(x): return len(bytearray(1 << 25))", Outcome.RETURNED),
        ("def f(x): return [bytearray(1 << 22) for _ in range(99)]", Outcome.OUT_OF_MEMORY),
        ("import os\ndef f(x): os._exit(0)", Outcome.EXITED),
        ("def f(x):\n    while True: print('x' * 999)", Outcome.OUTPUT_TOO_LARGE),
    ],
)
def test_an_instance_that_is_not_as_new_is_dropped(
    alone: Sandbox, source: str, outcome: Outcome
) -> None:
    plain = Job("plain", COUNTER, calls=["7"])
    expected = alone.run([plain])[0].calls
    dirty = Job("dirty", source, calls=["1"], limits=SMALL)
    assert alone.run([dirty])[0].calls[0].outcome is outcome  # compiled now, so counted below is
    alone.run([plain])
    assert instances_made(alone, dirty) == 0  # only the run's own instance, which was there ...
    assert instances_made(alone, plain) == 1  # ... and is not any more
    assert alone.run([plain])[0].calls == expected
    assert alone.stats()["restore_check_failures"] == 0


@pytest.mark.parametrize(
    "ending", ["sys.exit()", "raise KeyError(x)", "return object()", "bytearray(1 << 29)"]
)
def test_an_instance_that_ends_in_python_is_kept(alone: Sandbox, ending: str) -> None:
    """The runner catches these itself: the guest's function returns, its memory has not grown."""
    dirty = Job("dirty", f"import sys\ndef f(x):\n    {ending}", calls=["1"])
    plain = Job("plain", COUNTER, calls=["7"])
    alone.run([plain, dirty])
    assert instances_made(alone, dirty, plain, dirty, plain) == 0
    assert one(alone, COUNTER, calls=["7"]).value == "[7]"


# ---- the compile stage


def compile_counts(sandbox: Sandbox) -> tuple[int, int]:
    stats = sandbox.stats()
    return stats["compiled"], stats["compiled_metered"]


def test_a_source_that_compiles_slowly_is_compiled_again_under_fuel() -> None:
    source = LONG + "def f(n): return x119999 + n"
    with Sandbox(workers=1, images=1) as sandbox:
        call = one(sandbox, source, calls=["1"])
        assert (call.outcome, call.value) == (Outcome.RETURNED, "120000")
        assert compile_counts(sandbox) == (1, 1)
        assert one(sandbox, source, calls=["1"]) == call  # from the cache
        assert compile_counts(sandbox) == (1, 1)
        # The unmetered engine's instance was replaced by one of the other engine: it is back.
        assert one(sandbox, COUNTER, calls=["2"]).value == "[2]"
        assert one(sandbox, "def f(:", calls=["2"]).outcome is Outcome.SYNTAX_ERROR
        assert compile_counts(sandbox) == (3, 1)


def test_a_slow_source_says_what_is_wrong_with_it_too() -> None:
    with Sandbox(workers=1, images=1) as sandbox:
        call = one(sandbox, LONG + "break", stdin="")
        assert call.outcome is Outcome.SYNTAX_ERROR
        assert call.error == "SyntaxError: 'break' outside loop (<program>, line 120001)"
        assert compile_counts(sandbox) == (1, 1)


@pytest.mark.slow
def test_a_source_built_to_hang_the_compiler_runs_out_of_fuel() -> None:
    """Every multiple of 2 ** 31 - 1 has the hash 0 here, and a compiler keeps constants in a dict:
    its time is quadratic."""
    source = "x = [" + ", ".join(f"f({k * (2**31 - 1)})" for k in range(10_000)) + "]"
    with Sandbox(workers=1, images=1) as sandbox:
        call = one(sandbox, source, stdin="", limits=Limits(fuel=10**6))
        assert (call.outcome, call.error) == (Outcome.OUT_OF_FUEL, "while compiling")
        assert compile_counts(sandbox) == (1, 1)
        assert one(sandbox, source, stdin="").outcome is Outcome.OUT_OF_FUEL
        assert compile_counts(sandbox) == (1, 1)
        assert one(sandbox, COUNTER, calls=["2"]).value == "[2]"


# ---- what makes it right to keep an instance


@pytest.mark.slow
@pytest.mark.parametrize("change", ["global.set 1", "table.set", "elem.drop", "memory.init"])
def test_a_guest_whose_state_is_not_its_memory_alone_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object, change: str
) -> None:
    audited: list[int] = []

    def audit_wasm(code: bytes) -> GuestAudit:
        audited.append(len(code))
        return GuestAudit(1, 0, {"global.set 0": 1, change: 1})

    monkeypatch.setattr(image_module, "audit_wasm", audit_wasm)
    monkeypatch.setattr(image_module, "cache_folder", lambda: tmp_path)
    with pytest.raises(ImageError, match=change):
        image_module.build_guest()
    assert audited
    assert not list(tmp_path.glob("*.cwasm"))  # type: ignore[attr-defined]


# ---- packages


@pytest.fixture(scope="module")
def with_numpy() -> Iterator[Sandbox]:
    with Sandbox(workers=1, packages=["numpy"], check_every=1) as pool:
        yield pool


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("int(numpy.arange(10).sum())", "45"),
        ("numpy.sort(numpy.array([3, 1, 2])).tolist()", "[1, 2, 3]"),
        ("numpy.linalg.inv(numpy.array([[2.0, 0.0], [0.0, 4.0]])).tolist()",
         "[[0.5, 0.0], [0.0, 0.25]]"),
        ("(numpy.random.seed(1), numpy.random.randint(0, 100, 5).tolist())[1]",
         "[37, 12, 72, 9, 75]"),
        ("numpy.random.default_rng(1).integers(0, 100, 5).tolist()", "[47, 51, 75, 95, 3]"),
        ("numpy.fft.fft(numpy.array([1.0, 0.0, 0.0, 0.0])).tolist()",
         "[(1+0j), (1+0j), (1+0j), (1+0j)]"),
        ("numpy.einsum('ij,jk', numpy.eye(2), numpy.ones((2, 2))).tolist()",
         "[[1.0, 1.0], [1.0, 1.0]]"),
        ("type(numpy.float64(1)).__name__", "'float64'"),
    ],
)  # fmt: skip
def test_a_job_with_numpy_computes_the_same_in_both_images(
    with_numpy: Sandbox, expression: str, value: str
) -> None:
    fields = {"expressions": [expression], "packages": {"numpy"}, "images": 2}
    call = one(with_numpy, "import numpy", **fields)
    assert (call.outcome, call.value, call.differs) == (Outcome.RETURNED, value, None), call.error
    assert one(with_numpy, "import numpy", **fields) == call


def test_numpy_without_a_seed_differs_between_images(with_numpy: Sandbox) -> None:
    fields = {"packages": {"numpy"}, "images": 2}
    for expression in ("float(numpy.random.rand())", "float(numpy.random.default_rng().random())"):
        call = one(with_numpy, "import numpy", expressions=[expression], **fields)
        assert (call.outcome, call.differs) == (Outcome.RETURNED, "value"), call.error


def test_numpy_leaves_nothing_behind(with_numpy: Sandbox) -> None:
    source = "import numpy\ndef f():\n    numpy.pi += 1\n    return numpy.pi > 4.2"
    (result,) = with_numpy.run([Job("n", source, calls=[""] * 3, packages={"numpy"})])
    assert [call.value for call in result.calls] == ["False"] * 3


def test_an_arrays_value_needs_tolist(with_numpy: Sandbox) -> None:
    call = one(with_numpy, "import numpy", expressions=["numpy.ones(2)"], packages={"numpy"})
    assert call.outcome is Outcome.NOT_A_VALUE


def test_a_job_without_numpy_cannot_import_it(with_numpy: Sandbox) -> None:
    call = one(with_numpy, "import numpy", stdin="")
    assert call.error == "ModuleNotFoundError: No module named 'numpy'"


def test_a_sandbox_without_numpy_refuses_the_job(alone: Sandbox) -> None:
    with pytest.raises(BadJob, match=r"'numpy'.*Sandbox\(packages=\.\.\.\)"):
        alone.run([Job("n", "import numpy", stdin="", packages={"numpy"})])


@pytest.mark.parametrize("separator", ["\n", "\0", "\n\0", "\0\n", "u\x04\0\0\0", ","])
def test_no_banned_name_can_pass_for_another_jobs_source(separator: str) -> None:
    # What one client's job leaves in the code cache is the answer to that job alone. A Job refuses
    # such names when it is made: they are written into it here, so that the cache's key is tried.
    source = "import math\ndef f(x): return x"

    def ban(text: str, names: set[str]) -> CallResult:
        job = Job("one", text, calls=["1"])
        object.__setattr__(job, "banned_modules", frozenset(names))
        return sandbox.run([job])[0].calls[0]

    with Sandbox(1, images=1) as sandbox:
        refused = ban(source, {"math"})
        assert refused.outcome is Outcome.REFUSED
        for names, text in [
            ({f"math{separator}"}, source),
            ({"math", separator}, source),
            ({f"math{separator}{source}"}, ""),
            (set[str](), f"math{separator}{source}"),
            (set[str](), source),
            ({f"ma{separator}th"}, source),
            ({"ma", "th"}, source),
        ]:
            ban(text, names)
        assert sandbox.stats()["cache_hits"] == 0, "no two of these are the same"
        assert ban(source, {"math"}).outcome is Outcome.REFUSED
        assert ban(source, set()).value == "1"
        assert sandbox.stats()["cache_hits"] == 2
