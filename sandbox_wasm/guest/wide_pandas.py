"""Makes pandas' positions and codes 64 bits wide, and lets it take NumPy's. Shipped as text.

Its compiled code counts with intp, which has 32 bits here. Inside pandas they stay as they are.
What a program is given is widened, so that going on to compute with it cannot wrap.
"""

import functools
import sys
import types

import numpy
import pandas

_OWN, _WIDE = numpy.intp, numpy.int64
_ALL, _FIRST, _LATER = slice(None), slice(1), slice(1, None)
_METHODS = {
    "argsort": _ALL, "get_indexer": _ALL, "get_indexer_for": _ALL, "get_indexer_non_unique": _ALL,
    "get_locs": _ALL, "searchsorted": _ALL, "factorize": _FIRST, "join": _LATER, "reindex": _LATER,
    "sort_values": _LATER, "sortlevel": _LATER,
}  # fmt: skip
"""Which parts of the result are positions."""
_FUNCTIONS = ("cut", "factorize", "qcut")


def _asked_by_pandas():
    """Whether the nearest caller that is neither NumPy nor ours is pandas."""
    frame = sys._getframe(2)
    while frame is not None:
        name = frame.f_globals.get("__name__", "").partition(".")[0]
        if name not in {"numpy", "sandbox_guest"}:
            return name == "pandas"
        frame = frame.f_back
    return False


def _widened(result):
    if isinstance(result, (numpy.ndarray, pandas.Series)) and result.dtype.type is _OWN:
        return result.astype(_WIDE)
    return result


def _widening(function, parts):
    @functools.wraps(function)
    def call(*arguments, **options):
        result = function(*arguments, **options)
        if _asked_by_pandas():
            return result
        if type(result) is tuple:
            whole = list(result)
            whole[parts] = map(_widened, whole[parts])
            return tuple(whole)
        return result if parts is _LATER else _widened(result)

    return call


def _with_subclasses(kind):
    yield kind
    for inner in kind.__subclasses__():
        yield from _with_subclasses(inner)


def _widen_methods():
    arrays = pandas.api.extensions.ExtensionArray
    for kind in {*_with_subclasses(pandas.core.base.IndexOpsMixin), *_with_subclasses(arrays)}:
        for name, parts in _METHODS.items():
            method = vars(kind).get(name)
            if isinstance(method, types.FunctionType):
                setattr(kind, name, _widening(method, parts))


def _widen_functions():
    modules = [m for name, m in sys.modules.items() if name.partition(".")[0] == "pandas"]
    for name in _FUNCTIONS:
        old = getattr(pandas, name)
        new = _widening(old, _FIRST)
        for module in modules:
            if vars(module).get(name) is old:
                setattr(module, name, new)


def _widen_indices():
    of_groups = pandas.core.groupby.groupby.BaseGroupBy
    own = of_groups.indices.fget

    @functools.wraps(own)
    def indices(self):
        found = own(self)
        return found if _asked_by_pandas() else {key: _widened(at) for key, at in found.items()}

    of_groups.indices = property(indices)


def _narrow_inside():
    """Where pandas hands to its compiled code what NumPy's default integer has made of it."""
    manager = pandas.core.internals.managers.BlockManager
    insert = manager._insert_update_blklocs_and_blknos

    @functools.wraps(insert)
    def insert_and_narrow(self, loc):
        insert(self, loc)
        self._blklocs, self._blknos = self._blklocs.astype(_OWN), self._blknos.astype(_OWN)

    manager._insert_update_blklocs_and_blknos = insert_and_narrow
    where = numpy.where

    @functools.wraps(where)
    def narrow_where(*arguments):
        result = where(*arguments)
        if len(arguments) == 1 and _asked_by_pandas():
            return tuple(at.astype(_OWN) for at in result)
        return result

    for module in [m for name, m in sys.modules.items() if name.partition(".")[0] == "numpy"]:
        for name, value in list(vars(module).items()):
            if value is where:
                setattr(module, name, narrow_where)


_widen_methods()
_widen_functions()
_widen_indices()
_narrow_inside()
