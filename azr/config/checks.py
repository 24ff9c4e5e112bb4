"""What a value of the configuration may be: each check names the key, the value, the limit."""

import math
from collections.abc import Collection
from pathlib import Path

from azr.errors import ConfigError

__all__ = ["at_least", "finite", "home", "one_of", "within"]


def finite(key: str, value: float) -> None:
    """Raise `ConfigError` for nan and the infinities: no comparison would find the former."""
    if not math.isfinite(value):
        raise ConfigError(f"{key} must be a finite number, got {value}")


def at_least(key: str, value: float, low: float, why: str = "") -> None:
    """Raise `ConfigError` unless value >= low and is finite."""
    finite(key, value)
    if not value >= low:
        because = f": {why}" if why else ""
        raise ConfigError(f"{key} must be at least {low}, got {value}{because}")


def home(key: str, path: str) -> str:
    """The path with its `~` or `~user` replaced; any other text unchanged.

    Raises:
        ConfigError: Nobody of that name has a home here.
    """
    if not path.startswith("~"):
        return path
    try:
        return str(Path(path).expanduser())
    except RuntimeError as error:
        raise ConfigError(
            f"{key} must begin with a home folder that there is, got {path!r}: write it out"
        ) from error


def one_of(key: str, value: str, allowed: Collection[str]) -> None:
    """Raise `ConfigError` unless value is one of the allowed words."""
    if value not in allowed:
        raise ConfigError(f"{key} must be one of {', '.join(sorted(allowed))}, got {value!r}")


def within(key: str, value: float, low: float, high: float = math.inf) -> None:
    """Raise `ConfigError` unless low <= value <= high; nan is in no range."""
    if not low <= value <= high:
        limit = f"at least {low}" if math.isinf(high) else f"in [{low}, {high}]"
        raise ConfigError(f"{key} must be {limit}, got {value}")
