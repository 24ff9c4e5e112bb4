"""Limits as HTTP clients give them: seconds and megabytes. Fuel decides, here as everywhere."""

from typing import Final

from sandbox_wasm.grading.limits import CASE_LIMITS
from sandbox_wasm.types import FUEL_A_SECOND, Limits

__all__ = ["limits_of_request", "seconds_of_fuel"]

OUTPUT_BYTES: Final = 4 * 1024**2
"""A program may print so much; judges that compare on their side see no more of it."""
MEGABYTE: Final = 1024**2
LEAST_MEGABYTES: Final = 64
MOST_MEGABYTES: Final = 2048


def limits_of_request(seconds: float, memory_megabytes: float | None = None) -> Limits:
    """The limits of one run.

    Args:
        seconds: Its time limit, above 0.
        memory_megabytes: Its memory limit; None or below 1 for the default of graded programs.
            The interpreter needs 64 and cannot have more than 2048: what is asked for beyond is
            cut to these.
    """
    memory_bytes = CASE_LIMITS.memory_bytes
    if memory_megabytes is not None and memory_megabytes >= 1:
        megabytes = min(max(int(memory_megabytes), LEAST_MEGABYTES), MOST_MEGABYTES)
        memory_bytes = megabytes * MEGABYTE
    return Limits(seconds=seconds, memory_bytes=memory_bytes, output_bytes=OUTPUT_BYTES)


def seconds_of_fuel(fuel: int) -> float:
    """What a run took: its fuel in seconds, so the same on every machine."""
    return round(fuel / FUEL_A_SECOND, 6)
