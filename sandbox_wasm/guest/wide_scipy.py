"""Lets SciPy's compiled code take NumPy's integers, and widens its positions. Shipped as text.

Functions that are declared with C's long have 32 bits here: an integer of 64 is narrowed on its way
in if it fits, and refused if it does not. Positions that come out are widened.
"""

import functools
import sys
import types

import numpy
import scipy.interpolate
import scipy.ndimage
import scipy.sparse
import scipy.spatial
import scipy.special

_OWN, _WIDE = numpy.intp, numpy.int64
_BESSEL = ("_spherical_in", "_spherical_in_d", "_spherical_jn", "_spherical_jn_d", "_spherical_kn",
           "_spherical_kn_d", "_spherical_yn", "_spherical_yn_d")  # fmt: skip


def _narrowed(operand):
    if isinstance(operand, numpy.ndarray) and operand.dtype.type is _WIDE:
        if operand.size and not -(2**31) <= operand.min() <= operand.max() < 2**31:
            raise OverflowError("an integer beyond 32 bits, which this function does not take here")
        return operand.astype(_OWN)
    return operand


def _narrowing(function):
    @functools.wraps(function)
    def call(*operands, **options):
        return function(*map(_narrowed, operands), **options)

    return call


def _narrow(module, names):
    for name in names:
        if name in vars(module):
            setattr(module, name, _narrowing(getattr(module, name)))


def _widen_counts():
    kind = scipy.sparse._lil._lil_base
    for name in ("_getnnz", "count_nonzero"):
        own = getattr(kind, name)

        def count(self, axis=None, own=own):
            found = own(self, axis)
            return found if axis is None else found.astype(_WIDE)

        setattr(kind, name, functools.wraps(own)(count))


def _widen_value_indices():
    own = scipy.ndimage.value_indices

    @functools.wraps(own)
    def value_indices(*arguments, **options):
        found = own(*arguments, **options)
        return {key: tuple(at.astype(_WIDE) for at in places) for key, places in found.items()}

    scipy.ndimage.value_indices = value_indices


def _narrow_peaks():
    module = sys.modules["scipy.signal._peak_finding"]
    own = module._arg_peaks_as_expected
    module._arg_peaks_as_expected = lambda peaks: own(_narrowed(numpy.asarray(peaks)))
    _narrow(module, ["_peak_widths"])


def _narrow_rank():
    module = sys.modules["scipy.stats._stats_py"]
    own = module._weightedrankedtau
    module._weightedrankedtau = lambda x, y, rank, *rest: own(x, y, _narrowed(rank), *rest)


def _fit_floats():
    """A surface of integers comes out wrong here."""
    own = scipy.interpolate.bisplrep

    @functools.wraps(own)
    def bisplrep(x, y, z, w=None, *rest, **options):
        x, y, z, w = (v if v is None else numpy.asarray(v, float) for v in (x, y, z, w))
        return own(x, y, z, w, *rest, **options)

    scipy.interpolate.bisplrep = bisplrep


class _OwnPositions:
    """Stands in for NumPy where compiled code declares what these return."""

    def __getattr__(self, name):
        return getattr(numpy, name)

    def argsort(self, *arguments, **options):
        return numpy.argsort(*arguments, **options).astype(_OWN)

    def lexsort(self, *arguments, **options):
        return numpy.lexsort(*arguments, **options).astype(_OWN)


def _widened(result):
    if type(result) is tuple:
        return tuple(map(_widened, result))
    if not isinstance(result, (numpy.ndarray, numpy.generic)):
        return result
    if result.dtype.names and result.dtype["i"].type is _OWN:
        return result.astype([("i", _WIDE), ("j", _WIDE), ("v", float)])
    return result.astype(_WIDE) if result.dtype.type is _OWN else result


def _widened_items(result):
    """Of `find_peaks`, the last of a pair; of an OptimizeResult, all."""
    items = result if isinstance(result, dict) else result[-1]
    items.update({name: _widened(value) for name, value in items.items()})
    return _widened(result)


def _widening(function, widened=_widened):
    @functools.wraps(function)
    def call(*arguments, **options):
        result = function(*arguments, **options)
        inside = sys._getframe(1).f_globals.get("__name__", "").partition(".")[0] == "scipy"
        return result if inside else widened(result)

    return call


def _widen_functions(module):
    """What a program calls. Inside SciPy positions stay."""
    for name in module.__all__:
        if isinstance(vars(module).get(name), types.FunctionType):
            changed = name in ("find_peaks", "isotonic_regression")
            widened = _widened_items if changed else _widened
            setattr(module, name, _widening(vars(module)[name], widened))


def _limit_pairs(kind):
    """Pairs are counted in 32 bits, and would wrap."""
    own = kind.count_neighbors

    @functools.wraps(own)
    def count_neighbors(self, other, r, p=2.0, weights=None, cumulative=True):
        if weights is None and self.n * other.n >= 2**31:
            raise OverflowError("2**31 pairs of points or more, which are not counted here")
        return own(self, other, r, p, weights, cumulative)

    kind.count_neighbors = count_neighbors


def _widen_tree(kind):
    _limit_pairs(kind)
    for name in ("count_neighbors", "query", "query_ball_point", "query_pairs",
                 "sparse_distance_matrix"):  # fmt: skip
        setattr(kind, name, _widening(getattr(kind, name)))
    own = kind.indices
    kind.indices = property(lambda tree: _widened(own.__get__(tree)))


class cKDTree(scipy.spatial.cKDTree):  # noqa: N801 - its name
    """The compiled one cannot be changed."""


def _widen_regions():
    key = "point_region"
    scipy.spatial.Voronoi.point_region = property(
        lambda diagram: vars(diagram)[key],
        lambda diagram, regions: vars(diagram).update({key: _widened(regions)}),
    )


_narrow(sys.modules["scipy.special._lambertw"], ["_lambertw"])
_narrow(sys.modules["scipy.special._spherical_bessel"], _BESSEL)
_narrow(sys.modules["scipy.signal._sigtools"], ["_medfilt2d"])
_narrow_peaks()
_narrow_rank()
_fit_floats()
for _name in ("signal._peak_finding_utils", "sparse.csgraph._reordering", "stats._stats"):
    sys.modules[f"scipy.{_name}"].np = _OwnPositions()
_widen_counts()
_widen_value_indices()
for _name in ("interpolate", "optimize", "signal", "spatial", "stats"):
    _widen_functions(sys.modules[f"scipy.{_name}"])
scipy.spatial.cKDTree = cKDTree
_widen_tree(scipy.spatial.KDTree)
_widen_tree(cKDTree)
_widen_regions()
