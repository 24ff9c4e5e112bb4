"""Programs of ours that run in the guest, as the text a job takes."""

from functools import cache
from pathlib import Path

__all__ = ["guest_program"]


@cache
def guest_program(module: str) -> str:
    """The source of a module of azr that is written for the guest; read once."""
    return Path(__file__).with_name("guest").joinpath(f"{module}.py").read_text(encoding="utf-8")
