"""Packages of pure Python that are not in the guest: a wheel's file, or its name and its hash.

A wheel is data on the host: its members are copied into the guest's library, and nothing of it is
imported or run outside. What comes over the network is fetched by pip, and used only if it is what
the hash says.
"""

import hashlib
import io
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sandbox_wasm.children import PYTHON
from sandbox_wasm.errors import ImageError

__all__ = ["Wheel", "fetch", "is_wheel", "named_hash", "opened"]

MAX_WHEEL_BYTES: Final = 64 * 1024**2
"""Packed, and unpacked."""
MAX_MEMBERS: Final = 10_000
NATIVE: Final = (".so", ".pyd", ".dll", ".dylib")
PINNED: Final = re.compile(r"([A-Za-z0-9][\w.-]{0,99})==([\w.+!]{1,50})#sha256=([0-9a-f]{64})")
FILE: Final = re.compile(r"(.+\.whl)(?:#sha256=([0-9a-f]{64}))?")
PURE: Final = re.compile(rb"^Root-Is-Purelib:\s*true\s*$", re.MULTILINE | re.IGNORECASE)
FETCH_S: Final = 300
COMMAND: Final = (
    *PYTHON, "-m", "pip", "download", "--quiet", "--no-input", "--disable-pip-version-check",
    "--no-deps", "--only-binary", ":all:", "--platform", "any", "--implementation", "py",
    "--abi", "none", "--python-version", "3.15", "--require-hashes",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wheel:
    """A wheel of pure Python, read."""

    label: str
    """Name, version and the beginning of its hash: names files of the cache."""
    modules: tuple[str, ...]
    """What programs import it by: its top-level modules."""
    members: tuple[tuple[str, bytes], ...]
    """Paths and contents."""


def is_wheel(spec: str) -> bool:
    """Whether the text means a wheel, and no package of the guest."""
    return "==" in spec or ".whl" in spec


def named_hash(spec: str) -> str | None:
    """The hash in NAME==VERSION#sha256=HASH, or None if the text is a file's path.

    Raises:
        ValueError: It is neither.
    """
    if FILE.fullmatch(spec):
        return None
    pinned = PINNED.fullmatch(spec)
    if pinned is None:
        raise ValueError(
            "a wheel is NAME==VERSION#sha256=HASH (64 hexadecimal digits), or the path of a .whl"
            f" file, got {spec!r}"
        )
    return pinned[3]


def fetch(spec: str) -> bytes:
    """The bytes of a wheel: of its file, or by pip.

    Raises:
        ImageError: It cannot be had, or is not what its hash says.
    """
    if named := FILE.fullmatch(spec):
        return checked(read_file(Path(named[1]).expanduser()), named[2], spec)
    pinned = PINNED.fullmatch(spec)
    if pinned is None:
        raise ImageError(f"no wheel is named {spec!r}")
    return checked(download(f"{pinned[1]}=={pinned[2]}", pinned[3]), pinned[3], spec)


def read_file(path: Path) -> bytes:
    """A file that is not too large."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_WHEEL_BYTES + 1)
    except OSError as error:
        raise ImageError(f"cannot read {path}: {error.strerror}") from error
    if len(data) > MAX_WHEEL_BYTES:
        raise ImageError(f"{path} has more than {MAX_WHEEL_BYTES} bytes")
    return data


def checked(data: bytes, expected: str | None, spec: str) -> bytes:
    """The bytes, if their hash is right."""
    found = hashlib.sha256(data).hexdigest()
    if expected is not None and found != expected:
        raise ImageError(
            f"{spec.partition('#')[0]} is not what was asked for: its sha256 is {found}"
        )
    return data


def download(requirement: str, digest: str) -> bytes:
    """What pip finds under the name, in its own configuration's index."""
    with tempfile.TemporaryDirectory(prefix="azr-wheel-") as folder:
        wanted = Path(folder) / "wanted.txt"
        wanted.write_text(f"{requirement} --hash=sha256:{digest}\n")
        command = [*COMMAND, "--dest", folder, "-r", str(wanted)]
        try:
            done = subprocess.run(  # noqa: S603 - our own command, and a name that was matched
                command, capture_output=True, text=True, timeout=FETCH_S, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ImageError(f"pip did not fetch {requirement}: {error}") from error
        found = sorted(Path(folder).glob("*.whl"))
        if done.returncode != 0 or len(found) != 1:
            raise ImageError(f"pip did not fetch {requirement}: {last_line(done.stderr)}")
        return read_file(found[0])


def last_line(text: str) -> str:
    """What pip said in the end; of a wrong hash it says more than a line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if any("HASHES" in line for line in lines):
        return "its hash is another"
    return lines[-1][:300] if lines else "it gave no reason"


def opened(data: bytes, spec: str) -> Wheel:
    """Read a wheel.

    Raises:
        ImageError: It is none, or not of pure Python.
    """
    name = Path(spec.partition("#")[0]).name
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = dict(contents(archive, name))
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError) as error:
        raise ImageError(f"{name} is no wheel: {error}") from error
    described = [path for path in members if re.fullmatch(r"[^/]+\.dist-info/WHEEL", path)]
    if len(described) != 1:
        raise ImageError(f"{name} is no wheel: it has no WHEEL file")
    if not PURE.search(members[described[0]]):
        raise ImageError(f"{name} is not of pure Python")
    modules = tuple(sorted(modules_of(members, name)))
    short = hashlib.sha256(data).hexdigest()[:16]
    project = re.sub(r"[^\w.]+", "_", described[0].partition(".dist-info/")[0])[:60]
    return Wheel(f"{project}-{short}", modules, tuple(sorted(members.items())))


def contents(archive: zipfile.ZipFile, name: str) -> Iterator[tuple[str, bytes]]:
    """The members that an image needs."""
    infos = [info for info in archive.infolist() if not info.is_dir()]
    if len(infos) > MAX_MEMBERS or sum(info.file_size for info in infos) > MAX_WHEEL_BYTES:
        raise ImageError(
            f"{name} is too large: at most {MAX_MEMBERS} files, {MAX_WHEEL_BYTES} bytes"
        )
    for info in infos:
        path = info.filename
        if path.endswith(NATIVE) or ".so." in path:
            raise ImageError(f"{name} is not of pure Python: it has {path}")
        top = path.partition("/")[0]
        if top.endswith(".data") or path.startswith("/") or ".." in path.split("/"):
            raise ImageError(f"{name} puts a file where an image has no place: {path}")
        yield path, archive.read(info)


def modules_of(members: dict[str, bytes], name: str) -> set[str]:
    """The top-level modules and packages, none of them the library's own."""
    found: set[str] = set()
    for path in members:
        top, _, rest = path.partition("/")
        if rest.endswith(".py") and top.isidentifier():
            found.add(top)
        elif not rest and top.endswith(".py") and top[:-3].isidentifier():
            found.add(top[:-3])
    if taken := sorted(found & sys.stdlib_module_names):
        raise ImageError(f"{name} would take the place of the standard library's {taken[0]}")
    if not found:
        raise ImageError(f"{name} has no module")
    return found
