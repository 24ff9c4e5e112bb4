"""The memory of this machine's GPUs, from the driver's own tool; this loads no framework."""

import os
import shutil
import subprocess

__all__ = ["visible_gpu_bytes", "visible_gpus"]

MIB = 2**20


def visible_gpu_bytes(processes: int = 1) -> int | None:
    """Return the memory of the smallest of the GPUs that so many processes get.

    The largest GPUs are taken, because without CUDA nobody knows which ones CUDA would take first,
    and a dry run should not refuse what some of them could hold. If there are fewer GPUs than
    processes, the others are on other machines and counted like the smallest here. None if there is
    no GPU, or none may be used.
    """
    largest_first = sorted(memories(), reverse=True)
    return largest_first[:processes][-1] if largest_first else None


def visible_gpus() -> int:
    """Return how many GPUs a run on this machine may use."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    there = len(memories())
    return there if chosen is None else min(there, len(chosen.split(",")))


def memories() -> list[int]:
    """Return the bytes of each GPU; none if none may be used."""
    if os.environ.get("CUDA_VISIBLE_DEVICES", "0") in ("", "-1"):
        return []
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    try:
        done = subprocess.run(  # noqa: S603 - the driver's tool, no input of ours
            [tool, "--query-gpu=memory.total", "--format=csv,noheader,nounits"],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    if done.returncode != 0:
        return []
    return [int(line) * MIB for line in done.stdout.split() if line.isdecimal()]
