"""What programs may import beside the standard library, and what each of it needs.

Each of these is compiled into the guest already. Functions that serve no package of an image have
no body there, so a package that has native code names the indices of its own.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources

from sandbox_wasm.image.manifest import PREIMPORTED, Flavor
from sandbox_wasm.image.numpy_int64 import NUMPY_INT64, Patch
from sandbox_wasm.image.wheels import Wheel

__all__ = ["PACKAGES", "flavor_of"]


@dataclass(frozen=True, slots=True)
class Package:
    """One of the guest's own packages."""

    preimported: tuple[str, ...]
    """Its modules that are imported when an image is built."""
    needs: tuple[str, ...] = ()
    """Others of them."""
    folders: tuple[str, ...] = ()
    """Of the guest's zip, beside the one of its name."""
    functions: tuple[range, ...] = ()
    """Where its own functions lie in the guest's module."""
    patches: tuple[Patch, ...] = ()
    prelude: str = ""
    """A source of the guest's that runs after its import."""
    warm_up: str = ""

    def preparation(self) -> str:
        """Source that imports it and makes it ready."""
        lines = [f"import {name}" for name in self.preimported]
        if self.prelude:
            text = (resources.files("sandbox_wasm") / "guest" / self.prelude).read_text("utf-8")
            lines.append(f"exec({text!r}, {{'__name__': 'sandbox_guest'}})")
        return "\n".join([*lines, self.warm_up])


_OF_SCIPY = ("cluster.hierarchy", "cluster.vq", "constants", "fft", "integrate", "interpolate",
             "linalg", "ndimage", "optimize", "signal", "sparse.csgraph", "sparse.linalg",
             "spatial", "special", "stats")  # fmt: skip
_PYBIND11 = (range(26044, 29037), range(85335, 85777))
"""Matplotlib's modules, where the linker put what all that is bound with pybind11 shares, and what
reads the names of C++ types for it."""

PACKAGES = {
    "more_itertools": Package(("more_itertools",)),
    "mpmath": Package(("mpmath",)),
    "networkx": Package(("networkx",)),
    "numpy": Package(
        ("numpy", "numpy.random", "numpy.fft"),
        functions=(range(8400, 16441), range(67990, 69000)),
        patches=NUMPY_INT64,
        prelude="wide_numpy.py",
        warm_up="numpy.linalg.inv(numpy.eye(2))",
    ),
    "pandas": Package(
        ("pandas",),
        ("numpy",),
        folders=("dateutil", "six", "tzdata"),
        functions=(range(16170, 24946),),
        prelude="wide_pandas.py",
    ),
    "regex": Package(("regex",), functions=(range(29037, 29415),)),
    "scipy": Package(
        tuple(f"scipy.{name}" for name in _OF_SCIPY),
        ("numpy",),
        functions=(*_PYBIND11, range(31415, 54618), range(74250, 82520)),
        prelude="wide_scipy.py",
    ),
    "sympy": Package(("sympy",), ("mpmath",)),
    "yaml": Package(("yaml",)),
}
"""By the name that programs import them by."""


def flavor_of(names: Iterable[str], wheels: Iterable[Wheel]) -> Flavor:
    """The images in which all of these can be imported.

    Args:
        names: Of `PACKAGES`.
        wheels: Others.

    Raises:
        ValueError: A name that is none, or a wheel that brings what another brings.
    """
    wanted = with_needs(names)
    packages = [PACKAGES[name] for name in wanted]
    folders = {*wanted, *(folder for package in packages for folder in package.folders)}
    added = list(wheels)
    brought = [name for wheel in added for name in wheel.modules]
    for name in brought:
        if brought.count(name) > 1 or name in PACKAGES:
            raise ValueError(f"two of the packages bring the module {name!r}: leave one out")
    return Flavor(
        "+".join(sorted({*wanted, *(wheel.label for wheel in added)})) or "base",
        frozenset({*wanted, *brought}),
        (*PREIMPORTED, *brought),
        tuple(dict.fromkeys(part for package in packages for part in package.functions)),
        tuple(patch for package in packages for patch in package.patches),
        "\n".join(package.preparation() for package in packages),
        frozenset(folders),
        tuple((name, data) for wheel in added for name, data in wheel.members),
    )


def with_needs(names: Iterable[str]) -> list[str]:
    """The names, in order, each after what it needs."""
    found: dict[str, None] = {}
    for name in sorted(names):
        if name not in PACKAGES:
            raise ValueError(
                f"there is no package {name!r}: the guest has {', '.join(sorted(PACKAGES))}; any"
                " other one of pure Python goes by NAME==VERSION#sha256=HASH or by its file's path"
            )
        found |= dict.fromkeys([*PACKAGES[name].needs, name])
    return list(found)
