"""Makes NumPy's positions, counts and names of integers 64 bits wide. Shipped as text.

Its C code counts with intp, which has 32 bits here: what comes out of it is widened, so that going
on to compute with it cannot wrap. `numpy.intp` stays: compiled code of others is bound to it.
"""

import contextlib
import functools
import gc
import sys

import numpy

_OWN, _WIDE, _WIDE_UNSIGNED = numpy.intp, numpy.int64, numpy.uint64
_METHODS = ("argmax", "argmin", "argpartition", "argsort", "nonzero", "searchsorted")
_FUNCTIONS = ("bincount", "count_nonzero", "histogram", "histogramdd", "lexsort",
              "ravel_multi_index", "unravel_index")  # fmt: skip
_OF_INTEGERS = ("lcm", "left_shift", "power")
_OF_STRINGS = ("count", "find", "index", "rfind", "rindex", "str_len")


def _widened(result):
    if type(result) is tuple:
        return tuple(map(_widened, result))
    if isinstance(result, _OWN):
        return _WIDE(result)
    if isinstance(result, numpy.ndarray) and result.dtype.type is _OWN:
        return result.astype(_WIDE)
    return result


def _widening(function, starting=0):
    """Widen the result, of several from one on: what stands before is the caller's own."""

    @functools.wraps(function)
    def call(*arguments, **options):
        result = function(*arguments, **options)
        if not starting:
            return _widened(result)
        if not isinstance(result, tuple):
            return result
        return result[:starting] + _widened(result[starting:])

    return call


def _widening_where(function):
    @functools.wraps(function)
    def where(*arguments):
        result = function(*arguments)
        return _widened(result) if len(arguments) == 1 else result

    return where


def _replace(functions):
    """Put these functions in the place of what they stand for, under all its names."""
    by_identity = {id(old): new for old, new in functions}
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == "numpy":
            names = vars(module)
            for key, value in list(names.items()):
                if id(value) in by_identity:
                    names[key] = by_identity[id(value)]


def _widen_methods():
    methods = gc.get_referents(vars(numpy.ndarray))[0]  # the type cannot be assigned to
    for name in _METHODS:
        methods[name] = _widening(methods[name])
    sys._clear_internal_caches()
    sys._clear_type_cache()


class _OfIntegers:
    """A ufunc that computes with Python's own integers alone in 64 bits, where it would in 32."""

    def __init__(self, ufunc):
        self._ufunc = ufunc

    def __call__(self, *operands, **options):
        if all(type(operand) is int for operand in operands):
            with contextlib.suppress(IndexError, OverflowError):  # the ufunc's to say
                operands = (_WIDE(operands[0]), *operands[1:])
        return self._ufunc(*operands, **options)

    def __getattr__(self, name):
        return getattr(self._ufunc, name)

    def __repr__(self):
        return repr(self._ufunc)


def _rename():
    names = numpy._core._type_aliases.sctypeDict
    for name, kind in (("int", _WIDE), ("int_", _WIDE), ("long", _WIDE),
                       ("uint", _WIDE_UNSIGNED), ("ulong", _WIDE_UNSIGNED)):  # fmt: skip
        names[name] = kind
        if name != "int":
            setattr(numpy, name, kind)
    plain = numpy._core.arrayprint._typelessdata  # shown without their dtype
    plain[plain.index(_OWN)] = _WIDE


_replace(
    [(numpy.where, _widening_where(numpy.where)), (numpy.unique, _widening(numpy.unique, 1))]
    + [(getattr(numpy, name), _widening(getattr(numpy, name))) for name in _FUNCTIONS]
    + [(getattr(numpy.strings, n), _widening(getattr(numpy.strings, n))) for n in _OF_STRINGS]
)
for _name in _OF_INTEGERS:
    setattr(numpy, _name, _OfIntegers(getattr(numpy, _name)))
_widen_methods()
_rename()
