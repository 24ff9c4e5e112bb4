r"""Builds and caches what a pool needs: the compiled guest and its memory images.

    python.wasm --split--> code --compile (tens of seconds)--> module-KEY.cwasm
                      \--> initial memory --boot (0.5 s each)--> compile-KEY.img, run-N-KEY.img

One compiled module serves every image; an image is a booted interpreter's memory. Images differ
in their hash seed, their entropy and where their objects lie.
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
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Final

from sandbox_wasm import _pool
from sandbox_wasm.cache import BuiltFiles, cache_folder, sha256_of
from sandbox_wasm.errors import ImageError
from sandbox_wasm.manifest import (
    PREIMPORTED,
    STDLIB_SHA256,
    WASM_SHA256,
    is_stdlib_member,
    locate_guest,
    locate_wasmtime,
)
from sandbox_wasm.wasm import ModuleParts, split_module

__all__ = ["BuiltGuest", "build_guest"]

_CODE_FORMAT: Final = "2"
"""Part of the module's key; raise it when the engine's configuration in engine.cc changes."""
_IMAGE_FORMAT: Final = "3"
"""Part of the images' key; raise it when their layout, the boot or the requests change."""
_RUN_SEEDS: Final = (0x5EED_0001, 0x00C0_FFEE, 0x1234_5677, 0x7F4A_7C15,
                     0x2545_F491, 0x4F6C_DD1D, 0x6B8B_4567, 0x327B_23C6)  # fmt: skip
"""Entropy of each run image: decides its hash seed."""
_COMPILE_SEED: Final = 0x0C0D_E5ED
_KEEP_S: Final = 14 * 86_400.0
"""Files of other versions stay this long: two checkouts may take turns."""
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class BuiltGuest:
    """Everything `_pool.Pool` takes, checked."""

    wasmtime_library: Path
    module: Path
    """The compiled guest; native code, loaded by wasmtime itself."""
    compile_image: bytes
    run_images: tuple[bytes, ...]
    stdlib: bytes
    image_id: str
    """Short hash over the guest, wasmtime and the runner: equal ids give equal results."""


def _cpu_features() -> str:
    """What decides whether native code compiled here runs there."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    flags = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    return f"{platform.machine()} {flags}"


def _guest_source(name: str) -> str:
    return (resources.files("sandbox_wasm") / "guest" / name).read_text(encoding="utf-8")


def boot_turns(program: str, maker: str, seed: int) -> list[str]:
    """Return the sources that turn a fresh interpreter into an image."""
    imports = "import " + ", ".join(PREIMPORTED)
    install = (
        "names = {'__name__': 'sandbox_guest'}\n"
        f"exec({_guest_source(program)!r}, names)\n"
        f"exec({_guest_source('install.py')!r}, names)\n"
        f"names['install'](names[{maker!r}], {seed})"
    )
    return [imports, install]


class _Builder:
    """Builds what is missing; reads the guest's large files only if something is."""

    def __init__(self, files: BuiltFiles, progress: Progress) -> None:
        self._files = files
        self._progress = progress
        self._built = False
        self._guest = locate_guest()
        self._library, version = locate_wasmtime()
        stubs = (resources.files("sandbox_wasm") / "wasm.py").read_text(encoding="utf-8")
        code_key = (_CODE_FORMAT, WASM_SHA256, version, _cpu_features(), stubs)
        self._module_name = f"module-{sha256_of(*code_key)[:16]}.cwasm"
        sources = [_guest_source(n) for n in ("runner.py", "compiler.py", "install.py")]
        image_key = (_IMAGE_FORMAT, WASM_SHA256, STDLIB_SHA256, version, stubs, *PREIMPORTED)
        self.image_id = sha256_of(*image_key, *sources)[:16]

    def build(self, images: int) -> BuiltGuest:
        read = self._files.ensure_read
        stdlib_name = f"stdlib-{STDLIB_SHA256[:16]}.zip"
        stdlib = read(stdlib_name, self._build_stdlib)
        module = self._files.ensure(self._module_name, self._compile)
        boot = functools.partial(self._boot, module, stdlib)
        compile_name = f"compile-{self.image_id}.img"
        compile_image = read(
            compile_name, lambda: boot("compiler.py", "make_compiler", _COMPILE_SEED)
        )
        run_names = [f"run-{index}-{self.image_id}.img" for index in range(images)]
        run_images = tuple(
            read(name, functools.partial(boot, "runner.py", "make_runner", seed))
            for name, seed in zip(run_names, _RUN_SEEDS, strict=False)
        )
        if self._built:
            self._files.prune([stdlib_name, self._module_name, compile_name, *run_names], _KEEP_S)
        return BuiltGuest(self._library, module, compile_image, run_images, stdlib, self.image_id)

    @functools.cached_property
    def _parts(self) -> ModuleParts:
        data = self._guest.wasm.read_bytes()
        _check_hash(data, WASM_SHA256, self._guest.wasm)
        return split_module(data)

    def _build_stdlib(self) -> bytes:
        """Keep the standard library alone, uncompressed: late imports then cost no inflating."""
        data = self._guest.stdlib_zip.read_bytes()
        _check_hash(data, STDLIB_SHA256, self._guest.stdlib_zip)
        out = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
            for member in old.infolist():
                if is_stdlib_member(member.filename):
                    stored = zipfile.ZipInfo(member.filename, (2026, 1, 1, 0, 0, 0))
                    new.writestr(stored, old.read(member))
        return out.getvalue()

    def _compile(self) -> bytes:
        self._progress("compiling the guest: once per user and machine, under a minute")
        done = threading.Event()
        ticker = threading.Thread(target=self._tick, args=(done,), daemon=True)
        ticker.start()
        started = time.monotonic()
        try:
            module = _pool.compile_module(str(self._library), self._parts.code)
        finally:
            done.set()
            ticker.join()
        self._progress(f"compiled the guest in {time.monotonic() - started:.0f} s")
        return module

    def _tick(self, done: threading.Event) -> None:
        started = time.monotonic()
        while not done.wait(5.0):
            self._progress(f"compiling the guest: {time.monotonic() - started:.0f} s")

    def _boot(self, module: Path, stdlib: bytes, program: str, maker: str, seed: int) -> bytes:
        self._built = True
        self._progress(f"booting an image for {program}")
        turns = boot_turns(program, maker, seed)
        return _pool.boot_image(
            str(self._library), str(module), self._parts.memory, stdlib, turns, seed
        )


def _check_hash(data: bytes, expected: str, path: Path) -> None:
    found = hashlib.sha256(data).hexdigest()
    if found != expected:
        raise ImageError(f"{path} is not the pinned guest: sha256 {found}, expected {expected}")


def _to_stderr(message: str) -> None:
    sys.stderr.write(f"azr-sandbox: {message}\n")
    sys.stderr.flush()


def build_guest(images: int = 2, progress: Progress = _to_stderr) -> BuiltGuest:
    """Return a checked guest with so many run images, building what the cache lacks.

    Raises:
        ImageError: The guest is not installed, not the pinned one, or cannot be built.
    """
    if not 1 <= images <= len(_RUN_SEEDS):
        raise ValueError(f"images must be in [1, {len(_RUN_SEEDS)}], got {images}")
    if os.name != "posix" or sys.platform != "linux":
        raise ImageError(f"the executor runs on Linux only, not on {sys.platform}")
    try:
        return _Builder(BuiltFiles(cache_folder()), progress).build(images)
    except RuntimeError as exc:
        raise ImageError(f"cannot build the guest: {exc}") from exc
