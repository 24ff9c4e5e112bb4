"""Source that calls test functions and test classes. It is text for the guest; no host runs it.

pytest and unittest would find and run them; the sandbox has no pytest, and tests here are run as
text after the program. A test that fails raises, so that the check fails.
"""

__all__ = ["NO_UNITTEST_MAIN", "SOLUTION_MODULE", "TEST_RUNNER"]

SOLUTION_MODULE = """\
def _solution_module():
    import sys, types
    module = types.ModuleType("solution")
    module.__dict__.update(globals())
    sys.modules["solution"] = module


_solution_module()
"""
"""Tests of KodCode's kind import what they test: `from solution import f`."""

NO_UNITTEST_MAIN = """\
import unittest
unittest.main = lambda *_, **__: None
"""
"""It would run the tests once more and then end the interpreter."""

TEST_RUNNER = """\
def _run_tests(tests):
    import inspect, unittest

    def fixture(name):
        function = getattr(globals()[name], "_fixture", globals()[name])
        made = function(**arguments(function, ()))
        return next(made) if inspect.isgenerator(made) else made

    def arguments(function, given):
        names = inspect.signature(function).parameters
        return {name: fixture(name) for name in names if name not in given and name in globals()}

    def finish(coroutine):
        try:
            while True:
                coroutine.send(None)
        except StopIteration:
            pass

    def run(function):
        for given in getattr(function, "_parameters", [{}]):
            result = function(**given, **arguments(function, given))
            if inspect.iscoroutine(result):
                finish(result)

    def run_methods(kind):
        for name in [name for name in dir(kind) if name.startswith("test")]:
            instance = kind()
            method = getattr(instance, name)
            prepare = getattr(instance, "setup_method", lambda: None)
            prepare(*[method][: len(inspect.signature(prepare).parameters)])
            run(method)

    def run_cases(kind):
        result = unittest.TestResult()
        unittest.defaultTestLoader.loadTestsFromTestCase(kind).run(result)
        for _, text in result.errors + result.failures:
            raise AssertionError(text)

    for test in tests:
        if not isinstance(test, type):
            run(test)
        elif issubclass(test, unittest.TestCase):
            run_cases(test)
        else:
            run_methods(test)

"""
"""Runs functions, with their parameters and fixtures, and the tests of classes."""
