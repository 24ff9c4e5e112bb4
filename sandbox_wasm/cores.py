"""How many cores this process may use: fewer than the machine has in most containers.

The scheduler's mask (taskset, a cpuset) says on which cores; a control group's quota says for how
long, as a share of all of them. Two cores' worth of time on 64 cores is two cores.
"""

import math
import os
from collections.abc import Iterator
from pathlib import Path

__all__ = ["available_cores", "is_limited", "masked_cores", "quota_cores"]

PROC = Path("/proc/self")
"""Where the kernel tells a process about itself."""


def available_cores(proc: Path = PROC) -> int:
    """Cores by mask and quota, at least 1; half a core counts as one."""
    return max(1, math.ceil(min(masked_cores(), quota_cores(proc))))


def is_limited(proc: Path = PROC) -> bool:
    """Whether a quota allows less than the mask shows: what others count is then too much."""
    return available_cores(proc) < masked_cores()


def masked_cores() -> int:
    """Cores that the scheduler may put this process on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def quota_cores(proc: Path = PROC) -> float:
    """Cores' worth of time that the control groups above this process allow; inf without a quota.

    Args:
        proc: The process's folder in /proc; its files `cgroup` and `mountinfo` are read.
    """
    quotas = [_quota(folder) for folder in _groups(proc)]
    return min(quotas, default=math.inf)


def _groups(proc: Path) -> Iterator[Path]:
    """Folders of the groups that this process is in and of those above, version 1 and 2."""
    mounts = list(_mounts(proc))
    for line in _lines(proc / "cgroup"):
        _, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        for root, point, is_unified, options in mounts:
            if is_unified == (not controllers) and (
                is_unified or ("cpu" in controllers.split(",") and "cpu" in options)
            ):
                yield from _upwards(point, root, group)


def _mounts(proc: Path) -> Iterator[tuple[str, Path, bool, frozenset[str]]]:
    """(group at the mount's root, where it is mounted, version 2, controllers of version 1)."""
    for line in _lines(proc / "mountinfo"):
        before, _, after = line.partition(" - ")
        fields, kind = before.split(), after.split()
        if len(fields) > 4 and kind and kind[0] in ("cgroup", "cgroup2"):
            options = frozenset(kind[-1].split(","))
            yield fields[3], Path(fields[4]), kind[0] == "cgroup2", options


def _upwards(point: Path, root: str, group: str) -> Iterator[Path]:
    """The group's folder and its parents', up to where the hierarchy is mounted.

    In a container the group's name may be the host's, which the mount does not show: then the
    mount itself is the container's group.
    """
    below = group.removeprefix(root) if group.startswith(root) and root != "/" else group
    words = [word for word in below.split("/") if word not in ("", ".", "..")]
    for depth in range(len(words), -1, -1):
        yield point.joinpath(*words[:depth])


def _quota(folder: Path) -> float:
    """Microseconds of processor time in a microsecond; inf where nothing limits them."""
    for line in _lines(folder / "cpu.max"):  # version 2: "150000 100000", or "max 100000"
        words = line.split()
        return _ratio(words[0], words[1]) if len(words) == 2 else math.inf
    quota = "".join(_lines(folder / "cpu.cfs_quota_us"))  # version 1: -1 is none
    return _ratio(quota, "".join(_lines(folder / "cpu.cfs_period_us")))


def _ratio(quota: str, period: str) -> float:
    if quota.isdecimal() and period.isdecimal() and int(quota) > 0 and int(period) > 0:
        return int(quota) / int(period)
    return math.inf


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8", errors="replace").strip().split("\n")
    except OSError:  # no such file: another kernel, another version, a group of the host's
        return []
