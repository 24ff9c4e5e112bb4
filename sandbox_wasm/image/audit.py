"""Shows by program that a restore is complete: which parts of the guest's state can change.

A restored slot resets memory. What is left to show is that memory is all that a run can change:
then an instance is new once its slot is, and an image, which holds memory alone, is a whole booted
guest.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from sandbox_wasm import _pool
from sandbox_wasm.image.manifest import locate_guest

__all__ = ["GuestAudit", "audit_guest", "audit_wasm"]

_ALLOWED: Final = frozenset({"global.set 0", "memory.grow"})
"""Global 0 is the stack pointer: at its initial value whenever no guest function runs."""


@dataclass(frozen=True, slots=True)
class GuestAudit:
    """What a decoded module can change."""

    functions: int
    undecoded: int
    """Functions with an unknown instruction: nothing is shown about them."""
    state_changes: dict[str, int]
    """How often each state-changing instruction occurs."""

    @property
    def is_complete(self) -> bool:
        """Whether restoring memory restores everything."""
        return self.undecoded == 0 and set(self.state_changes) <= _ALLOWED

    def lines(self) -> Iterator[str]:
        """Yield the audit as text."""
        verdict = "memory is the whole state" if self.is_complete else "STATE OUTSIDE MEMORY"
        yield f"audit: {self.functions} functions decoded, {self.undecoded} not: {verdict}"
        for name, count in sorted(self.state_changes.items()):
            yield f"audit: {count:>8} x {name}"


def audit_wasm(wasm: bytes) -> GuestAudit:
    """Decode every instruction of a module."""
    return GuestAudit(*_pool.audit_module(wasm))


def audit_guest() -> GuestAudit:
    """Decode the installed guest, unneeded functions included."""
    return audit_wasm(locate_guest().wasm.read_bytes())
