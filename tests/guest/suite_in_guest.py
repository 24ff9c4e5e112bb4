# ruff: noqa: F821, PLC0415 - SOURCES, DATA and MARK stand before this text in the job
"""Runs one module of CPython's test suite; this text runs inside the guest, after SOURCES is set.

`SOURCES` maps a module's name to (is it a package, its source), `DATA` the base name of a data file
to its text, `MARK` begins the lines that are for the host. The guest has no files: `open` gives
those texts.
"""

import builtins
import contextlib
import importlib.abc
import importlib.util
import io
import os
import sys
import unittest

SOURCES: dict[str, tuple[bool, str]]
DATA: dict[str, str]
MARK: str
open_file, write = open, os.write
sys.maxsize = 2**31 - 1  # the suite means what the build's C code can count


def open_data(path, mode="r", *args, **kwargs):
    name = str(path).rpartition("/")[2]
    if name in DATA and "b" not in mode:
        return io.StringIO(DATA[name])
    return open_file(path, mode, *args, **kwargs)


class FromSources(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Imports what was sent along, under the names that CPython's tests use."""

    def find_spec(self, name, path=None, target=None):
        if name not in SOURCES:
            return None
        return importlib.util.spec_from_loader(name, self, origin=f"/{name}.py")

    def is_package(self, name):
        return SOURCES[name][0]

    def get_source(self, name):
        return SOURCES[name][1]

    def get_code(self, name):
        return compile(SOURCES[name][1], f"/{name}.py", "exec", dont_inherit=True)

    def exec_module(self, module):
        module.__file__ = f"/{module.__name__}.py"
        exec(self.get_code(module.__name__), module.__dict__)


class Record(unittest.TestResult):
    """Writes what happens to stdout at once: it survives the end of the interpreter."""

    def __init__(self):
        super().__init__()
        self.bad = set()

    def startTest(self, test):
        tell("started", test.id())

    def addSuccess(self, test):
        if test.id() not in self.bad:  # a subtest failed
            tell("passed", test.id())

    def addFailure(self, test, err):
        self._note(test, err)

    def addError(self, test, err):
        if issubclass(err[0], unittest.SkipTest):  # raised in setUpModule and the like
            self.addSkip(test, err[1])
        else:
            self._note(test, err)

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self._note(test, err)

    def addSkip(self, test, reason):
        tell("skipped", test.id(), str(reason))

    def addExpectedFailure(self, test, err):
        tell("passed", test.id())

    def addUnexpectedSuccess(self, test):
        tell("failed", test.id(), "unexpected success")

    def _note(self, test, err):
        if err[0] is MemoryError and not err[1].args:
            raise err[1]  # out of memory is an outcome of the whole run, not of one test
        if test.id() not in self.bad:
            self.bad.add(test.id())
            tell("failed", test.id(), f"{err[0].__name__}: {err[1]}")


def tell(kind, name, why=""):
    text = f"{MARK}{kind} {name.replace(' ', '_')} {ascii(why[:300])[1:-1]}\n"
    write(1, text.encode("utf-8", "backslashreplace"))


def tests_in(suite):
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from tests_in(item)
        else:
            yield item


def run(name, without):
    """Run the module's tests but those of `without`; True when all of them came to an end."""
    sys.meta_path.insert(0, FromSources())
    builtins.open = open_data
    import test.support

    test.support.verbose = 0
    try:
        module = importlib.import_module(name)
    except unittest.SkipTest as error:
        tell("skipped", name, str(error))
        return True
    suite = unittest.defaultTestLoader.loadTestsFromModule(module)
    if without:
        rest = [test for test in tests_in(suite) if test.id().replace(" ", "_") not in without]
        suite = unittest.TestSuite(rest)
    with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
        suite.run(Record())
    return True
