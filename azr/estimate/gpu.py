"""The memory of this machine's GPU, asked of the driver's own tool: no framework is loaded."""

import os
import shutil
import subprocess

__all__ = ["visible_gpu_bytes"]

MIB = 2**20


def visible_gpu_bytes() -> int | None:
    """All memory of the largest GPU, or None where there is none, or none may be used.

    The largest: which one CUDA would take first is not known without CUDA, and a dry run should
    not refuse what one of them could hold.
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
    return max(numbers) * MIB if done.returncode == 0 and numbers else None
