"""A bounded share of CPython's own tests, inside the guest.

All of it: scripts/suites/conformance.py.
"""

import re
from pathlib import Path

import pytest

from sandbox_wasm import Sandbox
from tests.guest.cpython_suite import PACKAGE, Suite, find_suite, read_expected, run_modules

pytestmark = [pytest.mark.guest, pytest.mark.slow]


@pytest.fixture(scope="module")
def suite() -> Suite:
    found = find_suite()
    if found is None:
        pytest.skip(f"this Python has no test package: apt-get install {PACKAGE}")
    if read_expected(found.version) is None:
        pytest.skip(f"no list of expected failures for the suite of CPython {found.version}")
    return found


def test_cpythons_own_tests_pass_but_for_the_listed_ones(sandbox: Sandbox, suite: Suite) -> None:
    expected = read_expected(suite.version)
    assert expected is not None
    reports = run_modules(sandbox, suite, expected.quick, without=expected.crashes)
    wrong = [line for report in reports for line in report.unexpected(expected)]
    assert not wrong, "\n".join(wrong)
    assert sum(len(report.passed) for report in reports) >= 4000


@pytest.mark.parametrize("version", ["3.11", "3.15"])
def test_each_listed_failure_has_a_reason_and_belongs_to_a_listed_module(version: str) -> None:
    expected = read_expected(version)
    assert expected is not None
    assert all(len(reason) > 10 for reason in expected.reasons.values())
    assert set(expected.quick) <= set(expected.modules)
    page = (Path(__file__).parents[2] / "docs" / "conformance.md").read_text()
    section = page.partition(f"<!-- suite {version} -->")[2].partition("<!-- end -->")[0]
    rows = set(re.findall(r"^\| \d+ \| (.*) \|$", section, re.MULTILINE))
    assert rows == set(expected.reasons.values())


def test_a_suite_that_fails_is_noticed(sandbox: Sandbox, tmp_path_factory, suite: Suite) -> None:
    """A failure, an error, a trap and an endless loop each get their own line; the rest goes on."""
    folder = tmp_path_factory.mktemp("suite")
    (folder / "__init__.py").write_text("")
    (folder / "support").symlink_to(suite.folder / "support")
    (folder / "test_made_up.py").write_text(
        "import os, unittest\n"
        "class T(unittest.TestCase):\n"
        "    def test_a(self): os.abort()\n"
        "    def test_b(self): self.assertEqual(1, 2)\n"
        "    def test_c(self): pass\n"
        "    def test_d(self):\n        while True: pass\n"
        "    def test_e(self): {}[1]\n"
        "    @unittest.skip('no')\n"
        "    def test_f(self): pass\n"
        "    def test_g(self):\n        with self.subTest(1): self.fail('x')\n"
    )
    (report,) = run_modules(sandbox, Suite(folder, suite.version), ["test_made_up"])
    assert report.passed == ["test_made_up.T.test_c"]
    assert list(report.skipped) == ["test_made_up.T.test_f"]
    why = {name.rpartition("_")[2]: text.partition(":")[0] for name, text in report.failed.items()}
    assert why == {
        "a": "TRAPPED", "b": "AssertionError", "d": "OUT_OF_FUEL", "e": "KeyError",
        "g": "AssertionError",
    }  # fmt: skip
