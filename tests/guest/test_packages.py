"""Packages in the guest: each is imported, and gives a known result, the same in two images."""

import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox_wasm import BadJob, ImageError, Job, Outcome, Sandbox
from sandbox_wasm.adapters import grade, parse_check

pytestmark = [pytest.mark.guest, pytest.mark.slow]

PURE = ["more_itertools", "mpmath", "networkx", "sympy", "yaml"]
KNOWN = {
    "more_itertools": ("list(more_itertools.chunked([1, 2, 3], 2))", "[[1, 2], [3]]"),
    "mpmath": ("(setattr(mpmath.mp, 'dps', 30), str(mpmath.sqrt(2)))[1]",
               "'1.41421356237309504880168872421'"),
    "networkx": ("networkx.shortest_path(networkx.cycle_graph(6), 0, 2)", "[0, 1, 2]"),
    "sympy": ("str(sympy.integrate(sympy.sin(sympy.Symbol('x')) ** 2, sympy.Symbol('x')))",
              "'x/2 - sin(x)*cos(x)/2'"),
    "yaml": ("yaml.safe_load('a: [1, 2.5, null]\\nb: {c: yes}')",
             "{'a': [1, 2.5, None], 'b': {'c': True}}"),
}  # fmt: skip


def demo_wheel(folder: Path) -> Path:
    path = folder / "azr_demo-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("azr_demo-1.0.dist-info/WHEEL", "Root-Is-Purelib: true\n")
        archive.writestr("azr_demo-1.0.dist-info/METADATA", "Name: azr-demo\nVersion: 1.0\n")
        archive.writestr("azr_demo/__init__.py", "from azr_demo.inner import twice\n")
        archive.writestr("azr_demo/inner.py", "def twice(x):\n    return 2 * x\n")
        archive.writestr("azr_demo/late.py", "word = 'late'\n")
    return path


@pytest.fixture(scope="module")
def pure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    wheel = demo_wheel(tmp_path_factory.mktemp("wheels"))
    with Sandbox(workers=1, images=2, packages=[*PURE, str(wheel)], check_every=1) as pool:
        yield pool


def test_each_package_gives_a_known_result_in_two_images(pure: Sandbox) -> None:
    assert pure.packages == {*PURE, "azr_demo"}
    jobs = [
        Job(name, f"import {name}", expressions=[expression], packages={name}, images=2)
        for name, (expression, _) in KNOWN.items()
    ]
    for result in pure.run(jobs):
        [call] = result.calls
        assert (call.outcome, call.value, call.differs) == (
            Outcome.RETURNED, KNOWN[result.id][1], None,
        ), (result.id, call.error)  # fmt: skip


def test_a_wheel_is_imported_and_its_other_modules_too(pure: Sandbox) -> None:
    source = (
        "import azr_demo, azr_demo.late\ndef f(x): return azr_demo.twice(x), azr_demo.late.word"
    )
    [result] = pure.run([Job("w", source, calls=["4"], packages={"azr_demo", "sympy"})])
    assert result.calls[0].value == "(8, 'late')"
    plain = pure.run([Job("w", "import azr_demo", stdin="")])[0].calls[0]
    assert plain.error == "ModuleNotFoundError: No module named 'azr_demo'"


def test_what_is_not_loaded_is_named(pure: Sandbox) -> None:
    with pytest.raises(BadJob, match=r"\['numpy'\] are not loaded in this sandbox, but azr_demo"):
        pure.run([Job("n", "import numpy", stdin="", packages={"numpy", "sympy"})])


def test_a_package_leaves_nothing_behind(pure: Sandbox) -> None:
    source = (
        "import sympy as s\ndef f():\n    old = hasattr(s, 'seen')\n    s.seen = 1\n    return old"
    )
    [result] = pure.run([Job("n", source, calls=[""] * 3, packages={"sympy"})])
    assert [call.value for call in result.calls] == ["False"] * 3
    assert pure.stats()["restore_check_failures"] == 0


def test_graded_programs_may_import_what_the_grader_names(pure: Sandbox) -> None:
    program = "import more_itertools\ndef f(x): return list(more_itertools.collapse(x))"
    check = parse_check({"entry": "f", "calls": ["[1, [2, [3]]]"], "expected": ["[1, 2, 3]"]})
    assert grade(pure, [program], [check], packages={"more_itertools"}) == [1.0]
    assert grade(pure, [program], [check]) == [0.0]
    tests = parse_check("import sympy\nassert sympy.simplify(f(2) - 4) == 0")
    assert grade(pure, ["def f(x): return x * x"], [tests], packages={"sympy"}) == [1.0]


def test_a_wheel_that_cannot_be_imported_is_told_in_a_line(tmp_path: Path) -> None:
    path = tmp_path / "broken-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("broken-1.0.dist-info/WHEEL", "Root-Is-Purelib: true\n")
        archive.writestr("broken.py", "import no_such_module\n")
    with pytest.raises(ImageError, match="No module named 'no_such_module'") as caught:
        Sandbox(workers=1, images=1, packages=[str(path)])
    assert "\n" not in str(caught.value)
