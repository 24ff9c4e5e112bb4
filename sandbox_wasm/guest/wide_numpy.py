"""Makes NumPy's positions, counts, draws and names of integers 64 bits wide. Shipped as text.

Its C code counts with intp, and draws with long, which have 32 bits here: what comes out of it is
widened, so that going on to compute with it cannot wrap. `numpy.intp` stays: compiled code of
others is bound to it.
"""

import contextlib
import functools
import gc
import sys
import warnings

import numpy

_OWN, _WIDE, _WIDE_UNSIGNED = numpy.intp, numpy.int64, numpy.uint64
_METHODS = ("argpartition", "argsort", "nonzero")
_FUNCTIONS = ("bincount", "count_nonzero", "histogram", "histogramdd", "lexsort",
              "ravel_multi_index", "unravel_index")  # fmt: skip
_OF_INTEGERS = ("bitwise_and", "bitwise_or", "bitwise_xor", "divmod", "floor_divide", "fmod", "lcm",
                "left_shift", "power", "remainder", "right_shift")  # fmt: skip
_OF_STRINGS = ("count", "find", "index", "rfind", "rindex", "str_len")
_BOUNDED = ("hypergeometric", "zipf")
_CUT = ("geometric", "logseries", "negative_binomial")
_AS_GENERATOR = ("binomial", "multinomial", "poisson")


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


def _widening_into(method):
    """The same, and into an array of 64 bits where the caller has one."""

    @functools.wraps(method)
    def call(array, axis=None, out=None, **options):
        if not isinstance(out, numpy.ndarray) or out.dtype.type is not _WIDE:
            result = method(array, axis, out, **options)
            return _widened(result) if out is None else result
        narrow = numpy.empty(out.shape, _OWN)
        method(array, axis, narrow, **options)
        out[...] = narrow
        return out

    return call


def _widening_search(method):
    @functools.wraps(method)
    def searchsorted(array, v, side="left", sorter=None):
        if sorter is not None:
            sorter = numpy.asarray(sorter)
            if sorter.dtype.type is _WIDE:  # what is beyond 32 bits stays out of range
                sorter = sorter.clip(-(2**31), 2**31 - 1).astype(_OWN)
        return _widened(method(array, v, side, sorter))

    return searchsorted


def _set_methods(kind, methods):
    of_kind = gc.get_referents(vars(kind))[0]  # the type cannot be assigned to
    of_kind.update(methods)
    sys._clear_internal_caches()
    sys._clear_type_cache()


def _widen_methods():
    of_array = vars(numpy.ndarray)
    methods = {name: _widening(of_array[name]) for name in _METHODS}
    methods |= {name: _widening_into(of_array[name]) for name in ("argmax", "argmin")}
    methods["searchsorted"] = _widening_search(of_array["searchsorted"])
    _set_methods(numpy.ndarray, methods)


class _OfIntegers:
    # A ufunc that computes with Python's own integers alone, or with truth values, in 64 bits,
    # where it would in 32. It equals the ufunc, which is what others are handed.
    __module__ = "numpy"
    __slots__ = ("_ufunc",)
    __class__ = property(lambda _self: numpy.ufunc)
    __doc__ = property(lambda self: self._ufunc.__doc__)

    def __init__(self, ufunc):
        self._ufunc = ufunc

    def __call__(self, *operands, **options):
        inputs = operands[:2]
        plain = [operand for operand in inputs if type(operand) is int]
        if plain and all(map(_has_no_width, inputs)):
            at = inputs.index(max(plain, key=abs))
            with contextlib.suppress(OverflowError):  # the ufunc's to say
                operands = (*operands[:at], _WIDE(operands[at]), *operands[at + 1 :])
        return self._ufunc(*operands, **options)

    def __getattr__(self, name):
        if name == "_ufunc":  # of a copy that is not filled yet
            raise AttributeError(name)
        return getattr(self._ufunc, name)

    def __eq__(self, other):
        return self is other or self._ufunc is other

    def __hash__(self):
        return hash(self._ufunc)

    def __reduce__(self):
        return self._ufunc.__name__

    def __repr__(self):
        return repr(self._ufunc)


def _has_no_width(operand):
    kind = type(operand)
    if kind is int or kind is bool:
        return True
    return isinstance(operand, (numpy.bool_, numpy.ndarray)) and operand.dtype.char == "?"


def _uncut(method):
    """Refuse what C code has cut to its largest integer of 32 bits."""

    @functools.wraps(method)
    def call(*arguments, **options):
        result = _widened(method(*arguments, **options))
        if numpy.any(numpy.asarray(result) == 2**31 - 1):
            largest = "2**31 - 2, which only numpy.random.default_rng() draws"
            raise OverflowError(f"{method.__name__} drew a number above {largest} here")
        return result

    return call


def _as_generator(method):
    """Draw as a Generator, whose numbers of these distributions are the same, of 64 bits."""
    draw = getattr(numpy.random.Generator, method.__name__)

    @functools.wraps(method)
    def call(self, *arguments, **options):
        return draw(numpy.random.Generator(self._bit_generator), *arguments, **options)

    return call


def _random_integers(self, low, high=None, size=None):
    if high is None:
        low, high = 1, low
    instead = f"randint({low}, {high} + 1)"
    text = f"This function is deprecated. Please call {instead} instead"
    warnings.warn(text, DeprecationWarning, stacklevel=2)
    return self.randint(low, int(high) + 1, size, _WIDE)


def _tomaxint(self, size=None):
    drawn = self.randint(0, 2**64, size, _WIDE_UNSIGNED) >> _WIDE_UNSIGNED(1)
    return int(drawn) if size is None else drawn.astype(_WIDE)


def _widen_random():
    """RandomState draws integers of C's long. Its functions are methods of one of it."""
    of_state = vars(numpy.random.RandomState)
    methods = {name: _widening(of_state[name]) for name in _BOUNDED}
    methods |= {name: _uncut(of_state[name]) for name in _CUT}
    methods |= {name: _as_generator(of_state[name]) for name in _AS_GENERATOR}
    for own, name in ((_random_integers, "random_integers"), (_tomaxint, "tomaxint")):
        methods[name] = functools.wraps(of_state[name])(own)
    _set_methods(numpy.random.RandomState, methods)
    for module in (numpy.random, numpy.random.mtrand):
        for name in methods.keys() & vars(module).keys():
            setattr(module, name, getattr(numpy.random.mtrand._rand, name))


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
    + [(getattr(numpy, name), _OfIntegers(getattr(numpy, name))) for name in _OF_INTEGERS]
)
_widen_methods()
_widen_random()
_rename()
