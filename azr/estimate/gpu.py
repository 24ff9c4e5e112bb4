"""The memory of this machine's GPUs, asked of the driver's own tool: no framework is loaded."""

import os
import shutil
import subprocess

__all__ = ["visible_gpu_bytes"]

MIB = 2**20


def visible_gpu_bytes(processes: int = 1) -> int | None:
    """All memory of the GPU that the poorest of so many processes gets, the largest being taken.

    The largest: which ones CUDA would take first is not known without CUDA, and a dry run should
    not refuse what some of them could hold. Where there are fewer GPUs than processes, the others
    are on other machines and taken to be like the smallest here. None where there is no GPU, or
    none may be used.
    """
    if os.environ.get("CUDA_VISIBLE_DEVICES", "0") in ("", "-1"):
        return None
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return None
    try:
        done = subprocess.run(  # noqa: S603 - the driver's tool, no input of ours
            [tool, "--query-gpu=memory.total", "--format=csv,noheader,nounits"],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    numbers = [int(line) for line in done.stdout.split() if line.isdecimal()]
    if done.returncode != 0 or not numbers:
        return None
    return sorted(numbers, reverse=True)[:processes][-1] * MIB
