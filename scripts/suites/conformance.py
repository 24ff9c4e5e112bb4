"""Run CPython's own tests inside the guest and write what came of it into docs/conformance.md.

    python scripts/suites/conformance.py                                  the suite of this Python
    python scripts/suites/conformance.py --suite DIR/test --version 3.15  another one, unpacked

Exit status 1: a test failed that is not listed in tests/guest/cpython_VERSION.toml, or a listed one
passes.
"""

import argparse
import re
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from sandbox_wasm import Sandbox  # noqa: E402
from tests.guest.cpython_suite import (  # noqa: E402
    Expected,
    Report,
    Suite,
    find_suite,
    read_expected,
    run_modules,
)

PAGE = ROOT / "docs" / "conformance.md"
MODULES = ROOT / "docs" / "conformance_modules.md"
BATCH = 8


def run(suite: Suite, expected: Expected) -> list[Report]:
    """Run the listed modules, a few at a time, and say on stderr how far it is."""
    reports: list[Report] = []
    with Sandbox(workers=2) as sandbox:
        for start in range(0, len(expected.modules), BATCH):
            part = expected.modules[start : start + BATCH]
            reports += run_modules(sandbox, suite, part)
            sys.stderr.write(f"\r{start + len(part)}/{len(expected.modules)} modules")
            sys.stderr.flush()
    sys.stderr.write("\n")
    return reports


def render(reports: list[Report], expected: Expected) -> str:
    """Make the section of the page for one suite."""
    passed = sum(len(report.passed) for report in reports)
    failed = [name for report in reports for name in report.failed]
    skipped = sum(len(report.skipped) for report in reports)
    fuel = sum(report.fuel for report in reports)
    summary = (
        f"{len(reports)} modules: {passed:,} tests passed, {len(failed)} failed, {skipped:,} were"
        " skipped by the suite itself (no files, network, threads, processes, C test modules);"
        f" {fuel / 1e9:,.0f} x 10^9 instructions."
    )
    lines = [
        summary,
        "",
        "| failed | why |",
        "|---|---|",
    ]
    counts = Counter(expected.reason(name) or "**not listed**" for name in failed)
    lines += [f"| {count} | {reason} |" for reason, count in counts.most_common()]
    return "\n".join(lines)


def render_modules(reports: list[Report]) -> str:
    """Make the list of modules for one suite: how many tests of each passed."""
    rows = [f"| {r.module.removeprefix('test_')} | {len(r.passed)} |" for r in reports]
    return "\n".join(["| module | tests passed |", "|---|---|", *rows])


def write(path: Path, version: str, section: str) -> None:
    """Put the section between its two marks on the page."""
    page = path.read_text(encoding="utf-8")
    mark = re.compile(rf"(<!-- suite {version} -->\n).*?(\n<!-- end -->)", re.DOTALL)
    if not mark.search(page):
        raise SystemExit(f"conformance: error: no mark for suite {version} in {path.name}")
    path.write_text(mark.sub(lambda m: m[1] + section + m[2], page), encoding="utf-8")


def main() -> int:
    """Run, write, and compare with the list."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--suite", type=Path, help="a test package (default: this Python's own)")
    parser.add_argument("--version", help="of that suite, such as 3.15")
    args = parser.parse_args()
    if (args.suite is None) != (args.version is None):
        parser.error("--suite and --version go together")
    suite = Suite(args.suite, args.version) if args.suite else find_suite()
    if suite is None or not (suite.folder / "test_grammar.py").is_file():
        parser.error("no test package here: apt-get install libpython3.11-testsuite, or --suite")
    expected = read_expected(suite.version)
    if expected is None:
        parser.error(f"no list tests/guest/cpython_{suite.version}.toml for this suite")
    reports = run(suite, expected)
    write(PAGE, suite.version, render(reports, expected))
    write(MODULES, suite.version, render_modules(reports))
    wrong = [line for report in reports for line in report.unexpected(expected)]
    sys.stderr.writelines(f"unexpected: {line}\n" for line in wrong)
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
