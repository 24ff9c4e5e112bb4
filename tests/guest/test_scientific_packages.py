"""pandas, SciPy and regex in the guest: values of native ones, isolation, and what is not there.

`package_programs` has an expression a line and, after a tab, its value: of pandas 3.0.6, SciPy
1.17.1 with NumPy 2.3.5 and regex 2026.11.19 on x86-64. All three share an image here, as its module
takes minutes to compile.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox_wasm import CallResult, Job, Limits, Outcome, Sandbox
from sandbox_wasm.values import equal
from tests.hostile import bombs, escapes, forgeries, resources, spoofs

pytestmark = [pytest.mark.guest, pytest.mark.slow]

ATTACKS = (resources.PROGRAMS + escapes.PROGRAMS + spoofs.PROGRAMS + bombs.PROGRAMS
           + forgeries.PROGRAMS)[::8]  # fmt: skip
ROUND = """
def R(v, n=8):
    if hasattr(v, "round") and hasattr(v, "tolist"):
        return v.round(n).tolist()
    return [R(x, n) for x in v] if isinstance(v, (list, tuple)) else round(float(v), n)
"""
DTYPES = """
import pandas as pd
def D(x):
    if isinstance(x, pd.DataFrame): return [str(t) for t in x.dtypes] + [D(x.index)]
    if isinstance(x, pd.MultiIndex): return "mi"
    if isinstance(x, (pd.Series, pd.Index)):
        return [str(x.dtype)] + ([D(x.index)] if isinstance(x, pd.Series) else [])
    if isinstance(x, (tuple, list)): return [D(v) for v in x]
    if isinstance(x, dict): return {str(k): D(v) for k, v in x.items()}
    return str(x.dtype) if hasattr(x, "dtype") else type(x).__name__
s = pd.Series([3, 1, 2])
f = pd.DataFrame({"a": [1, 2, 1], "b": [3., 4, 5], "c": ["x", "y", "x"]})
g = f.groupby("a"); i = pd.Index([1, 3, 5]); o = pd.Index(["b", "a", "c"])
t = pd.Series(pd.date_range("2024-01-30", periods=3)); ti = pd.DatetimeIndex(t)
m = pd.MultiIndex.from_product([[1, 2], ["a", "b"]]); c = pd.Categorical(["b", "a", "b"])
"""
SCIPY = (
    """
import math, scipy, scipy.constants, scipy.sparse.linalg
import scipy.cluster.hierarchy, scipy.cluster.vq, scipy.spatial.distance, scipy.stats.sampling
import numpy as np
from scipy import cluster, fft, integrate, interpolate, linalg, ndimage, optimize, signal, sparse
from scipy import spatial, special, stats
from scipy.sparse import csgraph
"""
    + ROUND
)
MORE_OF_SCIPY = (
    SCIPY
    + """
def D(x):
    if hasattr(x, "dtype"): return str(x.dtype)
    if isinstance(x, dict): return {str(k): D(v) for k, v in x.items()}
    return [D(v) for v in x] if isinstance(x, (tuple, list)) else type(x).__name__
P = np.array([[0., 0], [1, 0], [0, 1], [1, 1.1], [.5, .4]])
T = spatial.KDTree(P); C = spatial.cKDTree(P); B = [0] * 2000 + [1] * 3000; K = [3, 3, 1, 2]
H = spatial.ConvexHull(P); E = spatial.Delaunay(P); V = spatial.Voronoi(P)
Z = cluster.hierarchy.linkage([[0.], [1], [5], [6]])
"""
)
SOURCES = {
    "pandas": "import io\nimport numpy as np\nimport pandas as pd\n",
    "pandas_dtypes": "import io\nimport numpy as np\n" + DTYPES,
    "regex": "import regex\n",
    "scipy": SCIPY,
    "scipy_others": MORE_OF_SCIPY,
    "scipy_stats": MORE_OF_SCIPY,
}
HERE = frozenset({"pandas", "regex", "scipy"})


@pytest.fixture(scope="module")
def scientific() -> Iterator[Sandbox]:
    with Sandbox(workers=1, images=2, packages=HERE, check_every=64) as pool:
        yield pool


def calls(sandbox: Sandbox, source: str, *expressions: str, images: int = 1) -> list[CallResult]:
    limits = Limits(fuel=10**10, memory_bytes=1 << 30)
    job = Job("1", source, expressions=expressions, packages=HERE, images=images, limits=limits)
    return list(sandbox.run([job])[0].calls)


@pytest.mark.parametrize("package", SOURCES)
def test_programs_give_the_values_of_the_native_package(scientific: Sandbox, package: str) -> None:
    text = (Path(__file__).parent / "package_programs" / f"{package}.tsv").read_text("utf-8")
    expressions, expected = zip(*(line.split("\t") for line in text.splitlines()), strict=True)
    assert len(expressions) >= 60
    source = SOURCES[package]
    found = calls(scientific, source, *expressions)
    found[::5] = calls(scientific, source, *expressions[::5], images=2)
    wrong = {
        expression: (call.outcome.value, call.value or call.error, call.differs, value)
        for expression, value, call in zip(expressions, expected, found, strict=True)
        if call.value is None
        or call.differs is not None
        or not equal(call.value, value, float_tolerance=1e-6)
    }
    assert not wrong


def test_the_versions_are_those_of_the_documents(scientific: Sandbox) -> None:
    found = calls(
        scientific, "import pandas, scipy, regex", "pandas.__version__", "scipy.__version__",
        "regex.__version__",
    )  # fmt: skip
    page = (Path(__file__).parents[2] / "docs" / "sandbox.md").read_text("utf-8")
    for name, call in zip(("pandas", "scipy", "regex"), found, strict=True):
        assert call.value is not None, call.error
        assert f"| `{name}` {call.value.strip(chr(39))}" in page


def test_what_scipy_cannot_do_in_32_bits_raises(scientific: Sandbox) -> None:
    many = "spatial.KDTree(np.zeros((70000, 1)))"
    for expression, error in {
        f"{many}.count_neighbors({many}, 1.)": "OverflowError: 2**31 pairs",
        "stats.planck.rvs(1e-10, size=3, random_state=1)": "OverflowError: geometric drew",
        "__import__('scipy.odr')": "ImportError: scipy.odr is not in this build",
    }.items():
        [call] = calls(scientific, SCIPY, expression)
        assert call.outcome is Outcome.RAISED, expression
        assert error in (call.error or ""), (expression, call.error)


def test_what_needs_threads_files_or_other_packages_raises(scientific: Sandbox) -> None:
    source = "import io, regex\nimport pandas as pd\nf = pd.DataFrame({'a': [1]})"
    for expression, error in {
        "pd.read_csv('http://127.0.0.1/x.csv')": "Error",
        "f.to_parquet()": "ImportError",
        "pd.read_excel(io.BytesIO(b''))": "ValueError",
        "f.plot()": "ImportError",
    }.items():
        [call] = calls(scientific, source, expression)
        assert call.outcome is Outcome.RAISED, expression
        assert error in (call.error or ""), (expression, call.error)


def test_what_is_drawn_without_a_seed_differs_between_images(scientific: Sandbox) -> None:
    [call] = calls(
        scientific,
        "import pandas as pd",
        "pd.Series(range(10**6)).sample(3).tolist()",
        images=2,
    )
    assert (call.outcome, call.differs) == (Outcome.RETURNED, "value")


def test_a_catastrophic_pattern_pays_for_its_steps(scientific: Sandbox) -> None:
    source = "import regex\ndef f(n): return regex.match(r'(?:a|aa)+$', 'a' * n + 'b')"
    job = Job("1", source, calls=["10", "60"], packages={"regex"}, limits=Limits(fuel=10**9))
    outcomes = [call.outcome for call in scientific.run([job])[0].calls]
    assert outcomes == [Outcome.RETURNED, Outcome.OUT_OF_FUEL]


def test_attacks_are_contained_and_leave_nothing_behind(scientific: Sandbox) -> None:
    canary = (
        "import sys, pandas, scipy.special, regex\n"
        "def f():\n"
        "    old = hasattr(pandas, 'seen'), len(sys.modules), float(scipy.special.gamma(5))\n"
        "    pandas.seen = 1; scipy.special.gamma = None; regex.match = None\n"
        "    return old, pandas.Series([2**31] * 2).sum().item()"
    )
    [expected] = calls(scientific, canary, "f()")
    assert expected.outcome is Outcome.RETURNED, expected.error
    limits = Limits(fuel=100_000_000, memory_bytes=256 << 20, output_bytes=64 << 10)
    jobs = [
        Job(p.name, p.source, expressions=["f()"], packages=HERE, limits=limits) for p in ATTACKS
    ]
    for result in scientific.run(jobs):
        value = result.calls[0].value
        assert value is None or not equal(value, "'GOOD'"), result.id
        assert calls(scientific, canary, "f()") == [expected], result.id
    assert scientific.stats()["restore_check_failures"] == 0
