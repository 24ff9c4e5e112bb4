"""CPython's own Lib/test, run inside the guest: one job a test module.

The modules' sources travel in the job, with every module of the `test` package that they import.
`tests/guest/cpython_*.toml` lists what fails here and why.
"""

import functools
import re
import sys
import sysconfig
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sandbox_wasm import CallResult, Job, Limits, Outcome, Sandbox

__all__ = ["Expected", "Report", "Suite", "find_suite", "read_expected", "run_modules"]

LIMITS = Limits(fuel=10_000_000_000, memory_bytes=512 << 20, output_bytes=16 << 20)
MARK = "\x01"
IN_GUEST = Path(__file__).with_name("suite_in_guest.py")
PACKAGE = "libpython3.11-testsuite"
"""The Debian package that brings the suite of Debian 12's Python."""


@dataclass(frozen=True, slots=True)
class Suite:
    """A `test` package on disk."""

    folder: Path
    version: str
    """Of the CPython it belongs to, such as "3.11"."""

    def modules(self) -> list[str]:
        """Name every test module, those of packages one by one."""
        found: list[str] = []
        for path in sorted(self.folder.glob("test_*")):
            if path.suffix == ".py":
                found.append(path.stem)
            elif path.is_dir():
                found += [f"{path.name}.{sub.stem}" for sub in sorted(path.glob("test_*.py"))]
        return found

    def sources(self, module: str) -> dict[str, tuple[bool, str]]:
        """Collect a test module and all it imports from the `test` package, transitively."""
        sources: dict[str, tuple[bool, str]] = {}
        waiting = ["test", "test.support", f"test.{module}"]
        while waiting:
            name = waiting.pop()
            path = self._path(name)
            if name in sources or path is None:
                continue
            is_package = path.name == "__init__.py"
            text = _text(path)
            sources[name] = (is_package, text)
            waiting += [name.rpartition(".")[0]] if "." in name else []
            waiting += _imports(text, name if is_package else name.rpartition(".")[0])
        return sources

    def data(self, sources: dict[str, tuple[bool, str]]) -> dict[str, str]:
        """Read the text files that test modules name, by their base names."""
        tests = [text for name, (_, text) in sources.items() if ".test_" in name]
        names = {name for text in tests for name in re.findall(r"(\w+\.txt)\b", text)}
        folders = (self.folder, self.folder / "mathdata")
        found = [folder / name for name in sorted(names) for folder in folders]
        return {file.name: _text(file) for file in found if file.is_file()}

    def _path(self, name: str) -> Path | None:
        relative = Path(*name.split(".")[1:])
        for path in (self.folder / relative / "__init__.py", self.folder / f"{relative}.py"):
            if path.is_file():
                return path
        return None


def _text(path: Path) -> str:
    data = path.read_bytes()
    cookie = re.match(rb"(?:.*\n)?[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)", data)
    return data.decode(cookie[1].decode() if cookie else "utf-8-sig")


_IMPORT = re.compile(
    r"^[ \t]*(?:from[ \t]+(\.*[\w.]*)[ \t]+import[ \t]*(\([^)]*\)|(?:[^\n\\#]|\\\n)*)"
    r"|import[ \t]+([\w., \t]+))",
    re.MULTILINE,
)
_NAMED = re.compile(r"""["'](test\.[\w.]+)["']""")


def _imports(text: str, package: str) -> list[str]:
    """Name the modules of `test` that a source may import; too many do no harm.

    Read with patterns: the suite may be of a later Python than the one that parses.
    """
    names: list[str] = _NAMED.findall(text)  # import_fresh_module("test.x")
    for base, members, plain in _IMPORT.findall(text):
        if plain:
            names += [part.split()[0] for part in plain.split(",") if part.strip()]
            continue
        level = len(base) - len(base.lstrip("."))
        if level:
            parts = package.split(".")
            parts = parts[: len(parts) - level + 1] + [part for part in [base.lstrip(".")] if part]
            base = ".".join(parts)  # noqa: PLW2901 - the absolute name of the same module
        names += [base, *(f"{base}.{name}" for name in re.findall(r"\w+", members))]
    return [name for name in names if name == "test" or name.startswith("test.")]


def find_suite() -> Suite | None:
    """Find the test package of the running Python, or of Debian's Python of the same version."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    for stdlib in (Path(sysconfig.get_path("stdlib")), Path("/usr/lib") / f"python{version}"):
        if (stdlib / "test" / "test_grammar.py").is_file():
            return Suite(stdlib / "test", version)
    return None


@dataclass(slots=True)
class Report:
    """What became of one module's tests; ids without the leading `test.`."""

    module: str
    passed: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    """Test to one line of why; outcomes that end a run (TRAPPED, OUT_OF_FUEL) stand here too."""
    skipped: dict[str, str] = field(default_factory=dict)
    fuel: int = 0

    def note(self, kind: str, name: str, why: str) -> None:
        """Add one event of the guest."""
        if kind == "passed":
            self.passed.append(name)
        elif kind in ("failed", "skipped"):
            getattr(self, kind)[name] = why

    def finished(self) -> list[str]:
        """Name the tests that came to an end, whichever."""
        return [*self.passed, *self.failed, *self.skipped]

    def unexpected(self, expected: "Expected") -> list[str]:
        """Say what contradicts the list: failures that are not in it, entries that now pass."""
        wrong = [f"{name}: {why}" for name, why in self.failed.items() if name not in expected]
        passed = [name for name in self.passed if name in expected and name not in expected.varies]
        wrong += [f"{name}: passes, but is listed" for name in passed]
        return wrong


@dataclass(frozen=True, slots=True)
class Expected:
    """The committed list: which tests fail here, and why."""

    reasons: dict[str, str]
    crashes: frozenset[str]
    """These end the interpreter or cost much: left out of the quick run."""
    varies: frozenset[str]
    """These pass in one bug-fix release of the suite and fail in another: they may do either."""
    modules: tuple[str, ...]
    """What scripts/suites/conformance.py runs: the modules of which most tests need no files."""
    quick: tuple[str, ...]
    """What CI runs."""

    def __contains__(self, name: str) -> bool:
        """Whether a test is listed."""
        return name in self.reasons

    def reason(self, name: str) -> str | None:
        """Return why a test fails here."""
        return self.reasons.get(name)


@functools.cache
def read_expected(version: str) -> Expected | None:
    """Read the list for a version of the suite; None where there is none."""
    path = Path(__file__).with_name(f"cpython_{version}.toml")
    if not path.is_file():
        return None
    listed = tomllib.loads(path.read_text(encoding="utf-8"))
    groups = listed["expected"]
    reasons = {name: group["reason"] for group in groups for name in group["tests"]}
    crashes = [name for group in groups if group.get("crashes") for name in group["tests"]]
    varies = [name for group in groups if group.get("varies") for name in group["tests"]]
    return Expected(
        reasons=reasons,
        crashes=frozenset(crashes),
        varies=frozenset(varies),
        modules=tuple(listed["modules"]),
        quick=tuple(listed["quick"]),
    )


def run_modules(
    sandbox: Sandbox,
    suite: Suite,
    modules: Sequence[str],
    *,
    without: Iterable[str] = (),
    limits: Limits = LIMITS,
) -> list[Report]:
    """Run those modules that the suite has; where a test ends the interpreter, go on after it."""
    here = set(suite.modules())
    reports = [Report(module) for module in modules if module in here]
    waiting = [(report, sorted(without)) for report in reports]
    while waiting:
        jobs = [_job(suite, report.module, skip, limits) for report, skip in waiting]
        again: list[tuple[Report, list[str]]] = []
        for (report, skip), result in zip(waiting, sandbox.run(jobs), strict=True):
            if not _take(report, result.calls[0]):
                again.append((report, sorted({*skip, *report.finished()})))
        waiting = again
    return reports


def _job(suite: Suite, module: str, without: Sequence[str], limits: Limits) -> Job:
    sources = suite.sources(module)
    given = {"SOURCES": sources, "DATA": suite.data(sources), "MARK": MARK}
    source = "".join(f"{name} = {value!r}\n" for name, value in given.items())
    source += IN_GUEST.read_text(encoding="utf-8")
    skip = [f"test.{name}" for name in without]
    call = f"run('test.{module}', frozenset({skip!r}))"
    return Job(module, source, expressions=[call], limits=limits, want_stdout=True)


def _take(report: Report, call: CallResult) -> bool:
    """Add one run's results; False where a test ended it and others are left."""
    report.fuel += call.fuel
    num_finished = len(report.finished())
    started: list[str] = []
    for line in (call.stdout or "").splitlines():
        if not line.startswith(MARK):
            continue
        kind, name, why = line.removeprefix(MARK).split(" ", 2)
        name = name.removeprefix("test.").replace("(test.", "(")
        if kind == "started":
            started.append(name)
        report.note(kind, name, why)
    if call.outcome is Outcome.RETURNED:
        return True
    why = f"{call.outcome.name}: {call.error or ''}".strip()
    finished = report.finished()
    if len(finished) > num_finished:
        # The last one may only have had the fuel that the others left: it goes first now.
        return False
    culprit = started[-1] if started else report.module
    # Not in a test: while the module was imported, or between two classes.
    report.failed[report.module if culprit in finished else culprit] = why
    return culprit == report.module or culprit in finished
