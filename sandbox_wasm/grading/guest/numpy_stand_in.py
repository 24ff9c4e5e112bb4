"""The part of numpy that EvalPlus' published tests use, for a guest that has no numpy.

EvalPlus publishes HumanEval+ and MBPP+ as programs which import numpy for three things: to ask
whether a value is an array, and to compare floats (tools/humaneval/to_original_fmt.py of
github.com/evalplus/evalplus). The stand-in is put before such a test and after the program under
test, so that a program which imports numpy fails as it does without it.
"""

__all__ = ["NUMPY_STAND_IN"]

NUMPY_STAND_IN = """\
def _numpy_stand_in():
    import math
    import sys
    import types

    class ndarray:
        pass

    def close(out, exp, rtol, atol):
        if isinstance(exp, (list, tuple)) or isinstance(out, (list, tuple)):
            if not isinstance(exp, (list, tuple)):
                exp = [exp] * len(out)
            if not isinstance(out, (list, tuple)):
                out = [out] * len(exp)
            return len(out) == len(exp) and all(
                close(a, b, rtol, atol) for a, b in zip(out, exp)
            )
        if isinstance(out, (str, bytes)) or out is None:
            raise TypeError("not a number")
        if out == exp:
            return True
        difference = abs(out - exp)
        return math.isfinite(difference) and difference <= atol + rtol * abs(exp)

    def allclose(out, exp, rtol=1e-05, atol=1e-08):
        return close(out, exp, rtol, atol)

    def assert_allclose(out, exp, rtol=1e-07, atol=0):
        def is_nan(value):
            return isinstance(value, float) and math.isnan(value)

        assert (is_nan(out) and is_nan(exp)) or close(out, exp, rtol, atol)

    numpy = types.ModuleType("numpy")
    numpy.ndarray = ndarray
    numpy.float32 = type("float32", (), {})
    numpy.float64 = type("float64", (), {})
    numpy.allclose = allclose
    numpy.testing = types.ModuleType("numpy.testing")
    numpy.testing.assert_allclose = assert_allclose
    sys.modules["numpy"] = numpy
    sys.modules["numpy.testing"] = numpy.testing


_numpy_stand_in()
"""
