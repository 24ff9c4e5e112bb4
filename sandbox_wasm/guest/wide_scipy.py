"""Lets SciPy's compiled code take NumPy's integers, and names what of SciPy is not there.

Shipped as text. Functions that are declared with C's long have 32 bits here: an integer of 64 is
narrowed on its way in if it fits, and refused if it does not.
"""

import functools
import sys

import numpy
import scipy.ndimage
import scipy.sparse
import scipy.special

_OWN, _WIDE = numpy.intp, numpy.int64
_MISSING = ("cluster", "fft", "integrate", "interpolate", "optimize", "signal", "spatial", "stats")
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


class _Missing:
    """Finds the modules that the image has no code for, and says so."""

    @staticmethod
    def find_spec(name, *_):
        package, _, module = name.partition(".")
        if package == "scipy" and module.partition(".")[0] in _MISSING:
            raise ModuleNotFoundError(f"{name} is not in this build of SciPy", name=name)


_narrow(sys.modules["scipy.special._lambertw"], ["_lambertw"])
_narrow(sys.modules["scipy.special._spherical_bessel"], _BESSEL)
_widen_counts()
_widen_value_indices()
sys.meta_path.insert(0, _Missing)
