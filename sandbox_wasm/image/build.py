r"""Builds and caches what a pool needs: the compiled guest and its memory images.

    python.wasm --split--> code --compile (tens of seconds)--> FLAVOR-metered-KEY.cwasm, unmetered
                      \--> initial memory --boot (0.5 s each)--> compile-KEY.img, FLAVOR-N-KEY.img

A flavor is a set of packages. Its one compiled module serves all its images; an image is a booted
interpreter's memory. Images differ in their hash seed, their entropy and where their objects lie.
The compile stage runs no program, so it has one image, and a module that does not count fuel.
"""

import functools
import hashlib
import io
import os
import platform
import sys
import threading
import time
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Final

from sandbox_wasm import _pool
from sandbox_wasm.errors import ImageError
from sandbox_wasm.image.audit import audit_wasm
from sandbox_wasm.image.cache import BuiltFiles, cache_folder, sha256_of
from sandbox_wasm.image.manifest import (
    BASE,
    INTERPRETER,
    STDLIB_SHA256,
    WASM_SHA256,
    Flavor,
    locate_guest,
    locate_wasmtime,
)
from sandbox_wasm.image.numpy_int64 import patched
from sandbox_wasm.image.packages import flavor_of
from sandbox_wasm.image.private_folder import OpenFile
from sandbox_wasm.image.wasm import ModuleParts, split_module
from sandbox_wasm.image.wheels import Wheel, fetch, is_wheel, named_hash, opened

__all__ = ["BuiltGuest", "build_guest", "find_guest"]

_CODE_FORMAT: Final = "4"
"""Part of the module's key; raise it when engine.cc or native/executor/module changes."""
_IMAGE_FORMAT: Final = "12"
"""Part of the images' key; raise it when their layout, the boot or the requests change."""
_RUN_SEEDS: Final = (0x5EED_0001, 0x00C0_FFEE, 0x1234_5677, 0x7F4A_7C15,
                     0x2545_F491, 0x4F6C_DD1D, 0x6B8B_4567, 0x327B_23C6,
                     0x19D5_BA31, 0x73E2_0C8F, 0x0B6A_97D3, 0x5C11_E64B,
                     0x3F08_D2A9, 0x62C7_4B1D, 0x148E_F057, 0x2D93_A86F)  # fmt: skip
"""Entropy of each run image: decides its hash seed and where its objects lie."""
_COMPILE_SEED: Final = 0x0C0D_E5ED
_REAL_EVENTS: Final = "asyncio/selector_events.pyc"
_EVENTS: Final = ("selector_events.py", "asyncio/selector_events.py")
"""A module of the guest's own, and where it lies in the library: around the real one."""
_KEEP_S: Final = 14 * 86_400.0
"""Files of other versions stay this long: two checkouts may take turns."""
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class BuiltFlavor:
    """What runs programs that may import a flavor's packages."""

    packages: frozenset[str]
    key: str
    """Equal keys, equal images."""
    module: OpenFile
    """The compiled guest, metered; native code, loaded by wasmtime itself, from the open file."""
    images: tuple[bytes, ...]
    library: bytes
    """A zip: the standard library, and the packages."""


@dataclass(frozen=True, slots=True)
class BuiltGuest:
    """Everything `_pool.Pool` takes, checked."""

    wasmtime_library: Path
    folder: Path
    """Where it lies."""
    compile_module: OpenFile
    """The compiled guest, unmetered."""
    compile_image: bytes
    flavors: tuple[BuiltFlavor, ...]
    image_id: str
    """Short hash over the guest, wasmtime and the runner: equal ids give equal results."""


def _is_for_any_cpu() -> bool:
    """Whether AZR_GUEST_CPU asks for a guest that other machines can load.

    Raises:
        ValueError: It has another value than `native` and `baseline`.
    """
    chosen = os.environ.get("AZR_GUEST_CPU", "") or "native"
    if chosen not in {"native", "baseline"}:
        raise ValueError(f"AZR_GUEST_CPU must be native or baseline, got {chosen!r}")
    return chosen == "baseline"


def _cpu_features() -> str:
    """What decides whether native code compiled here runs there."""
    if _is_for_any_cpu():
        return f"{platform.machine()} baseline"
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    flags = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    return f"{platform.machine()} {flags}"


def _guest_source(name: str) -> str:
    return (resources.files("sandbox_wasm") / "guest" / name).read_text(encoding="utf-8")


COMPILER: Final = (("compiler.py",), "names['make_compiler']")
RUNNER: Final = (
    ("telling.py", "turns.py", "runner.py"),
    "lambda: names['make_runner'](names['tell'], names['make_turn']())",
)
"""Sources of an image, and what makes of their names the function that it calls."""


def boot_turns(flavor: Flavor, program: tuple[tuple[str, ...], str], seed: int) -> list[str]:
    """Return the sources that turn a fresh interpreter into an image."""
    sources, maker = program
    names = "names = {'__name__': 'sandbox_guest'}\n"
    installer = f"exec({_guest_source('install.py')!r}, names)\n"
    scatter = f"{names}{installer}names['scatter']({seed})\nimport os\nos.chdir('/tmp')"
    widen = f"exec({_guest_source('wide.py')!r}, {{'__name__': 'bisect'}})"
    imports = f"import {', '.join(flavor.preimported)}\n{flavor.warm_up}\n{widen}"
    programs = "".join(f"exec({_guest_source(source)!r}, names)\n" for source in sources)
    install = f"{names}{programs}{installer}names['install']({maker}, {seed})"
    return [scatter, imports, install]


class _Builder:
    """Builds what is missing; reads the guest's large files only if something is."""

    def __init__(self, files: BuiltFiles, progress: Progress) -> None:
        self._files = files
        self._progress = progress
        self._built = False
        self._names: list[str] = []
        self._split: dict[str, ModuleParts] = {}
        self._guest = locate_guest()
        self._library, version = locate_wasmtime()
        rewriting = resources.files("sandbox_wasm.image").joinpath("wasm.py").read_text("utf-8")
        rewriting += repr(INTERPRETER)
        self._code_key = sha256_of(_CODE_FORMAT, WASM_SHA256, version, _cpu_features(), rewriting)[
            :16
        ]
        self._events = _guest_source(_EVENTS[0])
        self._library_key = sha256_of(STDLIB_SHA256, self._events)[:16]
        names = (*RUNNER[0], *COMPILER[0], "install.py", "wide.py")
        sources = [_guest_source(name) for name in names]
        image_key = (_IMAGE_FORMAT, WASM_SHA256, STDLIB_SHA256, version, rewriting)
        self.image_id = sha256_of(
            *image_key, *BASE.preimported, BASE.warm_up, *sources, self._events
        )[:16]

    def build(self, images: int, packages: frozenset[str]) -> BuiltGuest:
        self._files.remove_partial()
        # Checking hashes is most of a start: two files at a time. What is missing is built one
        # after the other all the same, under the folder's lock.
        compile_name = f"compile-{self.image_id}.img"
        with ThreadPoolExecutor(1) as other:
            unmetered = other.submit(self._ensure_module, BASE, is_metered=False)
            found = other.submit(self._files.read, compile_name)
            base = self._build_flavor(BASE, images)
            compile_module, compile_image = unmetered.result(), found.result()
        if compile_image is None:
            parts = (BASE, base.module, base.library, COMPILER, _COMPILE_SEED)
            compile_image = self._files.ensure_read(compile_name, lambda: self._boot(*parts))
        self._names.append(compile_name)
        flavors, image_id = [base], self.image_id
        if packages:
            flavor = self._flavor_of(packages)
            flavors.append(self._build_flavor(flavor, images))
            image_id = self._key_of(flavor)
        if self._built:
            self._files.prune(self._names, _KEEP_S)
        return BuiltGuest(
            self._library,
            self._files.folder,
            compile_module,
            compile_image,
            tuple(flavors),
            image_id,
        )

    def _flavor_of(self, packages: frozenset[str]) -> Flavor:
        wheels = [self._wheel(spec) for spec in sorted(packages) if is_wheel(spec)]
        return flavor_of((name for name in packages if not is_wheel(name)), wheels)

    def _wheel(self, spec: str) -> Wheel:
        """A file is read where it lies; what is fetched by its hash is kept."""
        digest = named_hash(spec)
        if digest is None:
            return opened(fetch(spec), spec)
        return opened(self._read(f"wheel-{digest}.whl", lambda: fetch(spec)), spec)

    def _key_of(self, flavor: Flavor) -> str:
        """Equal keys, equal images."""
        if not flavor.packages:
            return self.image_id
        members = [part for member in flavor.members for part in member]
        return sha256_of(self.image_id, *flavor.preimported, flavor.warm_up, *members)[:16]

    def _build_flavor(self, flavor: Flavor, images: int) -> BuiltFlavor:
        library = self._read(
            f"{_file_name(flavor)}-{self._library_key}.zip", lambda: self._build_library(flavor)
        )
        module = self._ensure_module(flavor, is_metered=True)
        boot = functools.partial(self._boot, flavor, module, library, RUNNER)
        made = tuple(
            self._read(
                f"{_file_name(flavor)}-{index}-{self._key_of(flavor)}.img",
                functools.partial(boot, seed),
            )
            for index, seed in enumerate(_RUN_SEEDS[:images])
        )
        return BuiltFlavor(flavor.packages, self._key_of(flavor), module, made, library)

    def _read(self, name: str, build: Callable[[], bytes]) -> bytes:
        self._names.append(name)
        return self._files.ensure_read(name, build)

    def _ensure_module(self, flavor: Flavor, *, is_metered: bool) -> OpenFile:
        kind = "metered" if is_metered else "unmetered"
        name = f"{_code_name(flavor)}-{kind}-{self._code_key}.cwasm"
        self._names.append(name)
        return self._files.ensure(name, lambda: self._compile(flavor, is_metered=is_metered))

    def _parts(self, flavor: Flavor) -> ModuleParts:
        name = _code_name(flavor)
        if name not in self._split:
            self._split[name] = self._split_guest(flavor)
        return self._split[name]

    def _split_guest(self, flavor: Flavor) -> ModuleParts:
        data = self._guest.wasm.read_bytes()
        _check_hash(data, WASM_SHA256, self._guest.wasm)
        parts = split_module(patched(data, flavor.patches), INTERPRETER, flavor.functions)
        audit = audit_wasm(parts.code)
        if not audit.is_complete:
            raise ImageError("the guest's state is not its memory alone, so no restore could be"
                             " complete: " + "; ".join(audit.lines()))  # fmt: skip
        return parts

    def _build_library(self, flavor: Flavor) -> bytes:
        """Keep what the flavor has, uncompressed: late imports then cost no inflating."""
        data = self._guest.stdlib_zip.read_bytes()
        _check_hash(data, STDLIB_SHA256, self._guest.stdlib_zip)
        out = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
            for name in filter(flavor.has_member, old.namelist()):
                stored = name.replace(_REAL_EVENTS, "asyncio/_selector_events.pyc")
                new.writestr(_library_member(stored), old.read(name))
            new.writestr(_library_member(_EVENTS[1]), self._events)
            for name, contents in flavor.members:
                new.writestr(_library_member(name), contents)
        return out.getvalue()

    def _compile(self, flavor: Flavor, *, is_metered: bool) -> bytes:
        what = f"the {flavor.name} guest, {'' if is_metered else 'not '}counting fuel"
        self._progress(f"compiling {what}: once per user and machine")
        done = threading.Event()
        ticker = threading.Thread(target=self._tick, args=(done,), daemon=True)
        ticker.start()
        started = time.monotonic()
        try:
            code = self._parts(flavor).code
            module = _pool.compile_module(str(self._library), code, is_metered, _is_for_any_cpu())
        finally:
            done.set()
            ticker.join()
        self._progress(f"compiled {what}, in {time.monotonic() - started:.0f} s")
        return module

    def _tick(self, done: threading.Event) -> None:
        started = time.monotonic()
        while not done.wait(5.0):
            self._progress(f"compiling the guest: {time.monotonic() - started:.0f} s")

    def _boot(
        self,
        flavor: Flavor,
        module: OpenFile,
        library: bytes,
        program: tuple[tuple[str, ...], str],
        seed: int,
    ) -> bytes:
        self._built = True
        self._progress(f"booting a {flavor.name} image for {program[0][-1]}")
        turns = boot_turns(flavor, program, seed)
        memory = self._parts(flavor).memory
        return _pool.boot_image(
            str(self._library),
            str(module.path),
            memory,
            library,
            turns,
            seed,
            bool(flavor.functions),
        )


def _code_name(flavor: Flavor) -> str:
    """Flavors without native code of their own share the base's module."""
    parts = [f"{part.start}-{part.stop}" for part in flavor.functions]
    parts += [f"{patch.at} {patch.new.hex()}" for patch in flavor.patches]
    return f"code-{sha256_of(*parts)[:8]}" if parts else "base"


def _file_name(flavor: Flavor) -> str:
    """Short, and one for each set of packages."""
    return flavor.name if len(flavor.name) <= 100 else f"set-{sha256_of(flavor.name)[:16]}"


def _library_member(name: str) -> zipfile.ZipInfo:
    return zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0))  # equal inputs make equal bytes


def _check_hash(data: bytes, expected: str, path: Path) -> None:
    found = hashlib.sha256(data).hexdigest()
    if found != expected:
        raise ImageError(f"{path} is not the pinned guest: sha256 {found}, expected {expected}")


def _to_stderr(message: str) -> None:
    sys.stderr.write(f"azr-sandbox: {message}\n")
    sys.stderr.flush()


def build_guest(
    images: int = 2, packages: frozenset[str] = frozenset(), progress: Progress = _to_stderr
) -> BuiltGuest:
    """Return a checked guest with so many images a flavor, building what the cache lacks.

    Raises:
        ImageError: The guest is not installed, not the pinned one, or cannot be built.
    """
    _check_choice(images, packages)
    try:
        return _Builder(BuiltFiles(cache_folder()), progress).build(images, packages)
    except RuntimeError as exc:
        told = str(exc).strip().splitlines() or [type(exc).__name__]  # a traceback, it may be
        raise ImageError(f"cannot build the guest: {told[-1]}") from exc


def find_guest(images: int = 2, packages: frozenset[str] = frozenset()) -> BuiltGuest | None:
    """Return what `build_guest` would load as it lies there, or None if it would have to build.

    Raises:
        ImageError: The guest is not installed, or the cache cannot be used.
    """
    _check_choice(images, packages)
    try:
        return _Builder(_Finder(cache_folder()), _to_stderr).build(images, packages)
    except _NotBuilt:
        return None


class _NotBuilt(Exception):  # noqa: N818 - no error: an answer
    """A file is not there, or not whole."""


class _Finder(BuiltFiles):
    """Looks, and builds nothing."""

    def ensure_read(self, name: str, build: Callable[[], bytes]) -> bytes:  # noqa: ARG002
        data = self.read(name)
        if data is None:
            raise _NotBuilt(name)
        return data

    def ensure(self, name: str, build: Callable[[], bytes]) -> OpenFile:  # noqa: ARG002
        file = self.open(name)
        if file is None:
            raise _NotBuilt(name)
        return file


def _check_choice(images: int, packages: frozenset[str]) -> None:
    if not 1 <= images <= len(_RUN_SEEDS):
        raise ValueError(f"images must be in [1, {len(_RUN_SEEDS)}], got {images}")
    for spec in packages:
        if is_wheel(spec):
            named_hash(spec)
    flavor_of((name for name in packages if not is_wheel(name)), ())
    if os.name != "posix" or sys.platform != "linux":
        raise ImageError(f"the executor runs on Linux only, not on {sys.platform}")
