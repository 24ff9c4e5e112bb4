"""The part of pytest that published tests of functions use. Text for the guest, which has none.

`raises`, `approx`, `fixture`, `mark.parametrize`, `fail` and `skip`; other marks do nothing. The
calls are made by `sandbox_wasm.grading.guest.test_runner`.
"""

__all__ = ["PYTEST_STAND_IN"]

PYTEST_STAND_IN = """\
def _pytest_stand_in():
    import math, re, sys, types

    class raises:
        def __init__(self, kinds, *call, match=None, **named):
            self.kinds, self.match, self.value = kinds, match, None
            if call:
                with self:
                    call[0](*call[1:], **named)

        def __enter__(self):
            return self

        def __exit__(self, kind, error, traceback):
            if kind is None:
                raise AssertionError(f"DID NOT RAISE {self.kinds}")
            if not issubclass(kind, self.kinds):
                return False
            assert self.match is None or re.search(self.match, str(error)), str(error)
            self.type, self.value = kind, error
            return True

    class approx:
        def __init__(self, expected, rel=None, abs=None, nan_ok=False):
            self.expected, self.rel, self.abs, self.nan_ok = expected, rel, abs, nan_ok

        def near(self, given, expected):
            if isinstance(expected, dict):
                return given.keys() == expected.keys() and all(
                    self.near(given[key], expected[key]) for key in expected
                )
            if isinstance(expected, (list, tuple)):
                return len(given) == len(expected) and all(map(self.near, given, expected))
            if isinstance(expected, (str, bool)) or expected is None or given is None:
                return given == expected
            if expected != expected:
                return self.nan_ok and given != given
            least = 1e-12 if self.abs is None else self.abs
            share = (1e-6 if self.abs is None else 0.0) if self.rel is None else self.rel
            return given == expected or abs(given - expected) <= max(least, share * abs(expected))

        def __eq__(self, given):
            return self.near(given, self.expected)

        def __repr__(self):
            return f"approx({self.expected!r})"

    class marks:
        def __getattr__(self, name):
            def mark(*args, **named):
                plain = len(args) == 1 and callable(args[0]) and not named
                return args[0] if plain else lambda function: function

            return mark

        def parametrize(self, names, rows, **_):
            names = [n.strip() for n in names.split(",")] if isinstance(names, str) else list(names)
            rows = [getattr(row, "values", row) if isinstance(row, param) else row for row in rows]
            rows = [row if len(names) > 1 or isinstance(row, _values) else (row,) for row in rows]

            def decorate(function):
                outer = getattr(function, "_parameters", [{}])
                function._parameters = [
                    {**one, **dict(zip(names, row))} for row in rows for one in outer
                ]
                return function

            return decorate

    class _values(tuple):
        pass

    class param:
        def __init__(self, *values, **_):
            self.values = _values(values)

    def fixture(function=None, **_):
        def decorate(function):
            def use():
                raise TypeError("fixtures are not called")

            use._fixture = function
            return use

        return decorate if function is None else decorate(function)

    def fail(reason="", **_):
        raise AssertionError(reason)

    class Skipped(AssertionError):
        pass

    def skip(reason="", **_):
        raise Skipped(reason)

    def main(*_, **__):
        return 0

    pytest = types.ModuleType("pytest")
    for one in (raises, approx, fixture, fail, skip, param, main):
        setattr(pytest, one.__name__, one)
    pytest.mark = marks()
    sys.modules["pytest"] = pytest


_pytest_stand_in()
"""
